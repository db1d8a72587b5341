"""The statements for TimescaleDB, against a database that only says what is there."""

from dataclasses import dataclass, field

import pytest

from sensorthings.store.timescale import (
    AVAILABLE,
    CONVERT,
    HAS_ROWS,
    INSTALL,
    IS_HYPERTABLE,
    LOCK,
    convert,
)


@dataclass
class Answer:
    row: object

    def fetchone(self) -> object:
        return self.row


@dataclass
class Recorder:
    """Answers with a row where it is told to, and remembers what was asked."""

    true: frozenset[str]
    asked: list[str] = field(default_factory=list)

    def execute(self, query: str) -> Answer:
        self.asked.append(query)
        return Answer((1,) if query in self.true else None)


def test_an_empty_table_becomes_a_hypertable() -> None:
    database = Recorder(frozenset({AVAILABLE}))
    assert convert(database)
    assert database.asked == [AVAILABLE, INSTALL, IS_HYPERTABLE, LOCK, HAS_ROWS, *CONVERT]


@pytest.mark.parametrize(
    ("true", "is_used", "last"),
    [
        ((), False, AVAILABLE),
        ((AVAILABLE, IS_HYPERTABLE), True, IS_HYPERTABLE),
        ((AVAILABLE, HAS_ROWS), False, HAS_ROWS),
    ],
)
def test_nothing_is_changed_without_need(true: tuple[str, ...], is_used: bool, last: str) -> None:
    database = Recorder(frozenset(true))
    assert convert(database) is is_used
    assert database.asked[-1] == last


def test_the_table_is_whole_again_and_no_partitions_are_made_any_more() -> None:
    statements = " ".join(CONVERT)
    assert statements.count("REFERENCES") == 2
    assert "create_hypertable('sensorthings.observation', 'phenomenon_start'" in statements
    assert "make_observation_partition" in CONVERT[-1]
