"""Which id a message without one got, remembered over a crash by its MQTT packet.

What lives here: the journal on disk. What does not: when a message needs one (`identifiers`).

A broker repeats a message that was not acknowledged with the same packet identifier and the DUP flag. So when
such a packet comes again with the same content, it gets the id that it had. An entry counts until the broker
uses the packet identifier for another message. It may do so without our seeing the first delivery, and the
other message may say the same: so an entry counts no longer, too, when more messages have come since than the
broker sends before an acknowledgement; acknowledgements go in order, so that this one must have arrived. The
journal is a file of fixed-size entries with a checksum; an entry that was being written when the machine went
down is cut off. Only one process uses it.

Source: MQTT 5.0, clauses 2.2.1 (packet identifiers), 3.3.1.1 (DUP) and 4.4 (delivery retry).
"""

import os
import struct
import zlib
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from client.messaging.records import new_record_id
from streamhub.engine.progress import sync_path

_CONTENT: Final = struct.Struct(">HQ16s16s")
_ENTRY: Final = struct.Struct(">HQ16s16sI")
_CHECKED_BYTES: Final = _ENTRY.size - 4
# Rewritten with what counts when it has grown beyond this [entries].
_LONGEST: Final = 400_000
# How many messages without an entry may come before the file tells how many came [1].
_UNTOLD: Final = 1_000
_WINDOW: Final = 65_535


class _Entry(NamedTuple):
    """What a packet got: its place among all messages, digest of its content, and id."""

    number: int
    digest: bytes
    dt_id: bytes


class PacketJournal:
    """Gives ids to messages and remembers them; what it gave is on disk after `sync`.

    Args:
        path: The file; made when it is not there.
        window: Most messages that the broker sends before the first is acknowledged [1].

    Raises:
        OSError: It cannot be read or written.
    """

    def __init__(self, path: Path, window: int = _WINDOW) -> None:
        self._path = path
        self._window = window
        self._number = 0
        self._told = 0
        self._known: dict[int, _Entry] = {}
        self._added: list[bytes] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._entries = self._load()
        self._file: FileIO = path.open("ab", buffering=0)
        self._file.truncate(self._entries * _ENTRY.size)
        sync_path(path.parent)

    def _load(self) -> int:
        content = self._path.read_bytes() if self._path.exists() else b""
        number = 0
        for packet_id, place, digest, dt_id, checksum in _ENTRY.iter_unpack(
            content[: len(content) // _ENTRY.size * _ENTRY.size]
        ):
            start = number * _ENTRY.size
            if zlib.crc32(content[start : start + _CHECKED_BYTES]) != checksum:
                break
            self._known[packet_id] = _Entry(place, digest, dt_id)
            self._number = self._told = place
            number += 1
        self._known.pop(0, None)
        return number

    def saw(self, packet_id: int, *, is_repeated: bool) -> None:
        """Note a message that needs no id from here."""
        if packet_id == 0 or is_repeated:
            return
        self._number += 1
        self._known.pop(packet_id, None)
        if self._number - self._told > _UNTOLD:
            self._add(0, _Entry(self._number, bytes(16), bytes(16)))

    def id_for(self, packet_id: int, topic: str, payload: bytes, *, is_repeated: bool) -> str:
        """Give the id of a message: the one it had when its packet is known and repeated, else a new one.

        Args:
            packet_id: Packet identifier; 0 for a message of QoS 0, which is never repeated.
            topic: Its topic.
            payload: Its payload.
            is_repeated: Its DUP flag.
        """
        if packet_id == 0:
            return new_record_id()
        digest = blake2b(
            payload, digest_size=16, key=blake2b(topic.encode(), digest_size=32).digest()
        ).digest()
        if is_repeated:
            known = self._known.get(packet_id)
            if known is not None and known.digest == digest and self._number - known.number < self._window:
                return str(UUID(bytes=known.dt_id))
        dt_id = UUID(new_record_id())
        self._number += 1
        entry = self._known[packet_id] = _Entry(self._number, digest, dt_id.bytes)
        self._add(packet_id, entry)
        return str(dt_id)

    def _add(self, packet_id: int, entry: _Entry) -> None:
        self._added.append(_written(packet_id, entry))
        self._told = entry.number

    def sync(self) -> None:
        """Write what is new, so that neither a crash nor a power cut takes it away.

        Raises:
            OSError: The disk does not take it.
        """
        if not self._added:
            return
        content = memoryview(b"".join(self._added))
        while content:
            content = content[self._file.write(content) or 0 :]
        os.fdatasync(self._file.fileno())
        self._entries += len(self._added)
        self._added.clear()
        if self._entries > _LONGEST:
            self._rewrite()

    def forget(self) -> None:
        """Forget everything: the broker has no session any more, so it repeats nothing."""
        self._known.clear()
        self._added.clear()
        self._entries = 0
        self._number = self._told = 0
        self._file.truncate(0)

    def _rewrite(self) -> None:
        draft = self._path.with_suffix(".new")
        # In the order in which they came: the last one tells how many there were.
        known = sorted(self._known.items(), key=lambda one: one[1].number)
        entries = [_written(packet_id, entry) for packet_id, entry in known]
        entries.append(_written(0, _Entry(self._number, bytes(16), bytes(16))))
        with draft.open("wb") as file:
            file.write(b"".join(entries))
            file.flush()
            os.fsync(file.fileno())
        self._file.close()
        draft.replace(self._path)
        self._file = self._path.open("ab", buffering=0)
        sync_path(self._path.parent)
        self._entries = len(entries)

    def close(self) -> None:
        """Write what is new and close the file."""
        self.sync()
        self._file.close()


def _written(packet_id: int, entry: _Entry) -> bytes:
    content = _CONTENT.pack(packet_id, *entry)
    return content + zlib.crc32(content).to_bytes(4)
