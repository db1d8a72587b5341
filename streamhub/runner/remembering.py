"""Small files that are read again and again by somebody who does not write them: read once per content.

What lives here: remembering what a file meant, by its inode, size and time of change. What does not: the
files themselves (`folder`).

All writers replace files as a whole, so another content is another inode. Inodes are used again and clocks of
file systems are coarse (up to 10 ms): a file that was changed just now is read again.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

__all__ = ["Remembered"]

_Meaning = TypeVar("_Meaning")
_YOUNG_NS: Final = 100_000_000

_Mark = tuple[int, int, int]


class Remembered(Generic[_Meaning]):
    """What files mean, by their names; safe to be used by several threads.

    Args:
        read: Reads and understands a file; called when it is another than before.
        clock: The present time, as files are marked with [ns since 1970].
    """

    def __init__(self, read: Callable[[Path], _Meaning], clock: Callable[[], int] = time.time_ns) -> None:
        self._read = read
        self._clock = clock
        self._known: dict[str, tuple[_Mark, _Meaning]] = {}

    def of(self, name: str) -> _Meaning:
        """Return what a file means now."""
        try:
            found = os.stat(name)  # noqa: PTH116 - thousands of times a second; a Path costs as much again
        except OSError:
            self._known.pop(name, None)
            return self._read(Path(name))
        mark = (found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._known.get(name)
        if known is not None and known[0] == mark:
            return known[1]
        meaning = self._read(Path(name))
        # Marked before it was read: what came in between differs from the mark, and is read the next time.
        if abs(self._clock() - found.st_mtime_ns) > _YOUNG_NS:
            self._known[name] = (mark, meaning)
        else:
            self._known.pop(name, None)
        return meaning

    def forget(self, name: str) -> None:
        """Forget a file that is gone."""
        self._known.pop(name, None)
