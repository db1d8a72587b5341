"""The join against its definition, on thousands of random interleavings, cut and restored on the way."""

from collections.abc import Sequence
from typing import Any

import pytest

from streamhub.join import NeighbourJoin, SeriesJoin
from tests.unit.streamhub.join.brute_force import Item, LateRule, joined_places, joined_tuples
from tests.unit.streamhub.join.interleavings import COUNT, Interleaving, random_interleaving

Tuples = list[tuple[Any, ...]]


@pytest.mark.parametrize("width", [2, 3, 4])
def test_series_finds_the_tuples_of_the_definition_each_once(width: int) -> None:
    tuples = 0
    for seed in range(COUNT // 6):
        case = random_interleaving(seed, width)
        found: Tuples = []
        join = SeriesJoin(case.withins, found.append, case.max_latency)
        taken = feed(join, case, range(len(case.arrivals)), LateRule(width, case.max_latency))

        assert len(found) == len(set(found)), (seed, case)
        assert set(found) == joined_tuples(taken, case.withins, case.max_latency), (seed, case)
        tuples += len(found)
    assert tuples > COUNT // 6  # the cases are worth something


@pytest.mark.parametrize("width", [2, 3, 4])
def test_restored_series_finds_exactly_the_remaining_tuples(width: int) -> None:
    for seed in range(COUNT // 6):
        case = random_interleaving(-seed - 1, width)
        found: Tuples = []
        cut = case.source.randrange(len(case.arrivals) + 1)
        join = SeriesJoin(case.withins, found.append, case.max_latency)
        rule = LateRule(width, case.max_latency)
        diary = Diary(join)
        taken = feed(join, case, range(cut), rule, diary)
        successor = SeriesJoin(case.withins, found.append, case.max_latency)
        before = len(found)
        successor.restore(diary.contents(extra=case.source.choice([0, 0, 1, 5])))

        assert len(found) == before
        assert [window.end for window in successor.windows] == [window.end for window in join.windows]
        rest = feed(successor, case, range(cut, len(case.arrivals)), rule)
        taken = [earlier + later for earlier, later in zip(taken, rest, strict=True)]
        assert len(found) == len(set(found)), (seed, case)
        assert set(found) == joined_tuples(taken, case.withins, case.max_latency), (seed, cut, case)


def test_pairs_do_not_depend_on_which_stream_arrives_first() -> None:
    for seed in range(COUNT // 24):
        case = random_interleaving(seed, 2)
        lefts = [time for stream, time in case.arrivals if stream == 0]
        rights = [time for stream, time in case.arrivals if stream == 1]
        if lefts != sorted(lefts) or rights != sorted(rights):
            continue
        results = []
        for order in ([0] * len(lefts) + [1] * len(rights), [1] * len(rights) + [0] * len(lefts)):
            found: Tuples = []
            join = NeighbourJoin(case.withins[0], found.append)
            rests = [iter(list(enumerate(lefts))), iter(list(enumerate(rights)))]
            for stream in order:
                place, time = next(rests[stream])
                assert (join.right if stream else join.left)(time, place)
            results.append(set(found))
        assert results == [joined_places(lefts, rights, case.withins[0])] * 2, (seed, case)


class Diary:
    """Everything that the windows of a join ever showed."""

    def __init__(self, join: SeriesJoin) -> None:
        self._windows = join.windows
        self._pages: list[dict[int, Item]] = [{} for _ in join.windows]

    def write(self) -> None:
        """Note what is new; what is held may not change."""
        for window, page in zip(self._windows, self._pages, strict=True):
            for number, item in enumerate(window.since(0), window.first):
                assert page.setdefault(number, item) == item

    def contents(self, extra: int) -> list[tuple[int, Sequence[Item]]]:
        """Return what is held, and up to so many items more that are trimmed already."""
        self.write()
        contents: list[tuple[int, Sequence[Item]]] = []
        for window, page in zip(self._windows, self._pages, strict=True):
            first = window.first
            while first - 1 in page and window.first - first < extra:
                first -= 1
            contents.append((first, [page[number] for number in range(first, window.end)]))
        return contents


def feed(
    join: SeriesJoin, case: Interleaving, places: range, rule: LateRule, diary: Diary | None = None
) -> list[list[Item]]:
    """Hand these arrivals in; return what was taken, per stream, and insist on the right ones being late."""
    taken: list[list[Item]] = [[] for _ in range(case.width)]
    for number in places:
        stream, time = case.arrivals[number]
        is_late = rule.is_late(stream, time)
        assert join.adders[stream](time, (stream, number)) is not is_late
        if not is_late:
            taken[stream].append((time, (stream, number)))
        if diary is not None:
            diary.write()
    return taken
