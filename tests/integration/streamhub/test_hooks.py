"""A self-run app with Python hooks, as the real command line, on a real broker."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from streamhub.join.series import SeriesJoin
from tests.integration.streamhub.flows import Flow, eventually, headers_of
from tests.kafka_clients import connection

HOOKS = """
STREAM_NAME = "pairs"
KAFKA_BOOTSTRAP_SERVERS = "{bootstrap}"
SOURCE_SYSTEMS = "{left},{right}"
TARGET_SYSTEM = "{target}"
TIME_DELTA = 1
ADDITIONAL_ATTRIBUTES = "number"
TRANSACTION_TIME = 0.05

def ingest_fct(record, stream_buffer):
    if record.get("topic") == "{left}.int":
        stream_buffer.ingest_left(record)
    elif record.get("topic") == "{right}.int":
        stream_buffer.ingest_right(record)

def on_join(record_left, record_right):
    if record_left.get("number") == 13:
        raise ValueError("thirteen")
    return {{
        "thing": record_left.get("thing"),
        "quantity": "pair",
        "result": [record_left.get("number"), record_right.get("number")],
        "phenomenonTime": max(record_left.get_time(), record_right.get_time()),
        "kind": record_right.get_quantity(),
    }}
"""


class Hooked:
    """Two source systems, a target, and the process that runs a hooks file between them."""

    def __init__(self, one: Flow, other: Flow, folder: Path) -> None:
        self.one, self.other = one, other
        self.file = folder / "custom_fct.py"
        self.log = folder / "app.log"
        self._progress = folder / "progress.json"
        self.write()
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, more: str = "") -> None:
        names = {"left": self.one.source, "right": self.other.source, "target": self.one.target}
        self.file.write_text(HOOKS.format(bootstrap=self.one.bootstrap, **names) + more, encoding="utf-8")

    def start(self) -> None:
        self._progress.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamhub", "app", "run", "--hooks", str(self.file)),
                    *("--progress-file", str(self._progress)),
                ],
                stdout=log,
                stderr=log,
            )

    def end(self, number: int) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def received(self, count: int) -> list[dict[str, Any]]:
        """The values in the target, as soon as there are so many."""

        def found() -> list[dict[str, Any]] | None:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            values = [json.loads(record.value or b"") for record in self.one.received()]
            return values if len(values) >= count else None

        try:
            return eventually(found, 120, f"{count} records")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text()[-3000:]}") from error


@pytest.fixture
def hooked(new_flow: Callable[..., Flow], tmp_path: Path) -> Iterator[Hooked]:
    apps = Hooked(new_flow(partitions=2), new_flow(partitions=2), tmp_path)
    yield apps
    if apps.process is not None:
        apps.end(signal.SIGKILL)


def send(flow: Flow, quantity: str, numbers: range, *, step_ms: int, offset_ms: int = 0) -> None:
    producer = Producer({**connection(flow.bootstrap), "linger.ms": 5})
    for number in numbers:
        value = {"phenomenonTime": 1_700_000_000_000 + offset_ms + number * step_ms, "number": number}
        producer.produce(
            flow.source.topics.internal, json.dumps(value).encode(), f"{flow.source}.Car.{quantity}".encode()
        )
    assert producer.flush(30) == 0


def expected(lefts: range, rights: range, *, left_ms: int, right_ms: int, offset_ms: int) -> set[Any]:
    """The pairs that the join of the house finds, without an engine around it."""
    pairs: set[Any] = set()
    join = SeriesJoin((1_000_000,), pairs.add)
    events = [(number * left_ms, 0, number) for number in lefts]
    events += [(number * right_ms + offset_ms, 1, number) for number in rights]
    for milliseconds, side, number in sorted(events):
        join.adders[side](milliseconds * 1000, number)
    return pairs


def test_pairs_of_two_systems_arrive_in_the_form_that_on_join_gave_them(hooked: Hooked) -> None:
    hooked.start()
    send(hooked.one, "Speed", range(3), step_ms=2000)
    send(hooked.other, "Torque", range(3), step_ms=2000, offset_ms=400)
    values = hooked.received(3)
    assert sorted(value["result"] for value in values) == [[0, 0], [1, 1], [2, 2]]
    first = min(values, key=lambda value: str(value["phenomenonTime"]))
    assert first["phenomenonTime"] == "2023-11-14T22:13:20.400000Z"
    assert first["kind"] == "Torque"
    record = hooked.one.received()[0]
    assert (record.key or b"").decode() == f"{hooked.one.target}.Car.pair"
    assert headers_of(record)["dt-app"] == f"{hooked.one.source}.pairs"
    assert hooked.end(signal.SIGTERM) == 0


@pytest.mark.extended
def test_nothing_is_lost_or_repeated_when_the_app_is_killed(hooked: Hooked) -> None:
    lefts, rights = range(14, 3000), range(14, 2000)
    spacing = {"left_ms": 1000, "right_ms": 1500, "offset_ms": 300}
    pairs = expected(lefts, rights, **spacing)
    hooked.start()
    send(hooked.one, "Speed", lefts[:1500], step_ms=1000)
    send(hooked.other, "Torque", rights[:1000], step_ms=1500, offset_ms=300)
    hooked.received(100)
    hooked.end(signal.SIGKILL)
    send(hooked.one, "Speed", lefts[1500:], step_ms=1000)
    send(hooked.other, "Torque", rights[1000:], step_ms=1500, offset_ms=300)
    hooked.start()
    found = Counter(tuple(value["result"]) for value in hooked.received(len(pairs)))
    assert set(found) == pairs
    assert set(found.values()) == {1}


def test_a_failure_of_on_join_is_reported_and_the_app_goes_on(hooked: Hooked) -> None:
    hooked.start()
    send(hooked.one, "Speed", range(12, 16), step_ms=2000)
    send(hooked.other, "Torque", range(12, 16), step_ms=2000, offset_ms=400)
    values = hooked.received(3)
    assert sorted(value["result"][0] for value in values) == [12, 14, 15]
    assert 'raise ValueError("thirteen")' in hooked.log.read_text()
    assert hooked.end(signal.SIGTERM) == 0


def test_a_record_at_which_ingest_fct_fails_becomes_a_dead_letter(hooked: Hooked) -> None:
    check = (
        "\nfirst_ingest = ingest_fct\ndef ingest_fct(record, stream_buffer):\n    len(record.get('number'))\n"
    )
    hooked.write(check)
    hooked.start()
    send(hooked.one, "Speed", range(1), step_ms=1000)
    (letter,) = eventually(hooked.one.dead_letters, 90, "a dead letter")
    headers = headers_of(letter)
    assert headers["dt-error"] == "record.processing_failed"
    assert "TypeError" in headers["dt-error-detail"]
    assert hooked.end(signal.SIGTERM) == 0


def test_a_file_that_is_wrong_is_refused_before_anything_starts(hooked: Hooked) -> None:
    hooked.write("TIME_DELTA = 'one'\n")
    hooked.start()
    assert hooked.process is not None
    assert hooked.process.wait(60) == 2
    assert f"{hooked.file}, line " in hooked.log.read_text()
