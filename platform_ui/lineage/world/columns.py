"""Which Datastreams and attributes feed which output, from the statements of stream apps.

What lives here: reading a checked statement as lineage. What does not: what is permitted and observed of it
(``truths``), the language itself (``streamhub.query``). Pure.

An output is *fed* by what its column computes with, and *decided* by what WHERE and ON look at: whether there
is a record at all. A statement without columns passes records on as they are: each Datastream feeds itself,
at the target.

>>> text = "SELECT result * 2 AS twice UNIT 'm' FROM a.bb.cc.dd WHERE name = 'a.bb.cc.dd.T.x' AND quality > 1"
>>> app = Reading.of(text, "a.bb.cc.dd")
>>> feeds = app.feeds("a.bb.cc.ee", "app", ())
>>> [(feed.attribute, feed.how, feed.output) for feed in feeds][:2]
[('result', 'feeds', 'a.bb.cc.ee.T.twice'), ('name', 'decides', 'a.bb.cc.ee.T.twice')]
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from client.errors import InvalidNameError
from client.messaging.topics import DatastreamName
from streamhub.errors import QueryError
from streamhub.query import Derivation, compile_statement, nodes
from streamhub.query.quantities import datastreams_of

ANY_SYSTEM: Final = "*"
WHOLE: Final = "record"
"""What stands for all attributes of a record that is passed on."""
FEEDS: Final = "feeds"
DECIDES: Final = "decides"
ANY_THING: Final = "<Thing>"
ANY_DATASTREAM: Final = "*"


@dataclass(frozen=True, slots=True)
class Feed:
    """That something of a Datastream goes into an output.

    Attributes:
        source: Full name of the Datastream; ``<system>.*.*`` where the statement names none.
        attribute: Which attribute of its records; ``record`` for all of it.
        output: Full name of what comes out; ``<Datastream>@<system>`` for records passed on as they are.
        how: ``feeds`` or ``decides``.
        expression: What is computed, or the condition.
    """

    source: str
    attribute: str
    output: str
    how: str
    expression: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that becomes a Datastream of the target."""

    name: str
    unit: str | None
    expression: str
    mentions: frozenset[tuple[str | None, str]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement as lineage sees it.

    Attributes:
        home: The system whose app it is.
        tree: The statement.
        columns: What it computes; empty when it passes records on.
        is_derived: Whether it computes new records.
        keeps_thing: Whether an output belongs to the Thing of the first source's record.
    """

    home: str
    tree: nodes.Statement
    columns: tuple[Column, ...]
    is_derived: bool
    keeps_thing: bool

    @classmethod
    def of(cls, statement: str, home: str) -> "Reading | None":
        """Return a statement of an app of a system; nothing when the language cannot read it any more."""
        return _reading(statement, home)

    @property
    def systems(self) -> tuple[str, ...]:
        """All systems that are read, the app's own first."""
        named = (self._system(source) for source in self.tree.streams)
        return tuple(dict.fromkeys((self.home, *named)))

    def named(self) -> tuple[str, ...]:
        """Return the Datastreams of its sources that the statement names."""
        conditions = [join.on for join in self.tree.joins if join.on] + (
            [self.tree.where] if self.tree.where else []
        )
        texts = (part.value for one in conditions for part in nodes.walk(one) if isinstance(part, nodes.Text))
        found = (text for text in texts if any(text.startswith(f"{system}.") for system in self.systems))
        return tuple(dict.fromkeys(text for text in found if _is_datastream(text)))

    def sources(self, known: Iterable[str]) -> dict[str | None, tuple[str, ...]]:
        """Return the Datastreams that each source can deliver, by its alias.

        Args:
            known: Full names of Datastreams that are known besides those that the statement names.
        """
        names = tuple(dict.fromkeys((*self.named(), *known)))
        found: dict[str | None, tuple[str, ...]] = {}
        for source in self.tree.streams:
            system = self._system(source)
            own = [name for name in names if name.startswith(f"{system}.")]
            delivered = datastreams_of(self.tree, source, own)
            found[source.alias] = tuple(delivered) or (f"{system}.{ANY_DATASTREAM}.{ANY_DATASTREAM}",)
        return found

    def feeds(self, target: str, app_name: str, known: Iterable[str]) -> list[Feed]:
        """Return what goes into each output.

        Args:
            target: The system that receives.
            app_name: Short name of the app, the Thing of what it computes of several Things.
            known: Full names of Datastreams that are known besides those that the statement names.
        """
        sources = self.sources(known)
        if not self.is_derived:
            return list(dict.fromkeys(self._passed(target, sources)))
        return list(dict.fromkeys(self._computed(target, app_name, sources)))

    def _passed(self, target: str, sources: Mapping[str | None, tuple[str, ...]]) -> Iterator[Feed]:
        for alias, names in sources.items():
            for name in names:
                output = f"{name}@{target}"
                yield Feed(name, WHOLE, output, FEEDS)
                for qualifier, attribute in sorted(self._deciding(), key=str):
                    if qualifier in (alias, None):
                        yield Feed(name, attribute, output, DECIDES)

    def _computed(
        self, target: str, app_name: str, sources: Mapping[str | None, tuple[str, ...]]
    ) -> Iterator[Feed]:
        for column in self.columns:
            for thing in self._things(app_name, sources):
                output = f"{target}.{thing}.{column.name}"
                used = [(one, FEEDS, column.expression) for one in sorted(column.mentions, key=str)]
                used += [(one, DECIDES, "") for one in sorted(self._deciding(), key=str)]
                for (qualifier, attribute), how, expression in used:
                    for name in self._of(qualifier, thing, sources):
                        yield Feed(name, attribute, output, how, expression)

    def _of(
        self, qualifier: str | None, thing: str, sources: Mapping[str | None, tuple[str, ...]]
    ) -> Sequence[str]:
        """Return the Datastreams that a mention can be of, for an output that belongs to a Thing."""
        if qualifier in sources:
            names: Sequence[str] = sources[qualifier]
        else:
            names = [name for group in sources.values() for name in group]
        if not self.keeps_thing or thing == ANY_THING:
            return names
        return [name for name in names if _thing(name) in (thing, ANY_DATASTREAM)] or names

    def _things(self, app_name: str, sources: Mapping[str | None, tuple[str, ...]]) -> Sequence[str]:
        if not self.keeps_thing:
            return (app_name,)
        first = next(iter(sources.values()), ())
        things = dict.fromkeys(_thing(name) for name in first)
        return tuple(ANY_THING if thing == ANY_DATASTREAM else thing for thing in things)

    def _deciding(self) -> frozenset[tuple[str | None, str]]:
        found = nodes.mentions(self.tree.where) if self.tree.where else frozenset()
        for join in self.tree.joins:
            if join.on is not None:
                found |= nodes.mentions(join.on)
        return found

    def _system(self, source: nodes.Source) -> str:
        return self.home if source.system == ANY_SYSTEM else source.system


def sources_of(statement: str, home: str) -> tuple[str, ...]:
    """Return the systems that a stored statement reads, the app's own first."""
    reading = Reading.of(statement, home)
    return reading.systems if reading else (home,)


@lru_cache(maxsize=2048)
def _reading(statement: str, home: str) -> Reading | None:
    try:
        compiled = compile_statement(statement)
    except QueryError:  # stored by an older version of the language
        return None
    is_derived = isinstance(compiled, Derivation)
    columns: tuple[Column, ...] = ()
    if isinstance(compiled, Derivation):
        trees = {(one.at.line, one.at.column): one for one in compiled.tree.columns or ()}
        columns = tuple(
            Column(
                one.name,
                one.unit,
                one.expression,
                nodes.mentions(trees[one.at.line, one.at.column].expression),
            )
            for one in compiled.columns
        )
    keeps_thing = isinstance(compiled, Derivation) and compiled.keeps_thing
    return Reading(home, compiled.tree, columns, is_derived, keeps_thing)


def _thing(name: str) -> str:
    return name.split(".")[4]


def _is_datastream(name: str) -> bool:
    try:
        DatastreamName.parse(name)
    except InvalidNameError:
        return False
    return True
