"""A hooks file as something that the engine runs like a statement.

Lives here: ``HookDerivation``, which has the members of a compiled multi-source statement. Does not live
here: loading the file (``file``), the join, Kafka.

It differs from a statement in three points. Which streams a record goes into is decided per record: reading
it asks `ingest_fct`, ``choose`` gives the answer (``chooses_side``). The Datastreams are not known
beforehand: ``columns`` grows when `on_join` names a new quantity. And its functions can fail: a record at
which `ingest_fct` fails is refused when it is read, a pair at which `on_join` fails is dropped, counted, and
reported once for each place.
"""

import logging
import traceback
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Protocol

from client.errors import RecordFormatError
from streamhub.hooks.file import HookFile
from streamhub.hooks.output import HookOutputError, Joined, written
from streamhub.hooks.record import LEFT, RIGHT, HookRecord, record_reader

__all__ = ["HookColumn", "HookDerivation", "HookRoute", "stand_in"]

_log = logging.getLogger(__name__)

_CODE_PROCESSING_FAILED: Final = "record.processing_failed"
_MOST_COLUMNS: Final = 1_000
_WIDTH: Final = 2
# Streams by the sum of LEFT and RIGHT.
_STREAMS: Final[tuple[tuple[int, ...], ...]] = ((), (0,), (1,), (0, 1))


class Output(Protocol):
    """Where a record goes: what the engine knows of one output Datastream."""

    @property
    def tail(self) -> str:
        """End of the JSON text behind the result and the attributes."""


@dataclass(frozen=True, slots=True)
class HookColumn:
    """An output Datastream: a quantity that `on_join` has named.

    Attributes:
        name: The quantity.
        unit: None: hooks do not say units.
        expression: What makes it.
    """

    name: str
    unit: str | None = None
    expression: str = "on_join"


@dataclass(frozen=True, slots=True, eq=False)
class HookRoute:
    """How the records of one key are read.

    Attributes:
        read: From the bytes of a value to the record.
        source: Always 0: `choose` says where the record goes.
        key: The join key: all records of the app join one another.
        key_of: None: values make no join key.
        admits: None: all records go in; hooks run without terms of a contract.
    """

    read: Callable[[bytes | None], HookRecord]
    source: int = 0
    key: Hashable | None = None
    key_of: None = None
    admits: None = None


class _Buffer:
    """What `ingest_fct` gets as `stream_buffer`; it notes the sides of one record."""

    __slots__ = ("_record",)

    def __init__(self, record: HookRecord) -> None:
        self._record = record

    def ingest_left(self, record: HookRecord) -> None:
        """Put the record into the left stream."""
        self._note(record, LEFT)

    def ingest_right(self, record: HookRecord) -> None:
        """Put the record into the right stream."""
        self._note(record, RIGHT)

    def _note(self, record: HookRecord, side: int) -> None:
        if record is not self._record:
            raise ValueError("ingest the record that ingest_fct was given, not another one")
        if record.sides & side:
            raise ValueError("a record was ingested twice into the same side")
        record.sides |= side


class HookDerivation:
    """The two functions of a hooks file, with the members of a compiled statement of two sources.

    Attributes:
        text: What the app is, for people.
        sources: Systems whose records are read; the first is the app's home.
        width: Joined streams: left and right.
        withins: Largest time between the records of a pair [us].
        max_latency: How long a silent side is waited for, in event time [us].
        lateness: How long records are held back to be sorted [us].
        columns: The quantities that `on_join` has named so far, in order of appearance.
        is_keyed: False: there is one pair of streams.
        is_co_partitioned: False: one worker owns all partitions.
        keeps_thing: False: `on_join` says the Thing; the app's name stands for it otherwise.
        chooses_side: True: `choose` says which stream a record goes into.
        record_types: Types of the records to remember, per stream.
        fingerprint: Changes with the file, and with where the records come from.
    """

    chooses_side: Final = True
    width: Final = _WIDTH
    is_keyed: Final = False
    is_co_partitioned: Final = False
    keeps_thing: Final = False
    record_types: Final[tuple[type, ...]] = (HookRecord, HookRecord)

    def __init__(self, file: HookFile, sources: tuple[str, ...]) -> None:
        self.text = f"hooks {file.path.name}"
        self.sources = sources
        self.withins: tuple[int | None, ...] = (file.within,)
        self.max_latency = file.max_latency
        self.lateness = file.lateness
        self.fingerprint = sha256("\n".join((file.digest, *sources)).encode()).hexdigest()
        self._file = file
        # One list that grows: the engine looks a column up when its first record leaves.
        self.columns: list[HookColumn] = []
        self._columns: dict[str, int] = {}
        self._failed = 0
        self._reported: set[tuple[str, int | None]] = set()

    def routes(self, system: str, key: bytes | None) -> tuple[HookRoute, ...]:
        """Say how the records of a key are read; none when the system is no source.

        Reading raises RecordFormatError, code `record.processing_failed`, when `ingest_fct` fails.

        Raises:
            UnicodeDecodeError: The key is not UTF-8.
        """
        if system not in self.sources:
            return ()
        name = None if key is None else key.decode()
        return (HookRoute(self._ingesting(record_reader(system, name, self._file.attributes))),)

    def _ingesting(self, read: Callable[[bytes | None], HookRecord]) -> Callable[[bytes | None], HookRecord]:
        """Ask `ingest_fct` as soon as a record is read: where it fails, the record can still be set aside."""
        ingest = self._file.ingest

        def read_and_ingest(value: bytes | None) -> HookRecord:
            record = read(value)
            try:
                ingest(record, _Buffer(record))
            except Exception as error:
                place = self._report("ingest_fct", error)
                detail = f"ingest_fct failed at line {place}: {type(error).__name__}: {error}"
                raise RecordFormatError(_CODE_PROCESSING_FAILED, detail) from error
            return record

        return read_and_ingest

    def choose(self, record: HookRecord) -> tuple[int, ...]:
        """Name the streams that a record goes into, as `ingest_fct` said: left is 0, right is 1."""
        return _STREAMS[record.sides]

    def derive(
        self,
        tuples: Sequence[tuple[Any, ...]],
        stamp: str,
        outputs: Mapping[tuple[int, str | None], Output],
        results: list[tuple[Any, str]],
    ) -> None:
        """Ask `on_join` about pairs and append what leaves; a pair at which it fails is counted and dropped.

        Args:
            tuples: Pairs of records.
            stamp: The resultTime [RFC 3339].
            outputs: Where records go, by number of the column and Thing.
            results: Grows by output and value, as JSON text.
        """
        for left, right in tuples:
            try:
                answer = self._file.on_join(left, right)
                joined = written(answer, stamp, uses_iso_times=self._file.uses_iso_times)
                if joined is None:
                    continue
                column = self._column(joined)
            except Exception as error:  # noqa: BLE001 - the user's function may raise anything
                self._failed += 1
                self._report("on_join", error)
                continue
            output = outputs[column, joined.thing]
            results.append((output, joined.text + output.tail))

    def take_counts(self) -> tuple[int, int]:
        """Give (missing, mismatches) since the last call: always none, functions compare by themselves."""
        return 0, 0

    def take_failed(self) -> int:
        """Give the number of pairs at which `on_join` failed since the last call."""
        failed, self._failed = self._failed, 0
        return failed

    def _column(self, joined: Joined) -> int:
        column = self._columns.get(joined.quantity)
        if column is None:
            if len(self._columns) >= _MOST_COLUMNS:
                raise HookOutputError(
                    f"on_join named more than {_MOST_COLUMNS} quantities; a quantity names a Datastream"
                )
            column = self._columns[joined.quantity] = len(self._columns)
            self.columns.append(HookColumn(joined.quantity))
        return column

    def _report(self, function: str, error: Exception) -> int | None:
        """Write the traceback of the first failure at each place; give the line in the user's file."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if frame.filename == str(self._file.path)]
        place = own[-1] if own else None
        kind = (f"{function} {type(error).__name__}", place)
        if kind not in self._reported:
            self._reported.add(kind)
            _log.error(
                "%s of %s failed: %s; further failures at this place are only counted",
                function,
                self._file.path,
                error,
                exc_info=None if isinstance(error, HookOutputError) else error,
                extra={"action": "hook_failed"},
            )
        return place


def stand_in(sources: Sequence[str], within: int | None) -> str:
    """Write the statement that stands for hooks in a specification: it says what is read, nothing else.

    Args:
        sources: Systems whose records are read.
        within: Largest time between the records of a pair [us].
    """
    first, *others = (*sources, *sources[:1]) if len(sources) < _WIDTH else sources
    limit = "" if within is None else f" WITHIN {within / 1000:f} ms"
    joins = "".join(f" JOIN {system} AS s{number}{limit}" for number, system in enumerate(others, start=1))
    return f"SELECT s0.result AS hooks UNIT '1' FROM {first} AS s0{joins};"  # noqa: S608 - no database
