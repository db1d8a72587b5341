"""Brokers that follow a real registry: Mosquitto with `dtwin mqtt rules --follow`, and the local broker."""

import datetime as dt
import os
import secrets
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from sqlalchemy import create_engine

from platform_ui.changes import announce
from platform_ui.pki.authority import Authority
from platform_ui.pki.names import Identity, Kind
from setup.local.ports import LOOPBACK, any_free_port, is_answering
from setup.local.processes import ProcessIdentity, log_tail, start_process
from tests.certificates import TestAuthority
from tests.integration.platform_ui.registered import Registrar
from tests.mosquitto import find_mosquitto

ROOT = Path(__file__).parents[4]
READY_S = 60.0
CAR, OTHER = "cz.icecars.CarFleet.Car1", "is.iceland.Weather.Stations"


@dataclass(frozen=True)
class Files:
    """Certificate and key of somebody, and whom they trust."""

    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Site:
    """A registry with its authority.

    Args:
        database: URL of the platform's database, with its tables.
        folder: Where certificates go.
    """

    def __init__(self, database: str, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.passphrase = secrets.token_hex(16)
        self.authority = Authority.create(folder / "pki", self.passphrase)
        self.registrar = Registrar(database)
        self._engine = create_engine(database)
        (folder / "ca.pem").write_text(self.authority.certificate_pem)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DTWIN_")}
        return kept | {
            "DTWIN_HOME": str(self.folder / "home"),
            "DTWIN_PLATFORM__DATABASE_URL": self.database,
            "DTWIN_PKI__DIRECTORY": str(self.folder / "pki"),
            "DTWIN_PKI__PASSPHRASE": self.passphrase,
        }

    def issue(self, identity: Identity, hosts: tuple[str, ...] = (), *, known: bool = True) -> Files:
        issued = self.authority.issue(identity, lifetime=dt.timedelta(days=90), hosts=hosts)
        if known:
            self.registrar.certify(identity.kind, identity.name, issued.certificate.serial_number)
        return self._write(f"{identity.kind}-{identity.uid[-40:]}", issued.certificate_pem, issued.key_pem)

    def client(self, system: str, name: str) -> Files:
        """Register a client app, with a certificate."""
        self.registrar.client(system, name, certified=False)
        return self.issue(Identity(Kind.CLIENT, f"{system}.{name}"))

    def revoke(self, system: str, name: str) -> None:
        self.registrar.revoke(Kind.CLIENT, f"{system}.{name}")
        self.tell()

    def tell(self) -> None:
        """Let everybody know, as a change by the platform does."""
        with self._engine.begin() as connection:
            announce(connection, "a test")

    def foreign(self, identity: Identity) -> Files:
        """Make a certificate of the same subject, signed by somebody else."""
        signed = TestAuthority("Evil CA").sign(subject=identity.subject)
        return Files(self.folder / "ca.pem", *signed.write(self.folder, "foreign"))

    def close(self) -> None:
        self.registrar.close()
        self._engine.dispose()

    def _write(self, name: str, certificate: str, key: str) -> Files:
        files = Files(self.folder / "ca.pem", self.folder / f"{name}.pem", self.folder / f"{name}.key")
        files.certificate.write_text(certificate)
        files.key.write_text(key)
        return files


class LocalUnderTest:
    """The local broker as a process."""

    def __init__(self, site: Site) -> None:
        self.port = self.bridge_port = any_free_port()
        self._site = site
        self._files = site.issue(Identity(Kind.SERVICE, "mqtt-broker"), (LOOPBACK,), known=False)
        self._process: ProcessIdentity | None = None
        self.log = site.folder / "local.log"

    def start(self) -> None:
        files, data = self._files, self._site.folder / "data"
        command = ["-m", "adapters.mqtt.local_broker", "--port", str(self.port), "--data", str(data)]
        command += ["--certificate", str(files.certificate), "--key", str(files.key), "--ca", str(files.ca)]
        self._process = start_process(
            [sys.executable, *command], log_file=self.log, environment=self._site.environment, folder=ROOT
        )
        wait_until(lambda: is_answering(self.port), lambda: log_tail(self.log, 40))

    def stop(self) -> None:
        if self._process is not None:
            self._process.end()

    def restart(self) -> None:
        self.stop()
        self.start()


class MosquittoUnderTest:
    """Debian's Mosquitto with the files of `dtwin mqtt`."""

    def __init__(self, site: Site) -> None:
        self.port, self.bridge_port = any_free_port(), any_free_port()
        self._site = site
        self._process: ProcessIdentity | None = None
        self._following: ProcessIdentity | None = None
        self._folder = site.folder / "mosquitto"
        self.log = site.folder / "mosquitto.log"

    def start(self) -> None:
        folder = str(self._folder)
        pid_file = str(self._folder / "pid")
        written = self._dtwin(
            *("configuration", "--output", folder, "--folder", folder, "--data", folder),
            *("--host", LOOPBACK, "--bind", LOOPBACK, "--port", str(self.port), "--pid-file", pid_file),
            *("--bridge-port", str(self.bridge_port)),
        )
        wait_until(lambda: not written.is_running(), lambda: "configuration goes on")
        with (self._folder / "mosquitto.conf").open("a") as file:
            file.write("user root\nlog_type all\n" if os.geteuid() == 0 else "log_type all\n")
        self._serve()
        self._following = self._dtwin("rules", "--follow", "--output", folder, "--pid-file", pid_file)
        wait_until(
            lambda: "participants written" in log_tail(self._said, 40), lambda: log_tail(self._said, 40)
        )

    def _serve(self) -> None:
        program, more = find_mosquitto()
        self._process = start_process(
            [str(program), "-c", f"{self._folder}/mosquitto.conf"],
            log_file=self.log,
            environment=self._site.environment | more,
        )
        wait_until(lambda: is_answering(self.port), lambda: log_tail(self.log, 40))

    @property
    def _said(self) -> Path:
        return self._site.folder / "dtwin.log"

    def _dtwin(self, *words: str) -> ProcessIdentity:
        # Written anew, so that it is written at all and seen: what is there already is left alone.
        (self._folder / "rules.acl").unlink(missing_ok=True)
        command = [sys.executable, "-m", "setup", "mqtt", *words]
        return start_process(command, log_file=self._said, environment=self._site.environment, folder=ROOT)

    def stop(self) -> None:
        for process in (self._following, self._process):
            if process is not None:
                process.end()

    def restart(self) -> None:
        assert self._process is not None
        self._process.end()
        self._serve()


BROKERS: dict[str, Callable[[Site], LocalUnderTest | MosquittoUnderTest]] = {
    "mosquitto": MosquittoUnderTest,
    "local": LocalUnderTest,
}


class Device:
    """A paho client; what it received and how it ended.

    Args:
        port: Port of the broker.
        files: What it shows.
        name: Its client identifier; a new one when left out.
        is_kept: Whether the broker keeps its session.
        manual: Whether it acknowledges only when told.
    """

    def __init__(
        self, port: int, files: Files, name: str = "", *, is_kept: bool = False, manual: bool = False
    ) -> None:
        self.port = port
        self.paho = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name or secrets.token_hex(8),
            clean_session=not is_kept,
            manual_ack=manual,
        )
        self.paho.tls_set_context(files.context())
        self.paho.max_inflight_messages_set(1000)
        self.received: list[paho.MQTTMessage] = []
        self.answers: list[str] = []
        self.granted: list[int] = []
        self.is_gone = threading.Event()
        self.is_resumed = False
        self.paho.on_connect = self._on_connect
        self.paho.on_message = self._on_message
        self.paho.on_subscribe = self._on_subscribe
        self.paho.on_disconnect = self._on_disconnect

    @property
    def topics(self) -> list[str]:
        return [one.topic for one in self.received]

    @property
    def payloads(self) -> list[str]:
        return [one.payload.decode() for one in self.received]

    def has_received(self, count: int) -> bool:
        return len(self.received) >= count

    def connect(self) -> Self:
        self.start()
        wait_until(lambda: self.answers == ["Success"], lambda: f"answers: {self.answers}")
        return self

    def start(self) -> None:
        self.paho.connect(LOOPBACK, self.port, keepalive=60)
        self.paho.loop_start()

    def publish(self, topic: str, payload: str = "1", qos: int = 1, *, retain: bool = False) -> None:
        sent = self.paho.publish(topic, payload, qos=qos, retain=retain)
        sent.wait_for_publish(60)
        assert sent.is_published(), f"{topic} is not acknowledged"

    def subscribe(self, text: str, qos: int = 1) -> int:
        """Subscribe; return the granted QoS, or 128."""
        before = len(self.granted)
        self.paho.subscribe(text, qos)
        wait_until(lambda: len(self.granted) > before, lambda: f"no answer to {text}")
        return self.granted[-1]

    def end(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def drop(self) -> None:
        """End the connection as a power cut does."""
        self.paho.loop_stop()
        sock = self.paho.socket()
        assert sock is not None
        sock.close()

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.end()

    def _on_connect(
        self, _c: paho.Client, _u: object, flags: paho.ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        self.is_resumed = flags.session_present
        self.answers.append(str(code))

    def _on_message(self, _c: paho.Client, _u: object, message: paho.MQTTMessage) -> None:
        self.received.append(message)

    def _on_subscribe(
        self, _c: paho.Client, _u: object, _m: int, codes: list[ReasonCode], _p: Properties | None
    ) -> None:
        self.granted += [code.value for code in codes]

    def _on_disconnect(
        self, _c: paho.Client, _u: object, _f: object, _r: ReasonCode, _p: Properties | None
    ) -> None:
        self.is_gone.set()


def is_refused(port: int, files: Files) -> bool:
    """Tell whether somebody cannot even connect."""
    device = Device(port, files)
    try:
        device.start()
    except (ssl.SSLError, OSError):
        return True
    try:
        wait_until(lambda: bool(device.answers) or device.is_gone.is_set(), lambda: "no answer")
        return device.answers != ["Success"]
    finally:
        device.end()


def wait_until(holds: Callable[[], bool], what: Callable[[], str], longest_s: float = READY_S) -> None:
    deadline = time.monotonic() + longest_s
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)
