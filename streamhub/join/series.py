"""The join of one, two or more streams that have the same join key.

Three and more are a chain, `((a JOIN b) JOIN c)`: a pair of the first join goes into the second one as a
record whose time is the later one of the two.

>>> found = []
>>> join = SeriesJoin([5, 5], emit=found.append)
>>> add_a, add_b, add_c = join.adders
>>> _ = add_a(1, "a1"), add_b(2, "b2"), add_c(3, "c3"), add_a(6, "a6"), add_b(7, "b7")
>>> found
[('a1', 'b2', 'c3')]
>>> [window.depth for window in join.windows]
[(0,), (1,), (0, 1), (2,)]

Lives here: wiring, windows, restoring, the horizon of all streams together. Does not live here: the join of
two streams (`streamhub.join.neighbours`), the order of pairs between two joins (`streamhub.join.stages`).
"""

from collections.abc import Callable, Sequence
from typing import Any

from streamhub.join.neighbours import Adder, NeighbourJoin
from streamhub.join.sides import NEVER, Remnant
from streamhub.join.stages import Stage
from streamhub.join.windows import Window


class SeriesJoin:
    """Joins the streams of one join key.

    One stream is handed through, each record as a tuple of one.

    Args:
        withins: Largest distance [us] for each join; None sets no limit. One less than there are streams.
        emit: Called with a tuple of one record per stream, once per tuple.
        max_latency: How far a record may lie behind the newest of all streams [us]; see `NeighbourJoin`.
    """

    __slots__ = ("_joins", "_max_latency", "_top", "adders", "windows")

    adders: tuple[Adder, ...]
    """One per stream: take (event time [us since 1970], record); False when the record is late."""
    windows: tuple[Window, ...]
    """Everything that has to be remembered, always in the same order."""

    def __init__(
        self,
        withins: Sequence[int | None],
        emit: Callable[[tuple[Any, ...]], object],
        max_latency: int | None = None,
    ) -> None:
        self._max_latency = max_latency
        self._top = NEVER
        self._joins = _build_joins(withins, emit, max_latency)
        self.windows = _look_into(self._joins)
        if not self._joins:
            self.adders = (_hand_through(emit),)
            return
        adders: list[Adder] = [self._joins[0].left, *(join.right for join in self._joins)]
        if len(self._joins) > 1 and max_latency is not None:
            adders = [self._watched(adder, max_latency) for adder in adders]
        self.adders = tuple(adders)

    @property
    def held(self) -> int:
        """Number of records, and of tuples of records, in memory."""
        return sum(join.held for join in self._joins)

    @property
    def dropped(self) -> int:
        """Records dropped because of `max_latency` since this object was made or restored."""
        return sum(join.dropped for join in self._joins)

    def restore(self, contents: Sequence[Remnant]) -> None:
        """Take over what the windows of another series of the same kind held; emit nothing.

        Args:
            contents: Per window the number of its first item and the items (time, record), oldest first. They
                may begin with items that the window did not hold any more.

        Raises:
            ValueError: There are not as many contents as windows; they are those of another statement.
        """
        if len(contents) != len(self.windows):
            raise ValueError(
                f"the contents of {len(contents)} windows do not fit a join that has {len(self.windows)};"
                " hand in what a join of the same streams remembered"
            )
        horizon = NEVER
        if self._max_latency is not None:
            self._top = max((items[-1][0] for _, items in contents if items), default=NEVER)
            horizon = max(horizon, self._top - self._max_latency)
        for at, join in enumerate(self._joins):
            join.restore(contents[2 * at], contents[2 * at + 1], horizon)

    def finish(self) -> None:
        """Emit what a chain still holds back because an earlier pair could come: at the end of recorded data.

        Nothing may be taken after that. What waits for a later record of a stream stays unfound.
        """
        for join in self._joins:
            if isinstance(join, Stage):
                join.finish()

    def _watched(self, add: Adder, max_latency: int) -> Adder:
        """Let all joins of a chain know how far time has come before a record is taken."""

        def add_watched(time: int, record: object) -> bool:
            if time > self._top:
                self._top = time
                for join in self._joins:
                    join.settle(time - max_latency)
            return time >= self._top - max_latency and add(time, record)

        return add_watched


def _build_joins(
    withins: Sequence[int | None], emit: Callable[[tuple[Any, ...]], object], max_latency: int | None
) -> tuple[Stage | NeighbourJoin, ...]:
    """Return the joins of a chain, first one first; each hands its pairs on to the next."""
    if not withins:
        return ()
    if len(withins) == 1:
        return (NeighbourJoin(withins[0], emit, max_latency),)
    following: Stage | NeighbourJoin = NeighbourJoin(
        withins[-1], lambda pair: emit((*pair[0], pair[1])), max_latency
    )
    joins: list[Stage | NeighbourJoin] = [following]
    for at in range(len(withins) - 2, -1, -1):
        following = Stage(withins[at], following.left, max_latency, is_first=at == 0)
        joins.append(following)
    return tuple(reversed(joins))


def _look_into(joins: Sequence[Stage | NeighbourJoin]) -> tuple[Window, ...]:
    """Return the windows of a chain: those of the first join, left and right, then those of the next."""
    windows = []
    for at, join in enumerate(joins):
        windows.append(Window(tuple(range(at + 1)), join.left_side))
        windows.append(Window((at + 1,), join.right_side))
    return tuple(windows)


def _hand_through(emit: Callable[[tuple[Any, ...]], object]) -> Adder:
    def add(_: int, record: object) -> bool:
        emit((record,))
        return True

    return add
