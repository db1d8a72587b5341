"""Parts beside the platform: only those that there are, and what is wrong with them in words."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from client.errors import ConfigurationError
from platform_ui.db import now
from platform_ui.operations.companions import BRIDGE, RECORDER, SINK, companion_checks, judge
from platform_ui.operations.findings import Finding, Level
from platform_ui.part_settings import PartSettings
from streamhub.engine.progress import AppProgress

MOMENT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def said(**figures: Any) -> AppProgress:  # noqa: ANN401 - figures of several types
    return AppProgress(**{"pid": 1, "state": "running", "updated_at": MOMENT, "lag": 0, **figures})


def findings(settings: PartSettings) -> list[Finding]:
    async def all_of_them() -> list[Finding]:
        return [await check() for _, _, check in companion_checks(settings)]

    return asyncio.run(all_of_them())


def write_bridge(file: Path, *, is_connected: bool, troubles: tuple[str, ...] = ()) -> None:
    figures = {"broker": "mqtts://127.0.0.1:8883", "is_connected": is_connected, "troubles": troubles}
    progress = json.loads(said(updated_at=now()).to_json())
    file.write_text(json.dumps(progress | {"mqtt": figures}))


def test_what_nobody_set_up_is_not_shown(tmp_path: Path) -> None:
    assert companion_checks(PartSettings()) == []
    assert companion_checks(PartSettings(sink=tmp_path / "sink.json")) == [], "no sink ever ran"
    (tmp_path / "sink.json").write_text(said(updated_at=now()).to_json())
    found = findings(PartSettings(sink=tmp_path / "sink.json", recorder=tmp_path / "recorder.json"))
    assert [(one.part, one.level) for one in found] == [
        ("recorder", Level.FAILED),
        ("elasticsearch_sink", Level.OK),
    ]


@pytest.mark.parametrize("which", [RECORDER, SINK, BRIDGE])
def test_a_part_that_says_nothing_any_more_is_not_ok_and_the_hint_says_what_to_do(which: Any) -> None:  # noqa: ANN401 - a companion
    later = MOMENT + timedelta(seconds=16)
    assert judge(which, said(), MOMENT + timedelta(seconds=14)).level is Level.OK
    died, stopped = judge(which, said(), later), judge(which, said(state="stopping"), later)
    assert died.level is stopped.level is Level.FAILED
    assert died.says == "It gave its last sign of life at 2026-03-02 12:00:00 UTC."
    assert stopped.says.startswith("It was stopped at")
    assert which.start in died.hint
    assert which.log in died.hint


def test_a_part_in_trouble_says_which_and_one_that_falls_behind_how_far() -> None:
    troubled = judge(SINK, said(trouble="Elasticsearch does not answer", lag=12), MOMENT)
    assert troubled.level is Level.WARNING
    assert troubled.says.startswith(
        "Elasticsearch does not answer. Since its start read: 0, set aside: 0, waiting: 12"
    )
    behind = judge(RECORDER, said(lag=5000, lag_s=75.0), MOMENT)
    assert (behind.level, behind.says.split(".")[0]) == (Level.WARNING, "It is 75 s behind")
    assert judge(RECORDER, said(lag=5000, lag_s=5.0), MOMENT).level is Level.OK
    assert "waiting" not in judge(RECORDER, said(lag=None), MOMENT).says, "nobody knows"


def test_a_bridge_without_its_broker_says_so(tmp_path: Path) -> None:
    file = tmp_path / "bridge.json"
    write_bridge(file, is_connected=False)
    (bridge,) = findings(PartSettings(bridge=file))
    assert bridge.level is Level.WARNING
    assert bridge.says.startswith("It is not connected to the MQTT broker.")
    write_bridge(file, is_connected=True, troubles=("SensorThings is away",))
    (bridge,) = findings(PartSettings(bridge=file))
    assert bridge.says.startswith("SensorThings is away.")


def test_the_broker_is_well_when_the_bridge_is_connected_to_it(tmp_path: Path) -> None:
    file = tmp_path / "bridge.json"
    write_bridge(file, is_connected=True)
    # Nobody listens there: it was not asked.
    bridge, broker = findings(PartSettings(bridge=file, broker="mqtts://127.0.0.1:1"))
    assert (bridge.level, broker.level) == (Level.OK, Level.OK)
    assert "mqtts://127.0.0.1:1" in broker.says


@pytest.mark.parametrize("text", ["127.0.0.1:8883", "http://broker", "mqtts://", "mqtts://broker:many"])
def test_an_address_of_a_broker_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_MQTT__URL"):
        PartSettings.from_environment({"DTWIN_MQTT__URL": text})


@pytest.mark.parametrize(("text", "port"), [("mqtts://b", 8883), ("mqtt://b", 1883), ("mqtts://b:99", 99)])
def test_a_broker_has_the_usual_port_of_its_protocol(text: str, port: int) -> None:
    assert PartSettings.from_environment({"DTWIN_MQTT__URL": text}).broker_place == ("b", port)
