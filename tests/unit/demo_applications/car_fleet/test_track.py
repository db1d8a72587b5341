"""The geometry of a closed track."""

import math
from itertools import pairwise
from pathlib import Path

import pytest

from demo_applications.car_fleet.car import FOLDER
from demo_applications.car_fleet.track import METRES_PER_DEGREE, Position, Track, distance_m, read_track

ONE_KM = 1000.0 / METRES_PER_DEGREE
# A square of 1 km at the equator, where a degree of longitude is as long as one of latitude.
SQUARE = Track(
    [
        Position(0.0, 0.0, 100.0),
        Position(ONE_KM, 0.0, 200.0),
        Position(ONE_KM, ONE_KM, 200.0),
        Position(0.0, ONE_KM, 100.0),
    ]
)


def test_the_length_includes_the_way_back_to_the_first_waypoint() -> None:
    assert SQUARE.length_m == pytest.approx(4000.0, rel=1e-6)


def test_a_position_lies_between_its_waypoints() -> None:
    place = SQUARE.position_at(250.0)

    assert place.latitude == pytest.approx(ONE_KM / 4)
    assert place.longitude == 0.0
    assert place.attitude == pytest.approx(125.0)


@pytest.mark.parametrize("travelled_m", [0.0, 999.0, 2500.0, 3999.9])
def test_after_a_round_the_car_is_where_it_was(travelled_m: float) -> None:
    here = SQUARE.position_at(travelled_m)
    there = SQUARE.position_at(travelled_m + 3 * SQUARE.length_m)

    assert distance_m(here, there) < 1e-6


def test_three_waypoints_on_a_line_have_no_bend() -> None:
    line = Track([Position(0.0, x * ONE_KM, 0.0) for x in (0, 1, 2)])

    assert line.curve_radius_m(1000.0) == math.inf


def test_the_bend_of_a_circle_is_its_radius() -> None:
    angles = [math.radians(step * 10) for step in range(36)]
    circle = Track([Position(ONE_KM * math.sin(a) / 2, ONE_KM * math.cos(a) / 2, 0.0) for a in angles])

    assert circle.curve_radius_m(700.0) == pytest.approx(500.0, rel=1e-3)


def test_a_car_never_jumps_on_the_demo_track() -> None:
    track = read_track(FOLDER / "track.json")
    places = [track.position_at(step * 5.0) for step in range(int(track.length_m / 5.0) + 20)]

    assert 5000 < track.length_m < 6500
    jumps = [distance_m(here, there) for here, there in pairwise(places)]
    assert max(jumps) == pytest.approx(5.0, rel=1e-3)


def test_too_few_waypoints_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 waypoints, got 2"):
        Track([Position(0, 0, 0), Position(0, 1, 0)])


def test_a_repeated_waypoint_is_named() -> None:
    with pytest.raises(ValueError, match="Waypoint 1 and the one after it"):
        Track([Position(0, 0, 0), Position(0, 1, 0), Position(0, 1, 5)])


@pytest.mark.parametrize("text", ["{}", '{"waypoints": [[1, 2]]}', '{"waypoints": 3}', "[]"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "track.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"track\.json is not a track"):
        read_track(file)
