"""What a join of two streams keeps of one of them.

Lives here: the piles of records and how they are taken over from an earlier run. Does not live here: which
records find each other (`streamhub.join.neighbours`).
"""

from collections import deque
from collections.abc import Sequence
from itertools import chain, islice, takewhile

from streamhub.join.windows import Item

NEVER = -(1 << 62)
"""Earlier than every event time [us]."""
FOREVER = 1 << 61
"""Longer than every distance of two event times [us]."""

Remnant = tuple[int, Sequence[Item]]
"""What is left of a stream: the number of the first item, and the items, oldest first."""


class Side:
    """What one stream has to keep: `group`, `head`, `waiting` and `ahead`, in this order of time.

    While the stream lags behind, its newest record is `head` and the rest is empty. While it leads, `head` is
    the last one before the newest of the other side and `ahead` holds those at or after it.
    """

    __slots__ = (
        "ahead",
        "equal",
        "floor",
        "group",
        "head",
        "is_alone",
        "is_right",
        "newest",
        "taken",
        "waiting",
    )

    def __init__(self, *, is_right: bool) -> None:
        self.is_right = is_right
        self.newest = NEVER
        self.floor = NEVER  # records before it are late
        self.taken = 0
        self.group: list[Item] = []  # as old as head, kept while the other side holds records of that time
        self.head: Item | None = None
        self.waiting: deque[Item] = deque()  # before the horizon: all but their successor is settled
        self.ahead: deque[Item] = deque()
        self.equal: Item | None = None  # see last_equal; kept so that many equal times stay cheap
        self.is_alone = False

    def held(self) -> int:
        """Return the number of records kept."""
        return len(self.group) + (self.head is not None) + len(self.waiting) + len(self.ahead)

    def last(self, count: int) -> list[Item]:
        """Return the last `count` records kept, oldest first."""
        heads = () if self.head is None else (self.head,)
        newest_first = chain(reversed(self.ahead), reversed(self.waiting), heads, reversed(self.group))
        return list(islice(newest_first, count))[::-1]

    def place(self, remnant: Remnant, other_newest: int) -> None:
        """Take over remembered records; those that cannot find a partner any more are left out."""
        first, items = remnant
        self.taken = first + len(items)
        self.newest = self.floor = items[-1][0] if items else NEVER
        self.group = []
        self.head = self.equal = None
        self.waiting.clear()
        self.ahead.clear()
        if not items:
            return
        if self.newest < other_newest:
            self.head = items[-1]
            self.group = [item for item in items[:-1] if item[0] == self.newest]
            return
        self.ahead.extend(item for item in items if item[0] >= other_newest)
        before = len(items) - len(self.ahead)
        if before and self.ahead[0][0] > other_newest:
            self.head = items[before - 1]

    def equals(self, time: int) -> list[Item]:
        """Return the records of that time at the beginning of `ahead`."""
        return list(takewhile(lambda item: item[0] == time, self.ahead))

    def last_equal(self, time: int) -> Item | None:
        """Return the last record of that time in `ahead` when it has several, and later ones."""
        if self.equal is None or self.equal[0] != time:
            equals = self.equals(time)
            self.equal = equals[-1]
            self.is_alone = len(equals) == 1
        return None if self.is_alone else self.equal

    def pop_equals(self, time: int) -> list[Item]:
        """Take the records of that time off the beginning of `ahead`."""
        equals = self.equals(time)
        for _ in equals:
            self.ahead.popleft()
        self.equal = None
        return equals

    def release_group(self, other: "Side") -> None:
        """Let the group go when the other side holds nothing of its time."""
        if self.group and not (other.ahead and other.ahead[0][0] == self.newest):
            self.group.clear()
