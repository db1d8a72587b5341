"""What tests of sinks share: a system with its topics, and sinks of it that may be killed."""

import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from confluent_kafka import Message, Producer

from benchmarks.measuring.topics import create_topic, read_committed
from client.messaging.records import new_record_id
from setup.local.processes import ProcessIdentity, log_tail, start_process
from streamhub.engine.progress import AppProgress, read_progress
from tests.kafka_clients import connection

TIME = "2026-01-02T03:04:05.000000Z"


class SinkSite(ABC):
    """One system: its topics on the broker, its sinks.

    Args:
        program: What the sinks' logs are called.
    """

    def __init__(self, bootstrap: str, system: str, folder: Path, program: str) -> None:
        self.bootstrap = bootstrap
        self.system = system
        self.topic = f"{system}.int"
        self.received = f"{system}.ext"
        self._folder = folder
        self._program = program
        self._processes: list[ProcessIdentity] = []
        create_topic(bootstrap, self.topic, 3)
        create_topic(bootstrap, self.received, 1)
        self._producer = Producer({**connection(bootstrap), "log_level": 0})

    @property
    @abstractmethod
    def name(self) -> str:
        """The Datastream whose records are sent."""

    def log_file(self, copy: int = 0) -> Path:
        return self._folder / f"{self._program}{copy}.log"

    def progress_file(self, copy: int = 0) -> Path:
        return self._folder / f"progress{copy}.json"

    def progress(self, copy: int = 0) -> AppProgress | None:
        return read_progress(self.progress_file(copy))

    def end(self) -> None:
        for process in self._processes:
            process.kill()

    def wait(self, ask: Callable[[], object], what: str, timeout_s: float = 120.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not ask():
            assert time.monotonic() < deadline, f"{what} did not happen:\n{log_tail(self.log_file(), 20)}"
            time.sleep(0.05)

    def send(
        self,
        value: object,
        *,
        key: str | None = None,
        topic: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send one record as a device does; bytes go as they are."""
        given = {"dt-id": new_record_id()} if headers is None else headers
        self._producer.produce(
            topic or self.topic,
            value if isinstance(value, bytes) else json.dumps(value).encode(),
            self.name if key is None else key,
            headers=[(name, text.encode()) for name, text in given.items()],
        )
        assert self._producer.flush(60) == 0

    def dead_letters(self, topic: str | None = None) -> Sequence[Message]:
        return list(read_committed(self.bootstrap, f"{topic or self.topic}.dlq"))

    def _start(self, *command: str, copy: int, environment: Mapping[str, str]) -> ProcessIdentity:
        """Start a program, which finds the broker."""
        process = start_process(
            [sys.executable, "-m", *command],
            log_file=self.log_file(copy),
            environment=os.environ | {"DTWIN_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap, **environment},
            folder=Path(__file__).parents[3],
        )
        self._processes.append(process)
        return process
