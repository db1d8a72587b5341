"""Systems whose messages Kafka does not take while it takes those of others: they wait on disk, nobody else.

What lives here: who is set aside and when, and how what waits goes on. What does not: the form of the files
(`storage.buffer`), the way of a message (`pipeline`), acknowledgements (`upward`).

Acknowledgements to the MQTT broker go in the order of the messages, and the broker sends no more than so many
before the first. So one system whose messages cannot go on - its rights at Kafka are withdrawn, it was
deleted while its devices were publishing, one partition has no leader - would keep everybody's from coming.
When the oldest message has not moved for some seconds while later ones were done, everything of its system
goes to a file, and so does what comes of it from then on. What is on disk counts as taken. It goes to Kafka
in its order when that is possible again; then its system is one like the others.

When nobody's messages go on, Kafka is away: nothing is set aside then, and the broker keeps what comes, also
what finds no room on disk. Messages that SensorThings takes and not Kafka (`pipeline.Elsewhere`) name no
system: while they cannot go on, they wait in one line of their own, so that they do not hold up data either.

Source: MQTT 5.0, clauses 4.6 (order of acknowledgements) and 3.1.2.11.3 (receive maximum).
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from adapters.mqtt.bridge.incoming import Incoming
from adapters.mqtt.bridge.pipeline import Pipeline, Slot
from adapters.mqtt.storage.buffer import DiskBuffer, Position
from adapters.mqtt.topics import system_of
from streamhub.engine.progress import sync_path

_log = logging.getLogger(__name__)

CODE_NO_ROOM: Final = "mqtt.no_room"
# Whose messages are those of which no system is known before somebody else has looked at them.
_NOBODYS: Final = "sensorthings"
_DEAD_LETTERS: Final = ".int.dlq"
_DAMAGED: Final = ".damaged"
_LOOK_PAUSE_S: Final = 0.5
# One message tries whether a system's can go on; then more and more at a time.
_MOST_AT_A_TIME: Final = 512
_MOST_BYTES_AT_A_TIME: Final = 1024 * 1024


class _Line:
    """What waits of one system."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.buffer = DiskBuffer(folder, max_bytes)
        self.on_way: deque[tuple[Position, Slot]] = deque()
        self.is_full_told = False
        self._at_a_time = 1

    @property
    def said(self) -> str:
        """What Kafka says about the oldest message; empty where it says nothing."""
        on_way = tuple(self.on_way)  # another thread may ask
        return on_way[0][1].said if on_way else ""

    def advance(self, pipeline: Pipeline) -> bool:
        """Confirm what is done; when everything that was on its way is, let more go.

        Returns:
            Whether something waits; not so where all that is left is damaged.

        Raises:
            OSError: The disk does not give or take it.
        """
        last: Position | None = None
        while self.on_way and self.on_way[0][1].is_done:
            last = self.on_way.popleft()[0]
        if last is not None:
            self.buffer.confirm(last)
            if not self.on_way:
                self._at_a_time = min(2 * self._at_a_time, _MOST_AT_A_TIME)
        if self.on_way:
            return True
        size = 0
        while len(self.on_way) < self._at_a_time and size < _MOST_BYTES_AT_A_TIME:
            found = self.buffer.read(1)
            if not found:
                break
            self.on_way.append((found[0].end, pipeline.add(_DECODER.decode(found[0].content))))
            size += len(found[0].content)
        return bool(self.on_way)


class Aside:
    """Keeps one system's messages from holding up those of others; used by one thread.

    Others may ask for `size_bytes` and `trouble`.

    Args:
        folder: Where messages wait, a folder for each system; what is there goes on.
        pipeline: Where messages go.
        after_s: How long the oldest message may hold up others [s].
        max_bytes: What may wait of one system [bytes]; beyond it, its messages are refused.
        monotonic: A clock [s].

    Raises:
        OSError: The folder cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        pipeline: Pipeline,
        after_s: float,
        max_bytes: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._pipeline = pipeline
        self._after_s = after_s
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._order: deque[Slot] = deque()
        self._oldest: Slot | None = None
        self._newest = 0
        self._held_since = self._look_at = float("-inf")
        self._lines = {
            found.name: _Line(found, max_bytes) for found in sorted(folder.glob("*")) if found.is_dir()
        }

    @property
    def size_bytes(self) -> int:
        """Bytes that wait on disk."""
        return sum(line.buffer.size_bytes for line in list(self._lines.values()))

    @property
    def on_way(self) -> int:
        """Messages from the disk that are on their way to Kafka."""
        return sum(len(line.on_way) for line in self._lines.values())

    @property
    def trouble(self) -> str | None:
        """Who waits, and why as far as Kafka says; None when nobody does."""
        lines = dict(self._lines)
        if not lines:
            return None
        first = next(iter(lines))
        who = "SensorThings topics" if first == _NOBODYS else first
        if len(lines) > 1:
            who += f" and {len(lines) - 1} more systems"
        why = next((f": {said}" for said in (line.said for line in lines.values()) if said), "")
        advice = (
            "Check the SensorThings service"
            if first == _NOBODYS
            else "Check whether the system is still there, and the bridge's rights at Kafka"
        )
        return (
            f"messages of {who} wait on disk ({self.size_bytes} bytes), because they cannot go on{why}. "
            f"{advice}"
        )

    @property
    def is_stuck(self) -> bool:
        """Whether messages have no room on disk while Kafka is away: the broker keeps them then.

        To refuse them would lose what only has to wait.
        """
        return self._pipeline.is_kafka_away and any(not line.buffer.has_room for line in self._lines.values())

    def add(self, messages: Sequence[Incoming]) -> list[Slot | None]:
        """Let messages go on, or put them behind those of their system that wait on disk.

        Returns:
            The slot of each; None for what is on disk now.

        Raises:
            OSError: The disk does not take them.
        """
        whose = [self._line_of(one.topic) for one in messages]
        stored = {
            system: self._store(
                system, [one for one, its in zip(messages, whose, strict=True) if its == system]
            )
            for system in {system for system in whose if system is not None}
        }
        return [
            self._direct(one) if system is None else None if stored[system] else self._refused(one, system)
            for one, system in zip(messages, whose, strict=True)
        ]

    def _line_of(self, topic: str) -> str | None:
        if not self._lines:
            return None
        whose = _whose(topic)
        return whose if whose in self._lines else None

    def _direct(self, message: Incoming) -> Slot:
        slot = self._pipeline.add(message)
        self._order.append(slot)
        return slot

    def _refused(self, message: Incoming, system: str) -> Slot:
        detail = f"messages of {system} cannot go on, and no more of them can wait"
        return self._pipeline.give_up(message, (CODE_NO_ROOM, detail))

    def _store(self, system: str, messages: Sequence[Incoming]) -> bool:
        """Write messages behind those that wait; False when there is no room for them."""
        line = self._lines[system]
        if not line.buffer.has_room:
            if not line.is_full_told:
                line.is_full_told = True
                _log.error("%s: %d bytes wait on disk; what comes now is refused", system, self._max_bytes)
            return False
        line.is_full_told = False
        line.buffer.append([_ENCODER.encode(one) for one in messages])
        return True

    def turn(self) -> None:
        """Let go on what can, and set aside who holds up others.

        Raises:
            OSError: The disk does not give or take what waits.
        """
        for system, line in list(self._lines.items()):
            if not line.advance(self._pipeline):
                self._end(system, line)
        while self._order and self._order[0].is_done:
            self._order.popleft()
        if self._monotonic() >= self._look_at:
            self._look_at = self._monotonic() + _LOOK_PAUSE_S
            self._look()

    def _look(self) -> None:
        oldest = self._order[0] if self._order else None
        is_alone = not any(slot.is_done for slot in self._order) or self._pipeline.is_kafka_away
        if oldest is None or is_alone or oldest is not self._oldest:
            self._oldest = None if is_alone else oldest
            self._held_since = self._monotonic()
            self._newest = self._order[-1].number if self._order else 0
        elif self._monotonic() - self._held_since >= self._after_s:
            self._set_aside_who_waits()

    def _set_aside_who_waits(self) -> None:
        """Set aside whose messages were there already: they have waited as long as the oldest.

        Where a machine of Kafka is away, these may be many systems.
        """
        waiting: dict[str, list[Slot]] = {}
        for slot in self._order:
            if not slot.is_done:
                waiting.setdefault(_whose_slot(slot), []).append(slot)
        for whose, theirs in waiting.items():
            if theirs[0].number <= self._newest:
                self._set_aside(whose, theirs)

    def _set_aside(self, system: str, theirs: Sequence[Slot]) -> None:
        line = self._lines.get(system) or _Line(self._folder / system, self._max_bytes)
        if not line.buffer.has_room:
            for slot in theirs:
                self._refused(slot.incoming, system)
            self._pipeline.release(theirs)
            return
        line.buffer.append([_ENCODER.encode(slot.incoming) for slot in theirs])
        # Its name has to be on disk as well before anything in it counts as taken; the buffer sees to that,
        # but not for the name of the folder of all.
        sync_path(self._folder.parent)
        self._lines[system] = line
        self._pipeline.release(theirs)
        _log.warning(
            "%s: its messages cannot go on while those of others do; they wait in %s",
            system,
            line.folder,
        )

    def _end(self, system: str, line: _Line) -> None:
        line.buffer.close()
        del self._lines[system]
        _remove(line.folder)
        _log.info("%s: all that waited on disk has gone on", system)

    def close(self) -> None:
        """Close all files; what waits stays there."""
        for line in self._lines.values():
            line.buffer.close()


def _whose(topic: str) -> str:
    system = system_of(topic)
    return _NOBODYS if system is None else str(system)


def _whose_slot(slot: Slot) -> str:
    """Name the system of a message; that of its dead letter, where its topic names none."""
    whose = _whose(slot.incoming.topic)
    return (
        whose if slot.record is None or whose != _NOBODYS else slot.record.topic.removesuffix(_DEAD_LETTERS)
    )


def _remove(folder: Path) -> None:
    """Remove what has gone on; what is damaged stays for people."""
    # The place that was reached before the entries: it must not be taken for that of others later.
    for file in sorted(folder.iterdir(), reverse=True):
        if file.suffix != _DAMAGED:
            file.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Incoming)
