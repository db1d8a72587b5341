"""The motion of a car."""

import pytest

from demo_applications.car_fleet.car import FOLDER
from demo_applications.car_fleet.drive import LARGEST_SIDEWAYS, STRONGEST_PULL, Drive, Motion
from demo_applications.car_fleet.track import Track, distance_m, read_track


@pytest.fixture(scope="module")
def track() -> Track:
    return read_track(FOLDER / "track.json")


def _drive(track: Track, steps: int, *, is_warned: bool = False, seed: int = 7) -> list[Motion]:
    drive = Drive(track, seed=seed, is_warned=is_warned)
    return [drive.go(1.0) for _ in range(steps)]


def test_the_same_seed_gives_the_same_drive(track: Track) -> None:
    assert _drive(track, 50) == _drive(track, 50)
    assert _drive(track, 50) != _drive(track, 50, seed=8)


def test_a_car_gets_around_the_track(track: Track) -> None:
    travelled_m = sum(motion.speed for motion in _drive(track, 600))

    assert travelled_m > track.length_m


def test_the_position_follows_from_the_speed(track: Track) -> None:
    first, second = _drive(track, 20)[-2:]

    expected_m = (first.speed + second.speed) / 2
    assert distance_m(first.position, second.position) == pytest.approx(expected_m, rel=0.02)


def test_a_driver_keeps_within_the_accelerations_of_a_dry_road(track: Track) -> None:
    motions = _drive(track, 600)

    assert max(motion.acceleration for motion in motions) <= 2 * STRONGEST_PULL + LARGEST_SIDEWAYS
    assert max(motion.acceleration for motion in motions) > 1.0
    assert min(motion.acceleration for motion in motions) >= 0.0


def test_a_warned_driver_is_slower_and_gentler(track: Track) -> None:
    dry, warned = _drive(track, 300), _drive(track, 300, is_warned=True)

    assert max(m.speed for m in warned) < 0.8 * max(m.speed for m in dry)
    assert sum(m.acceleration for m in warned) < 0.7 * sum(m.acceleration for m in dry)


def test_two_cars_may_start_at_different_places(track: Track) -> None:
    ahead = Drive(track, seed=7, start_m=track.length_m / 2)

    assert distance_m(ahead.go(1.0).position, _drive(track, 1)[0].position) > 500
