"""Files are read again exactly when they may say something else."""

import os
from pathlib import Path

import pytest

from streamhub.runner.remembering import Remembered

SECOND_NS = 1_000_000_000


class World:
    """A file that was changed at 10 s, what was read of it, and the clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 20 * SECOND_NS
        self.reads = 0
        self.remembered = Remembered(self._read, lambda: self.now)

    def _read(self, path: Path) -> str | None:
        self.reads += 1
        return path.read_text() if path.is_file() else None

    def write(self, text: str, at_s: int) -> None:
        """Replace the file, as all writers do."""
        draft = self.path.with_suffix(".new")
        draft.write_text(text)
        os.utime(draft, ns=(at_s * SECOND_NS, at_s * SECOND_NS))
        draft.replace(self.path)

    def ask(self) -> str | None:
        return self.remembered.of(str(self.path))


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "file")
    world.write("one", 10)
    return world


def test_a_file_that_stays_the_same_is_read_once(world: World) -> None:
    assert [world.ask() for _ in range(3)] == ["one"] * 3
    assert world.reads == 1


def test_another_file_is_read_even_if_it_has_the_same_size_and_time(world: World) -> None:
    world.ask()
    world.write("two", 10)
    assert world.ask() == "two"


def test_a_file_that_was_changed_just_now_is_not_trusted(world: World) -> None:
    world.write("one", 20)
    world.ask()
    with world.path.open("w") as file:  # the same inode, size and, on a coarse clock, time
        file.write("two")
    os.utime(world.path, ns=(20 * SECOND_NS, 20 * SECOND_NS))
    assert world.ask() == "two"
    world.now += SECOND_NS
    world.ask()
    reads = world.reads
    assert world.ask() == "two"
    assert world.reads == reads


def test_a_file_that_is_gone_means_nothing_and_one_that_comes_back_is_read(world: World) -> None:
    world.ask()
    world.path.unlink()
    assert world.ask() is None
    world.write("two", 10)
    assert world.ask() == "two"
