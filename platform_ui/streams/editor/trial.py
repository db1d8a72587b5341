"""A statement tried on the last real records: what comes in, what matches, what comes out; nothing is kept.

What lives here: running a statement over records that were read, counting, and what is shown of the outputs.
What does not: reading the records and who may see them (``reading``). It is the same compiled evaluator as in
a stream app (``streamhub.query.replay``).
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec

from platform_ui.streams.editor.plan import clauses_of
from platform_ui.streams.statements import ANY_SYSTEM, Compiled
from streamhub.query import CompiledStatement, Derivation, nodes
from streamhub.query.nodes import Expression
from streamhub.query.rendering import render_expression
from streamhub.query.replay import QueryRun
from streamhub.query.trials import OutputRecord, RunCounters

SHOWN: Final = 20  # newest outputs
SHOWN_REASONS: Final = 5
MAX_CLAUSES: Final = 12
MAX_TEXT: Final = 60
_TIME: Final = "phenomenonTime"
_APART: Final = frozenset({_TIME, "resultTime", "result", "Datastream"})


@dataclass(frozen=True, slots=True)
class SourceRecords:
    """Recent records of one source, those that the app could have.

    Attributes:
        system: Full name of the system.
        lines: The records as `streamhub.query.replay` takes them, in the order of arrival.
        timestamps_ms: When Kafka got them [ms since 1970]; empty when that is not known.
        read: Records that were looked at [1].
        held_back: Those of them that the contract keeps back [1].
        unusable: Those of them that cannot be read at all [1].
        is_complete: Whether the end of the topic was reached in time.
    """

    system: str
    lines: list[str]
    timestamps_ms: list[int] = field(default_factory=list)
    read: int = 0
    held_back: int = 0
    unusable: int = 0
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class ClauseCount:
    """How often one condition of WHERE did not hold.

    Attributes:
        text: The condition.
        judged: Records that were judged by it alone [1].
        refused: Those for which it was false [1].
        missing: Those of them that lack what it looks at [1].
    """

    text: str
    judged: int
    refused: int
    missing: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the outputs: its name, and its unit when all records share it."""

    name: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A record that would be written.

    Attributes:
        time: Its phenomenonTime as written.
        datastream: Full name of the Datastream; empty where the app makes a new one.
        cells: What stands in each column.
        more: Names and values of what else it holds.
    """

    time: str
    datastream: str
    cells: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Trial:
    """What a statement made of recent records.

    Attributes:
        sources: What was read, by source.
        read: Records that went in [1].
        matched: Records that came out; of a join, combinations of records [1].
        dropped: Records that the statement leaves out [1]; of a join, those combinations that WHERE refuses.
        failed: Records that cannot be used [1].
        reasons: Why they cannot: stable code, number [1], what was said of the first.
        pairs: Combinations that were joined; nothing without a join.
        late: Records that came too late for the join [1].
        unjoined: Records without an attribute that ON compares [1].
        missing: Comparisons that were false because a record lacks an attribute [1].
        mismatches: Comparisons that were false because a value was of another kind [1].
        clauses: How often each condition was false.
        columns: The columns of the outputs.
        outputs: The newest outputs, the newest first.
        attributes: Names of additional attributes that the records hold.
        is_complete: Whether all topics were read to their ends in time.
    """

    sources: tuple[SourceRecords, ...]
    read: int = 0
    matched: int = 0
    dropped: int = 0
    failed: int = 0
    reasons: tuple[tuple[str, int, str], ...] = ()
    pairs: int | None = None
    late: int = 0
    unjoined: int = 0
    missing: int = 0
    mismatches: int = 0
    clauses: tuple[ClauseCount, ...] = ()
    columns: tuple[Column, ...] = ()
    outputs: tuple[Output, ...] = ()
    attributes: tuple[str, ...] = ()
    is_complete: bool = True

    @property
    def held_back(self) -> int:
        """Records that contracts keep back, as far as the person may know of them [1]."""
        return sum(source.held_back for source in self.sources)

    @property
    def datastreams(self) -> tuple[str, ...]:
        """Full names of the Datastreams of the outputs that are shown, each once."""
        return tuple(dict.fromkeys(one.datastream for one in self.outputs if one.datastream))


def try_statement(compiled: Compiled, home: str, sources: Sequence[SourceRecords]) -> Trial:
    """Run a statement over recent records.

    Args:
        compiled: the statement.
        home: full name of the system that the app belongs to.
        sources: the records of every system that it reads.
    """
    run = QueryRun(compiled, _in_order(sources))
    newest = deque[OutputRecord](maxlen=SHOWN)
    newest.extend(run)
    counters = run.counters
    trial = Trial(tuple(sources), is_complete=all(source.is_complete for source in sources))
    unusable = sum(source.unusable for source in sources)
    trial.read = sum(source.read for source in sources)
    trial.matched = counters.matched
    trial.failed = counters.rejected.total() + unusable
    trial.missing, trial.mismatches = counters.missing, counters.mismatches
    _take_counts(trial, counters, is_joined=len(compiled.tree.streams) > 1)
    trial.reasons = _reasons(counters.rejected, [(one.code, one.detail) for one in run.refusals], unusable)
    trial.clauses = tuple(_judge_clauses(compiled.tree, home, sources))
    trial.columns = _columns(compiled)
    trial.outputs = tuple(_shown(record, compiled) for record in reversed(newest))
    trial.attributes = _attributes(sources)
    return trial


def _take_counts(trial: Trial, counters: RunCounters, *, is_joined: bool) -> None:
    if counters.joins is None or not is_joined:
        trial.dropped = max(0, trial.read - trial.held_back - trial.matched - trial.failed)
        return
    trial.pairs = counters.joins.pairs
    trial.dropped = counters.joins.pairs - trial.matched
    trial.late, trial.unjoined = counters.joins.late, counters.joins.unjoined


def _in_order(sources: Sequence[SourceRecords]) -> Iterable[str]:
    """Put the records of all sources into the order in which Kafka got them."""
    if len(sources) == 1:
        return sources[0].lines
    if any(len(source.timestamps_ms) != len(source.lines) for source in sources):
        return [line for source in sources for line in source.lines]
    arrivals = [
        (timestamp, line)
        for source in sources
        for timestamp, line in zip(source.timestamps_ms, source.lines, strict=True)
    ]
    return [line for _, line in sorted(arrivals, key=lambda arrival: arrival[0])]


def _reasons(
    rejected: Counter[str], said: Iterable[tuple[str, str]], unusable: int
) -> tuple[tuple[str, int, str], ...]:
    first: dict[str, str] = {}
    for code, detail in said:
        first.setdefault(code, detail)
    found = [(code, count, first.get(code, "")) for code, count in rejected.most_common(SHOWN_REASONS)]
    if unusable:
        found.append(("record.not_utf8", unusable, "the key or the value is not UTF-8"))
    return tuple(found)


class _Line(msgspec.Struct):
    key: str | None = None
    value: str | None = None


_read_line = msgspec.json.Decoder(_Line).decode


def _judge_clauses(
    tree: nodes.Statement, home: str, sources: Sequence[SourceRecords]
) -> Iterable[ClauseCount]:
    """Judge records by each condition of WHERE alone, where it is about one source."""
    clauses = clauses_of(tree)[:MAX_CLAUSES]
    is_alone = len(tree.streams) == 1
    records: dict[str, tuple[list[bytes | None], list[bytes | None]]] = {}
    for clause in clauses:
        aliases = {alias for alias, _ in nodes.mentions(clause)}
        about = [source for source in tree.streams if is_alone or {source.alias} == aliases]
        if len(about) != 1:
            continue
        system = home if about[0].system == ANY_SYSTEM else about[0].system
        if system not in records:
            records[system] = _records_of(system, sources)
        yield _count(clause, about[0], records[system])


def _records_of(
    system: str, sources: Sequence[SourceRecords]
) -> tuple[list[bytes | None], list[bytes | None]]:
    lines = [_read_line(line) for source in sources if source.system == system for line in source.lines]
    keys = [None if line.key is None else line.key.encode() for line in lines]
    return keys, [None if line.value is None else line.value.encode() for line in lines]


def _count(
    clause: Expression, source: nodes.Source, records: tuple[list[bytes | None], list[bytes | None]]
) -> ClauseCount:
    text = render_expression(clause)
    judge = CompiledStatement(text, nodes.Statement(None, (source,), where=clause))
    keys, values = records
    decision = judge.filter_batch(keys, values)
    judged = len(keys) - len(decision.rejected)
    return ClauseCount(text, judged, judged - len(decision.accepted), decision.missing)


def _columns(compiled: Compiled) -> tuple[Column, ...]:
    if not isinstance(compiled, Derivation):
        return (Column("result"),)
    units = {column.name: column.unit or "" for column in compiled.columns}
    return tuple(Column(name, units.get(name, "")) for name in compiled.column_names)


def _shown(record: OutputRecord, compiled: Compiled) -> Output:
    members: dict[str, Any] = record.value if isinstance(record.value, dict) else {}
    time = str(members.get(_TIME) or "")
    if isinstance(compiled, Derivation):
        return Output(time, "", tuple(_text(members.get(name)) for name in compiled.column_names))
    more = tuple((name, _text(held)) for name, held in members.items() if name not in _APART)
    return Output(time, record.key or "", (_text(members.get("result")),), more)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a record holds
    if value is None:
        return "–"  # noqa: RUF001 - an en dash is what is meant
    if isinstance(value, float):
        return f"{value:.12g}"  # what a double can tell, without the dust of arithmetic
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _attributes(sources: Sequence[SourceRecords]) -> tuple[str, ...]:
    """Name what the newest records hold besides what every record does, for completion."""
    names: dict[str, None] = {}
    for source in sources:
        for line in source.lines[-SHOWN:]:
            try:
                value = msgspec.json.decode(_read_line(line).value or "{}")
            except msgspec.DecodeError:  # a record that cannot be used is counted elsewhere
                continue
            if isinstance(value, dict):
                names.update(dict.fromkeys(cast(dict[str, object], value)))
    return tuple(name for name in names if name not in _APART)
