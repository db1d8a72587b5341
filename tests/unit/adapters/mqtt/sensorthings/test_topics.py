"""Topics of SensorThings by MQTT: what each means, and who may use it."""

import pytest

from adapters.mqtt.filters import covers, matches
from adapters.mqtt.sensorthings.topics import (
    Creation,
    CreationTopicError,
    Update,
    bridge_readable_topics,
    bridge_writable_topics,
    creation_filters,
    is_raw,
    parse_creation,
    parse_update,
    readable_topics,
    update_topic,
    writable_topics,
)

SYSTEM = "at.srfg.Mill.M1"


@pytest.mark.parametrize(
    ("topic", "one_system", "meaning"),
    [
        (
            "v1.1/Datastreams(7)/Observations",
            False,
            Creation("v1.1", "Datastreams(7)/Observations", None, "Datastreams(7)"),
        ),
        (
            "v1.0/MultiDatastreams(7)/Observations",
            False,
            Creation("v1.0", "MultiDatastreams(7)/Observations", None, "MultiDatastreams(7)"),
        ),
        ("v1.1/Observations", True, Creation("v1.1", "Observations", None, None)),
        (
            "v1.1/FeaturesOfInterest(1)/Observations",
            True,
            Creation("v1.1", "FeaturesOfInterest(1)/Observations", None, None),
        ),
        (f"dt-sta-in/{SYSTEM}/v1.1/Observations", False, Creation("v1.1", "Observations", SYSTEM, None)),
    ],
)
def test_a_creation_topic_tells_where_and_whose(topic: str, one_system: bool, meaning: Creation) -> None:
    assert parse_creation(topic, one_system=one_system) == meaning


@pytest.mark.parametrize(
    "topic",
    [
        "v1.1/Observations",
        "v1.1/FeaturesOfInterest(1)/Observations",
        "v1.2/Datastreams(1)/Observations",
        "v1.1/Things(1)/Observations",
        "v1.1/Datastreams/Observations",
        "v1.1/Datastreams(1)/Observations(2)",
        "v1.1/Datastreams(-1)/Observations",
        "dt-sta-in/v1.1/Observations",
        "dt-sta-in/no system/v1.1/Observations",
        f"dt-sta/{SYSTEM}/v1.1/Observations",
        "",
    ],
)
def test_other_topics_create_nothing_where_there_are_several_systems(topic: str) -> None:
    with pytest.raises(CreationTopicError, match="topic"):
        parse_creation(topic, one_system=False)


@pytest.mark.parametrize(
    ("topic", "meaning"),
    [
        ("v1.1/Things", Update(None, "v1.1", "Things")),
        (f"dt-sta/{SYSTEM}/v1.0/Things", Update(SYSTEM, "v1.0", "Things")),
        ("v1.1/Things?$select=name,id", Update(None, "v1.1", "Things", "$select=name,id")),
        ("v1.1/+/Observations", Update(None, "v1.1", "+/Observations")),
    ],
)
def test_a_topic_of_updates_is_read_and_written(topic: str, meaning: Update) -> None:
    assert parse_update(topic) == meaning
    rest = meaning.path + (f"?{meaning.options}" if meaning.options else "")
    assert update_topic(meaning.system, meaning.version, rest) == topic


@pytest.mark.parametrize("topic", ["dt/a/b/c", "v1.1", "v1.1/", "v2.0/Things", f"dt-sta/{SYSTEM}", "#"])
def test_other_topics_are_no_updates(topic: str) -> None:
    assert parse_update(topic) is None


@pytest.mark.parametrize("system", [None, SYSTEM])
def test_the_bridge_hears_everything_that_clients_may_publish(system: str | None) -> None:
    filters = creation_filters(system)
    topics = [
        topic.replace("#", "v1.1/Datastreams(1)/Observations")
        for topic in writable_topics(SYSTEM, [1], [2], one_system=False)
    ]

    assert all(any(matches(one, topic) for one in filters) for topic in topics)
    assert any(matches(one, f"dt-sta-in/{SYSTEM}/v1.1/Things") for one in filters), "it has to be refused"
    assert set(filters) < set(bridge_readable_topics(system))


@pytest.mark.parametrize("one_system", [False, True])
def test_clients_may_read_what_the_bridge_may_write_of_their_system_and_no_other(one_system: bool) -> None:
    readable = readable_topics(SYSTEM, one_system=one_system)
    writable = bridge_writable_topics(SYSTEM if one_system else None)

    assert all(any(covers(wide, narrow) for wide in writable) for narrow in readable)
    assert not any(matches(one, "dt-sta/at.srfg.Mill.M2/v1.1/Things") for one in readable)
    assert any(matches(one, "v1.1/Things") for one in readable) is one_system


def test_only_topics_for_creating_are_raw() -> None:
    assert is_raw("v1.1/Datastreams(1)/Observations")
    assert not is_raw("v1.1/Datastreams(1)")
    assert not is_raw(f"dt-sta/{SYSTEM}/v1.1/Observations")
