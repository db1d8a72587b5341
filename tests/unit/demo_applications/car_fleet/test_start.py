"""Where the cars of the demo begin."""

import json

import pytest

from demo_applications.car_fleet import car
from demo_applications.car_fleet.track import read_track


@pytest.mark.parametrize("number", [1, 2])
def test_a_car_is_registered_where_it_starts(number: int) -> None:
    file = car.FOLDER / f"car_{number}" / "instances.json"
    told = json.loads(file.read_text(encoding="utf-8"))["Things"]["Main"]["Location"]
    track = read_track(car.FOLDER / "track.json")
    start = track.position_at(car.build_car(number, track).drive.start_m)
    assert (told["latitude"], told["longitude"]) == pytest.approx((start.latitude, start.longitude), abs=1e-6)
