"""The join as it is defined: on whole sorted lists, by looking at everything."""

from collections.abc import Sequence
from typing import Any

NEVER = -(1 << 62)

Item = tuple[int, Any]


def joined_places(
    left: Sequence[int],
    right: Sequence[int],
    within: int | None,
    horizon: int = NEVER,
    reach: int | None = None,
) -> set[tuple[int, int]]:
    """Return the places (in left, in right) of all pairs; both are lists of times, ascending."""
    found = {(at, other) for at, other in _neighbours(left, right, horizon, reach)}
    found |= {(other, at) for at, other in _neighbours(right, left, horizon, reach)}
    return {(at, other) for at, other in found if within is None or abs(left[at] - right[other]) <= within}


def _neighbours(
    times: Sequence[int], others: Sequence[int], horizon: int, reach: int | None
) -> list[tuple[int, int]]:
    found = []
    for at, time in enumerate(times):
        after = [place for place, other in enumerate(others) if other >= time]
        before = [place for place, other in enumerate(others) if other <= time]
        if after and (reach is None or others[after[0]] - time <= reach):
            found.append((at, after[0]))
        is_final = time < horizon or any(other > time for other in others)
        if before and is_final:
            found.append((at, before[-1]))
    return found


def joined_tuples(
    streams: Sequence[Sequence[Item]], withins: Sequence[int | None], max_latency: int | None = None
) -> set[tuple[Any, ...]]:
    """Return all tuples of a chain; the streams hold what was taken, that is nothing late."""
    tops = [items[-1][0] for items in streams if items]
    horizon = NEVER if max_latency is None or not tops else max(tops) - max_latency
    left: list[Item] = [(time, (record,)) for time, record in streams[0]]
    for right, within in zip(streams[1:], withins, strict=True):
        reach = max_latency if within is None else within
        lefts, rights = [time for time, _ in left], [time for time, _ in right]
        places = joined_places(lefts, rights, within, horizon, reach)
        pairs = sorted((max(lefts[at], rights[other]), at, other) for at, other in places)
        newest = min(lefts[-1] if left else NEVER, rights[-1] if right else NEVER)
        watermark = max(newest, horizon)
        is_last = right is streams[-1]
        left = [
            (time, (*left[at][1], right[other][1]))
            for time, at, other in pairs
            if is_last or time < watermark
        ]
    return {records for _, records in left}


class LateRule:
    """Says which records a join has to refuse."""

    def __init__(self, width: int, max_latency: int | None) -> None:
        self._newest = [NEVER] * width
        self._max_latency = max_latency

    def is_late(self, stream: int, time: int) -> bool:
        """Say whether the record is late, and remember it when it is not."""
        horizon = NEVER if self._max_latency is None else max(self._newest) - self._max_latency
        if time < self._newest[stream] or time < horizon:
            return True
        self._newest[stream] = time
        return False
