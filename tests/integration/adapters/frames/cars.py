"""The two cars of the demo in a SensorThings service: a drive of minutes, and an analyst who may see it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from client.messaging.topics import SystemName
from client.metadata.catalogue import register_instances
from client.metadata.instances import read_instances
from client.metadata.server import SensorThingsServer
from demo_applications.car_fleet.car import FOLDER, SYSTEMS, build_car
from demo_applications.car_fleet.track import read_track
from demo_applications.programs import ROAD_ANALYTICS
from platform_ui.access.port import SensorThingsAccess, Share, own_rights

ADMIN_TOKEN = "admin-" + "f" * 40
ANALYST = f"{ROAD_ANALYTICS}.datastack-adapter"
SHARED = ("temperature", "acceleration")
STEPS = 600


@dataclass
class Produced:
    """Stands in for the client: keeps what a car would send."""

    rows: dict[str, list[list[Any]]] = field(default_factory=dict)

    def produce(self, quantity: str, result: float, timestamp: datetime, **attributes: object) -> None:
        time = timestamp.isoformat().replace("+00:00", "Z")
        self.rows.setdefault(quantity, []).append([time, result, attributes])


@dataclass(frozen=True)
class World:
    """The service.

    Attributes:
        url: Its address.
        token_file: Of the analyst.
        names: Full name by car and quantity.
        rows: Time, result, attributes; by full name.
        start: When the cars set off.
    """

    url: str
    token_file: Path
    names: dict[tuple[int, str], str]
    rows: dict[str, list[list[Any]]]
    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=STEPS)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DTWIN_SENSORTHINGS__URL": self.url,
            "DTWIN_SENSORTHINGS__TOKEN_FILE": str(self.token_file),
        }


def fill(url: str, folder: Path) -> World:
    """Register both cars, let them drive, and share what the demo's contracts share."""
    access = SensorThingsAccess(url, ADMIN_TOKEN)
    names: dict[tuple[int, str], str] = {}
    rows: dict[str, list[list[Any]]] = {}
    shared: list[int] = []
    # Now, not when the tests were collected: the notebooks ask for the last quarter of an hour.
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=STEPS)
    for number, system in SYSTEMS.items():
        token = _token(access, f"{system}.car_{number}", system)
        server = SensorThingsServer(url, token=token)
        http = httpx2.Client(base_url=f"{url}/v1.1", headers={"Authorization": f"Bearer {token}"}, timeout=60)
        instances = read_instances(FOLDER / f"car_{number}" / "instances.json", SystemName.parse(system))
        known = register_instances(server, instances)
        car, produced = build_car(number, read_track(FOLDER / "track.json")), Produced()
        for step in range(STEPS):
            # The cars do not measure at the same moments.
            car.send(produced, start + timedelta(seconds=step, milliseconds=100 * number))  # type: ignore[arg-type]
        groups = []
        for quantity, reference in known.items():
            names[number, quantity] = reference.name
            if quantity in produced.rows:
                rows[reference.name] = produced.rows[quantity]
                feature = _feature(http)
                columns = ["phenomenonTime", "result", "parameters", "FeatureOfInterest/id"]
                array = [[*row, feature] for row in produced.rows[quantity]]
                stream = {"@iot.id": reference.iot_id}
                groups.append({"Datastream": stream, "components": columns, "dataArray": array})
            if quantity in SHARED:
                shared.append(int(reference.iot_id))
        answer = http.post("/CreateObservations", json=groups)
        assert answer.status_code == 201, answer.text
        assert "error" not in answer.json()
        http.close()
        server.close()
    file = folder / "analyst"
    file.write_text(_token(access, ANALYST, ROAD_ANALYTICS), encoding="utf-8")
    access.put_share("roads", Share(ROAD_ANALYTICS, tuple(shared)))
    access.close()
    return World(url, file, names, rows, start)


def _token(access: SensorThingsAccess, principal: str, system: str) -> str:
    access.put_principal(principal, own_rights(system))
    return access.create_token(principal, "test")


def _feature(http: httpx2.Client) -> int:
    body = {
        "name": "track",
        "description": "track",
        "encodingType": "application/geo+json",
        "feature": {"type": "Point", "coordinates": [13.04, 47.81]},
    }
    answer = http.post("/FeaturesOfInterest", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.headers["Location"].rpartition("(")[2].rstrip(")"))
