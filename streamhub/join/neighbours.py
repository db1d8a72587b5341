"""The join of two streams by nearest neighbours in event time, record by record.

A pair (l, r) belongs to the result when one is the nearest neighbour of the other in the other stream: the
first at or after it (its successor, known at once), or the last at or before it (its predecessor, final once
that stream has a later record, or once it cannot get an earlier one any more). Then `|l - r| <= within` is
asked. Each pair is found once, and which pairs are found does not depend on how the two streams interleave.

How it works: of the two streams one *leads*, its newest record is later than that of the other. A record of
the leading stream finds no new partner, it is only put on the pile `ahead`. A record of the stream that lags
behind walks over that pile up to its own time: it is the successor of all that it passes, the record before
it in its own stream is the predecessor of all that it passes, and where it stops are its own two neighbours.
What has been passed is forgotten, but for the last one. So each record is put on the pile once and taken off
once. Equal times need more care: `Side.group` and the methods named after equal times.

>>> found = []
>>> join = NeighbourJoin(within=5, emit=found.append)
>>> [join.left(1, "l1"), join.left(9, "l9"), join.right(2, "r2"), join.right(4, "r4"), join.left(3, "l3")]
[True, True, True, True, False]
>>> found
[('l1', 'r2'), ('l9', 'r4'), ('l1', 'r4')]

What lives elsewhere: chains of more than two streams and what has to be remembered across a restart
(`streamhub.join.series`); join keys, topics and Kafka (`streamhub.engine`).
"""

from collections.abc import Callable
from typing import Any

from streamhub.join.sides import FOREVER, NEVER, Remnant, Side
from streamhub.join.windows import Item

Adder = Callable[[int, Any], bool]
"""Takes event time [us since 1970] and record; False when the record is late and was not used."""


class NeighbourJoin:
    """Joins a left and a right stream, each in order of event time by itself.

    Args:
        within: Largest |left - right| of a pair [us], inclusive: 0 joins equal times only, None is no limit.
        emit: Called with (left record, right record), once per pair.
        max_latency: How far a record may lie behind the newest of both streams [us]. With it, whatever is
            older is late, what a silent stream leaves open is settled, and memory is bounded. A pair of a
            record and its successor is then given up when they are further apart than `within` (without it:
            than `max_latency`). None waits for ever.
    """

    __slots__ = (
        *("_emit", "_max_latency", "_reach", "_top", "_within"),
        *("dropped", "horizon", "left", "left_side", "right", "right_side"),
    )

    left: Adder
    """Takes event time [us since 1970] and record of the left stream. False: the record is late (older
    than the newest of its stream, or than the horizon) and was not used."""
    right: Adder
    """The same for the right stream."""
    dropped: int
    """Records dropped because of `max_latency` since this object was made or restored."""

    def __init__(
        self,
        within: int | None,
        emit: Callable[[tuple[Any, Any]], object],
        max_latency: int | None = None,
    ) -> None:
        self._within = FOREVER if within is None else within
        if within is None and max_latency is not None:
            self._reach = max_latency
        else:
            self._reach = self._within
        self._emit = emit
        self._max_latency = 0 if max_latency is None else max_latency
        self._top = FOREVER if max_latency is None else NEVER
        self.left_side = Side(is_right=False)
        self.right_side = Side(is_right=True)
        self.left = self._adder(self.left_side, self.right_side)
        self.right = self._adder(self.right_side, self.left_side)
        self.horizon = NEVER
        self.dropped = 0

    def _rise(self, time: int) -> None:
        self._top = time
        self.settle(time - self._max_latency)

    def _adder(self, mine: Side, other: Side) -> Adder:
        """Return what takes the records of one side; a closure, because this is the hottest path of all."""
        emit, within, reach, is_right = self._emit, self._within, self._reach, mine.is_right
        append, ahead = mine.ahead.append, other.ahead
        pop = ahead.popleft

        def add(time: int, record: object) -> bool:
            if time < mine.floor:
                return False
            if time > self._top:
                self._rise(time)
            last_time = mine.newest
            mine.newest = mine.floor = time
            mine.taken += 1
            if last_time > other.newest:
                append((time, record))
                return True
            has_equals = ahead and (time == last_time or ahead[0][0] == last_time)
            if (has_equals or other.waiting) and self._is_done(mine, other, last_time, (time, record)):
                return True
            before = passed = other.head
            is_first = before is None or before[0] < last_time
            while ahead and ahead[0][0] < time:
                passed = pop()
                passed_time, partner = passed
                if time - passed_time <= reach:
                    emit((partner, record) if is_right else (record, partner))
                # The record before this one is the predecessor of what is passed. It has been paired with the
                # first of that, its successor, already, unless that one was out of reach.
                distance = passed_time - last_time
                if distance <= within and not (is_first and distance <= reach) and mine.head is not None:
                    emit((partner, mine.head[1]) if is_right else (mine.head[1], partner))
                is_first = False
            other.head = passed
            if ahead:
                self._stop(mine, other, (time, record), has_passed=passed is not before)
            else:
                append((time, record))
            return True

        return add

    def _stop(self, mine: Side, other: Side, item: Item, *, has_passed: bool) -> None:
        """Pair a record that still lags with its two neighbours."""
        time, record = item
        next_time, successor = other.ahead[0]
        if next_time == time:
            self._join_equal(mine, other, item)
            return
        mine.head = item
        if next_time - time <= self._reach:
            self._emit((successor, record) if mine.is_right else (record, successor))
        if has_passed or other.head is None:
            return
        before_time, before = other.head
        if time - before_time <= self._within:
            self._emit((before, record) if mine.is_right else (record, before))

    def _is_done(self, mine: Side, other: Side, last_time: int, item: Item) -> bool:
        """Do what equal times and waiting records ask for; say whether the record need not walk on."""
        if other.waiting:
            self._pass_waiting(mine, other, item)
            return False
        if item[0] == last_time:
            self._repeat(mine, other, item)
            return True
        return self._leave_equal(mine, other, last_time, item)

    def _pass_waiting(self, mine: Side, other: Side, item: Item) -> None:
        """Pair the record with those that only waited for it."""
        time, record = item
        waiting, ahead = other.waiting, other.ahead
        other.head = waiting[-1]
        if ahead and ahead[0][0] > time:
            waiting.pop()  # is the predecessor of the record, which will find it where it stops
        for passed_time, partner in waiting:
            if time - passed_time <= self._reach:
                self._emit((partner, record) if mine.is_right else (record, partner))
        waiting.clear()

    def _join_equal(self, mine: Side, other: Side, item: Item) -> None:
        """Pair the first record of its time in its stream with all of that time in the other."""
        time, record = item
        for other_time, partner in other.ahead:
            if other_time != time:
                break
            self._emit((partner, record) if mine.is_right else (record, partner))
        other.head = None
        if other.newest == time:
            mine.head = None
            mine.ahead.append(item)
        else:
            mine.head = item

    def _leave_equal(self, mine: Side, other: Side, last_time: int, item: Item) -> bool:
        """Leave a time that both sides hold records of; say whether this side leads from now on."""
        self._close_group(mine, other, last_time)
        equals = other.pop_equals(last_time)
        other.head = equals[-1]
        if other.newest > last_time:
            mine.group.clear()
            return False
        # The other stream may still get records of that time, so this one's of that time stay.
        other.group = equals[:-1]
        mine.ahead.append(item)
        return True

    def _repeat(self, mine: Side, other: Side, item: Item) -> None:
        """Take one more record of the same time in the same stream."""
        time, record = item
        emit, is_right = self._emit, mine.is_right
        next_time, successor = other.ahead[0]
        if next_time - time <= self._reach:
            emit((successor, record) if is_right else (record, successor))
        if other.newest == time:
            mine.ahead.append(item)
            return
        before = other.head
        if next_time == time:
            before = other.last_equal(time)
            if mine.head is not None:
                mine.group.append(mine.head)
        if before is not None and time - before[0] <= self._within:
            emit((before[1], record) if is_right else (record, before[1]))
        mine.head = item

    def _close_group(self, mine: Side, other: Side, time: int, *, has_last: bool = False) -> None:
        """Pair the last record of that time with those of that time in the other stream, as predecessor.

        The first of them is its successor, so that pair is there already; likewise the last one when its
        own predecessor is settled (`has_last`).
        """
        group = mine.ahead or [*mine.group, mine.head]
        last = group[-1]
        if last is None or len(group) == 1:
            return
        equals = other.equals(time)[1:]
        if equals and (has_last or other.newest > time):
            equals.pop()
        for _, partner in equals:
            self._emit((partner, last[1]) if mine.is_right else (last[1], partner))

    def settle(self, horizon: int) -> None:
        """Take note that no record older than that will come any more.

        What such a record could have changed is emitted; what only such a record could have joined is
        dropped.

        Args:
            horizon: Event time [us since 1970]; one before that of an earlier call changes nothing.
        """
        if horizon <= self.horizon:
            return
        self.horizon = horizon
        lead, lag = self.left_side, self.right_side
        if lead.newest < lag.newest:
            lead, lag = lag, lead
        if lag.floor < horizon:  # noqa: PLR1730 - max() takes longer than all the rest here
            lag.floor = horizon
        if lead.floor < horizon:  # noqa: PLR1730
            lead.floor = horizon
        if lead.waiting or (lead.ahead and lead.ahead[0][0] < horizon):
            if lead.newest > lag.newest:
                self._settle_side(lead, lag)
            else:
                self._settle_equal(lead, lag)

    def _settle_equal(self, left: Side, right: Side) -> None:
        """Pair the last ones of the same newest time on both sides: nothing of that time will come."""
        self._close_group(left, right, left.newest)
        self._close_group(right, left, left.newest, has_last=True)
        for side in (left, right):
            side.head = side.ahead[-1]
            side.ahead.clear()

    def _settle_side(self, lead: Side, lag: Side) -> None:
        """Give the records before the horizon their predecessor; let those go that waited long enough."""
        ahead, waiting, horizon = lead.ahead, lead.waiting, self.horizon
        if ahead and ahead[0][0] < horizon:
            if ahead[0][0] == lag.newest:
                self._close_group(lag, lead, lag.newest)
                lead.head = lead.pop_equals(lag.newest)[-1]
                lag.group.clear()
            self._settle_waiting(lead, lag)
        expired: Item | None = None
        while waiting and waiting[0][0] < horizon - self._reach:
            expired = waiting.popleft()
            self.dropped += 1
        if expired is not None and not waiting and (not ahead or self._within == FOREVER):
            # The newest stays; so does, without a limit, the one that may become a predecessor.
            lead.head = expired
            self.dropped -= 1

    def _settle_waiting(self, lead: Side, lag: Side) -> None:
        ahead, waiting, last_time = lead.ahead, lead.waiting, lag.newest
        is_first = not waiting and (lead.head is None or lead.head[0] < last_time)
        last = None if lag.head is None else lag.head[1]
        while ahead and ahead[0][0] < self.horizon:
            item = ahead.popleft()
            waiting.append(item)
            distance = item[0] - last_time
            if distance <= self._within and not (is_first and distance <= self._reach):
                self._emit((item[1], last) if lag.is_right else (last, item[1]))
            is_first = False
        if waiting and lead.head is not None:
            lead.head = None
            self.dropped += 1

    @property
    def oldest(self) -> int:
        """What is older does not wait for a successor any more [us since 1970]."""
        return self.horizon - self._reach

    @property
    def held(self) -> int:
        """Number of records in memory."""
        return self.left_side.held() + self.right_side.held()

    def restore(self, left: Remnant, right: Remnant, horizon: int = NEVER) -> None:
        """Take over what another one of the same kind remembered; emit nothing.

        Args:
            left: Records of the left stream: number of the first one, then all, oldest first; may begin with
                some that were not held any more.
            right: The same of the right stream.
            horizon: The last one settled, where it does not follow from these records [us since 1970].
        """
        newest = [items[-1][0] if items else NEVER for _, items in (left, right)]
        self.left_side.place(left, newest[1])
        self.right_side.place(right, newest[0])
        self.left_side.release_group(self.right_side)
        self.right_side.release_group(self.left_side)
        if self._top != FOREVER:
            self._top = max(newest)
            horizon = max(horizon, self._top - self._max_latency)
        emit, self._emit, self.horizon = self._emit, _forget, NEVER
        self.settle(horizon)
        self._emit, self.dropped = emit, 0


def _forget(_: tuple[Any, Any]) -> None:
    """Emit nothing: these pairs were found before."""
