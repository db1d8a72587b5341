"""The buffer gives back what it took, in order, whatever was written when the machine went down."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.mqtt.storage.buffer import DiskBuffer

SOME = [b"a", b"", b"c" * 1000]


def contents(buffer: DiskBuffer, most: int = 1000) -> list[bytes]:
    return [entry.content for entry in buffer.read(most)]


New = Callable[..., DiskBuffer]


@pytest.fixture
def new(tmp_path: Path) -> Iterator[New]:
    """A function that opens a buffer; an earlier one on the same folder was killed."""
    made: list[DiskBuffer] = []

    def make(folder: Path = tmp_path, max_bytes: int = 10_000_000, **more: int) -> DiskBuffer:
        made.append(DiskBuffer(folder, max_bytes, monotonic=lambda: 0.0, **more))
        return made[-1]

    yield make
    for buffer in made:
        buffer._is_moved = False
        buffer.close()


def test_what_was_appended_is_read_in_order_once(new: New, tmp_path: Path) -> None:
    buffer = new()
    buffer.append(SOME[:2])
    buffer.append(SOME[2:])
    assert contents(buffer, 2) == SOME[:2]
    assert contents(buffer) == SOME[2:]
    assert contents(buffer) == []


def test_after_a_crash_everything_that_was_not_confirmed_comes_again(new: New, tmp_path: Path) -> None:
    buffer = new()
    buffer.append(SOME)
    entries = buffer.read(3)
    buffer.confirm(entries[0].end)
    buffer.save()
    assert contents(new()) == SOME[1:]
    buffer.rewind()
    assert contents(buffer) == SOME[1:]


def test_segments_are_removed_when_they_are_done_and_room_comes_back(new: New, tmp_path: Path) -> None:
    buffer = new(segment_bytes=100, max_bytes=500)
    for number in range(10):
        buffer.append([bytes([number]) * 60])
    assert not buffer.has_room
    entries = buffer.read(10)
    assert [entry.content[0] for entry in entries] == list(range(10))
    buffer.confirm(entries[-2].end)
    assert buffer.has_room
    assert len(list(tmp_path.glob("*.segment"))) == 1
    buffer.confirm(entries[-1].end)
    assert buffer.size_bytes == 0
    buffer.close()
    assert contents(new(segment_bytes=100)) == []


@pytest.mark.parametrize("torn", [b"\0", b"\0\0\0\5\0\0\0\0abc", b"\xff" * 20, b"\0\0\0\1\0\0\0\0x"])
def test_an_entry_that_was_being_written_is_cut_off(new: New, tmp_path: Path, torn: bytes) -> None:
    buffer = new()
    buffer.append(SOME)
    with next(tmp_path.glob("*.segment")).open("ab") as file:
        file.write(torn)
    again = new()
    again.append([b"later"])
    assert contents(again) == [*SOME, b"later"]
    assert contents(new()) == [*SOME, b"later"]


def test_every_cut_leaves_a_beginning(new: New, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    buffer = new(whole)
    buffer.append([b"one", b"two", b"three"])
    content = next(whole.glob("*.segment")).read_bytes()
    for length in range(len(content)):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / "000000000001.segment").write_bytes(content[:length])
        found = contents(new(folder))
        assert found == [b"one", b"two", b"three"][: len(found)]


def test_a_damaged_segment_is_kept_aside_and_what_follows_is_read(new: New, tmp_path: Path) -> None:
    buffer = new(segment_bytes=50)
    buffer.append([b"first" * 10, b"second" * 10])
    buffer.append([b"third" * 10])
    oldest = min(tmp_path.glob("*.segment"))
    damaged = bytearray(oldest.read_bytes())
    damaged[70] ^= 1
    oldest.write_bytes(damaged)
    assert contents(new(segment_bytes=50)) == [b"first" * 10, b"third" * 10]
    assert oldest.with_suffix(".damaged").read_bytes() == bytes(damaged)


@pytest.mark.parametrize("number", [0, 1], ids=["oldest", "newest"])
def test_what_is_whole_behind_a_damaged_entry_is_read_and_what_comes_later_too(
    new: New, tmp_path: Path, number: int
) -> None:
    buffer = new(segment_bytes=100)
    for name in (b"1", b"2"):
        buffer.append([name * 40, b"damaged" * 10, name * 60, name * 70])
    segment = sorted(tmp_path.glob("*.segment"))[number]
    damaged = bytearray(segment.read_bytes())
    damaged[damaged.index(b"damaged")] ^= 1
    segment.write_bytes(damaged)
    again = new(segment_bytes=10_000)
    again.append([b"later"])
    found = contents(again)
    assert [one for one in found if b"damaged" not in one] == [
        *(name * times for name in (b"1", b"2") for times in (40, 60, 70)),
        b"later",
    ]
    assert found.count(b"damaged" * 10) == 1
    assert segment.with_suffix(".damaged").read_bytes() == bytes(damaged)
    assert contents(new(segment_bytes=10_000))[-1] == b"later"


@pytest.mark.parametrize("cursor", ["", "nonsense", "7 0\n", "1 999999\n"])
def test_a_cursor_that_makes_no_sense_means_the_beginning(new: New, tmp_path: Path, cursor: str) -> None:
    new().append(SOME)
    (tmp_path / "cursor").write_text(cursor, encoding="ascii")
    assert contents(new()) == SOME


def test_names_of_new_files_are_on_disk_before_what_is_in_them_counts(
    new: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        found = os.fstat(descriptor)
        assert stat.S_ISDIR(found.st_mode)
        synced.extend(place for place in (folder, tmp_path) if place.stat().st_ino == found.st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    folder = tmp_path / "buffer"
    buffer = new(folder, segment_bytes=10)
    assert set(synced) == {folder, tmp_path}
    buffer.append([b"a" * 20])
    synced.clear()
    buffer.append([b"b"])
    assert synced == [folder]
