"""What the recorder's tests share: a database with Datastreams, and recorders of one system."""

import signal
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks.measuring.content import Content
from benchmarks.measuring.topics import fill
from benchmarks.recorder.content import store_content, topic_content
from benchmarks.recorder.plant import plant, records
from sensorthings.migrations import upgrade
from setup.local.postgres import libpq_url
from setup.local.processes import ProcessIdentity
from tests.integration.adapters.sinks import TIME, SinkSite


class Site(SinkSite):
    """One system with its Datastreams in a database of its own."""

    def __init__(
        self, database: str, bootstrap: str, system: str, folder: Path, *, placed: bool = True
    ) -> None:
        super().__init__(bootstrap, system, folder, "recorder")
        self.database = database
        upgrade(make_url(database))
        self.url = libpq_url(database)
        self.datastreams = plant(self.url, system, things=3, placed=placed)

    @property
    def name(self) -> str:
        """The first Datastream."""
        return min(self.datastreams)

    def start(self, *arguments: str, copy: int = 0, verb: str = "run", **settings: str) -> ProcessIdentity:
        """Start a recorder of this site's topics only."""
        pattern = f"^{self.system}[^.]*\\.(int|ext)$"
        numbered = ("--copy", str(copy)) if verb == "run" else ()
        own = {
            "DATABASE_URL": self.database,
            "GROUP": f"recorder.{self.system}",
            "TOPICS": pattern,
            "PROGRESS_FILE": str(self.progress_file(copy)),
        } | {name.upper(): value for name, value in settings.items()}
        return self._start(
            *("adapters.observation_store", verb, *numbered, *arguments),
            copy=copy,
            environment={f"DTWIN_RECORDER__{name}": value for name, value in own.items()},
        )

    def wait_for_rows(self, number: int, timeout_s: float = 120.0) -> None:
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

    def observation(self, result: object, **more: object) -> dict[str, object]:
        return {
            "phenomenonTime": TIME,
            "resultTime": TIME,
            "result": result,
            "Datastream": {"@iot.id": self.datastreams[self.name]},
        } | more

    def contents(self) -> tuple[Content, Content]:
        return topic_content(self.bootstrap, [self.topic]), store_content(self.url)


def terminate(process: ProcessIdentity) -> bool:
    """Ask a recorder to end; gives whether it did."""
    return process.end(first_signal=signal.SIGTERM, timeout_s=60)
