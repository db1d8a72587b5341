"""A join in the middle of a chain: pairs go on in order of time, each as one record of the next join.

The time of a pair is the later one of its two. Pairs are not found in that order, so they wait until no
earlier one can come any more: a pair found from now on holds a new record, or one that is not older than the
newest of its stream; so it is not earlier than the older one of the two newest, nor than the horizon. Pairs
before that *watermark* go on, ordered by time and, where times are equal, by the numbers of their records
within their streams: by nothing that depends on how the streams interleave.

Of the waiting pairs nothing is written down. Instead each side keeps its records for as long as they can be
part of a waiting pair (more than the join itself holds), and a restored stage finds those pairs again.

What lives elsewhere: the join of two streams (`streamhub.join.neighbours`), the chain (`.series`).
"""

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush, merge
from itertools import islice
from operator import itemgetter
from typing import Any

from streamhub.join.neighbours import NeighbourJoin
from streamhub.join.sides import FOREVER, NEVER, Remnant
from streamhub.join.windows import Item

Numbered = tuple[int, int, Any]
"""Event time [us], number within the stream, record."""


class Keeper:
    """The records of one side of a stage that may be part of a pair which still waits."""

    __slots__ = ("before", "fresh", "kept", "newest", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.newest = NEVER
        self.kept: deque[Item] = deque()
        self.fresh: deque[int] = deque()  # times of those not before the watermark
        self.before = NEVER  # time of the last one before the watermark

    def held(self) -> int:
        """Return the number of records held."""
        return len(self.kept)

    def last(self, count: int) -> list[Item]:
        """Return the last `count` records held, oldest first."""
        return list(islice(reversed(self.kept), count))[::-1]

    def take(self, item: Item) -> None:
        """Append the next record of the stream."""
        self.taken += 1
        self.newest = item[0]
        self.kept.append(item)
        self.fresh.append(item[0])

    def place(self, remnant: Remnant) -> list[Item]:
        """Take over remembered records; return them with their numbers, as the join inside takes them."""
        self.taken, items = remnant
        self.newest = self.before = NEVER
        self.kept.clear()
        self.fresh.clear()
        numbered: list[Item] = []
        for time, record in items:
            numbered.append((time, (time, self.taken, record)))
            self.take((time, record))
        return numbered

    def pass_by(self, watermark: int) -> None:
        """Note which records lie before the watermark."""
        fresh = self.fresh
        while fresh and fresh[0] < watermark:
            self.before = fresh.popleft()

    def trim(self, watermark: int, other_before: int, oldest: int) -> None:
        """Forget records whose pairs all went on.

        Args:
            watermark: Pairs before it went on.
            other_before: Time of the last record of the other side before the watermark.
            oldest: A record before it is too old for a successor still to come.
        """
        kept = self.kept
        bound = max(other_before, oldest - 1)
        while len(kept) > 1 and kept[1][0] < watermark and kept[0][0] <= bound:
            kept.popleft()


class Stage:
    """Joins two streams and hands the pairs on in order.

    Args:
        within: As for `NeighbourJoin`.
        hand_on: Called with the time and the tuple of records of each pair, in order of time.
        max_latency: As for `NeighbourJoin`.
        is_first: The left stream holds plain records, not tuples.
    """

    __slots__ = (
        *("_hand_on", "_is_first", "_join", "_max_latency", "_pending", "_within"),
        *("left_side", "right_side", "watermark"),
    )

    def __init__(
        self,
        within: int | None,
        hand_on: Callable[[int, tuple[Any, ...]], object],
        max_latency: int | None,
        *,
        is_first: bool,
    ) -> None:
        self._join = NeighbourJoin(within, self._await, max_latency)
        self._within = within
        self._max_latency = max_latency
        self._hand_on = hand_on
        self._is_first = is_first
        self._pending: list[tuple[int, int, int, Any, Any]] = []
        self.left_side = Keeper()
        self.right_side = Keeper()
        self.watermark = NEVER

    @property
    def dropped(self) -> int:
        """Records dropped because of the horizon."""
        return self._join.dropped

    @property
    def held(self) -> int:
        """Records in memory."""
        return len(self.left_side.kept) + len(self.right_side.kept)

    def left(self, time: int, record: object) -> bool:
        """Take a record, or tuple, of the left stream; False when it is late."""
        side = self.left_side
        if not self._join.left(time, (time, side.taken, record)):
            return False
        side.take((time, record))
        self._proceed()
        return True

    def right(self, time: int, record: object) -> bool:
        """Take a record of the right stream; False when it is late."""
        side = self.right_side
        if not self._join.right(time, (time, side.taken, record)):
            return False
        side.take((time, record))
        self._proceed()
        return True

    def settle(self, horizon: int) -> None:
        """Take note that no record older than that will come any more."""
        self._join.settle(horizon)
        self._proceed()

    def finish(self) -> None:
        """Hand on, in order, the pairs that wait for earlier ones; nothing may be taken after that."""
        self._hand_on_before(FOREVER)

    def restore(self, left: Remnant, right: Remnant, horizon: int = NEVER) -> None:
        """Take over what another one of the same kind remembered; hand nothing on.

        Args:
            left: As for `NeighbourJoin.restore`.
            right: As for `NeighbourJoin.restore`.
            horizon: The last one settled [us since 1970].
        """
        numbered_left = self.left_side.place(left)
        numbered_right = self.right_side.place(right)
        self._join.restore((left[0], numbered_left), (right[0], numbered_right), horizon)
        self.watermark = max(min(self.left_side.newest, self.right_side.newest), self._join.horizon)
        self._find_again(numbered_left, numbered_right)
        self._forget()

    def _find_again(self, left: list[Item], right: list[Item]) -> None:
        """Find the pairs that wait; the others among these records went on already."""
        self._pending.clear()
        again = NeighbourJoin(self._within, self._await, self._max_latency)
        lefts = ((time, again.left, record) for time, record in left)
        rights = ((time, again.right, record) for time, record in right)
        for time, take, record in merge(lefts, rights, key=itemgetter(0)):
            take(time, record)
        self._pending = [pair for pair in self._pending if pair[0] >= self.watermark]
        heapify(self._pending)

    def _await(self, pair: tuple[Numbered, Numbered]) -> None:
        left, right = pair
        heappush(self._pending, (max(left[0], right[0]), left[1], right[1], left[2], right[2]))

    def _proceed(self) -> None:
        """Hand on the pairs before the watermark, in order."""
        watermark = max(min(self.left_side.newest, self.right_side.newest), self._join.horizon)
        if watermark == self.watermark:
            return
        self.watermark = watermark
        self._hand_on_before(watermark)
        self._forget()

    def _hand_on_before(self, time_limit: int) -> None:
        pending = self._pending
        while pending and pending[0][0] < time_limit:
            time, _, _, left, right = heappop(pending)
            self._hand_on(time, (left, right) if self._is_first else (*left, right))

    def _forget(self) -> None:
        left, right, watermark = self.left_side, self.right_side, self.watermark
        left.pass_by(watermark)
        right.pass_by(watermark)
        left.trim(watermark, right.before, self._join.oldest)
        right.trim(watermark, left.before, self._join.oldest)
