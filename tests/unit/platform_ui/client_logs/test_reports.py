"""What client apps say about themselves: reading it, choosing, and how they stand by it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from platform_ui.client_logs.reports import Kind, Report, Standing, Wanted, chosen, read_report, state_of
from platform_ui.systems.records import TopicRecord

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def record(value: object, offset: int = 0, key: str = "car_1", at: datetime = NOON) -> TopicRecord:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return TopicRecord("a.b.c.d.log", 0, offset, int(at.timestamp() * 1000), key.encode(), raw)


def report(kind: str, at: datetime = NOON, key: str = "car_1", **facts: object) -> Report:
    return read_report(record({"time": at.isoformat(), "type": kind, **facts}, key=key))


def test_a_log_line_keeps_its_time_level_message_and_traceback() -> None:
    line = {"type": "log", "level": "ERROR", "message": "it failed", "exception": "ValueError: boom"}
    found = read_report(record({"time": "2026-11-22T11:59:00Z", **line}, offset=7))
    assert (found.kind, found.level, found.text) == (Kind.LOG, "ERROR", "it failed")
    assert found.exception == "ValueError: boom"
    assert found.at == NOON - timedelta(minutes=1)
    assert (found.client, found.position) == ("car_1", "0:7")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        [1, 2],
        {"type": ["state"]},
        {"type": "state", "state": {"a": 1}, "time": 1e400},
        {"type": "registered", "datastreams": "all"},
        {"type": "log", "level": None, "message": {"a": 1}},
    ],
)
def test_nothing_that_a_program_writes_breaks_the_reading(value: object) -> None:
    assert read_report(record(value)).at == NOON


def test_a_registration_names_the_datastreams() -> None:
    found = report("registered", datastreams=["a.b.c.d.M.T", 3], count=2)
    assert found.datastreams == ("a.b.c.d.M.T",)
    assert found.text == "registered 2 Datastreams"


def test_an_outage_tells_how_long_it_was() -> None:
    assert report("state", state="reconnected", outage_s=2.5).text == "reconnected after an outage of 2.5 s"


def state_by(*reports: Report, present: datetime = NOON, is_whole: bool = True) -> Standing:
    return state_of(reports, "car_1", present, is_whole=is_whole, looked_back_to=NOON).standing


def test_a_client_that_said_something_lately_is_connected() -> None:
    started, alive = report("state", state="started"), report("state", state="alive")
    assert state_by(started, alive, present=NOON + timedelta(seconds=80)) is Standing.CONNECTED


def test_a_client_without_a_sign_of_life_for_ninety_seconds_is_silent() -> None:
    assert state_by(report("state", state="alive"), present=NOON + timedelta(seconds=91)) is Standing.SILENT


def test_a_client_that_said_goodbye_is_stopped_and_not_silent() -> None:
    found = state_by(report("state", state="started"), report("state", state="stopped"), present=NOON)
    assert found is Standing.STOPPED


def test_a_client_that_came_back_after_it_stopped_is_connected() -> None:
    assert state_by(report("state", state="stopped"), report("state", state="started")) is Standing.CONNECTED


def said(says: datetime, kafka: datetime, word: str = "alive") -> Report:
    """A state whose device says one time, and Kafka another."""
    return read_report(record({"time": says.isoformat(), "type": "state", "state": word}, at=kafka))


@pytest.mark.parametrize(
    ("says", "kafka", "off", "words"),
    [
        (NOON, NOON, None, ""),
        (NOON + timedelta(minutes=1), NOON + timedelta(minutes=1), None, ""),
        (NOON + timedelta(hours=1), NOON, timedelta(hours=1), "its clock is 60 min ahead"),
        (NOON + timedelta(hours=1),) * 2 + (timedelta(hours=1), "its clock is 60 min ahead"),
        (NOON - timedelta(days=9), NOON, -timedelta(days=9), "its clock is 9 days behind"),
    ],
)
def test_a_devices_clock_never_makes_it_heard_in_the_future_and_is_said_to_be_off(
    says: datetime, kafka: datetime, off: timedelta | None, words: str
) -> None:
    found = state_of([said(says, kafka)], "car_1", NOON, is_whole=True, looked_back_to=None)
    assert found.last_heard == NOON
    assert found.since is not None
    assert found.since <= NOON
    assert found.standing is Standing.CONNECTED
    assert (found.clock_off, found.clock_words) == (off, words)


def test_a_device_that_kept_its_words_while_the_network_was_away_has_a_right_clock() -> None:
    kept, fresh = said(NOON - timedelta(minutes=30), NOON), said(NOON, NOON)
    found = state_of([kept, fresh], "car_1", NOON, is_whole=True, looked_back_to=None)
    assert found.clock_off is None


def test_words_of_others_are_not_its_own() -> None:
    other = report("state", key="car_2", state="started")
    assert state_by(other) is Standing.NEVER


def test_who_was_not_found_in_part_of_the_topic_may_have_been_there_before() -> None:
    assert state_by(is_whole=False) is Standing.NOT_LATELY


def test_states_are_listed_newest_first_without_signs_of_life() -> None:
    words = ["started", "alive", "disconnected", "reconnected", "alive"]
    found = state_of(
        [report("state", state=word) for word in words], "car_1", NOON, is_whole=True, looked_back_to=None
    )
    assert [one.state for one in found.states] == ["reconnected", "disconnected", "started"]


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        (Wanted(), ["late", "door is open", "started"]),
        (Wanted(level="ALL"), ["late", "alive", "door is open", "started"]),
        (Wanted(level="STATE"), ["started"]),
        (Wanted(level="WARNING"), ["late"]),
        (Wanted(level="INFO"), ["late", "door is open"]),
        (Wanted(q="DOOR"), ["door is open"]),
        (Wanted(client="car_2"), []),
        (Wanted(since=NOON + timedelta(seconds=2)), ["late"]),
        (Wanted(until=NOON + timedelta(seconds=1)), ["started"]),
    ],
)
def test_a_filter_takes_what_it_says(wanted: Wanted, texts: list[str]) -> None:
    reports = [
        report("state", NOON, state="started"),
        report("log", NOON + timedelta(seconds=1), level="INFO", message="door is open"),
        report("state", NOON + timedelta(seconds=1), state="alive"),
        report("log", NOON + timedelta(seconds=2), level="ERROR", message="late"),
    ]
    assert [one.text for one in chosen(reports, wanted)] == texts


def test_what_the_platform_writes_for_the_audit_log_is_nobodys_report() -> None:
    entry = {"type": "log", "level": "INFO", "message": "app.created (by a@b.c)", "audit": {"actor": "a@b.c"}}
    audited, own = record(entry, key="platform"), record(entry, key="car_1")
    reports = [read_report(audited), read_report(own)]
    assert [one.client for one in chosen(reports, Wanted(level="ALL"))] == ["car_1"]
    assert chosen(reports[:1], Wanted(client="platform", level="INFO")) == []


@pytest.mark.parametrize("timestamp_ms", [-1, 0, 10**15, 2**63 - 1])
def test_a_time_beyond_all_calendars_breaks_nothing(timestamp_ms: int) -> None:
    found = read_report(record({"type": "log"})._replace(timestamp_ms=timestamp_ms))
    assert 1970 <= found.at.year <= 9999
