"""The memory of joins: one series for each join key, written down with every commit, read back after a crash.

What lives here: the series of a copy, and what of them is written down. What does not: joining
(`streamhub.join`), Kafka (`state_topic`), transactions (`transaction`).

How it works: before a commit, each series that was touched writes one record into the app's state topic: the
items that are new and still needed, and the number of the first item needed in each of its windows. It
travels in the transaction that carries outputs and positions, so all three are of one moment. A record whose
items are all trimmed is overwritten by a later one (the topic is compacted), so the topic stays about as
small as the memory. Reading back takes committed records only, up to the end that the topic had when the
positions were known, and so behind everything that a former owner has committed.
"""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import GenericAlias
from typing import Any, Final, Protocol

import msgspec

from streamhub.engine.counters import RecordCounts
from streamhub.engine.derivation import Derivation
from streamhub.errors import StreamAppError
from streamhub.join.series import SeriesJoin

_log = logging.getLogger(__name__)

_MOST_ITEMS: Final = 2_000
_MOST_BYTES: Final = 900_000
_SPARE_SLOTS: Final = 2
# About half a gigabyte.
_MOST_HELD: Final = 2_000_000


class StateLog(Protocol):
    """A compacted log: of each key the latest value counts."""

    @property
    def topic(self) -> str:
        """Its name."""

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write into the open transaction; None deletes."""

    def read(self, partitions: Sequence[int]) -> Mapping[tuple[int, bytes], bytes]:
        """Read the latest committed value of every partition and key."""


class _Saved(msgspec.Struct, array_like=True):
    """One record of the state topic: new items of each window, and the first item that each still needs."""

    fingerprint: str
    number: int
    firsts: list[int]
    parts: list[tuple[int, msgspec.Raw]]


class _Slot:
    """A key of the state topic, and the numbers of the items that it keeps: first, and behind the last."""

    __slots__ = ("number", "spans")

    def __init__(self, number: int, spans: Sequence[tuple[int, int]]) -> None:
        self.number = number
        self.spans = spans

    def is_needed(self, firsts: Sequence[int]) -> bool:
        return any(end > max(start, first) for (start, end), first in zip(self.spans, firsts, strict=True))


class Series:
    """The join of one key, and what of it is written down."""

    __slots__ = ("counted", "dropped", "firsts", "free", "join", "key", "next", "partition", "saved", "slots")

    def __init__(self, join: SeriesJoin, partition: int, key: Hashable | None) -> None:
        self.join = join
        self.partition = partition
        self.key = key
        self.saved = [window.end for window in join.windows]
        self.firsts = [window.first for window in join.windows]
        self.slots: list[_Slot] = []
        self.free: list[int] = []
        self.next = 0
        self.counted = 0
        self.dropped = 0


class JoinMemory:
    """All series of a copy. It keeps true: what is sent and what is written down are of the same records."""

    def __init__(
        self, derivation: Derivation, log: StateLog, emit: Callable[[tuple[Any, ...]], object]
    ) -> None:
        """Begin with nothing.

        Args:
            derivation: What is joined, and how.
            log: Where it is written down.
            emit: Called with each group of records that is found.
        """
        self._derivation = derivation
        self._log = log
        self._emit = emit
        self._series: dict[tuple[int, Hashable | None], Series] = {}
        self._foreign: list[tuple[int, bytes]] = []
        self._held = 0
        self._decoders = [
            msgspec.msgpack.Decoder(GenericAlias(list, (_item_type(window.depth, derivation),)))
            for window in self._new_join().windows
        ]
        self.touched: set[Series] = set()

    def series(self, partition: int, key: Hashable | None) -> Series:
        """Give the series of a join key, a new one when there is none.

        Args:
            partition: Of the source, when work is spread by partition; else 0.
            key: The join key; None when all records belong together.
        """
        found = self._series.get((partition, key))
        if found is None:
            found = self._series[partition, key] = Series(self._new_join(), partition, key)
        return found

    def _new_join(self) -> SeriesJoin:
        return SeriesJoin(self._derivation.withins, self._emit, self._derivation.max_latency)

    def write(self, counts: RecordCounts) -> None:
        """Write down what has changed; the transaction is open.

        Raises:
            KafkaException: the transaction cannot go on.
            StreamAppError: more is held than a process should; nothing of it is lost.
        """
        for partition, key in self._foreign:
            self._log.write(partition, key, None)
        self._foreign = []
        for series in self.touched:
            self._write(series)
            join = series.join
            counts.dropped += join.dropped - series.dropped
            self._held += join.held - series.counted
            series.counted, series.dropped = join.held, join.dropped
        self.touched = set()
        counts.held = self._held
        if self._held > _MOST_HELD:
            raise StreamAppError(
                f"the join holds {self._held} records that wait for another source, and {_MOST_HELD} are "
                "allowed: see which source is silent, and bound the waiting with MAX LATENCY"
            )

    def _write(self, series: Series) -> None:
        windows = series.join.windows
        fresh = [window.since(end) for window, end in zip(windows, series.saved, strict=True)]
        firsts = [window.first for window in windows]
        if firsts == series.firsts and not any(fresh):
            return
        starts = [max(end, first) for end, first in zip(series.saved, firsts, strict=True)]
        series.firsts, series.saved = firsts, [window.end for window in windows]
        kept: list[_Slot] = []
        for slot in series.slots:
            if slot.is_needed(firsts):
                kept.append(slot)
            else:
                series.free.append(slot.number)
        series.slots = kept
        self._write_items(series, starts, fresh)
        while len(series.free) > _SPARE_SLOTS:
            self._log.write(series.partition, _key(series, series.free.pop()), None)

    def _write_items(
        self, series: Series, starts: Sequence[int], fresh: Sequence[Sequence[tuple[int, Any]]]
    ) -> None:
        """Write new items into one record, or into as many as they need."""
        if max(map(len, fresh)) > _MOST_ITEMS:
            self._write_halves(series, starts, fresh)
            return
        parts = [
            (start, msgspec.Raw(msgspec.msgpack.encode([record for _, record in items])))
            for start, items in zip(starts, fresh, strict=True)
        ]
        value = msgspec.msgpack.encode(
            _Saved(self._derivation.fingerprint, series.next, series.firsts, parts)
        )
        if len(value) > _MOST_BYTES and max(map(len, fresh)) > 1:
            self._write_halves(series, starts, fresh)
            return
        series.next += 1
        number = series.free.pop() if series.free else _unused(series)
        spans = [(start, start + len(items)) for start, items in zip(starts, fresh, strict=True)]
        series.slots.append(_Slot(number, spans))
        self._log.write(series.partition, _key(series, number), value)

    def _write_halves(
        self, series: Series, starts: Sequence[int], fresh: Sequence[Sequence[tuple[int, Any]]]
    ) -> None:
        middles = [(len(items) + 1) // 2 for items in fresh]
        self._write_items(series, starts, [items[:m] for items, m in zip(fresh, middles, strict=True)])
        later = [start + middle for start, middle in zip(starts, middles, strict=True)]
        self._write_items(series, later, [items[m:] for items, m in zip(fresh, middles, strict=True)])

    def read(self, partitions: Sequence[int]) -> None:
        """Forget everything, then read back the series of these partitions of the state topic.

        Raises:
            StreamAppError: the topic cannot be read to its end, or holds what nobody of this app wrote.
        """
        self._series, self.touched, self._foreign, self._held = {}, set(), [], 0
        records = self._log.read(partitions)
        saved: dict[tuple[int, Hashable | None], list[tuple[int, _Saved]]] = {}
        for (partition, key), value in records.items():
            try:
                join_key, slot = msgspec.json.decode(key)
                content = msgspec.msgpack.decode(value, type=_Saved)
            except (msgspec.DecodeError, ValueError) as error:
                raise StreamAppError(
                    f"topic {self._log.topic} holds a record that this app did not write "
                    f"(key {key!r}): {error}. Delete the topic to start with an empty memory"
                ) from error
            if content.fingerprint != self._derivation.fingerprint:
                self._foreign.append((partition, key))
                continue
            saved.setdefault((partition, _hashable(join_key)), []).append((slot, content))
        if self._foreign:
            _log.warning(
                "what the former statement remembered is given up: %d records",
                len(self._foreign),
                extra={"action": "forget"},
            )
        for (partition, join_key), contents in saved.items():
            self._restore(self.series(partition, join_key), contents)
        _log.info("remembered %d series", len(saved), extra={"action": "restore"})

    def _restore(self, series: Series, contents: list[tuple[int, _Saved]]) -> None:
        contents.sort(key=lambda pair: pair[1].number)
        firsts = contents[-1][1].firsts
        windows: list[tuple[int, list[tuple[int, Any]]]] = []
        for index, first in enumerate(firsts):
            items: list[Any] = []
            begin = first
            for _, content in contents:
                start, raw = content.parts[index]
                found = self._decoders[index].decode(raw)
                usable = found[max(first - start, 0) :]
                if usable and not items:
                    begin = max(start, first)
                items += usable
            windows.append((begin, [(_time_of(item), item) for item in items]))
        series.join.restore(windows)
        series.firsts = firsts
        series.saved = [window.end for window in series.join.windows]
        series.next = contents[-1][1].number + 1
        for slot, content in contents:
            spans = [
                (start, start + len(decoder.decode(raw)))
                for decoder, (start, raw) in zip(self._decoders, content.parts, strict=True)
            ]
            series.slots.append(_Slot(slot, spans))
        self.touched.add(series)


def _key(series: Series, slot: int) -> bytes:
    return msgspec.json.encode([series.key, slot])


def _unused(series: Series) -> int:
    taken = {slot.number for slot in series.slots}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _hashable(key: object) -> Hashable | None:
    """Give a join key back as it was: JSON has no tuples."""
    if isinstance(key, list):
        return tuple(key)
    return key


def _item_type(depth: tuple[int, ...], derivation: Derivation) -> Any:  # noqa: ANN401 - a type made here
    types = [derivation.record_types[index] for index in depth]
    return types[0] if len(types) == 1 else GenericAlias(tuple, tuple(types))


def _time_of(item: Any) -> int:  # noqa: ANN401 - a record or a tuple of records
    if isinstance(item, tuple):
        return max(_time_of(part) for part in item)
    time_us: int = item.time
    return time_us
