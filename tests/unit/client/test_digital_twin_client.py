"""The client from a user's side, with Kafka and SensorThings in memory."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from client.digital_twin_client import DigitalTwinClient
from client.errors import (
    ConfigurationError,
    DeliveryError,
    EntityNotFoundError,
    InstanceFileError,
    InvalidNameError,
    InvalidResultError,
    InvalidTimeError,
    QueueFullError,
    SubscriptionFileError,
    TopicNotFoundError,
    UnavailableError,
    UnknownAttributeError,
    UnknownQuantityError,
)
from client.settings import ClientSettings
from client.testing import InMemoryBroker, InMemorySensorThings

SYSTEM = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
TEMPERATURE = f"{SYSTEM}.Main.Air Temperature"
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
Make = Callable[..., DigitalTwinClient]
Write = Callable[[object], Path]


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker() -> InMemoryBroker:
    return InMemoryBroker()


@pytest.fixture
def server() -> InMemorySensorThings:
    return InMemorySensorThings()


@pytest.fixture
def make(broker: InMemoryBroker, server: InMemorySensorThings, clock: Clock) -> Iterator[Make]:
    clients = []

    def make_client(name: str = "car_1", **more: Any) -> DigitalTwinClient:  # noqa: ANN401 - passed on
        settings = ClientSettings(alive_s=0)
        more = {"broker": broker, "server": server, "settings": settings, "now": clock, **more}
        client = DigitalTwinClient(name, SYSTEM, "in-memory", None, "longitude, latitude", **more)
        clients.append(client)
        return client

    yield make_client
    broker.start()
    for client in clients:
        client.disconnect()


def values(broker: InMemoryBroker, topic: str) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"null") for record in broker.records(topic)]


def states(broker: InMemoryBroker) -> list[dict[str, Any]]:
    return [line for line in values(broker, f"{SYSTEM}.log") if line["type"] == "state"]


def test_a_produced_record_has_key_headers_and_value_of_the_design(
    make: Make, broker: InMemoryBroker, write: Write, car: object
) -> None:
    client = make()
    client.register(write(car))
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    handle = client.produce("temperature", 0, 1767323045, longitude=0.0, latitude="", traceparent=traceparent)
    [record] = broker.records(f"{SYSTEM}.int")
    assert record.key == TEMPERATURE.encode()
    assert [name for name, _ in record.headers] == ["dt-id", "traceparent"]
    assert dict(record.headers)["traceparent"] == traceparent.encode()
    assert record.value == (
        b'{"phenomenonTime":"2026-01-02T03:04:05.000000Z","resultTime":"2026-11-21T12:00:00.000000Z",'
        b'"Datastream":{"@iot.id":4},"longitude":0.0,"latitude":"","result":0.0}'
    )
    assert (handle.result(0).partition, handle.offset) == (record.partition, record.offset)
    assert client.quantities == {"temperature": TEMPERATURE, "locked": f"{SYSTEM}.Main.Locked"}


def test_records_of_one_thing_stay_in_order_in_one_partition(
    make: Make, broker: InMemoryBroker, write: Write, car: object
) -> None:
    client = make()
    client.register(write(car))
    for number in range(10):
        client.produce("temperature", number)
        client.produce("locked", number % 2 == 0)
    records = broker.records(f"{SYSTEM}.int")
    assert len({record.partition for record in records}) == 1
    assert [json.loads(record.value or b"")["result"] for record in records[::2]] == list(range(10))


def test_consume_gives_the_record_with_its_whole_metadata_and_position(
    make: Make, write: Write, car: object
) -> None:
    client = make()
    client.register(write(car))
    client.produce("temperature", 21.5)
    client.produce("locked", result=True)
    client.subscribe(write({"subscribed_datastreams": [TEMPERATURE]}))
    [record] = client.consume(timeout=0)
    assert record["result"] == 21.5
    assert record["topic"] == f"{SYSTEM}.int"
    assert record["offset"] == 0
    assert record["key"] == record["name"] == TEMPERATURE
    metadata = record["Datastream"]
    assert isinstance(metadata, dict)
    assert metadata["unitOfMeasurement"]["symbol"] == "degC"
    assert metadata["Thing"]["properties"] == {"doors": 4}
    assert metadata["ObservedProperty"]["definition"] == "https://example.com/temperature"
    assert client.consume(timeout=0) == []
    assert client.counters.consumed == 1
    assert client.counters.not_subscribed == 1


def test_a_datastream_registered_after_subscribing_is_seen_with_metadata(
    make: Make, write: Write, car: object
) -> None:
    reader = make("reader")
    reader.subscribe(datastreams=[TEMPERATURE])
    assert reader.consume(timeout=0) == []
    producer = make()
    producer.register(write(car))
    producer.produce("temperature", 1)
    [record] = reader.consume(timeout=0)
    assert isinstance(record["Datastream"], dict)
    assert record["Datastream"]["unitOfMeasurement"]["symbol"] == "degC"


def test_records_are_handed_out_even_while_metadata_is_unavailable(
    make: Make, server: InMemorySensorThings, broker: InMemoryBroker
) -> None:
    client = make()
    client.subscribe(datastreams=["*"])
    server.is_available = False
    for number in range(3):
        broker.send(f"{SYSTEM}.ext", "a.bb.cc.dd.T.D", {"result": number, "Datastream": {"@iot.id": 9}})
    before = len(server.requests)
    records = client.consume(timeout=0)
    assert [record["Datastream"] for record in records] == [{"@iot.id": 9, "name": "a.bb.cc.dd.T.D"}] * 3
    assert len(server.requests) == before + 1, "an unavailable service is not asked for every record"
    assert client.counters.metadata_missing == 3


def test_the_star_is_everything_that_others_share_and_nothing_else(
    make: Make, broker: InMemoryBroker
) -> None:
    client = make()
    client.subscribe(datastreams=["*"])
    broker.send(f"{SYSTEM}.int", "x", {"result": 1})
    broker.send(f"{SYSTEM}.ext", "x", {"result": 2})
    broker.send(f"{SYSTEM}.ext", None, {"result": 3})
    assert sorted(int(str(record["result"])) for record in client.consume(timeout=0)) == [2, 3]


def test_offsets_are_committed_by_the_next_call(make: Make, broker: InMemoryBroker) -> None:
    client = make()
    client.subscribe(datastreams=["*"])
    broker.send(f"{SYSTEM}.ext", "x", {"result": 1})
    assert len(client.consume(timeout=0)) == 1
    assert not broker.committed, "the program may still be working on it"
    client.consume(timeout=0)
    assert list(broker.committed.values()) == [1]


def test_disconnect_commits_and_a_new_client_goes_on_there(make: Make, broker: InMemoryBroker) -> None:
    with make() as client:
        client.subscribe(datastreams=["*"])
        broker.send(f"{SYSTEM}.ext", "x", {"result": 1})
        client.consume(timeout=0)
    again = make()
    again.subscribe(datastreams=["*"])
    broker.send(f"{SYSTEM}.ext", "x", {"result": 2})
    assert [record["result"] for record in again.consume(timeout=0)] == [2]


def test_latest_skips_what_was_there_before(make: Make, broker: InMemoryBroker) -> None:
    broker.send(f"{SYSTEM}.ext", "x", {"result": 1})
    client = make()
    client.subscribe(datastreams=["*"], start="latest")
    broker.send(f"{SYSTEM}.ext", "x", {"result": 2})
    assert [record["result"] for record in client.consume(timeout=0)] == [2]


def test_unreadable_records_are_counted_and_logged_with_their_position(
    make: Make, broker: InMemoryBroker
) -> None:
    client = make()
    client.subscribe(datastreams=["*"])
    bad = [
        broker.send(f"{SYSTEM}.ext", key, value)
        for key, value in ((b"k", b"{"), (b"k", None), (b"\xff", b"{}"))
    ]
    broker.send(f"{SYSTEM}.ext", "k", {"result": 0})
    assert [record["result"] for record in client.consume(timeout=0)] == [0]
    assert client.counters.unreadable == 3
    warnings = [line["message"] for line in values(broker, f"{SYSTEM}.log") if line.get("level") == "WARNING"]
    for record in bad:
        place = f"topic {record.topic}, partition {record.partition}, offset {record.offset}"
        assert any(place in warning for warning in warnings)


def test_registering_twice_changes_nothing_and_files_are_not_rewritten(
    make: Make, server: InMemorySensorThings, write: Write, car: object
) -> None:
    client = make()
    path = write(car)
    before = path.read_bytes()
    client.register(path)
    known = json.dumps(server.entities)
    client.register_new(path)
    assert json.dumps(server.entities) == known
    assert path.read_bytes() == before


def test_existing_datastreams_are_used_by_a_mappings_file(
    make: Make, broker: InMemoryBroker, write: Write, car: object
) -> None:
    make().register(write(car))
    other = make("other")
    mappings = {"t": {"Thing": "Main", "name": "Air Temperature"}}
    other.register_existing(write({"Datastreams": mappings}))
    other.produce("t", 3)
    assert broker.records(f"{SYSTEM}.int")[0].key == TEMPERATURE.encode()
    with pytest.raises(InvalidResultError):
        other.produce("t", "warm")


def test_a_mapping_to_something_unregistered_names_it(make: Make, write: Write) -> None:
    with pytest.raises(EntityNotFoundError, match=r"'t' \(cz\.icecars.*\.Main\.Air\)"):
        make().register_existing(write({"Datastreams": {"t": {"Thing": "Main", "name": "Air"}}}))


def test_wrong_arguments_of_produce_are_refused_and_nothing_is_sent(
    make: Make, broker: InMemoryBroker, write: Write, car: object
) -> None:
    client = make()
    with pytest.raises(UnknownQuantityError, match="none: call register"):
        client.produce("temperature", 1)
    client.register(write(car))
    with pytest.raises(UnknownQuantityError, match="Known quantities: 'locked', 'temperature'"):
        client.produce("temprature", 1)
    with pytest.raises(UnknownAttributeError, match='additional_attributes="latitude,longitude,altitude"'):
        client.produce("temperature", 1, altitude=0)
    with pytest.raises(InvalidResultError):
        client.produce("temperature", float("nan"))
    with pytest.raises(InvalidResultError):
        client.produce("temperature", 1, latitude=float("inf"))
    with pytest.raises(InvalidResultError):
        client.produce("locked", "no")
    with pytest.raises(InvalidTimeError):
        client.produce("temperature", 1, datetime(2026, 1, 2))  # noqa: DTZ001 - the point of the test
    with pytest.raises(InvalidTimeError):
        client.produce("temperature", 1, True)
    with pytest.raises(ConfigurationError, match="traceparent"):
        client.produce("temperature", 1, traceparent="x")
    assert broker.records(f"{SYSTEM}.int") == []
    assert client.counters.produced == 0


@pytest.mark.parametrize("name", ["", "x", "a" * 21, "car 1", "car.1", "cär", "car\n"])
def test_a_wrong_client_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match="client_name"):
        DigitalTwinClient(name, SYSTEM, "x:1", "x:1")


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"system": "cz.icecars.Fleet"}, "system"),
        ({"gost_servers": ""}, "gost_servers"),
        ({"kafka_bootstrap_servers": ""}, "kafka_bootstrap_servers"),
        ({"kafka_bootstrap_servers": "kafka"}, "kafka_bootstrap_servers"),
        ({"additional_attributes": "lon,result"}, "additional_attributes"),
        ({"additional_attributes": "lon-gitude"}, "additional_attributes"),
    ],
)
def test_a_wrong_setting_is_named_before_any_network(
    change: dict[str, str], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DTWIN_KAFKA__BOOTSTRAP_SERVERS", raising=False)
    arguments = {
        "client_name": "car_1",
        "system": SYSTEM,
        "gost_servers": "x:1",
        "kafka_bootstrap_servers": "x:1",
    }
    with pytest.raises(ConfigurationError) as caught:
        DigitalTwinClient(**{**arguments, **change})  # type: ignore[arg-type]
    assert caught.value.setting == setting


def test_a_service_that_is_away_is_told_by_the_constructor(make: Make, server: InMemorySensorThings) -> None:
    server.is_available = False
    with pytest.raises(UnavailableError):
        make()


def test_a_missing_topic_is_told_by_the_constructor(make: Make) -> None:
    with pytest.raises(TopicNotFoundError) as caught:
        make(broker=InMemoryBroker(missing=[f"{SYSTEM}.log"]))
    assert caught.value.topic == f"{SYSTEM}.log"


def test_consume_without_subscribe_says_what_is_missing(make: Make) -> None:
    with pytest.raises(ConfigurationError, match=r"Call subscribe\(\)"):
        make().consume()


def test_subscribing_without_a_file_is_an_error_with_an_example(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SubscriptionFileError, match="subscriptions.json: the file does not exist"):  # noqa: RUF043
        make().subscribe()
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_sends_nothing(make: Make, server: InMemorySensorThings, write: Write) -> None:
    client = make()
    with pytest.raises(InstanceFileError):
        client.register(write({"Things": {}}))
    assert server.requests == ["check"]


def test_logs_of_other_systems_can_be_read(make: Make, broker: InMemoryBroker, write: Write) -> None:
    other = "is.iceland.iot4cps-wp5-WeatherService.Stations"
    client = make()
    client.subscribe(write({"subscribed_datastreams": [], "subscribed_logs": [other]}))
    broker.send(f"{other}.log", "weatherstation_1", {"type": "state", "state": "started"})
    [line] = client.consume(timeout=0)
    assert (line["state"], line["key"], line["topic"]) == ("started", "weatherstation_1", f"{other}.log")


def test_states_and_log_lines_go_to_the_log_topic(make: Make, broker: InMemoryBroker) -> None:
    with make() as client:
        client.logger.info("door %s is open", 3)
        client.logger.debug("not for the topic")
        try:
            raise ValueError("boom")  # noqa: TRY301 - a program that fails
        except ValueError:
            client.logger.exception("it failed")
    lines = values(broker, f"{SYSTEM}.log")
    assert [line["state"] for line in lines if line["type"] == "state"] == ["started", "stopped"]
    logged = [line for line in lines if line["type"] == "log"]
    assert [(line["level"], line["message"]) for line in logged] == [
        ("INFO", "door 3 is open"),
        ("ERROR", "it failed"),
    ]
    assert "ValueError: boom" in logged[1]["exception"]
    assert {line["client"] for line in lines} == {"car_1"}
    assert {line["time"] for line in lines} == {"2026-11-21T12:00:00.000000Z"}
    assert {record.key for record in broker.records(f"{SYSTEM}.log")} == {b"car_1"}


def test_what_is_registered_is_reported_by_its_full_names(
    make: Make, broker: InMemoryBroker, write: Write, car: object
) -> None:
    with make() as client:
        client.register(write(car))
        names = sorted(client.quantities.values())
    (report,) = [line for line in values(broker, f"{SYSTEM}.log") if line["type"] == "registered"]
    assert sorted(report["datastreams"]) == names
    assert report["count"] == len(names) > 0


def test_two_clients_do_not_write_each_others_log_lines(make: Make, broker: InMemoryBroker) -> None:
    first, second = make("first"), make("second")
    first.logger.info("one")
    second.logger.info("two")
    lines = [line for line in values(broker, f"{SYSTEM}.log") if line["type"] == "log"]
    assert {(line["client"], line["message"]) for line in lines} == {("first", "one"), ("second", "two")}


def test_a_wrong_log_call_does_not_stop_the_program(
    make: Make, broker: InMemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    client = make()
    client.logger.propagate = False
    client.logger.info("%d", "no number")
    client.logger.info("fine")
    assert [line["message"] for line in values(broker, f"{SYSTEM}.log") if line["type"] == "log"] == ["fine"]


def test_an_outage_keeps_records_and_is_told_with_its_duration(
    make: Make, broker: InMemoryBroker, write: Write, car: object, clock: Clock
) -> None:
    client = make()
    client.register(write(car))
    broker.stop()
    handle = client.produce("temperature", 1)
    assert not handle.done()
    with pytest.raises(DeliveryError, match="still being tried") as caught:
        client.flush(timeout_s=0)
    assert caught.value.undelivered == 1
    clock.now += timedelta(seconds=30)
    broker.start()
    assert handle.done()
    client.flush(timeout_s=0)
    told = [(state["state"], state.get("outage_s"), state["time"][11:19]) for state in states(broker)]
    assert told == [
        ("started", None, "12:00:00"),
        ("disconnected", None, "12:00:00"),
        ("reconnected", 30.0, "12:00:30"),
    ]


def test_records_given_up_fail_flush_and_disconnect(
    make: Make, broker: InMemoryBroker, write: Write, car: object
) -> None:
    client = make()
    client.register(write(car))
    broker.stop()
    client.produce("temperature", 1)
    with pytest.raises(DeliveryError, match="1 records are not confirmed"):
        client.disconnect(timeout_s=0)
    client.disconnect()  # a second call does nothing
    with pytest.raises(ConfigurationError, match="is disconnected"):
        client.produce("temperature", 2)


def test_a_full_queue_refuses_the_record_and_log_lines_are_dropped_and_counted(
    make: Make, write: Write, car: object
) -> None:
    broker = InMemoryBroker(queue_max_records=2)
    client = make(broker=broker)
    client.register(write(car))
    broker.stop()  # its state takes the first place
    client.produce("temperature", 1)
    with pytest.raises(QueueFullError, match="was not taken"):
        client.produce("temperature", 2)
    client.logger.info("no room")
    assert client.counters.log_records_dropped == 1
    assert client.counters.produced == 1
    broker.start()
    assert client.counters.delivered == 1


def test_leaving_a_with_block_by_an_error_still_disconnects(make: Make, broker: InMemoryBroker) -> None:
    with pytest.raises(ZeroDivisionError), make() as client:
        _ = 1 / 0
    assert states(broker)[-1]["state"] == "stopped"
    with pytest.raises(ConfigurationError, match="is disconnected"):
        client.flush()


def test_a_program_that_ends_without_disconnect_is_disconnected_with_a_warning(
    make: Make, broker: InMemoryBroker
) -> None:
    make()._disconnect_at_exit()
    lines = values(broker, f"{SYSTEM}.log")
    assert [line.get("state") or line["level"] for line in lines] == ["started", "WARNING", "stopped"]


def test_records_come_again_after_a_with_block_that_ended_with_an_error(
    make: Make, broker: InMemoryBroker
) -> None:
    for number in range(2):
        broker.send(f"{SYSTEM}.int", TEMPERATURE, {"result": number})
    client = make()
    client.subscribe(datastreams=[TEMPERATURE])

    def work() -> None:
        with client:
            assert len(client.consume()) == 2
            raise ValueError("the first record could not be worked on")

    with pytest.raises(ValueError, match="worked on"):
        work()
    with make() as again:
        again.subscribe(datastreams=[TEMPERATURE])
        assert [record["result"] for record in again.consume()] == [0, 1]


def test_records_come_again_after_a_program_that_ended_without_disconnect(
    make: Make, broker: InMemoryBroker
) -> None:
    broker.send(f"{SYSTEM}.int", TEMPERATURE, {"result": 1})
    client = make()
    client.subscribe(datastreams=[TEMPERATURE])
    client.consume()
    client._disconnect_at_exit()
    assert broker.committed == {}
