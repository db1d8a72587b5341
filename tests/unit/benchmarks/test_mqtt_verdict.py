"""The verdict on a run with devices: each kind of fault is seen."""

import json
from collections.abc import Sequence

import pytest

from benchmarks.mqtt.verdict import judge

Row = tuple[int, bytes]


class FakeMessage:
    """A record of Kafka: a number with an id."""

    def __init__(self, number: int, dt_id: bytes) -> None:
        self._number, self._dt_id = number, dt_id

    def key(self) -> bytes:
        return b"a"

    def value(self) -> bytes:
        return json.dumps({"result": self._number}).encode()

    def headers(self) -> list[tuple[str, bytes]]:
        return [("dt-id", self._dt_id)]


@pytest.mark.parametrize(
    ("rows", "is_exact"),
    [
        ([(0, b"x"), (1, b"y"), (2, b"z")], True),
        ([(0, b"x"), (1, b"y"), (0, b"x"), (1, b"y"), (2, b"z")], True),
        ([(0, b"x"), (1, b"y")], False),
        ([(0, b"x"), (1, b"y"), (1, b"w"), (2, b"z")], False),
        ([(0, b"x"), (1, b"x"), (2, b"z")], False),
        ([(0, b"x"), (1, b"y"), (2, b"z"), (3, b"v")], False),
        ([(0, b"x"), (2, b"z"), (1, b"y")], False),
    ],
    ids=["exact", "repeated", "lost", "split", "shared", "invented", "out of order"],
)
def test_only_a_run_without_a_fault_is_exact(rows: Sequence[Row], *, is_exact: bool) -> None:
    records = [FakeMessage(*row) for row in rows]
    assert judge({"a": [0, 1, 2]}, records).is_exact is is_exact  # type: ignore[arg-type]
