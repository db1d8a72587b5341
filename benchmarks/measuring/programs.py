"""Programs under measurement: started in processes of their own, watched to the end, ended in order.

Processor time is what a program reports of itself, from its first record on: start-up is told separately.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

LONGEST_RUN_S: Final = 600.0
_END_S: Final = 40.0


@dataclass(frozen=True, slots=True)
class Used:
    """Processor time of one or more processes.

    Attributes:
        cpu_s: From the first record to the end [s].
        start_cpu_s: Before the first record: imports, class loading, connections [s].
    """

    cpu_s: float
    start_cpu_s: float = 0.0

    def __add__(self, other: "Used") -> "Used":
        return Used(self.cpu_s + other.cpu_s, self.start_cpu_s + other.start_cpu_s)


def run_modules(module: str, arguments: Sequence[Sequence[str]], python: str = sys.executable) -> Used:
    """Run copies of a module that end by themselves; each prints {"cpu_s": ..., "start_cpu_s": ...} last."""
    return run_commands([[python, "-m", module, *each] for each in arguments])


def run_commands(commands: Sequence[Sequence[str]], environment: Mapping[str, str] | None = None) -> Used:
    """Run programs side by side until all have ended by themselves."""
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **(environment or {})})
        for command in commands
    ]
    return _collect(started)


def run_until_consumed(commands: Sequence[Sequence[str]], consumed: Callable[[], bool]) -> Used:
    """Run programs side by side, and close their standard input when everything is consumed and committed."""
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for command in commands
    ]
    deadline = time.monotonic() + LONGEST_RUN_S
    while not consumed():
        ended = [process.returncode for process in started if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            for process in started:
                process.kill()
            raise SystemExit(f"a program did not finish, exit codes so far {ended}: {commands[0][:3]}")
        time.sleep(0.1)
    for process in started:
        if process.stdin is not None:
            process.stdin.close()
            process.stdin = None
    return _collect(started)


def _collect(started: Sequence["subprocess.Popen[bytes]"]) -> Used:
    used = Used(0.0)
    try:
        for process in started:
            output, _ = process.communicate(timeout=LONGEST_RUN_S)
            if process.returncode != 0:
                raise SystemExit(f"exit code {process.returncode}: {process.args!r}")
            figures = json.loads(output.splitlines()[-1])
            used += Used(figures["cpu_s"], figures.get("start_cpu_s", 0.0))
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
    return used


class CommittedOffsets:
    """Asks Kafka how far a consumer group has committed."""

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str]) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
        self._group = group
        described = self._admin.list_topics(timeout=10).topics
        self._places = [
            TopicPartition(topic, partition) for topic in topics for partition in described[topic].partitions
        ]

    def total(self) -> int:
        """Sum of the committed offsets."""
        request = [ConsumerGroupTopicPartitions(self._group, self._places)]
        answer = self._admin.list_consumer_group_offsets(request)[self._group].result(timeout=30)
        return sum(max(place.offset, 0) for place in answer.topic_partitions)


class StreamApp:
    """Our app, the real command line, in one process per copy.

    Args:
        specification: The fields of the app (`StreamAppSpecification`), as JSON text.
        copies: How many processes share the work.
    """

    def __init__(self, specification: str, copies: int = 1) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dtwin-bench-app-")
        self.path = Path(self._folder.name)
        file = self.path / "specification.json"
        file.write_text(specification, encoding="utf-8")
        self.processes = [self._start(file, copy) for copy in range(copies)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._folder.cleanup()

    def _start(self, specification: Path, copy: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "streamhub", "app", "run", "--specification", str(specification)),
                *("--copy", str(copy), "--progress-file", str(self._progress_file(copy))),
            ]
        )

    def _progress_file(self, copy: int) -> Path:
        return self.path / f"progress-{copy}.json"

    def progress(self) -> list[dict[str, Any]]:
        """What the copies have written; those that have not yet are left out."""
        files = [self._progress_file(copy) for copy in range(len(self.processes))]
        return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]

    def wait(self, fits: Callable[[list[dict[str, Any]]], bool], timeout_s: float = LONGEST_RUN_S) -> None:
        """Wait until the copies have come to somewhere.

        Raises:
            SystemExit: a copy has ended, or it takes too long.
        """
        deadline = time.monotonic() + timeout_s
        while not fits(self.progress()):
            for process in self.processes:
                if process.poll() is not None:
                    raise SystemExit(f"the app ended with exit code {process.returncode}")
            if time.monotonic() > deadline:
                raise SystemExit(f"the app did not finish: {self.progress()}")
            time.sleep(0.01)

    def wait_running(self) -> None:
        """Wait until every copy has joined its group."""
        self.wait(
            lambda each: len(each) == len(self.processes) and all(one["state"] == "running" for one in each)
        )

    def end(self) -> Used:
        """End all copies in order; returns the processor time of their whole lives [s]."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            if process.wait(_END_S) != 0:
                raise SystemExit(f"the app ended with exit code {process.returncode}")
        return Used(sum(float(one["cpu_s"]) for one in self.progress()))


def run_stream_app(specification: str, records: int, copies: int = 1) -> Used:
    """Run our app until it has consumed all records, and say what it used since its first figures."""
    with StreamApp(specification, copies) as app:
        app.wait(lambda each: len(each) == copies)
        started = sum(float(one["cpu_s"]) for one in app.progress())
        app.wait(lambda each: sum(one["consumed"] for one in each) >= records)
        return Used(app.end().cpu_s - started, started)
