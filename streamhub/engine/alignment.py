"""Records of several partitions in the order of event time, as far as it can be known.

What lives here: holding records back and letting them go; pure, the caller reads Kafka. What does not: what
is done with the records (`deriving`), being late (a join knows its own streams).

How it works: two partitions are read at different speeds, above all when an app catches up, so one side of a
join would run far ahead of the other and one stream that lies in several partitions would be mixed up. A
record is let go when every partition that still has something to read has been read up to its time. With a
lateness, also not before its own partition has been read that much further, and then in the order of time
instead of arrival.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from streamhub.engine.work import Partition, Place

_BEGINNING: Final = float("-inf")
_END: Final = float("inf")
_rank = itemgetter(0)

# Rank (decides the order), time [us], offset, what the caller wants back, and the newest time before it.
_Entry = tuple[float, int, int, Any, float]


class _Queue:
    """What is held back of one partition."""

    __slots__ = ("done", "entries", "newest", "released")

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self.newest: float = _BEGINNING
        self.released: float = _BEGINNING
        # (offset, rank): what lies before the offset and has no higher rank was let go before a crash.
        self.done: list[tuple[int, float]] = []


class Alignment:
    """Holds back records of the partitions of one copy; `release` gives them in the order of their time."""

    def __init__(self, lateness: int, most_held: int) -> None:
        """Begin with nothing.

        Args:
            lateness: How far behind the newest of its partition a record may come and still be put into its
                place [us].
            most_held: From so many records held back of a partition on, no more of it should be read.
        """
        self._lateness = lateness
        self._most_held = most_held
        self._queues: dict[Partition, _Queue] = {}
        self.crowded: frozenset[Partition] = frozenset()

    @property
    def is_waiting(self) -> bool:
        """Whether anything is held back."""
        return any(queue.entries for queue in self._queues.values())

    @property
    def partitions(self) -> frozenset[Partition]:
        """The partitions that are read."""
        return frozenset(self._queues)

    def reset(self, places: Mapping[Partition, Place]) -> None:
        """Forget everything and begin to read at these places."""
        self._queues = {partition: _Queue() for partition in places}
        self.crowded = frozenset()
        for partition, place in places.items():
            if place.note:
                newest, *done = json.loads(place.note)
                queue = self._queues[partition]
                queue.newest = newest
                queue.done = [(before, rank) for before, rank in done]
                queue.released = max((rank for _, rank in queue.done), default=_BEGINNING)

    def add(self, partition: Partition, offset: int, time: int, item: object) -> None:
        """Hold a record back.

        Args:
            partition: Where it lies.
            offset: Its offset there; grows from call to call.
            time: Its event time [us].
            item: What `release` gives back.
        """
        queue = self._queues[partition]
        newest = queue.newest
        # What comes beyond the lateness keeps its place behind what was let go before it could come.
        rank = max(time, newest - self._lateness)
        queue.newest = max(newest, time)
        if queue.done and any(offset < before and rank <= done for before, done in queue.done):
            return
        queue.entries.append((rank, time, offset, item, newest))

    def release(self, ended: Iterable[Partition]) -> list[_Entry]:
        """Let go what is known to be in order.

        Args:
            ended: Partitions of which everything has been read.

        Returns: (rank, time [us], offset, item, ...), in order.
        """
        behind = self._queues.keys() - ended
        frontier = min((self._queues[partition].newest for partition in behind), default=_END)
        free: list[_Entry] = []
        sources = 0
        for queue in self._queues.values():
            if not queue.entries:
                continue
            taken = self._let_go(queue, frontier)
            sources += bool(taken)
            free += taken
        if sources > 1 or self._lateness:
            free.sort(key=_rank)
        self._note_crowds()
        return free

    def _let_go(self, queue: _Queue, frontier: float) -> list[_Entry]:
        if not self._lateness:
            number = bisect_right(queue.entries, frontier, key=_rank)
            taken, queue.entries = queue.entries[:number], queue.entries[number:]
            return taken
        bound = min(frontier, queue.newest) - self._lateness
        queue.released = max(queue.released, bound)
        taken = [entry for entry in queue.entries if entry[0] <= queue.released]
        if taken:
            queue.entries = [entry for entry in queue.entries if entry[0] > queue.released]
        return taken

    def _note_crowds(self) -> None:
        few = self._most_held // 4
        self.crowded = frozenset(
            partition
            for partition, queue in self._queues.items()
            if len(queue.entries) > (few if partition in self.crowded else self._most_held)
        )

    def place(self, partition: Partition, read: int) -> Place:
        """Say where to go on after a crash.

        Args:
            partition: Of which partition.
            read: Next offset to read there.

        Returns: the place of the first record held back, with a note of what was let go behind it.
        """
        queue = self._queues.get(partition)
        if queue is None:
            return Place(read)
        if not self._lateness:
            return Place(queue.entries[0][2] if queue.entries else read)
        # What was read before an earlier crash and is not read again yet counts as well.
        queue.done = [done for done in queue.done if done[0] > read]
        if not queue.entries:
            return Place(read, self._note(queue.newest, queue.done))
        first = min(queue.entries, key=itemgetter(2))
        done = [*queue.done, (read, queue.released)] if queue.released > _BEGINNING else queue.done
        return Place(first[2], self._note(first[4], done))

    @staticmethod
    def _note(newest: float, done: Sequence[tuple[int, float]]) -> str:
        if newest == _BEGINNING:
            return ""
        return json.dumps([newest, *done], separators=(",", ":"))
