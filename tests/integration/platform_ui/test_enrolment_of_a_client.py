"""A client app and its certificates by the platform: enrolled, renewed under load, revoked, enrolled anew."""

import contextlib
import io
import json
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from client.digital_twin_client import DigitalTwinClient
from client.enrolment import Renewal, enrol
from client.errors import DeliveryError, EnrolmentError, NotAuthorizedError
from client.messaging.delivery import DeliveryHandle
from client.messaging.security import KafkaSecurity
from client.settings import ClientSettings
from client.testing import InMemorySensorThings
from platform_ui.app import create_app
from platform_ui.settings import PlatformSettings
from setup.local.kafka import LocalKafka
from tests.archives import unpack
from tests.integration.client.conftest import instances_document
from tests.integration.platform_ui.hostile_world import PASSWORD, RunningSite
from tests.kafka_clients import READY_S

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]

RATE = 2000  # records per second
RENEWALS = 4
CLIENT = "car_1"
FILES = ("ca.pem", "certificate.pem", "key.pem")


@dataclass
class Owner:
    """A person with a system and a client app, who asks the platform's API.

    Attributes:
        platform: Its address.
        system: Their system.
        http: Sends requests with their token.
    """

    platform: str
    system: str
    http: httpx2.Client

    def ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        answer = self.http.request(method, f"/api/v1{path}", json=body)
        assert answer.is_success, answer.text
        return answer

    def credentials(self, method: str, action: str = "", body: object = None) -> httpx2.Response:
        return self.ask(method, f"/systems/{self.system}/clients/{CLIENT}/credentials{action}", body)

    def enrol(self, folder: Path) -> None:
        enrol(self.platform, self.credentials("POST", "/tokens").json()["token"], folder)

    def renewal(self, folder: Path) -> Renewal:
        return Renewal(self.platform, folder / "certificate.pem", folder / "key.pem")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    server = LocalKafka(tmp_path_factory.mktemp("enrolment"))
    server.start()
    try:
        server.wait_ready(READY_S)
        yield server
    finally:
        server.stop()


@pytest.fixture
def platform(settings: PlatformSettings, broker: LocalKafka, tmp_path: Path) -> Iterator[str]:
    """The platform with the authority that the broker trusts; it keeps the broker's access rules."""
    assert broker.trust is not None
    broker.trust.authority()
    environment = {
        "DTWIN_PLATFORM__DATABASE_URL": settings.database_url,
        "DTWIN_PLATFORM__SECRET_KEY": settings.secret_key,
        "DTWIN_PLATFORM__ATTEMPTS_PER_ADDRESS": "100000",  # all tests come from one address
        "DTWIN_SENSORTHINGS__URL": settings.sensorthings_url,
        "DTWIN_RUNNER__DIRECTORY": str(tmp_path / "runner"),
        "DTWIN_PKI__DIRECTORY": str(broker.trust.directory),
        "DTWIN_PKI__PASSPHRASE_FILE": str(broker.trust.passphrase_file),
        **broker.environment("platform"),
    }
    with RunningSite(create_app(PlatformSettings.from_environment(environment)), "on") as address:
        yield address


@pytest.fixture
def owner(platform: str, word: Callable[[], str]) -> Iterator[Owner]:
    enterprise, email = word(), f"{word()}@example.com"
    system = f"cz.{enterprise}.Fleet.Car1"
    person = {"first_name": "Mia", "last_name": "Test", "email": email, "password": PASSWORD}
    with (
        httpx2.Client(base_url=platform, timeout=60) as browser,
        httpx2.Client(base_url=platform, timeout=60) as program,
    ):
        token = browser.get("/api/v1/session").json()["csrf_token"]
        answer = browser.post("/signup", data={"csrf_token": token, "confirm": PASSWORD, **person})
        assert answer.status_code == 303, answer.text
        found = Owner(platform, system, program)
        given = found.ask("POST", "/tokens", {"email": email, "password": PASSWORD, "scope": "write"}).json()
        program.headers["Authorization"] = f"Bearer {given['access_token']}"
        found.ask("POST", "/companies", {"domain": "cz", "enterprise": enterprise})
        place = {"company": f"cz.{enterprise}", "workcenter": "Fleet", "station": "Car1"}
        found.ask("POST", "/systems", place)
        found.ask("POST", f"/systems/{system}/clients", {"name": CLIENT})
        yield found


def connect(owner: Owner, broker: LocalKafka, folder: Path, tmp_path: Path) -> DigitalTwinClient:
    """Return a client that uses the files of a folder and looks at them often, ready to send and to read."""
    ca, certificate, key = (folder / name for name in FILES)
    security = KafkaSecurity(protocol="SSL", ca_file=ca, certificate_file=certificate, key_file=key)
    deadline = time.monotonic() + 90
    while True:
        try:
            client = DigitalTwinClient(
                CLIENT,
                owner.system,
                "in-memory",
                broker.bootstrap_servers,
                security=security,
                settings=ClientSettings(alive_s=0, certificate_check_s=0.3),
                server=InMemorySensorThings(),
            )
            break
        except NotAuthorizedError:  # the access rules follow the certificate a moment later
            assert time.monotonic() < deadline
            time.sleep(0.1)
    instances = tmp_path / "instances.json"
    instances.write_text(json.dumps(instances_document()), encoding="utf-8")
    client.register(instances)
    client.subscribe(datastreams=[f"{owner.system}.Main.Open Doors"])
    return client


@dataclass
class Load:
    """Sends numbers as long as it runs, and reads them, in threads.

    Attributes:
        handles: What became of each number that was taken.
        not_taken: What the program was told when one was not.
        consumed: How often each number was read.
        places: Where in Kafka each number was read.
        refusals: What reading was refused with.
    """

    client: DigitalTwinClient
    handles: list[DeliveryHandle] = field(default_factory=list)
    not_taken: list[DeliveryError] = field(default_factory=list)
    consumed: Counter[int] = field(default_factory=Counter)
    places: dict[int, set[tuple[int, int]]] = field(default_factory=dict)
    refusals: list[NotAuthorizedError] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=work) for work in (self._produce, self._consume)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Send no more, and read until nothing comes."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _produce(self) -> None:
        while not self._ended.is_set():
            try:
                self.handles.append(self.client.produce("doors", len(self.handles)))
            except DeliveryError as error:
                self.not_taken.append(error)
                time.sleep(0.05)
            time.sleep(1 / RATE)

    def _consume(self) -> None:
        quiet_since = time.monotonic()
        while not self._ended.is_set() or time.monotonic() - quiet_since < 5:
            try:
                records = self.client.consume(timeout=0.5)
            except NotAuthorizedError as error:
                self.refusals.append(error)
                time.sleep(0.1)
                continue
            for record in records:
                self._note(record)
                quiet_since = time.monotonic()

    def _note(self, record: dict[str, Any]) -> None:
        number = record["result"]
        self.consumed[number] += 1
        self.places.setdefault(number, set()).add((record["partition"], record["offset"]))


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.extended
def test_a_certificate_renewed_by_the_platform_under_load_loses_and_doubles_nothing(
    owner: Owner, broker: LocalKafka, tmp_path: Path
) -> None:
    folder = tmp_path / "credentials"
    owner.enrol(folder)
    client = connect(owner, broker, folder, tmp_path)
    load = Load(client)
    load.start()
    renewal = owner.renewal(folder)
    try:
        for _ in range(RENEWALS):
            time.sleep(1)
            used = client._producer._producer  # type: ignore[attr-defined]
            renewal.renew()
            until(
                lambda used=used: client._producer._producer is not used,  # type: ignore[attr-defined, misc]
                "the new certificate was not taken into use",
            )
        time.sleep(1)
    finally:
        load.end()
    client.disconnect()
    known = owner.credentials("GET").json()
    assert [one["origin"] for one in known["certificates"]] == ["renewal"] * RENEWALS + ["enrolment"]
    assert known["epoch"] == 1
    assert len(load.handles) > RENEWALS * 500, "too little load to mean anything"
    assert client.counters.failed == 0
    assert client.counters.delivered == len(load.handles)
    assert set(load.consumed) == set(range(len(load.handles))), "none lost"
    assert set(load.consumed.values()) == {1}, "none doubled"


@pytest.mark.extended
def test_a_revoked_client_is_told_so_loses_nothing_silently_and_goes_on_after_a_new_enrolment(
    owner: Owner, broker: LocalKafka, tmp_path: Path
) -> None:
    folder = tmp_path / "credentials"
    owner.enrol(folder)
    client = connect(owner, broker, folder, tmp_path)
    load = Load(client)
    load.start()
    try:
        until(lambda: len(load.consumed) > 1000, "nothing comes through")
        owner.credentials("POST", "/revocation", {"reason": "the car was sold"})
        until(lambda: client.counters.failed > 0 and bool(load.refusals), "it still sends or reads")
        with pytest.raises(EnrolmentError, match="revoked"):
            owner.renewal(folder).renew()
        with pytest.raises(DeliveryError, match=r"refuses to write.*authorization"):
            client.flush(10)
        until(lambda: bool(load.not_taken), "the program is not told at once")
        assert "refuses to write" in str(load.not_taken[0])
        refused = len(load.handles)
        owner.enrol(folder)
        until(lambda: any(handle.offset for handle in load.handles[refused:]), "it does not go on")
        until(lambda: any(number >= refused for number in load.consumed), "it does not read on")
        time.sleep(1)
    finally:
        load.end()
    delivered = {number for number, handle in enumerate(load.handles) if handle.exception(10) is None}
    failures = [error for handle in load.handles if (error := handle.exception(10)) is not None]
    assert client.counters.delivered == len(delivered)
    assert len(delivered) + len(failures) == len(load.handles), "the fate of each record is known"
    assert all(isinstance(error, NotAuthorizedError | DeliveryError) for error in failures)
    assert any(isinstance(error, NotAuthorizedError) for error in failures)
    assert set(load.consumed) == delivered, "what was said to be delivered is there, and nothing else"
    assert all(len(places) == 1 for places in load.places.values()), "none is in Kafka twice"
    assert owner.credentials("GET").json()["principal"] == f"User:client.{owner.system}.{CLIENT}~2"
    with contextlib.suppress(DeliveryError):  # once more: what has failed since the flush before
        client.flush(10)
    client.disconnect()


def test_a_downloaded_archive_is_all_that_a_client_needs(
    owner: Owner, broker: LocalKafka, tmp_path: Path
) -> None:
    archive = owner.credentials("POST", "/archive")
    with tarfile.open(fileobj=io.BytesIO(archive.content)) as files:
        unpack(files, tmp_path)
    (certificate,) = tmp_path.rglob("certificate.pem")
    client = connect(owner, broker, certificate.parent, tmp_path)
    handle = client.produce("doors", 4).result(60)
    assert handle.offset == 0
    until(lambda: bool(client.consume(timeout=1)), "nothing comes back")
    client.disconnect()
