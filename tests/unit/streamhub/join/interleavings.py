"""Random cases of the join: streams full of equal times, in every order that the streams may interleave."""

import os
import random
from dataclasses import dataclass

COUNT = int(os.environ.get("JOIN_INTERLEAVINGS", "10080"))
"""How many cases all random tests together try."""


@dataclass
class Interleaving:
    """One random case."""

    withins: list[int | None]
    max_latency: int | None
    arrivals: list[tuple[int, int]]
    """Stream and event time, in order of arrival."""
    source: random.Random
    """For whatever else the test has to choose."""

    @property
    def width(self) -> int:
        """Number of streams."""
        return len(self.withins) + 1


def random_interleaving(seed: int, width: int) -> Interleaving:
    """Return the case of that number."""
    source = random.Random(f"{width} {seed}")
    span, longest = source.choice([4, 8, 20, 60]), source.choice([3, 5, 7]) * width
    streams = [sorted(source.randrange(span) for _ in range(source.randrange(longest))) for _ in range(width)]
    return Interleaving(
        withins=[source.choice([None, None, None, 0, 1, 3, 10]) for _ in range(width - 1)],
        max_latency=source.choice([None, None, 0, 1, 3, 8]),
        arrivals=_interleave(source, streams),
        source=source,
    )


def _interleave(source: random.Random, streams: list[list[int]]) -> list[tuple[int, int]]:
    """Keep the order of each stream most of the time; between the streams nothing, or a bounded delay."""
    if source.random() < 0.5:
        turns = [stream for stream, times in enumerate(streams) for _ in times]
        source.shuffle(turns)
        rests = [iter(times) for times in streams]
        return [(stream, next(rests[stream])) for stream in turns]
    delay = source.choice([0, 2, 5, 15])
    arrivals = [(time, stream) for stream, times in enumerate(streams) for time in times]
    arrivals.sort(key=lambda arrival: arrival[0] + delay * source.random())
    return [(stream, time) for time, stream in arrivals]
