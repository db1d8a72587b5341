import msgspec
import pytest

from client.errors import InvalidTimeError
from streamhub.hooks.record import HookRecord, record_reader
from streamhub.query.execution.rows import DECODING_ERRORS
from streamhub.query.values import MissingError
from tests.unit.streamhub.hooks.files import CAR_1, value

NAME = f"{CAR_1}.Main.Air Temperature"
READ = record_reader(CAR_1, NAME, ("latitude", "note"))


def test_a_record_has_the_accessors_of_the_seed() -> None:
    record = READ(value("2026-01-02T03:04:05.500Z", 3.5, latitude=47.5, other=1))
    assert record.get_quantity() == record.get("quantity") == "Air Temperature"
    assert record.get_time() == 1767323045.5
    assert record.get_result() == 3.5
    assert record.get("latitude") == 47.5
    assert record.get("thing") == record.thing == "Main"
    assert record.get("system") == record.system == CAR_1
    assert record.get("topic") == record.topic == f"{CAR_1}.int"
    assert record.get("name") == record.name == NAME
    assert record.get_metadata() == {
        "topic": f"{CAR_1}.int",
        "system": CAR_1,
        "thing": "Main",
        "name": NAME,
        "latitude": 47.5,
    }


def test_what_a_record_does_not_have_is_none() -> None:
    record = record_reader(CAR_1, None, ())(b'{"phenomenonTime": 1767323045}')
    accessors = ("latitude", "name", "thing", "system", "quantity", "result", "anything")
    assert [record.get(name) for name in accessors] == [None] * len(accessors)
    assert record_reader(CAR_1, "short", ())(value()).get("thing") is None
    assert record_reader(CAR_1, CAR_1 + ".Main", ())(value()).get_quantity() is None


def test_an_attribute_named_like_an_accessor_wins() -> None:
    read = record_reader(CAR_1, NAME, ("thing",))
    assert read(value(thing="Trailer")).get("thing") == "Trailer"


@pytest.mark.parametrize(
    ("time", "microseconds"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00.000001+01:00", 1),
        ("1970-01-01T00:00:01Z/1970-01-01T00:00:02Z", 1_000_000),
        (1.5, 1_500_000),
        (1767323045000, 1767323045000000),
        ("1969-12-31T23:59:59.999999Z", -1),
    ],
)
def test_every_form_of_a_time_is_read(time: object, microseconds: int) -> None:
    assert READ(value(time)).time == microseconds


@pytest.mark.parametrize(
    ("time", "error"),
    [
        (None, MissingError),
        ("yesterday", InvalidTimeError),
        ("2026-01-02T03:04:05", InvalidTimeError),
        ([1], InvalidTimeError),
        (True, InvalidTimeError),
    ],
)
def test_a_record_without_a_usable_time_is_refused(time: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        READ(value(time))


@pytest.mark.parametrize("wrong", [None, b"", b"[]", b"{", b"\xff", b'{"a": "\xff"}'])
def test_a_value_that_is_no_object_is_refused_like_anywhere_else(wrong: bytes | None) -> None:
    with pytest.raises(DECODING_ERRORS):
        READ(wrong)


@pytest.mark.parametrize("value_", [b"%d" % 2**64, b"[%d]" % -(2**70)])
def test_numbers_that_cannot_be_remembered_are_refused_like_those_that_are_too_large(value_: bytes) -> None:
    with pytest.raises(DECODING_ERRORS, match="out of range"):
        READ(b'{"phenomenonTime": 1, "result": ' + value_ + b"}")
    assert READ(b'{"phenomenonTime": 1, "result": [%d]}' % 2**63).result == [2**63]


def test_a_record_can_be_remembered_and_read_back() -> None:
    record = READ(value(result={"a": [1]}, latitude=1.5, note=None))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=HookRecord) == record
    assert msgspec.json.encode(record).startswith(b"[1767323045000000,")
