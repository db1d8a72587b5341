"""The recorder against real Kafka and PostgreSQL: every record once, bad ones set aside, nothing lost."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.measuring.topics import create_topic
from client.messaging.records import new_record_id
from setup.local.postgres import LocalPostgres, create_database, database_url
from tests.integration.adapters.observation_store.recording import Site, terminate
from tests.integration.adapters.sinks import TIME


def _reason(message: object) -> str:
    headers = dict(message.headers())  # type: ignore[attr-defined]
    return str(headers["dt-error"].decode())


@pytest.mark.extended
@pytest.mark.slow
def test_a_hundred_thousand_records_are_stored_once_although_the_recorder_is_killed(site: Site) -> None:
    site.fill(100_000)
    first = site.start()
    site.wait_for_rows(20_000)
    first.kill()
    at_the_kill = site.count()
    site.start()
    site.wait_for_rows(100_000, 400)
    topic, store = site.contents()
    assert at_the_kill < 100_000
    assert topic.number == 100_000
    assert store == topic


@pytest.mark.extended
def test_an_emptied_store_replays_to_the_same_content(site: Site) -> None:
    site.fill(5_000)
    recorder = site.start()
    site.wait_for_rows(5_000)
    site.do("TRUNCATE sensorthings.observation")
    replay = site.start(verb="replay", copy=1)
    assert replay.wait_ended(120)
    topic, store = site.contents()
    assert store == topic
    assert recorder.is_running()
    assert site.start(verb="replay", copy=1).wait_ended(120)
    assert site.contents()[1] == topic


def test_records_that_cannot_be_stored_are_set_aside_with_the_reason(site: Site) -> None:
    start = site.observation(1)
    bad: dict[str, object] = {
        "record.not_json": b"{",
        "record.empty_value": b"",
        "record.not_object": b"[1]",
        "record.no_time": {"result": 1},
        "record.bad_time": start | {"phenomenonTime": "yesterday"},
        "record.no_result": {"phenomenonTime": TIME},
        "record.not_storable": start | {"result": "a\0b"},
    }
    for value in bad.values():
        site.send(value)
    site.send(start, key="xx.other.Mill.Station.Mill1.Speed")
    site.send(start | {"Datastream": {"@iot.id": 10**12}}, key=f"{site.system}.Mill1.Nothing")
    site.send(start | {"result": 42})
    recorder = site.start(grace_s="0.5")
    site.wait_for_rows(1)
    expected = {*bad, "record.foreign_datastream", "record.unknown_datastream"}
    site.wait(lambda: sum((site.progress() or _NONE).dead_letters.values()) == len(expected), "dead letters")
    assert terminate(recorder)
    letters = site.dead_letters()
    assert {_reason(letter) for letter in letters} == expected
    assert len(letters) == len(expected)
    origins = {dict(letter.headers() or ())["dt-origin"] for letter in letters}
    assert len(origins) == len(expected)
    assert site.rows("SELECT result_number FROM sensorthings.observation") == [(42.0,)]


class _NONE:
    dead_letters: dict[str, int] = {}  # noqa: RUF012 - never changed


def test_metadata_may_come_a_moment_after_the_record(site: Site) -> None:
    name = f"{site.system}.Mill1.Late"
    site.send({"phenomenonTime": TIME, "resultTime": TIME, "result": 5}, key=name)
    site.send(site.observation(6))
    site.start(grace_s="300")
    site.wait_for_rows(1)
    site.do(
        "INSERT INTO sensorthings.datastream (name, description, unit_of_measurement, observation_type,"
        " thing_id, sensor_id, observed_property_id, system_id) SELECT %s, '', '{}', '', thing_id, sensor_id,"
        " observed_property_id, system_id FROM sensorthings.datastream LIMIT 1",
        name,
    )
    site.wait_for_rows(2)
    site.wait(lambda: (p := site.progress()) is not None and p.lag == 0 and p.held == 0, "no lag")


def test_a_renamed_datastream_is_found_by_its_id(site: Site) -> None:
    site.do("UPDATE sensorthings.datastream SET name = name || ' (old)' WHERE name = %s", site.name)
    site.send(site.observation(7))
    site.start()
    site.wait_for_rows(1)
    assert site.rows("SELECT datastream_id FROM sensorthings.observation") == [(site.datastreams[site.name],)]


def test_a_name_counts_more_than_a_stale_id(site: Site) -> None:
    other = max(site.datastreams)
    site.send(site.observation(8), key=other)
    site.start()
    site.wait_for_rows(1)
    assert site.rows("SELECT datastream_id FROM sensorthings.observation") == [(site.datastreams[other],)]


def test_a_system_created_later_is_recorded_within_seconds(site: Site) -> None:
    site.send(site.observation(1))
    site.start()
    site.wait_for_rows(1)
    later = f"{site.system}b"
    create_topic(site.bootstrap, f"{later}.int", 1)
    site.do("UPDATE sensorthings.system SET name = %s", later)
    site.do("UPDATE sensorthings.datastream SET name = replace(name, %s, %s)", site.system, later)
    site.send(
        {"phenomenonTime": TIME, "result": 2},
        key=site.name.replace(site.system, later),
        topic=f"{later}.int",
    )
    site.wait_for_rows(2)


def test_a_forwarded_record_is_stored_once_and_whole(site: Site, new_site: Callable[..., Site]) -> None:
    identifier = new_record_id()
    shared = {"phenomenonTime": TIME, "result": 3}
    forwarded = {"dt-id": identifier, "dt-app": "x", "dt-origin": f"{site.topic}/0/0"}
    unnamed = {"dt-id": identifier, "dt-app": "x"}
    site.send(shared, topic=site.received, headers=forwarded)
    site.send(site.observation(3, humidity=40), headers={"dt-id": identifier})
    site.start()
    site.wait_for_rows(1)
    site.send(shared, topic=site.received, headers=unnamed)
    site.send(site.observation(4))
    site.wait_for_rows(2)
    site.wait(lambda: (p := site.progress()) is not None and p.consumed >= 4 and p.lag == 0, "the end")
    found = site.rows("SELECT result_number, parameters FROM sensorthings.observation ORDER BY result_number")
    assert found == [(3.0, {"humidity": 40}), (4.0, None)]


def test_records_without_an_id_are_stored_once_too(site: Site) -> None:
    for number in range(5):
        site.send(site.observation(number), headers={})
    site.start()
    site.wait_for_rows(5)
    assert site.start(verb="replay", copy=1).wait_ended(120)
    assert site.count() == 5


def test_observations_of_a_thing_without_a_location_are_about_the_thing(
    new_site: Callable[..., Site],
) -> None:
    site = new_site(placed=False)
    for number in range(3):
        site.send(site.observation(number))
    site.start()
    site.wait_for_rows(3)
    features = site.rows(
        "SELECT DISTINCT f.id, f.feature, t.generated_feature_id FROM sensorthings.observation AS o"
        " JOIN sensorthings.feature_of_interest AS f ON f.id = o.feature_of_interest_id"
        " JOIN sensorthings.datastream AS d ON d.id = o.datastream_id"
        " JOIN sensorthings.thing AS t ON t.id = d.thing_id"
    )
    assert len(features) == 1
    assert features[0][1]["geometry"] is None
    assert features[0][0] == features[0][2]


def test_all_that_a_record_says_is_stored(site: Site) -> None:
    site.send(
        site.observation(
            {"a": [1, None, "x"]},
            phenomenonTime="2026-01-02T04:00:00+01:00/2026-01-02T05:00:00Z",
            validTime="2026-01-02T00:00:00Z/2026-01-03T00:00:00Z",
            resultQuality=["good"],
            parameters={"n": 1},
            humidity=40,
        )
    )
    site.start()
    site.wait_for_rows(1)
    (row,) = site.rows(
        "SELECT phenomenon_start = '2026-01-02T03:00Z', phenomenon_end = '2026-01-02T05:00Z',"
        " valid_end = '2026-01-03Z', result, result_quality, parameters FROM sensorthings.observation"
    )
    assert row == (True, True, True, {"a": [1, None, "x"]}, ["good"], {"n": 1, "humidity": 40})


@pytest.mark.extended
def test_two_copies_share_the_work(site: Site) -> None:
    site.start(copy=0)
    site.start(copy=1)
    for copy in (0, 1):
        site.wait(lambda copy=copy: (p := site.progress(copy)) is not None and p.state == "running", "two")  # type: ignore[misc]
    site.wait(
        lambda: all(site.log_file(copy).read_text().count("assigned 2 partitions") for copy in (0, 1)),
        "an even share",
    )
    site.fill(10_000)
    site.wait_for_rows(10_000)
    topic, store = site.contents()
    assert store == topic
    # The counters are written once a second.
    site.wait(
        lambda: sum(getattr(site.progress(copy), "consumed", 0) for copy in (0, 1)) >= 10_000,
        "the counters of both",
    )


@pytest.mark.extended
def test_a_stopped_recorder_has_committed_what_it_stored(site: Site) -> None:
    site.fill(2_000)
    recorder = site.start()
    site.wait_for_rows(2_000)
    site.wait(lambda: (p := site.progress()) is not None and p.lag == 0, "the end")
    assert terminate(recorder)
    site.progress_file().unlink()
    site.start()
    site.wait(lambda: (p := site.progress()) is not None and p.lag == 0 and p.position > 0, "the start")
    last = site.progress()
    assert last is not None
    assert last.consumed == 0


@pytest.mark.extended
@pytest.mark.slow
def test_a_database_that_goes_away_costs_no_record(
    kafka_bootstrap: str, unique_system: Callable[[], str], tmp_path: Path
) -> None:
    server = LocalPostgres(tmp_path / "postgres", durable=True)
    server.start()
    try:
        server.wait_ready()
        create_database(server.url(), "recorder")
        database = database_url(server.url(), "recorder")
        site = Site(database, kafka_bootstrap, unique_system(), tmp_path)
        site.fill(30_000)
        site.start()
        site.wait_for_rows(1)
        server.kill()
        site.fill(1_000)  # so that something is left to be stored, however fast the recorder was
        site.wait(lambda: (p := site.progress()) is not None and p.trouble is not None, "it says so")
        time.sleep(5)  # an outage that is longer than a moment
        server.start()
        server.wait_ready()
        site.wait_for_rows(31_000, 240)
        topic, store = site.contents()
        assert store == topic
        site.end()
    finally:
        server.stop()
        server.remove()
