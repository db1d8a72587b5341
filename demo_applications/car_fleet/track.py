"""A closed track of waypoints, and where a car is after so many metres.

What lives here: geometry. What does not: time and speed (`drive`).

The track in `track.json` is made up: a smooth loop of about 5.7 km near Salzburg that follows no real road.
Distances are measured on a plane that touches the earth at the track, which is exact enough for a few
kilometres (error below 0.1 %).
"""

import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

METRES_PER_DEGREE = 111_195.0
"""Length of one degree of a great circle [m]; mean earth radius 6371.0 km."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place.

    Attributes:
        latitude: Degrees north, WGS 84.
        longitude: Degrees east, WGS 84.
        attitude: Height above sea level [m]; the spelling is the one that users of the stack know.
    """

    latitude: float
    longitude: float
    attitude: float


class Track:
    """A closed line through waypoints.

    Keeps true: the last waypoint leads back to the first, and no two neighbours are the same place.
    """

    def __init__(self, waypoints: Sequence[Position]) -> None:
        if len(waypoints) < 3:  # noqa: PLR2004 - fewer points enclose nothing
            raise ValueError(f"A closed track needs at least 3 waypoints, got {len(waypoints)}.")
        self._waypoints = tuple(waypoints)
        following = (*self._waypoints[1:], self._waypoints[0])
        lengths = [distance_m(here, there) for here, there in zip(self._waypoints, following, strict=True)]
        if min(lengths) == 0.0:
            raise ValueError(f"Waypoint {lengths.index(0.0)} and the one after it are the same place.")
        self._starts = [0.0, *accumulate(lengths[:-1])]
        self._lengths = lengths
        self.length_m = sum(lengths)

    def position_at(self, travelled_m: float) -> Position:
        """Say where a car is.

        Args:
            travelled_m: Distance from the first waypoint along the track [m]; more than one round is fine.

        Returns:
            The place, linear between two waypoints.
        """
        index, rest_m = self._segment(travelled_m)
        here, there = self._waypoints[index], self._waypoints[(index + 1) % len(self._waypoints)]
        share = rest_m / self._lengths[index]
        return Position(
            here.latitude + share * (there.latitude - here.latitude),
            here.longitude + share * (there.longitude - here.longitude),
            here.attitude + share * (there.attitude - here.attitude),
        )

    def curve_radius_m(self, travelled_m: float) -> float:
        """Say how sharp the track bends.

        Args:
            travelled_m: Distance from the first waypoint along the track [m].

        Returns:
            Radius of the circle through the three waypoints around that place [m]; infinite when straight.
        """
        index, _ = self._segment(travelled_m)
        count = len(self._waypoints)
        before, here, after = (self._waypoints[(index + step) % count] for step in (-1, 0, 1))
        (ax, ay), (bx, by) = _offset_m(here, before), _offset_m(here, after)
        twice_area = abs(ax * by - ay * bx)
        if twice_area < 1e-9:  # noqa: PLR2004 - three points on one line
            return math.inf
        sides = math.hypot(ax, ay) * math.hypot(bx, by) * math.hypot(ax - bx, ay - by)
        return sides / (2.0 * twice_area)

    def _segment(self, travelled_m: float) -> tuple[int, float]:
        """Return the index of the segment and the distance from its start [m]."""
        on_track_m = travelled_m % self.length_m
        index = bisect_right(self._starts, on_track_m) - 1
        return index, min(on_track_m - self._starts[index], self._lengths[index])


def _offset_m(origin: Position, place: Position) -> tuple[float, float]:
    """Return how far a place lies east and north of an origin [m]."""
    narrowing = math.cos(math.radians((origin.latitude + place.latitude) / 2))
    return (
        (place.longitude - origin.longitude) * METRES_PER_DEGREE * narrowing,
        (place.latitude - origin.latitude) * METRES_PER_DEGREE,
    )


def distance_m(here: Position, there: Position) -> float:
    """Measure the horizontal distance of two near places.

    Args:
        here: A place.
        there: Another place, at most some kilometres away.

    Returns:
        Distance [m].
    """
    return math.hypot(*_offset_m(here, there))


def read_track(path: Path) -> Track:
    """Read a track.

    Args:
        path: JSON file with `waypoints`: lists of latitude [deg], longitude [deg] and height [m].

    Returns:
        The closed track.

    Raises:
        ValueError: The file is not JSON of that form.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Track([Position(*map(float, waypoint)) for waypoint in content["waypoints"]])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path.name} is not a track: it needs 'waypoints', each [latitude, longitude, height]."
        ) from error
