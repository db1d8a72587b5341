"""A whole stack in a temporary home, two companies on it, and a device that never stops producing.

What lives here: starting and ending all of it. What does not: what is revoked and measured (`scenarios`).
"""

import asyncio
import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2

from benchmarks.revocation.people import Person, agree, wait_until
from benchmarks.revocation.witnesses import Settings
from client.digital_twin_client import DigitalTwinClient
from client.errors import NotAuthorizedError
from client.settings import ClientSettings
from platform_ui.accounts import service as accounts
from platform_ui.db import create_engine, create_sessions
from setup.local.paths import Home
from setup.local.ports import any_free_port
from setup.local.postgres import database_url
from setup.report import PlainReport
from setup.services import Addresses
from setup.stack import Stack
from setup.teardown import take_down

FEEDER: Final = "feeder"
DEVICE: Final = "device"
READER: Final = "reader"
APP: Final = "flow"
_PACE_S: Final = 0.01
_INSTANCES: Final = {
    "Things": {"m": {"name": "Main", "description": "A mill"}},
    "Sensors": {
        "s": {
            "name": "PT100",
            "description": "Thermometer",
            "encodingType": "application/pdf",
            "metadata": "https://example.com/pt100.pdf",
        }
    },
    "Datastreams": {
        "speed": {
            "name": "Speed",
            "description": "of the mill",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "unitOfMeasurement": {"name": "one", "symbol": "1", "definition": "ucum:1"},
            "ObservedProperty": {"name": "Speed", "description": "s", "definition": "https://example.com/p"},
            "Thing": "m",
            "Sensor": "s",
        }
    },
}


@dataclass
class World:
    """What the scenarios work with.

    Attributes:
        addresses: Where the parts of the stack are.
        folder: For files.
        giver: Owns the system that gives.
        taker: Owns the system that receives.
        guest: Has whatever part in the giver's company a scenario gives them.
        provider: The system that gives; its device never stops.
        consumer: The system that receives.
        reader_token: The SensorThings token of a client app of the consumer.
        datastream: The Datastream's number at the SensorThings service.
        contract: The contract that is in force.
    """

    addresses: Addresses
    folder: Path
    giver: Person
    taker: Person
    guest: Person
    provider: str
    consumer: str
    reader_token: str = ""
    datastream: int = 0
    contract: str = ""
    _feeding: list[threading.Thread] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> str:
        """The name of the Datastream."""
        return f"{self.provider}.Main.Speed"

    @property
    def operator(self) -> Settings:
        """How somebody who may do everything reaches the broker."""
        trust = self.addresses.trust
        if trust is None:
            raise RuntimeError("the stack was started with a given broker")
        files = trust.service("operator")
        return self.connection(files.authority, files.certificate, files.key)

    def connection(self, authority: Path, certificate: Path, key: Path) -> Settings:
        """Return librdkafka settings of a holder of certificate files."""
        return {
            "bootstrap.servers": self.addresses.kafka,
            "security.protocol": "SSL",
            "ssl.ca.location": str(authority),
            "ssl.certificate.location": str(certificate),
            "ssl.key.location": str(key),
        }

    def sees_datastream(self, headers: dict[str, str], http: httpx2.Client) -> int:
        """Ask SensorThings for the Datastream; return the status."""
        address = f"{self.addresses.sensorthings}/v1.1/Datastreams({self.datastream})"
        return http.get(address, headers=headers).status_code

    def disable(self, person: Person, *, is_disabled: bool) -> None:
        """Do what the operator's command does, without the time that a process takes to start."""
        asyncio.run(_disable(database_url(self.addresses.postgres, "platform"), person.email, is_disabled))

    def renew_contract(self) -> None:
        """Let both sides sign a new contract, instead of one that was revoked."""
        self.contract = agree(self.giver, self.taker, (self.provider, self.consumer), "measured")

    def feed(self) -> None:
        """Begin to produce a hundred records a second."""
        identity = self.giver.certify(self.provider, FEEDER, self.folder)
        token = self.giver.token_of(self.provider, FEEDER)
        clients: list[DigitalTwinClient] = []

        def connect() -> bool:
            with contextlib.suppress(NotAuthorizedError):
                clients.append(
                    DigitalTwinClient(
                        FEEDER,
                        self.provider,
                        self.addresses.sensorthings,
                        self.addresses.kafka,
                        sensorthings_token=token,
                        security=identity.security,
                        settings=ClientSettings(alive_s=0),
                    )
                )
            return bool(clients)

        wait_until(connect, "the feeder may write")
        file = self.folder / "instances.json"
        file.write_text(json.dumps(_INSTANCES), encoding="utf-8")
        clients[0].register(file)

        def work() -> None:
            number = 0
            while not self._ended.wait(_PACE_S):
                clients[0].produce("speed", number)
                number += 1
            clients[0].disconnect()

        self._feeding.append(threading.Thread(target=work, name="feeder"))
        self._feeding[0].start()

    def end(self) -> None:
        """Stop producing."""
        self._ended.set()
        for thread in self._feeding:
            thread.join()


async def _disable(url: str, email: str, is_disabled: bool) -> None:  # noqa: FBT001 - the one thing it says
    engine = create_engine(url)
    try:
        async with create_sessions(engine)() as session:
            user = await accounts.registered(session, email)
            await (accounts.disable if is_disabled else accounts.enable)(session, user)
    finally:
        await engine.dispose()


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Start a stack and what is on it; everything is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="dtwin-bench-", ignore_cleanup_errors=True) as name:
        home = Home(Path(name) / "home")
        ports = {
            f"DTWIN_{part}__PORT": str(any_free_port()) for part in ("KAFKA", "SENSORTHINGS", "PLATFORM")
        }
        report = PlainReport()
        stack = Stack(home, report, {"PATH": os.environ.get("PATH", ""), **ports})
        try:
            made = _people(stack.up("demo"), Path(name))
            try:
                yield made
            finally:
                made.end()
        finally:
            take_down(home, report, purge=True)


def _people(addresses: Addresses, folder: Path) -> World:
    giver, taker, guest = (Person(addresses.platform, name) for name in ("giver", "taker", "guest"))
    provider, consumer = giver.new_system("cz", "giver"), taker.new_system("at", "taker")
    made = World(addresses, folder, giver, taker, guest, provider, consumer)
    giver.new_client(provider, FEEDER)
    giver.new_client(provider, DEVICE)
    taker.new_client(consumer, READER)
    made.feed()
    made.reader_token = taker.token_of(consumer, READER)
    me = {"Authorization": f"Bearer {giver.token_of(provider, FEEDER)}"}
    address = f"{addresses.sensorthings}/v1.1/Datastreams"
    with httpx2.Client(headers=me, timeout=30) as http:
        (row,) = http.get(address, params={"$filter": f"name eq '{made.key}'"}).json()["value"]
    made.datastream = row["@iot.id"]
    made.renew_contract()
    app = {"name": APP, "target_system": consumer, "statement": f"SELECT * FROM {provider};"}  # noqa: S608
    giver.ask("POST", f"/systems/{provider}/apps", app)
    return made
