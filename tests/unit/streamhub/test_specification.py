import json

import pytest

from client.errors import ConfigurationError
from streamhub.errors import QuerySyntaxError
from streamhub.specification import StreamAppSpecification

FIELDS: dict[str, object] = {
    "name": "weather2car1",
    "source_system": "is.iceland.iot4cps-wp5-WeatherService.Stations",
    "target_system": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
    "statement": "SELECT * FROM * WHERE result < 4;",
    "bootstrap_servers": "127.0.0.1:9092",
}


def make(**changes: object) -> StreamAppSpecification:
    return StreamAppSpecification(**(FIELDS | changes))  # type: ignore[arg-type]


def test_the_app_id_is_the_source_system_and_the_name() -> None:
    assert make().app_id == "is.iceland.iot4cps-wp5-WeatherService.Stations.weather2car1"


def test_topics_follow_from_the_systems() -> None:
    specification = make()
    assert specification.source_topic == "is.iceland.iot4cps-wp5-WeatherService.Stations.int"
    assert specification.target_topic == "cz.icecars.iot4cps-wp5-CarFleet.Car1.ext"
    assert specification.dead_letter_topic == "is.iceland.iot4cps-wp5-WeatherService.Stations.int.dlq"


def test_json_form_round_trips() -> None:
    specification = make(contract="contract-7", commit_interval_s=0.05)
    assert StreamAppSpecification.from_json(specification.to_json()) == specification


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("name", "", "1 to 60 letters"),
        ("name", "../../etc/passwd", "1 to 60 letters"),
        ("name", "x" * 61, "1 to 60 letters"),
        ("name", "-x", "1 to 60 letters"),
        ("source_system", "is.iceland", "four"),
        ("target_system", "is.iceland.WeatherService.Sta tions", "station"),
        ("bootstrap_servers", "", "host:port"),
        ("bootstrap_servers", "localhost", "host:port"),
        ("bootstrap_servers", "localhost:9092,", "host:port"),
        ("bootstrap_servers", "localhost:99999", "host:port"),
        ("commit_interval_s", 0.0, "0.005 to 5.0 s"),
        ("commit_interval_s", float("nan"), "0.005 to 5.0 s"),
        ("contract", " ", "empty"),
        ("statement", "SELECT * FROM at.other.Work.Station WHERE result < 4;", "FROM at.other.Work.Station"),
    ],
)
def test_a_wrong_field_is_refused_with_the_rule(field: str, value: object, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        make(**{field: value})


def test_a_statement_may_name_the_source_system() -> None:
    statement = f"SELECT * FROM {FIELDS['source_system']} WHERE result < 4;"
    assert make(statement=statement).statement == statement


def test_a_wrong_statement_is_refused_with_its_position() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        make(statement="SELECT * FROM * WHERE result < ;")
    assert caught.value.column == 32


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("not json", "is not JSON"),
        ("[]", "not a JSON object"),
        (json.dumps(FIELDS | {"extra": 1}), "unknown fields \\['extra'\\]"),
        (json.dumps({"name": "x"}), "lacks"),
        (json.dumps(FIELDS | {"name": 7}), "name has the wrong type: int"),
        (json.dumps(FIELDS | {"commit_interval_s": "1"}), "commit_interval_s has the wrong type: str"),
    ],
)
def test_a_damaged_json_form_is_refused(text: str, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        StreamAppSpecification.from_json(text)
