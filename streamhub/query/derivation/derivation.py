"""A compiled statement that makes new records of joined ones, or of one source by computing columns.

Lives here: ``Derivation``, what the engine calls. Does not live here: joining (``streamhub.join``), Kafka,
the registration of the Datastreams that results belong to.

>>> from streamhub.query import compile_statement
>>> derivation = compile_statement(
...     "SELECT l.result * r.result AS power UNIT 'W' FROM a.bb.cc.dd AS l JOIN a.bb.cc.dd AS r "
...     "WITHIN 1 s WHERE l.name = 'a.bb.cc.dd.M.Speed' AND r.name = 'a.bb.cc.dd.M.Torque'"
... )
>>> (route,) = derivation.routes("a.bb.cc.dd", b"a.bb.cc.dd.M.Torque")
>>> route.source, route.read(b'{"phenomenonTime": "2026-01-02T03:04:05.000006Z", "result": 3}').time
(1, 1767323045000006)
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import msgspec

from streamhub.errors import QueryTypeError
from streamhub.query import nodes
from streamhub.query.checker import column_name, is_output
from streamhub.query.derivation.emission import Emission
from streamhub.query.derivation.streams import Route, split_condition, streams_of
from streamhub.query.execution.folding import fold
from streamhub.query.execution.rows import key_parts
from streamhub.query.execution.tally import Tally
from streamhub.query.join_keys import join_keys
from streamhub.query.nodes import Position
from streamhub.query.rendering import render_expression
from streamhub.query.restriction import Restriction

__all__ = ["DEFAULT_TIME", "Derivation", "Output", "OutputColumn"]

DEFAULT_TIME = "LATER"
"""The TIME rule of a statement that states none: the latest of the joined times."""

_STAR_COLUMNS = ("name", "phenomenonTime", "result")
_FINGERPRINT_VERSION = 2  # another layout of records or keys needs another number


class Output(Protocol):
    """Where the results of one column go; the engine has more to say about it."""

    @property
    def tail(self) -> str:
        """End of the JSON text after result and attributes, such as ``}``."""


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column whose values become the records of a Datastream.

    Attributes:
        name: Name of the column, last part of the Datastream's full name.
        unit: Its unit as written after UNIT (UCUM), or None.
        expression: What is computed, as text.
        at: Where the column stands in the statement.
    """

    name: str
    unit: str | None
    expression: str
    at: Position


class Derivation:
    """A statement, ready to route records, and to make results of joined ones; not to be shared by threads.

    Attributes:
        text: The statement as it was given.
        tree: The statement as a tree.
        sources: The systems it reads, each once, in the order of first mention; ``("*",)`` for any.
        width: Number of joined sources.
        withins: Largest distance of a pair for each JOIN [us]; None without a limit.
        max_latency: How long a silent source is waited for [us], or None.
        lateness: How far out of order a record may come [us].
        keys: The parts of the join key, each with one attribute for each source.
        is_keyed: Whether there is a join key.
        is_co_partitioned: Whether records that may meet are always in partitions of one number.
        keeps_thing: Whether a result belongs to the Thing of the first source's record.
        columns: The columns that become Datastreams.
        column_names: Names of all columns, in the order of SELECT.
    """

    def __init__(
        self, text: str, tree: nodes.Statement, restrictions: Sequence[Restriction | None] = ()
    ) -> None:
        """Compile a checked tree; ``compile_statement`` is the way to get one.

        Args:
            text: The statement as it was given.
            tree: The checked tree.
            restrictions: What may leave of each source, None where everything may; the statement looks at
                nothing else.

        Raises:
            ConstantError: A part without attributes can never be computed.
        """
        self.text = text
        self.tree = tree
        self._systems = tuple(source.system for source in tree.streams)
        self.sources = tuple(dict.fromkeys(self._systems))
        self.width = len(self._systems)
        self.withins = tuple(None if join.within is None else join.within.microseconds for join in tree.joins)
        self.max_latency = None if tree.max_latency is None else tree.max_latency.microseconds
        self.lateness = 0 if tree.lateness is None else tree.lateness.microseconds
        self.keys = join_keys(tree, self._refusal)
        self.is_keyed = bool(self.keys)
        self.is_co_partitioned = len(self.sources) == 1 and any(
            set(part) in ({"thing"}, {"name"}) for part in self.keys
        )
        self.keeps_thing = self.width == 1 or any(part[0] in {"thing", "name"} for part in self.keys)
        self.columns = tuple(
            OutputColumn(column_name(column), column.unit, render_expression(column.expression), column.at)
            for column in tree.columns or ()
            if is_output(column)
        )
        self._tally = Tally()
        self._compile(tree, restrictions or (None,) * self.width)

    def _compile(self, tree: nodes.Statement, restrictions: Sequence[Restriction | None]) -> None:
        time = tree.time or DEFAULT_TIME
        self._streams = streams_of(tree, self.keys, restrictions, keeps_thing=self.keeps_thing)
        _, condition = split_condition(tree.where, [source.alias for source in tree.streams])
        shown = tree if tree.columns is not None else _with_star(tree)
        self.column_names = tuple(map(column_name, shown.columns or ()))
        emission = Emission(
            shown, fold(condition, {}), self._streams, time=time, keeps_thing=self.keeps_thing
        )
        self._emitted = emission.emit(self._tally)

    def _refusal(self, reason: str, at: Position) -> QueryTypeError:
        return QueryTypeError(reason, statement=self.text, line=at.line, column=at.column)

    @property
    def record_types(self) -> tuple[type, ...]:
        """The types of the records that are remembered, one for each source; all have a ``time`` [us]."""
        return tuple(stream.record_type for stream in self._streams)

    @cached_property
    def fingerprint(self) -> str:
        """What remembered records mean; it differs when those of another statement are of no use."""
        meaning = (
            _FINGERPRINT_VERSION,
            [stream.meaning for stream in self._streams],
            self.withins,
            self.max_latency,
            self.lateness,
        )
        return hashlib.sha256(msgspec.json.encode(meaning)).hexdigest()[:32]

    def routes(self, system: str, key: bytes | None) -> tuple[Route, ...]:
        """Tell which sources take the records of a topic that have a key.

        Args:
            system: The system whose topic it is.
            key: The key, a full Datastream name in UTF-8; None when the records have none.

        Returns:
            One route for each source that takes them; worth remembering, since making them costs.

        Raises:
            UnicodeDecodeError: The key is not UTF-8.
        """
        parts = key_parts(key)
        routes = (
            stream.route(parts)
            for stream in self._streams
            if stream.system in {system, "*"} and stream.judge_key(*parts)
        )
        return tuple(route for route in routes if route is not None)

    def derive(
        self,
        tuples: Sequence[tuple[Any, ...]],
        stamp: str,
        outputs: Mapping[tuple[int, str | None], Output],
        results: list[tuple[Output, str]],
    ) -> None:
        """Make the results of joined records, for every column that becomes a Datastream.

        Args:
            tuples: One record of each source, as its route read it.
            stamp: The resultTime of the results, RFC 3339 in UTC.
            outputs: Number of the column and Thing (None when ``keeps_thing`` is false) to the output; asked
                for what is needed only, so it may make them when they are missing.
            results: Takes each output with the value, JSON text, in the order of tuples and columns.
        """
        if tuples:
            self._emitted.derive(tuples, stamp, outputs, results)

    def describe(self, joined: tuple[Any, ...]) -> dict[str, Any] | None:
        """Show what joined records become: phenomenonTime, then every column by its name.

        Args:
            joined: One record of each source, as its route read it.

        Returns:
            The columns, None where one cannot be computed; None as a whole when WHERE does not hold.
        """
        if not self._emitted.matches(joined):
            return None
        names = ("phenomenonTime", *self.column_names)
        return dict(zip(names, self._emitted.columns(joined), strict=True))

    def take_counts(self) -> tuple[int, int]:
        """Give how often something was missing and something did not fit, since the last call."""
        counts = self._tally.missing, self._tally.mismatches
        self._tally.missing = self._tally.mismatches = 0
        return counts


def _with_star(tree: nodes.Statement) -> nodes.Statement:
    """Write out the columns that ``*`` stands for in a join."""
    columns = tuple(
        nodes.Column(nodes.Attribute(name, source.alias), f"{source.alias}.{name}")
        for source in tree.streams
        for name in _STAR_COLUMNS
    )
    return nodes.Statement(columns, tree.sources, tree.joins, tree.where)
