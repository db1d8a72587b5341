"""Settings of the recorder from the environment."""

import pytest

from adapters.observation_store.settings import RecorderSettings
from client.errors import ConfigurationError
from streamhub.engine.sinks.settings import consumer_settings

ENVIRONMENT = {
    "DTWIN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "DTWIN_SENSORTHINGS__DATABASE_URL": "postgresql+psycopg://u@127.0.0.1/sensorthings",
}


def test_all_systems_own_and_received_topics_are_read_and_nothing_else() -> None:
    settings = RecorderSettings.from_environment(ENVIRONMENT)
    read = [
        topic
        for topic in (
            "a.bb.cc.dd.int",
            "a.bb.cc.dd.ext",
            "a.bb.cc.dd.log",
            "a.bb.cc.dd.int.dlq",
            "platform.int",
        )
        if settings.reads(topic)
    ]
    assert read == ["a.bb.cc.dd.int", "a.bb.cc.dd.ext"]


def test_topics_may_be_a_list() -> None:
    settings = RecorderSettings.from_environment(
        ENVIRONMENT | {"DTWIN_RECORDER__TOPICS": "a.bb.cc.dd.int, e.ff.gg.hh.int"}
    )
    assert settings.topics == ("a.bb.cc.dd.int", "e.ff.gg.hh.int")
    assert not settings.reads("a.bb.cc.ddxint")


def test_the_recorder_s_own_database_address_counts_first() -> None:
    own = {"DTWIN_RECORDER__DATABASE_URL": "postgresql://u@127.0.0.1/other"}
    assert RecorderSettings.from_environment(ENVIRONMENT | own).database.database == "other"


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"DTWIN_KAFKA__BOOTSTRAP_SERVERS": ""}, "DTWIN_KAFKA__BOOTSTRAP_SERVERS"),
        ({"DTWIN_SENSORTHINGS__DATABASE_URL": ""}, "DTWIN_SENSORTHINGS__DATABASE_URL"),
        ({"DTWIN_RECORDER__DATABASE_URL": "sqlite://"}, "DTWIN_RECORDER__DATABASE_URL"),
        ({"DTWIN_RECORDER__TOPICS": "^("}, "DTWIN_RECORDER__TOPICS"),
        ({"DTWIN_RECORDER__GRACE_S": "long"}, "DTWIN_RECORDER__GRACE_S"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, str], setting: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RecorderSettings.from_environment(ENVIRONMENT | changes)
    assert caught.value.setting == setting


def test_only_a_numbered_copy_is_a_static_member() -> None:
    plain = RecorderSettings.from_environment(ENVIRONMENT)
    numbered = RecorderSettings.from_environment(ENVIRONMENT, copy=1)
    assert "group.instance.id" not in consumer_settings(plain)
    assert consumer_settings(numbered)["group.instance.id"] == "platform.recorder-1"


def test_a_database_password_does_not_show() -> None:
    secret = {"DTWIN_RECORDER__DATABASE_URL": "postgresql://u:hidden@127.0.0.1/db"}
    assert "hidden" not in repr(RecorderSettings.from_environment(ENVIRONMENT | secret))
