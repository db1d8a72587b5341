"""Messages on disk until Kafka has them: appended in order, read in order, bounded.

What lives here: files of entries with checksums, and how far they were read. What does not: what an entry
means (`bridge.incoming`), and when it is done (`bridge.upward`).

Entries go to segment files, each with its length and checksum; a batch is on disk when `append` returns. How
far reading was confirmed is written now and then: after a crash the last entries are read again. An entry
that was being written when the machine went down is cut off; nobody was told that it was taken. A segment
that is damaged otherwise is kept aside; what is whole before and right behind the damage is read. Only one
process uses a folder.
"""

import logging
import os
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

from streamhub.engine.progress import sync_path

_log = logging.getLogger(__name__)

_HEAD: Final = struct.Struct(">II")
_SEGMENT_BYTES: Final = 16 * 1024 * 1024
_LARGEST_ENTRY_BYTES: Final = 512 * 1024 * 1024
_CURSOR_PAUSE_S: Final = 0.2


class Position(NamedTuple):
    """A place between two entries: number of the segment, and bytes from its beginning."""

    segment: int
    offset: int


class Entry(NamedTuple):
    """What was read: the content, and the position after it."""

    content: bytes
    end: Position


class DiskBuffer:
    """A bounded queue on disk.

    Args:
        folder: Its own folder; made when it is not there.
        max_bytes: Beyond this there is no room for more [bytes].
        segment_bytes: Size at which another segment is begun [bytes].
        monotonic: A clock [s].

    Raises:
        OSError: The folder cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        segment_bytes: int = _SEGMENT_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._monotonic = monotonic
        folder.mkdir(parents=True, exist_ok=True)
        self._sizes = {int(file.stem): file.stat().st_size for file in folder.glob("*.segment")}
        newest = max(self._sizes, default=1)
        self._sizes[newest] = self._cut(newest)
        if self._sizes[newest] < self._path(newest).stat().st_size:
            # Damaged in its middle: what comes now goes behind it, where it is found.
            self._sizes[newest] = self._path(newest).stat().st_size
            newest += 1
            self._sizes[newest] = self._cut(newest)
        self._confirmed = self._read_cursor()
        self._drop_done()
        self._next = self._confirmed
        self._cursor_at = monotonic()
        self._is_moved = False
        self._file: FileIO = self._path(newest).open("ab", buffering=0)
        self._newest = newest
        # What is written counts only with its name, and that is on disk when the folder is.
        for place in (folder, folder.parent):
            sync_path(place)
        self._reading: tuple[int, FileIO] | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes that are not confirmed yet."""
        return sum(self._sizes.values()) - self._confirmed.offset

    @property
    def has_room(self) -> bool:
        """Whether more may be appended."""
        return self.size_bytes < self._max_bytes

    def append(self, contents: Sequence[bytes]) -> None:
        """Write entries behind all others; they are on disk when this returns.

        Raises:
            OSError: The disk does not take them; none of them counts.
        """
        if not contents:
            return
        if self._sizes[self._newest] >= self._segment_bytes:
            self._begin_segment()
        batch = b"".join(_HEAD.pack(len(content), zlib.crc32(content)) + content for content in contents)
        rest = memoryview(batch)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
            os.fdatasync(self._file.fileno())
        except OSError:
            self._file.truncate(self._sizes[self._newest])
            raise
        self._sizes[self._newest] += len(batch)

    def read(self, most: int) -> list[Entry]:
        """Read the next entries that were not read yet; perhaps none.

        Raises:
            OSError: The disk does not give them.
        """
        entries: list[Entry] = []
        while len(entries) < most:
            entry = self._read_one()
            if entry is None:
                break
            entries.append(entry)
        return entries

    def _read_one(self) -> Entry | None:
        while True:
            segment, offset = self._next
            if offset + _HEAD.size <= self._sizes.get(segment, 0):
                content = _read_entry(self._reader(segment), offset)
                if content is not None:
                    self._next = Position(segment, offset + _HEAD.size + len(content))
                    return Entry(content, self._next)
                self._set_aside(segment, offset)
                behind = _behind_damage(self._reader(segment), offset)
                if behind is not None:
                    self._next = Position(segment, behind)
                    continue
            later = [number for number in self._sizes if number > segment]
            if not later:
                return None
            self._next = Position(min(later), 0)

    def _reader(self, segment: int) -> FileIO:
        if self._reading is None or self._reading[0] != segment:
            if self._reading is not None:
                self._reading[1].close()
            self._reading = segment, self._path(segment).open("rb", buffering=0)
        return self._reading[1]

    def _set_aside(self, segment: int, offset: int) -> None:
        kept = self._path(segment).with_suffix(".damaged")
        kept.write_bytes(self._path(segment).read_bytes())
        _log.error(
            "segment %s of the buffer is damaged at byte %d: it is kept in %s, and what can be read is sent",
            segment,
            offset,
            kept,
        )
        if segment == self._newest:
            self._begin_segment()

    def confirm(self, end: Position) -> None:
        """Say that everything up to the end of an entry is done; it is not read again.

        Raises:
            OSError: The disk does not take it.
        """
        self._confirmed, self._is_moved = end, True
        self._drop_done()
        if self._monotonic() - self._cursor_at >= _CURSOR_PAUSE_S:
            self.save()

    def rewind(self) -> None:
        """Read again what is not confirmed."""
        self._next = self._confirmed

    def save(self) -> None:
        """Write how far everything is confirmed."""
        self._cursor_at = self._monotonic()
        if self._is_moved:
            draft = self._folder / "cursor.new"
            draft.write_text(f"{self._confirmed.segment} {self._confirmed.offset}\n", encoding="ascii")
            draft.replace(self._folder / "cursor")
            self._is_moved = False

    def close(self) -> None:
        """Write how far everything is confirmed and close the files."""
        self.save()
        self._file.close()
        if self._reading is not None:
            self._reading[1].close()
            self._reading = None

    def _begin_segment(self) -> None:
        self._file.close()
        self._newest += 1
        self._sizes[self._newest] = 0
        self._file = self._path(self._newest).open("ab", buffering=0)
        sync_path(self._folder)

    def _drop_done(self) -> None:
        for number in [number for number in self._sizes if number < self._confirmed.segment]:
            del self._sizes[number]
            self._path(number).unlink(missing_ok=True)

    def _read_cursor(self) -> Position:
        first = Position(min(self._sizes), 0)
        try:
            segment, offset = (self._folder / "cursor").read_text(encoding="ascii").split()
            found = Position(int(segment), int(offset))
        except (OSError, ValueError):
            return first
        is_there = found.segment in self._sizes and found.offset <= self._sizes[found.segment]
        return found if is_there else first

    def _cut(self, segment: int) -> int:
        """Cut off what was being written when the machine went down; give the size of what is whole.

        Nothing is cut off where something whole follows: that is no writing that was broken off.
        """
        path, offset = self._path(segment), 0
        if not path.exists():
            path.touch()
            return 0
        with path.open("r+b", buffering=0) as file:
            size = path.stat().st_size
            while offset + _HEAD.size <= size:
                content = _read_entry(file, offset)
                if content is None:
                    break
                offset += _HEAD.size + len(content)
            if offset < size and _behind_damage(file, offset) is None:
                _log.warning("the last %d bytes of the buffer were not whole and are cut off", size - offset)
                file.truncate(offset)
        return offset

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:012d}.segment"


def _read_entry(file: FileIO, offset: int) -> bytes | None:
    """Read the entry at a place; None when it is not whole."""
    head = os.pread(file.fileno(), _HEAD.size, offset)
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    if length > _LARGEST_ENTRY_BYTES:
        return None
    content = os.pread(file.fileno(), length, offset + _HEAD.size)
    return content if len(content) == length and zlib.crc32(content) == checksum else None


def _behind_damage(file: FileIO, offset: int) -> int | None:
    """Find where an entry ends that cannot be read; None when nothing whole follows there."""
    head = os.pread(file.fileno(), _HEAD.size, offset)
    if len(head) < _HEAD.size:
        return None
    behind = offset + _HEAD.size + int(_HEAD.unpack(head)[0])
    return None if _read_entry(file, behind) is None else behind
