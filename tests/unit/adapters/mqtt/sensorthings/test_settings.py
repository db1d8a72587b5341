"""Settings of the extension."""

from pathlib import Path

import pytest

from adapters.mqtt.sensorthings.settings import ExtensionSettings
from client.errors import ConfigurationError


def test_updates_are_those_asked_for_unless_something_else_is_set() -> None:
    assert ExtensionSettings.from_environment({}) == ExtensionSettings("asked", ())


def test_topics_come_from_a_file_with_notes(tmp_path: Path) -> None:
    file = tmp_path / "topics"
    file.write_text("# of the dashboard\nv1.1/Things?$select=name,id\n\n v1.1/#\n", encoding="utf-8")

    found = ExtensionSettings.from_environment(
        {"DTWIN_MQTT__UPDATES": "listed", "DTWIN_MQTT__UPDATE_TOPICS_FILE": str(file)}
    )

    assert found == ExtensionSettings("listed", ("v1.1/Things?$select=name,id", "v1.1/#"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("DTWIN_MQTT__UPDATES", "some"), ("DTWIN_MQTT__UPDATE_TOPICS_FILE", "/nowhere/topics")],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=value) as caught:
        ExtensionSettings.from_environment({name: value})
    assert caught.value.setting == name
