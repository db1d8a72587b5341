"""What a join remembers of one stream, numbered, so that it can be written down piece by piece.

Lives here: the window that the engine reads. Does not live here: who fills and empties it.
"""

from typing import Any, Protocol

Item = tuple[int, Any]
"""Event time [us since 1970] and record."""


class Remembered(Protocol):
    """The end of a stream: what a window looks into."""

    taken: int
    """Number of items taken since the beginning."""

    def held(self) -> int:
        """Return the number of items still held, which are the last ones taken."""

    def last(self, count: int) -> list[Item]:
        """Return the last `count` items held, oldest first; all of them when there are fewer."""


class Window:
    """The remembered end of one stream.

    Items are numbered from 0 in the order in which they were taken; those from `first` up to, but without,
    `end` are held.

    Args:
        depth: Of which streams an item is made, in order: `(0,)` for the records of the first stream,
            `(0, 1)` for tuples of a record of the first and one of the second.
        remembered: What to look into.
    """

    __slots__ = ("_remembered", "depth")

    def __init__(self, depth: tuple[int, ...], remembered: Remembered) -> None:
        self.depth = depth
        self._remembered = remembered

    @property
    def first(self) -> int:
        """Number of the oldest item held; equal to `end` when there is none."""
        return self._remembered.taken - self._remembered.held()

    @property
    def end(self) -> int:
        """Number that the next item will get."""
        return self._remembered.taken

    def since(self, number: int) -> list[Item]:
        """Return the items held from that number on, oldest first.

        Args:
            number: Number of the first item wanted; what is older than `first` is gone and left out.
        """
        missing = self._remembered.taken - number
        return self._remembered.last(missing) if missing > 0 else []
