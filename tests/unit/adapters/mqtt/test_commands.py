"""What `dtwin bridge mqtt status` looks at, and what it says when there is nothing."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.mqtt.commands import mqtt


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FOLDER", "PROGRESS_FILE"):
        monkeypatch.delenv(f"DTWIN_MQTT__{name}", raising=False)


def test_the_status_without_any_bridge_says_how_to_name_one() -> None:
    done = CliRunner().invoke(mqtt, ["status"])
    assert done.exit_code == 2
    assert "DTWIN_MQTT__FOLDER" in done.stderr
    assert "--progress-file" in done.stderr


def test_the_status_of_a_bridge_is_found_in_its_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DTWIN_MQTT__FOLDER", str(tmp_path))
    done = CliRunner().invoke(mqtt, ["status"])
    assert done.exit_code == 6
    assert f"{tmp_path / 'progress.json'} tells no progress" in done.stderr


def test_a_progress_file_that_is_given_counts_more_than_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DTWIN_MQTT__FOLDER", str(tmp_path))
    done = CliRunner().invoke(mqtt, ["status", "--progress-file", str(tmp_path / "other.json")])
    assert done.exit_code == 6
    assert "other.json tells no progress" in done.stderr
