"""What each source of a statement contributes: which records, read into what, under which join key.

Lives here: the part of WHERE that chooses a stream, the types of the records that are remembered, and their
readers. Does not live here: what is done with records that are joined (``emission``).

A record holds its event time, as a number and as a moment, the attributes that the statement looks at, and
the parts of the key likewise. Everything else of a record is left behind.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

import msgspec

from streamhub.query import nodes
from streamhub.query.checker import KEY_ATTRIBUTES
from streamhub.query.derivation.keeping import PLAIN, kept
from streamhub.query.derivation.times import event_time
from streamhub.query.execution.emitter import Emitter
from streamhub.query.execution.rows import fields_of, row_type
from streamhub.query.execution.statement import CompiledStatement
from streamhub.query.execution.tally import Tally
from streamhub.query.join_keys import JoinKeys, conjuncts
from streamhub.query.nodes import Expression
from streamhub.query.rendering import render_expression
from streamhub.query.restriction import Restriction

__all__ = ["Route", "Stream", "split_condition", "streams_of"]

_TIME = "phenomenonTime"
_EXACT = 2**53  # from here on a double may stand for several whole numbers
_PLAIN = (str, int, float, bool)

KeyParts = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Route:
    """Where the records of one topic and key go.

    Attributes:
        source: Number of the source, counted from 0.
        read: Makes a record, with its ``time`` [us], of the bytes of a value; raises ``READING_ERRORS``.
        key: The join key; None when the values make it.
        key_of: Gives the join key of a record when its values make it, or None when the record lacks an
            attribute of it; None otherwise.
        admits: Tells by the bytes of a value whether a record may go in at all, which raises
            ``READING_ERRORS``; None when all may.
    """

    source: int
    read: Callable[[bytes | None], Any]
    key: Hashable | None
    key_of: Callable[[Any], Hashable | None] | None
    admits: Callable[[bytes | None], bool] | None = None


def split_condition(
    where: Expression | None, aliases: Sequence[str | None]
) -> tuple[tuple[tuple[Expression, ...], ...], Expression]:
    """Part WHERE into what chooses the stream of each source and what is judged on joined records.

    A condition chooses when it looks at name, thing or system of one source and at nothing else: that names
    streams. A condition on values is judged later, since leaving records out before the join would change
    who is whose neighbour.

    Args:
        where: The condition after WHERE, or None.
        aliases: Names of the sources.

    Returns:
        The conditions that choose, for each source, and the rest.
    """
    chosen: list[list[Expression]] = [[] for _ in aliases]
    rest: list[Expression] = []
    for part in conjuncts(where) if where is not None else ():
        mentions = nodes.mentions(part)
        qualifiers = {qualifier for qualifier, _ in mentions}
        if len(aliases) == 1 and mentions:
            qualifiers = {aliases[0]}
        if len(qualifiers) == 1 and {name for _, name in mentions} <= KEY_ATTRIBUTES:
            chosen[aliases.index(qualifiers.pop())].append(part)
        else:
            rest.append(part)
    left = rest[0] if len(rest) == 1 else nodes.And(tuple(rest)) if rest else nodes.Boolean(True)
    return tuple(map(tuple, chosen)), left


@dataclass(frozen=True)
class Stream:
    """One source of a statement.

    Attributes:
        number: Its place among the sources, counted from 0.
        system: The system it reads, or ``*``.
        chosen: The conditions on the key that choose its records.
        key_attributes: Its attributes in the join key.
        fields: Attribute to the field of a record that holds it.
        restriction: What may go in at all; None when everything may.
    """

    number: int
    system: str
    chosen: tuple[Expression, ...]
    key_attributes: tuple[str, ...]
    fields: Mapping[str, str]
    restriction: Restriction | None = None

    @property
    def meaning(self) -> list[object]:
        """Say what its remembered records mean, as plain data."""
        chosen = [render_expression(part) for part in self.chosen]
        meaning: list[object] = [self.system, chosen, list(self.key_attributes), sorted(self.fields)]
        # Appended, so that what was remembered without a restriction stays of use.
        return meaning if self.restriction is None else [*meaning, self.restriction.meaning]

    @cached_property
    def record_type(self) -> type:
        """The type of a record, decoded from the value itself; what the value does not tell has no member."""
        # Longer than any attribute, so it is none; whatever a value holds there is written over.
        mark = "\uffff" * (1 + max(map(len, self.fields), default=0))
        names = {"time": f"{mark}time", "when": f"{mark}when" if _TIME in self.fields else _TIME}
        for attribute, name in self.fields.items():
            names[name] = f"{mark}{name}" if self._is_told(attribute) else attribute
        return msgspec.defstruct(
            f"Record{self.number}",
            [
                ("time", int, 0),
                ("when", datetime | None, None),
                *((n, Any, None) for n in self.fields.values()),
            ],
            rename=names,
            gc=False,
        )

    @staticmethod
    def _is_told(attribute: str) -> bool:
        """Say whether an attribute is known without the value's member of that name."""
        return attribute in KEY_ATTRIBUTES

    @cached_property
    def judge_key(self) -> Callable[..., bool]:
        """Tell from the parts of a key whether its records belong to the stream."""
        emitter = Emitter({}, Tally())
        written = " and ".join(map(emitter.condition, self.chosen)) or "True"
        emitter.define(f"def judge(key_name, key_thing, key_system):\n    return {written}")
        return cast("Callable[..., bool]", emitter.build()["judge"])

    @cached_property
    def _gate(self) -> CompiledStatement | None:
        """Judge, by key and value, what may go in at all."""
        combined = None if self.restriction is None else self.restriction.combined
        if combined is None:
            return None
        tree = nodes.Statement(None, (nodes.Source(self.system),), where=combined)
        return CompiledStatement(render_expression(combined), tree)

    def route(self, parts: KeyParts) -> Route | None:
        """Make the route of the records with a key; None when none of them may go in.

        Args:
            parts: Name, Thing and system that the key tells.
        """
        name = parts[0]
        key = None if name is None else name.encode()
        admits = True if self._gate is None else self._gate.judge_of(key)
        if admits is False:
            return None
        return self._route(parts, None if admits is True else admits)

    def _route(self, parts: KeyParts, admits: Callable[[bytes | None], bool] | None) -> Route:
        told = dict(zip(("name", "thing", "system"), parts, strict=True))
        read = self.reader(*parts)
        values = [told.get(attribute) for attribute in self.key_attributes]
        if KEY_ATTRIBUTES.issuperset(self.key_attributes) and None not in values:
            return Route(self.number, read, join_key(values), None, admits)
        names = [self.fields[attribute] for attribute in self.key_attributes]

        def key_of(record: Any) -> str | None:  # noqa: ANN401 - of the type made here
            return join_key([getattr(record, name) for name in names])

        return Route(self.number, read, None, key_of, admits)

    @cached_property
    def reader(self) -> Callable[..., Callable[[bytes | None], Any]]:
        """Make, of the parts of a key, the function that reads the values of its records.

        A usual time is read at once, any other form with care; so is one whose form the statement shows.
        """
        namespace: dict[str, Any] = {
            "decode": msgspec.json.Decoder(self.record_type).decode,
            "decode_again": self._decode_again,
            "ValidationError": msgspec.ValidationError,
            "UTC": UTC,
            "PLAIN": PLAIN,
            "kept": kept,
        }
        lines = [
            _ASSIGN.format(
                name=name, value=f"key_{attribute}" if attribute != _TIME else "shown(record.when)"
            )
            if self._is_told(attribute)
            else _CHECK.format(name=name)
            for attribute, name in self.fields.items()
        ]
        reader = _CAREFUL_READER if _TIME in self.fields else _READER
        source = reader.format(lines="\n".join(lines))
        exec(compile(source, "<reader>", "exec"), namespace)  # noqa: S102 - made here, holds no user text
        return cast("Callable[..., Callable[[bytes | None], Any]]", namespace["reader"])

    @cached_property
    def _decode_again(self) -> Callable[[bytes | None], Any]:
        """Make the function that reads a value whose time has an unusual form."""
        members = fields_of({_TIME, *(name for name in self.fields if not self._is_told(name))})
        _, decode = row_type(members)
        places = {member: place for place, member in members.items()}
        record_type = self.record_type

        def decode_again(value: bytes | None) -> Any:  # noqa: ANN401 - of the type made here
            row = decode(cast("bytes", value))
            time, when = event_time(getattr(row, places[_TIME]))
            found = {
                name: getattr(row, places[attribute])
                for attribute, name in self.fields.items()
                if attribute in places and not self._is_told(attribute)
            }
            return record_type(time=time, when=when, **found)

        return decode_again


# Doubles are exact to the microsecond up to the year 2106.
_READER = """\
def reader(key_name, key_thing, key_system):
    def read(value):
        try:
            record = decode(value)
            when = record.when
            if when is not None and when.tzinfo is UTC and 0 <= (seconds := when.timestamp()) < 4e9:
                record.time = int(seconds * 1000000 + 0.5)
            else:
                record = decode_again(value)
        except ValidationError:
            record = decode_again(value)
{lines}
        return record
    return read"""

_CAREFUL_READER = """\
def reader(key_name, key_thing, key_system):
    def read(value):
        record = decode_again(value)
{lines}
        return record
    return read"""

_CHECK = """\
        if record.{name}.__class__ not in PLAIN: record.{name} = kept(record.{name})"""

_ASSIGN = """\
        record.{name} = {value}"""


def join_key(values: Sequence[object]) -> str | None:
    """Write the values of a join key as one text, or give None when one is absent or no plain value.

    Whole doubles are written as whole numbers, so that 1 and 1.0 are the same Thing's number.
    """
    plain: list[object] = []
    for value in values:
        if value.__class__ not in _PLAIN:
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
            plain.append(int(value))
        else:
            plain.append(value)
    return msgspec.json.encode(plain).decode() if plain else ""


def streams_of(
    tree: nodes.Statement,
    keys: JoinKeys,
    restrictions: Sequence[Restriction | None],
    *,
    keeps_thing: bool,
) -> tuple[Stream, ...]:
    """Describe the sources of a statement.

    Args:
        tree: The checked statement.
        keys: Its join key.
        restrictions: What may leave of each source, None where everything may.
        keeps_thing: Whether results belong to the Thing of the first source's record.
    """
    aliases = [source.alias for source in tree.streams]
    chosen, rest = split_condition(tree.where, aliases)
    looked_at = [rest, *(column.expression for column in tree.columns or ())]
    mentions = frozenset[tuple[str | None, str]]().union(*map(nodes.mentions, looked_at))
    last = len(aliases) - 1
    streams: list[Stream] = []
    for number, source in enumerate(tree.streams):
        attributes = {name for alias, name in mentions if last == 0 or alias == source.alias}
        if tree.columns is None:
            attributes |= {"name", _TIME, "result"}
        if number == 0 and keeps_thing:
            attributes.add("thing")
        own = tuple(part[number] for part in keys)
        attributes |= set(own)
        fields = {name: f"a{index}" for index, name in enumerate(sorted(attributes))}
        streams.append(Stream(number, source.system, chosen[number], own, fields, restrictions[number]))
    return tuple(streams)
