"""One system of the benchmark: its topic, its sink as a process, its documents."""

import os
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.elasticsearch.content import ask
from benchmarks.measuring.topics import create_topic, fill
from benchmarks.recorder.plant import records
from setup.local.processes import ProcessIdentity, log_tail, start_process
from streamhub.engine.progress import read_progress

_PARTITIONS: Final = 3
_COMMIT_S: Final = 60.0


class Site:
    """A system with twenty Datastreams.

    Args:
        bootstrap: The broker.
        url: Elasticsearch.
        station: Last level of its name.
        folder: Where log and progress of its sink go.
        settings: Of the sink, without their prefix.
    """

    def __init__(self, bootstrap: str, url: str, station: str, folder: Path, **settings: str) -> None:
        self.bootstrap = bootstrap
        self.url = url
        self.system = f"at.bench.Mill.{station}"
        self.topic = f"{self.system}.int"
        self.alias = f"dtwin-{self.system.lower()}"
        self._folder = folder
        self._settings = {"REPLICAS": "0"} | settings
        self._sink: ProcessIdentity | None = None
        create_topic(bootstrap, self.topic, _PARTITIONS)

    def fill(self, number: int, *, repeat: float) -> int:
        """Write records into the topic; gives how many, repeated ones included."""
        names = {
            f"{self.system}.Mill{mill}.{kind}": mill for mill in range(10) for kind in ("Speed", "Torque")
        }
        made = records(names, number, partitions=_PARTITIONS, repeat=repeat)
        return fill(self.bootstrap, [self.topic], made)

    def start(self) -> None:
        """Start the sink."""
        named = ("--system", self.system, "--client", "bench", "--from", "int", "--copy", "0")
        options = (*named, "--progress-file", str(self._progress))
        self._sink = start_process(
            [sys.executable, "-m", "adapters.elasticsearch", "run", *options],
            log_file=self._folder / "sink.log",
            environment=os.environ
            | {
                "DTWIN_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
                "DTWIN_KAFKA__SECURITY_PROTOCOL": "PLAINTEXT",
                "DTWIN_ELASTICSEARCH__URL": self.url,
            }
            | {f"DTWIN_ELASTICSEARCH__{name}": value for name, value in self._settings.items()},
            folder=Path(__file__).parents[2],
        )

    def kill(self) -> None:
        """End the sink as a power cut would."""
        if self._sink is not None:
            self._sink.kill()
            self._sink = None

    def remove(self) -> None:
        """End the sink, and remove its documents."""
        self.kill()
        for index in ask(self.url, "GET", f"/_cat/indices/{self.alias}*?format=json&h=index"):
            ask(self.url, "DELETE", f"/{index['index']}")

    def log(self) -> str:
        """What the sink has said last."""
        return log_tail(self._folder / "sink.log", 40)

    def wait_until_committed(self) -> None:
        """Wait until the sink has told Kafka of everything, and end it.

        Raises:
            SystemExit: It does not.
        """
        deadline = time.monotonic() + _COMMIT_S
        while True:
            progress = read_progress(self._progress)
            if progress is not None and progress.lag == 0 and progress.held == 0:
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"the sink does not come to the end: {progress}\n{self.log()}")
            time.sleep(0.1)
        self.kill()

    @property
    def _progress(self) -> Path:
        return self._folder / f"{self.alias}.json"
