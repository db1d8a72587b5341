"""One Apache Kafka broker of this machine: KRaft, broker and controller in one process, loopback only.

The class starts, stops and kills the process and waits until it answers. Where it listens and how it is
protected is `listeners.py`; which jars it is made of is `jars.py`. Topics belong to whoever needs them.
"""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from client.messaging.security import KafkaSecurity
from setup.errors import PartNotReadyError
from setup.local.answers import Answer
from setup.local.jars import KAFKA, class_path, java_program
from setup.local.java import LOGGING_OPTION, JavaPart
from setup.local.listeners import BrokerProtection, KafkaListeners
from setup.local.ports import any_free_port, is_answering
from setup.local.processes import ProcessIdentity, start_process
from setup.local.trust import BROKER, OPERATOR, LocalTrust

# What one broker without replicas needs to be whole, and to be small: a laptop is its home.
_SINGLE_BROKER = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "num.partitions": "3",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",  # by default the first member waits 3 s for others
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "broker.heartbeat.interval.ms": "1000",
    "broker.session.timeout.ms": "5000",  # after a kill, the next start waits this long for its former self
    "log.cleaner.dedupe.buffer.size": "16777216",  # bytes; the default takes 128 MB of heap
}


class LocalKafka(JavaPart):
    """A broker process with its data in one folder.

    Args:
        directory: Data, settings and (unless `log_file` is given) the log of the broker.
        port: Port for clients on loopback; a free one when 0.
        controller_port: Port of the KRaft controller on loopback; a free one when 0.
        log_file: Where the broker's output goes.
        heap_mb: Largest Java heap [MB].
        cache: Folder of downloaded jars; the user's cache when None.
        process: The identity of a broker that already runs on this directory.
        trust: Who signs certificates; an authority of its own in `pki` below the directory when None.
        is_protected: Whether it speaks TLS and enforces access rules; without, it is for benchmarks only.
        properties: Further settings of the broker.
    """

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        *,
        controller_port: int = 0,
        log_file: Path | None = None,
        heap_mb: int = 512,
        cache: Path | None = None,
        process: ProcessIdentity | None = None,
        trust: LocalTrust | None = None,
        is_protected: bool = True,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("Kafka", directory, log_file or directory / "broker.log", process)
        own = directory / "pki"
        self.trust = (trust or LocalTrust(own, own / "passphrase")) if is_protected else None
        self.listeners = KafkaListeners(
            port or any_free_port(),
            controller_port or any_free_port(),
            BrokerProtection(self.trust.keystore, self.trust.authority_file) if self.trust else None,
        )
        self._heap_mb = heap_mb
        self._cache = cache
        self._properties = dict(properties or {})

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to."""
        return self.listeners.bootstrap_servers

    def environment(self, service: str = OPERATOR) -> dict[str, str]:
        """Return the environment with which a program reaches this broker as one of the services.

        Args:
            service: Which one; the operator, a super user, when not given.
        """
        protection = self.trust.service(service).environment() if self.trust else {}
        return {"DTWIN_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers, **protection}

    def client_settings(self, service: str = OPERATOR) -> dict[str, str | int | float | bool]:
        """Return librdkafka settings with which one of the services reaches this broker."""
        return {"bootstrap.servers": self.bootstrap_servers, **self.security(service).to_librdkafka()}

    def security(self, service: str = OPERATOR) -> KafkaSecurity:
        """Return how one of the services reaches this broker securely."""
        return KafkaSecurity.from_environment(self.environment(service))

    def start(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Start the process; does not wait until it answers (see `wait_ready`).

        Args:
            say: Called with a sentence when something slow begins (a download, the first formatting).

        Raises:
            DownloadError: the jars could not be fetched.
            PartMissingError: the extra `local` is not installed.
            PartNotReadyError: the data folder could not be formatted.
            SetupError: the broker's certificate could not be made.
        """
        jars = class_path(KAFKA, self._cache, say=say)
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.trust is not None:
            self.trust.service(BROKER)
        properties = self._write_properties()
        if not (self._data / "meta.properties").exists():
            say("formatting the broker's storage (first time only)")
            self._format(jars, properties)
        self.process = start_process(
            [
                java_program(),
                f"-Xmx{self._heap_mb}m",
                "-Xms128m",
                "-XX:+UseG1GC",
                "-XX:+ExitOnOutOfMemoryError",
                "--sun-misc-unsafe-memory-access=allow",  # Kafka 4.1 unmaps its index files this way
                "--enable-native-access=ALL-UNNAMED",
                LOGGING_OPTION,
                "-cp",
                jars,
                "kafka.Kafka",
                str(properties),
            ],
            log_file=self.log_file,
        )

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until the broker answers a metadata request.

        Raises:
            PartNotReadyError: the process ended, or did not answer within `timeout_s` [s].
        """
        self._wait_for(self._ask, self.bootstrap_servers, timeout_s)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _ask(self) -> Answer:
        # The port first: librdkafka would log every refused connection.
        if not is_answering(self.listeners.client_port):
            return Answer(ready=False, detail="")
        try:
            AdminClient({**self.client_settings(), "log_level": 0}).list_topics(timeout=5)
        except KafkaException as error:
            return Answer(ready=False, detail=error.args[0].str())
        return Answer(ready=True, detail="")

    def _write_properties(self) -> Path:
        settings = (
            _SINGLE_BROKER
            | self.listeners.broker_properties()
            | {"log.dirs": str(self._data)}
            | self._properties
        )
        path = self.directory / "server.properties"
        path.write_text(
            "".join(f"{key}={_escaped(value)}\n" for key, value in settings.items()), encoding="utf-8"
        )
        return path

    def _format(self, jars: str, properties: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(
            [
                java_program(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                LOGGING_OPTION,
                "-cp",
                jars,
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={cluster_id}",  # one argument: an id may begin with a dash
                "--config",
                str(properties),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PartNotReadyError(
                f"The broker's data folder {self._data} could not be formatted:\n{done.stdout}{done.stderr}"
            )


def _escaped(value: str) -> str:
    """Write a value as Java's properties files want it: a backslash begins an escape there."""
    return value.replace("\\", "\\\\")
