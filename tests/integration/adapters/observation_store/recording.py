"""What the recorder's tests share: a database with Datastreams, topics, and recorders that may be killed."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Message, Producer
from sqlalchemy import make_url

from benchmarks.measuring.topics import create_topic, fill, read_committed
from benchmarks.recorder.content import Content, store_content, topic_content
from benchmarks.recorder.plant import plant, records
from client.messaging.records import new_record_id
from sensorthings.migrations import upgrade
from setup.local.postgres import libpq_url
from setup.local.processes import ProcessIdentity, log_tail, start_process
from streamhub.engine.progress import AppProgress, read_progress
from tests.kafka_clients import connection

TIME = "2026-01-02T03:04:05.000000Z"


class Site:
    """One system: its Datastreams in a database of its own, its topics on the broker, its recorders."""

    def __init__(
        self, database: str, bootstrap: str, system: str, folder: Path, *, placed: bool = True
    ) -> None:
        self.database = database
        self.bootstrap = bootstrap
        self.system = system
        self.topic = f"{system}.int"
        self.received = f"{system}.ext"
        self._folder = folder
        self._recorders: list[ProcessIdentity] = []
        upgrade(make_url(database))
        self.url = libpq_url(database)
        self.datastreams = plant(self.url, system, things=3, placed=placed)
        create_topic(bootstrap, self.topic, 3)
        create_topic(bootstrap, self.received, 1)
        self._producer = Producer({**connection(bootstrap), "log_level": 0})

    @property
    def name(self) -> str:
        """The first Datastream."""
        return min(self.datastreams)

    def start(self, *arguments: str, copy: int = 0, verb: str = "run", **settings: str) -> ProcessIdentity:
        """Start a recorder of this site's topics only."""
        pattern = f"^{self.system}[^.]*\\.(int|ext)$"
        numbered = ("--copy", str(copy)) if verb == "run" else ()
        process = start_process(
            [sys.executable, "-m", "adapters.observation_store", verb, *numbered, *arguments],
            log_file=self.log_file(copy),
            environment=os.environ
            | {
                "DTWIN_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
                "DTWIN_RECORDER__DATABASE_URL": self.database,
                "DTWIN_RECORDER__GROUP": f"recorder.{self.system}",
                "DTWIN_RECORDER__TOPICS": pattern,
                "DTWIN_RECORDER__PROGRESS_FILE": str(self.progress_file(copy)),
            }
            | {f"DTWIN_RECORDER__{name.upper()}": value for name, value in settings.items()},
            folder=Path(__file__).parents[4],
        )
        self._recorders.append(process)
        return process

    def log_file(self, copy: int = 0) -> Path:
        return self._folder / f"recorder{copy}.log"

    def progress_file(self, copy: int = 0) -> Path:
        return self._folder / f"progress{copy}.json"

    def progress(self, copy: int = 0) -> AppProgress | None:
        return read_progress(self.progress_file(copy))

    def end(self) -> None:
        for recorder in self._recorders:
            recorder.kill()

    def wait(self, ask: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not ask():
            assert time.monotonic() < deadline, f"{what} did not happen:\n{log_tail(self.log_file(), 20)}"
            time.sleep(0.05)

    def wait_for_rows(self, number: int, timeout_s: float = 60.0) -> None:
        self.wait(lambda: self.count() >= number, f"{number} rows in the store", timeout_s)

    def count(self) -> int:
        return int(self.rows("SELECT count(*) FROM sensorthings.observation")[0][0])

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, values).fetchall()

    def do(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement, values)

    def fill(self, number: int) -> int:
        return fill(self.bootstrap, [self.topic], records(self.datastreams, number, partitions=3))

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
        assert self._producer.flush(20) == 0

    def observation(self, result: object, **more: object) -> dict[str, object]:
        return {
            "phenomenonTime": TIME,
            "resultTime": TIME,
            "result": result,
            "Datastream": {"@iot.id": self.datastreams[self.name]},
        } | more

    def contents(self) -> tuple[Content, Content]:
        return topic_content(self.bootstrap, [self.topic]), store_content(self.url)

    def dead_letters(self, topic: str | None = None) -> Sequence[Message]:
        return list(read_committed(self.bootstrap, f"{topic or self.topic}.dlq"))


def terminate(process: ProcessIdentity) -> bool:
    """Ask a recorder to end; gives whether it did."""
    return process.end(first_signal=signal.SIGTERM, timeout_s=30)
