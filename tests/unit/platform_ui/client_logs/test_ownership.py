"""Which records count as a client app's own, also when it never says what it writes."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from platform_ui.client_logs.ownership import Asked, Owned, owned
from platform_ui.client_logs.reports import Report, read_report
from platform_ui.systems.records import TopicRecord

SYSTEM = "cz.icecars.CarFleet.Car1"
MADE = datetime(2026, 1, 2, 3, tzinfo=UTC)


def record(name: str, after_s: float = 60, system: str = SYSTEM) -> TopicRecord:
    moment = int((MADE + timedelta(seconds=after_s)).timestamp() * 1000)
    return TopicRecord(f"{SYSTEM}.int", 0, 0, moment, f"{system}.{name}".encode(), b"{}")


def said(client: str, *names: str) -> Report:
    document = {"type": "registered", "datastreams": [f"{SYSTEM}.{name}" for name in names]}
    return read_report(TopicRecord(f"{SYSTEM}.log", 0, 0, 0, client.encode(), json.dumps(document).encode()))


def asked(*others: str, names: tuple[str, ...] = (), has_said: bool = False) -> Asked:
    own = frozenset(f"{SYSTEM}.{name}" for name in names)
    return Asked(SYSTEM, "car_1", MADE, frozenset(others), own, has_said=has_said)


def names(found: Owned) -> list[str]:
    return [(one.key or b"").decode().removeprefix(f"{SYSTEM}.") for one in found.records]


def test_the_first_record_of_the_only_client_app_counts_without_a_word_of_it() -> None:
    found = owned([record("Main.Speed")], [], asked())
    assert names(found) == ["Main.Speed"]
    assert f"{SYSTEM}.Main.Speed" in found.names


def test_it_counts_beside_others_when_they_have_said_what_they_write() -> None:
    records = [record("Main.Speed"), record("Other.Speed")]
    found = owned(records, [said("car_2", "Other.Speed")], asked("car_2"))
    assert names(found) == ["Main.Speed"]
    assert found.nobodys == []


def test_nobody_knows_whose_it_is_beside_one_that_has_not_said_it() -> None:
    found = owned([record("Main.Speed")], [said("car_3", "A.B")], asked("car_2", "car_3"))
    assert found.records == []
    assert len(found.nobodys) == 1


def test_a_thing_with_its_name_is_its_own_beside_anybody_unless_another_claims_it() -> None:
    records = [record("car_1.Speed"), record("car_1.Height"), record("car_12.Speed")]
    found = owned(records, [said("car_3", "car_1.Height")], asked("car_2", "car_3"))
    assert names(found) == ["car_1.Speed"]


@pytest.mark.parametrize(
    "other",
    [
        record("Main.Speed", after_s=-1),
        record("Main.Speed", system="is.iceland.Weather.Stations"),
        record("Speed"),
    ],
    ids=["older than it", "of another system", "no Datastream"],
)
def test_what_cannot_be_its_own_is_not(other: TopicRecord) -> None:
    found = owned([other], [], asked())
    assert (found.records, found.nobodys) == ([], [])


def test_one_that_says_what_it_writes_is_taken_at_its_word() -> None:
    records = [record("Main.Speed", after_s=-60), record("Main.Height")]
    found = owned(records, [], asked(names=("Main.Speed",), has_said=True))
    assert names(found) == ["Main.Speed"]
