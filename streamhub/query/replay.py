"""A statement tried on recorded records, through the same compiled evaluator as a stream app.

Lives here: ``run_query``, which the command ``dtwin query run`` is built around. Does not live here:
opening files, printing, exit codes.

A line is one record as JSON, ``{"topic", "key", "value"}``, in the order of arrival. The value is an
object, or a text that holds the bytes as they were (so that a recorded fault can be replayed); a key or
value that is null or absent is a record without one. FROM a system reads the lines of its internal topic
``<system>.int``, and those whose topic is the system's name itself; ``*`` reads all. A line that is no such
record is counted, explained and passed over. A statement with JOIN gives one output for each combination of
records that it joins and WHERE lets through: phenomenonTime, then all columns by their names.

>>> line = '{"topic": "t", "key": "k", "value": {"result": 3}}'
>>> run = run_query("SELECT * FROM * WHERE result < 4;", [line])
>>> list(run)
[OutputRecord(key='k', value={'result': 3})]
>>> run.counters.matched
1
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streamhub.errors import QueryTypeError
from streamhub.query.compiling import compile_trial
from streamhub.query.derivation.derivation import Derivation
from streamhub.query.execution.statement import CompiledStatement
from streamhub.query.joined_replay import JoinedReplay
from streamhub.query.trials import OutputRecord, Refusal, RunCounters

__all__ = ["OutputRecord", "QueryRun", "Refusal", "RunCounters", "run_query"]

_BATCH = 5_000
_INTERNAL = ".int"
LINE_NOT_JSON = "line.not_json"
LINE_NOT_A_RECORD = "line.not_a_record"


@dataclass(slots=True)
class _Batch:
    lines: list[int] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)


class _Line(msgspec.Struct):
    """A line as it is written; the value keeps its bytes, so that numbers come out as they went in."""

    topic: str
    key: str | None = None
    value: msgspec.Raw = msgspec.Raw(b"null")


class QueryRun:
    """A statement on its way through recorded lines: iterate it once for the output records.

    Attributes:
        counters: What became of the lines so far.
        refusals: The lines that could not be used so far, in order.
    """

    def __init__(self, compiled: CompiledStatement | Derivation, lines: Iterable[str]) -> None:
        self.counters = RunCounters()
        self.refusals: list[Refusal] = []
        self._compiled = compiled
        self._joined: JoinedReplay | None = None
        if isinstance(compiled, Derivation):
            self._joined = JoinedReplay(compiled, self.counters, self.refusals)
        self._lines = lines
        self._topics = frozenset(
            topic for source in compiled.sources for topic in (source, source + _INTERNAL)
        )
        self._decode = msgspec.json.Decoder(_Line).decode

    def __iter__(self) -> Iterator[OutputRecord]:
        """Read the lines in batches and yield what the statement makes of them, in the order of arrival."""
        batch = _Batch()
        for number, line in enumerate(self._lines, start=1):
            if line.strip():
                self.counters.read += 1
                self._take(number, line, batch)
            if len(batch.lines) >= _BATCH:
                yield from self._judge(batch)
                batch = _Batch()
        yield from self._judge(batch)
        if self._joined is not None:
            self._joined.finish()
            yield from self._joined.fetch()

    def _take(self, number: int, line: str, batch: _Batch) -> None:
        try:
            record = self._decode(line)
            value = _value_bytes(record.value)
            key = None if record.key is None else record.key.encode()
        except msgspec.ValidationError as error:
            self._refuse(number, LINE_NOT_A_RECORD, f'a line is {{"topic", "key", "value"}}: {error}')
            return
        except (msgspec.DecodeError, UnicodeError) as error:
            self._refuse(number, LINE_NOT_JSON, str(error))
            return
        except RecursionError:
            self._refuse(number, LINE_NOT_JSON, "arrays or objects are nested too deeply")
            return
        if "*" not in self._topics and record.topic not in self._topics:
            self.counters.other_sources += 1
            return
        batch.lines.append(number)
        batch.topics.append(record.topic)
        batch.keys.append(key)
        batch.values.append(value)

    def _judge(self, batch: _Batch) -> Iterator[OutputRecord]:
        if isinstance(self._compiled, CompiledStatement):
            return self._filtered(self._compiled, batch)
        if self._joined is None:
            raise TypeError("a statement that makes new records is replayed through a join")
        return self._derived(self._joined, batch)

    def _derived(self, joined: JoinedReplay, batch: _Batch) -> Iterator[OutputRecord]:
        for line, topic, key, value in zip(batch.lines, batch.topics, batch.keys, batch.values, strict=True):
            joined.take(line, topic.removesuffix(_INTERNAL), key, value)
        return joined.fetch()

    def _filtered(self, compiled: CompiledStatement, batch: _Batch) -> Iterator[OutputRecord]:
        decision = compiled.filter_batch(batch.keys, batch.values)
        self.counters.mismatches += decision.mismatches
        self.counters.missing += decision.missing
        for index, code, detail in decision.rejected:
            self._refuse(batch.lines[index], code, detail)
        for index in decision.accepted:
            self.counters.matched += 1
            key, value = batch.keys[index], batch.values[index]
            written = compiled.project(key, value) if compiled.projects else value
            yield OutputRecord(None if key is None else key.decode(), _parsed(written), written)

    def _refuse(self, line: int, code: str, detail: str) -> None:
        self.counters.rejected[code] += 1
        self.refusals.append(Refusal(line, code, detail))


def run_query(statement: str, lines: Iterable[str]) -> QueryRun:
    """Try a statement on recorded records.

    Args:
        statement: The text of the statement; it is compiled before any line is read.
        lines: Records as JSON, one a line, in the order of arrival.

    Returns:
        An iterable of the output records, with the counters and the refused lines beside it.

    Raises:
        QuerySyntaxError: The statement does not follow the grammar.
        QueryTypeError: It follows the grammar but cannot mean anything.
    """
    compiled = compile_trial(statement)
    if compiled.tree.explain:
        at = compiled.tree.at
        reason = "EXPLAIN says what a statement would do; leave it out to try the statement"
        raise QueryTypeError(reason, statement=statement, line=at.line, column=at.column)
    return QueryRun(compiled, lines)


def _value_bytes(raw: msgspec.Raw) -> bytes | None:
    """Give the bytes of a value: of a text what it holds, of null nothing, of anything else its JSON."""
    written = bytes(raw)
    if written == b"null":
        return None
    if written.startswith(b'"'):
        held: str = msgspec.json.decode(written, type=str)
        return held.encode()
    return written


def _parsed(value: bytes | None) -> Any:  # noqa: ANN401 - whatever a record holds
    """Parse a value for showing; a key alone may let anything through, and that is shown as text."""
    if value is None:
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value.decode("utf-8", "replace")
