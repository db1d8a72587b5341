"""Settings of the sink, and the address of Elasticsearch, from the environment."""

from pathlib import Path

import pytest
from elastic_transport import HttpHeaders

from adapters.elasticsearch.connection import ElasticsearchAddress, connect, plain_media_types
from adapters.elasticsearch.documents import Period
from adapters.elasticsearch.schema import Kind
from adapters.elasticsearch.settings import ElasticsearchSinkSettings
from client.errors import ConfigurationError, InvalidNameError

ENVIRONMENT = {
    "DTWIN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "DTWIN_ELASTICSEARCH__URL": "http://127.0.0.1:9200/",
    "DTWIN_ELASTICSEARCH__SYSTEM": "cz.icecars.CarFleet.Car1",
    "DTWIN_ELASTICSEARCH__CLIENT": "sink",
}


def _read(**more: str) -> ElasticsearchSinkSettings:
    changes = {f"DTWIN_ELASTICSEARCH__{name}": value for name, value in more.items()}
    return ElasticsearchSinkSettings.from_environment(environment=ENVIRONMENT | changes)


def test_a_client_reads_the_topics_of_its_system_in_a_group_of_its_own() -> None:
    settings = _read()
    assert settings.topics == ("cz.icecars.CarFleet.Car1.int", "cz.icecars.CarFleet.Car1.ext")
    assert settings.group == "cz.icecars.CarFleet.Car1.sink.elasticsearch"
    assert _read(FROM="ext").topics == ("cz.icecars.CarFleet.Car1.ext",)
    assert settings.address.hosts == ("http://127.0.0.1:9200",)
    assert (settings.kind, settings.period) == (None, Period.MONTH)


def test_what_is_given_in_the_command_counts_more_than_the_environment() -> None:
    settings = ElasticsearchSinkSettings.from_environment(
        system="a.bb.cc.dd",
        client="other",
        sources=("int",),
        url="https://search:9200",
        environment=ENVIRONMENT,
    )
    assert settings.topics == ("a.bb.cc.dd.int",)
    assert settings.group == "a.bb.cc.dd.other.elasticsearch"
    assert settings.address.url == "https://search:9200"


def test_records_wait_five_seconds_for_metadata_unless_told_otherwise() -> None:
    assert (_read().grace_s, _read(GRACE_S="0").grace_s, _read(GRACE_S="0.5").grace_s) == (5.0, 0.0, 0.5)


def test_the_shape_of_the_indices_can_be_chosen() -> None:
    settings = _read(
        KIND="stream", PERIOD="day", SHARDS="3", REPLICAS="0", KEEP_DAYS="30", REFRESH_INTERVAL="5s"
    )
    assert (settings.kind, settings.period) == (Kind.STREAM, Period.DAY)
    shape = settings.shape
    assert (shape.shards, shape.replicas, shape.keep_days, shape.refresh_interval) == (3, 0, 30, "5s")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", "127.0.0.1:9200"),
        ("URL", "http://127.0.0.1"),
        ("URL", "http://127.0.0.1:99999"),
        ("URL", "http://["),
        ("URL", "http://user:secret@host:9200"),
        ("USERNAME", "me"),
        ("FROM", "int,log"),
        ("KIND", "table"),
        ("PERIOD", "week"),
        ("SHARDS", "0"),
        ("REPLICAS", "-1"),
        ("BULK_BYTES", "10"),
        ("BULKS_IN_FLIGHT", "many"),
        ("GRACE_S", "-1"),
        ("GRACE_S", "soon"),
        ("REFRESH_INTERVAL", "often"),
        ("ROLLOVER_SIZE", "50"),
        ("API_KEY_FILE", "/nowhere/key"),
        ("CA_FILE", "/nowhere/ca.pem"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _read(**{name: value})
    assert caught.value.setting == f"DTWIN_ELASTICSEARCH__{name}"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [*ENVIRONMENT])
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ElasticsearchSinkSettings.from_environment(environment=ENVIRONMENT | {name: ""})
    assert caught.value.setting == name


def test_a_system_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidNameError):
        _read(SYSTEM="cz.icecars")


def test_secrets_come_from_files_and_do_not_show(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hidden\n", encoding="utf-8")
    address = _read(USERNAME="me", PASSWORD_FILE=str(file)).address
    assert address.password == "hidden"
    assert "hidden" not in repr(address)


def test_a_client_is_made_without_asking_the_server() -> None:
    client = connect(ElasticsearchAddress(url="http://127.0.0.1:9", username="me", password="x"))
    (node,) = client.transport.node_pool.all()
    assert node.base_url == "http://127.0.0.1:9"
    client.close()


def test_media_types_of_the_vendor_become_plain() -> None:
    accept = "application/vnd.elasticsearch+json; compatible-with=9, text/plain"
    assert plain_media_types(accept) == "application/json, text/plain"
    assert plain_media_types(HttpHeaders({"accept": "application/json"})["Accept"]) == "application/json"
