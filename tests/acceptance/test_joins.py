"""Joins as a person makes them: written in the form, refused with the place, deployed, watched."""

import json
import math
import os
import time
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from client.digital_twin_client import DigitalTwinClient
from setup.local.paths import Home
from tests.acceptance.demo import Demo, read, wait_for
from tests.acceptance.editing import statement_editor, write_over

CAR1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
CAR2 = "cz.icecars.iot4cps-wp5-CarFleet.Car2"
ANALYTICS = "at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics"
QUANTITIES = {"Speed": "1/min", "Torque": "N.m", "Coolant": "degC", "Oil": "K"}
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
EARTH_RADIUS_M = 6_371_008.8

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def statement(select: str, left: str, right: str) -> str:
    return (
        f"SELECT {select}\nFROM {CAR1} AS l JOIN {CAR1} AS r WITHIN 1 s\n"
        f"WHERE l.name = '{CAR1}.Engine.{left}' AND r.name = '{CAR1}.Engine.{right}'"
    )


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("DTWIN_TEST_SCREENSHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def instances(folder: Path) -> Path:
    document = {
        "Things": {"engine": {"name": "Engine", "description": "The engine", "properties": {}}},
        "Sensors": {
            "bus": {
                "name": "Engine Bus",
                "description": "What the engine says of itself",
                "encodingType": "text/plain",
                "metadata": "none",
            }
        },
        "Datastreams": {
            name: {
                "name": name,
                "description": f"{name} of the engine",
                "observationType": MEASUREMENT,
                "unitOfMeasurement": {"name": unit, "symbol": unit, "definition": "https://ucum.org"},
                "ObservedProperty": {"name": name, "description": name, "definition": "https://ucum.org"},
                "Thing": "engine",
                "Sensor": "bus",
            }
            for name, unit in QUANTITIES.items()
        },
    }
    file = folder / "instances.json"
    file.write_text(json.dumps(document))
    return file


def test_power_of_an_engine_is_computed_by_an_app_made_in_the_form_and_units_are_checked(
    page: Page, demo: Demo, tmp_path: Path
) -> None:
    token = Home(demo.home).client_token_file(f"{CAR1}.car_1").read_text(encoding="utf-8")
    engine = DigitalTwinClient(
        "engine",
        CAR1,
        gost_servers=demo.sensorthings,
        kafka_bootstrap_servers=demo.kafka,
        sensorthings_token=token,
        security=demo.security(),
    )
    engine.register(instances(tmp_path))

    page.goto("/")
    page.get_by_label("E-mail address").fill("sue.smith@example.com")
    page.get_by_label("Password").fill("asdf")
    page.get_by_role("button", name="Log in").click()
    page.goto(f"/systems/{CAR1}/apps/new")
    page.get_by_label("Name", exact=True).fill("power")
    page.get_by_label("Target system").fill(CAR2)
    write_over(statement_editor(page), statement("l.result - r.result AS gap UNIT 'K'", "Coolant", "Oil"))
    page.get_by_role("button", name="Create only").click()
    refusal = page.locator("main").get_by_text("line 1, column").first
    expect(refusal).to_contain_text("K")
    expect(page.locator("main pre").filter(has_text="^").first).to_be_visible()
    picture(page, "join-refused")

    asked = statement("2 * PI() / 60 * l.result * r.result AS power UNIT 'W'", "Speed", "Torque")
    write_over(statement_editor(page), asked)
    page.get_by_role("button", name="Create only").click()
    page.get_by_role("button", name="Deploy").click()
    expect(page.locator("#app-state .app-bar .state")).to_have_text("running")

    picture(page, "join-deployed")

    now = time.time()
    for number in range(20):
        engine.produce("Speed", 1_000.0 + number, timestamp=now + number)
        engine.produce("Torque", 10.0 + number, timestamp=now + number + 0.25)
    engine.flush()
    key = f"{CAR2}.power.power"

    def powers() -> dict[float, object]:
        return {
            float(str(value["result"])): value["Datastream"]
            for _, name, value, _ in read(demo, f"{CAR2}.ext")
            if name == key
        }

    # The nearest neighbours: each torque with the speed a quarter of a second before, and with the next one.
    expected = [2 * math.pi / 60 * (1_000.0 + n) * (10.0 + n) for n in range(19)]
    wait_for(lambda: len(powers()) >= 19)
    found = powers()
    for power in expected:
        assert any(math.isclose(power, other) for other in found), f"{power} is missing in {sorted(found)}"
    assert all(found.values()), "a record without its Datastream"

    page.goto(f"/systems/{CAR2}")
    page.get_by_role("tab", name="Shared with us").click()
    rows = page.locator("[data-tail-rows] tr")
    engine.produce("Speed", 1_000.0, timestamp=now + 50)
    engine.produce("Torque", 10.0, timestamp=now + 50.25)
    engine.flush()
    expect(rows.filter(has_text="power").first).to_contain_text("W")
    picture(page, "join-results")
    engine.disconnect()


def test_the_distance_of_the_two_cars_is_computed_by_the_app_of_the_demo(demo: Demo) -> None:
    key = f"{ANALYTICS}.carsnearby.distance"

    def distances() -> list[tuple[str, float]]:
        return [
            (str(value["phenomenonTime"]), float(str(value["result"])))
            for _, name, value, _ in read(demo, f"{ANALYTICS}.ext")
            if name == key
        ]

    wait_for(lambda: len(distances()) >= 3)
    found = distances()
    places = {car: positions(demo, car) for car in (CAR1, CAR2)}
    for moment, distance in found:
        near = {
            car: [place for at, place in rows if abs(seconds(moment) - seconds(at)) <= 1.0]
            for car, rows in places.items()
        }
        candidates = [great_circle_m(one, other) for one in near[CAR1] for other in near[CAR2]]
        assert any(math.isclose(distance, other, rel_tol=1e-9, abs_tol=1e-6) for other in candidates)


def positions(demo: Demo, car: str) -> list[tuple[str, tuple[float, float]]]:
    """Times and places (latitude, longitude) [deg] of a car's records of its acceleration."""
    return [
        (str(value["phenomenonTime"]), (float(str(value["latitude"])), float(str(value["longitude"]))))
        for _, name, value, _ in read(demo, f"{car}.int")
        if name.endswith(".Acceleration")
    ]


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def great_circle_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Distance on a sphere [m], by the law of cosines in its form for the angle between two vectors."""
    (lat1, lon1), (lat2, lon2) = ((math.radians(lat), math.radians(lon)) for lat, lon in (one, other))
    across = math.hypot(
        math.cos(lat2) * math.sin(lon2 - lon1),
        math.cos(lat1) * math.sin(lat2) - math.sin(lat1) * math.cos(lat2) * math.cos(lon2 - lon1),
    )
    along = math.sin(lat1) * math.sin(lat2) + math.cos(lat1) * math.cos(lat2) * math.cos(lon2 - lon1)
    return EARTH_RADIUS_M * math.atan2(across, along)
