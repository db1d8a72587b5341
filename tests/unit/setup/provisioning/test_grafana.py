"""Files for Grafana against the schema of its dashboards, and what stands in them."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from setup.provisioning.grafana import Addresses, dashboard, grafana_files
from setup.provisioning.panels import ELASTICSEARCH_KIND, SENSORTHINGS_KIND, Source
from setup.provisioning.registry import SystemFiles
from setup.provisioning.units import grafana_unit, known_units
from tests.unit.setup.provisioning.worlds import CAR, car, empty

_VENDOR = Path(__file__).parents[3] / "vendor"
_ALL = Addresses(
    "http://127.0.0.1:8084/v1.1", "https://search.test:9200", "http://127.0.0.1:9090", "/srv/dashboards"
)
_UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")


def schema(part: str) -> jsonschema_rs.Validator:
    """Return the schema of a part: `dashboard`, or options of a panel."""
    whole = json.loads((_VENDOR / "grafana-dashboard.schema.json").read_text())
    return jsonschema_rs.validator_for(whole["properties"][part] | {"definitions": whole["definitions"]})


def faults(part: str, value: object) -> list[str]:
    return [f"{list(one.instance_path)}: {one.message}" for one in schema(part).iter_errors(value)]


@pytest.mark.parametrize("system", [car(), empty()], ids=["car", "empty"])
@pytest.mark.parametrize("source", list(Source))
def test_a_dashboard_is_valid_by_the_schema_of_grafana(system: SystemFiles, source: Source) -> None:
    made = dashboard(system, source, has_metrics=True)
    assert faults("dashboard", made) == []
    for panel in made["panels"]:
        if panel["type"] == "timeseries":
            assert faults("timeseries", panel["options"]) == []
            assert faults("timeseriesField", panel["fieldConfig"]["defaults"]["custom"]) == []
        if panel["type"] == "stat":
            assert faults("stat", panel["options"]) == []


def test_the_schema_refuses_what_grafana_does_not_know() -> None:
    made = dashboard(car(), Source.SENSORTHINGS, has_metrics=True)
    assert faults("dashboard", made | {"refreshes": "5s"})
    assert faults("dashboard", {key: value for key, value in made.items() if key != "schemaVersion"})
    assert faults("stat", {"colorMode": "loud"})


def test_each_datastream_has_its_last_value_and_its_line_with_its_unit() -> None:
    panels = dashboard(car(), Source.SENSORTHINGS, has_metrics=False)["panels"]
    shown = [(one["type"], one["title"]) for one in panels]
    assert ("stat", "Air Temperature") in shown
    assert ("timeseries", "Snow") in shown
    units = {one["title"]: one["fieldConfig"]["defaults"]["unit"] for one in panels if one["type"] == "stat"}
    assert units == {
        "Air Temperature": "celsius",
        "Speed": "velocitykmh",
        'A "quoted" \\ name': "none",
        "Snow": "suffix: snow/min",
    }
    assert [one["title"] for one in panels if one["type"] == "row"] == [
        "Main",
        "is.iceland.Weather.Stations.s1",
        "How much arrives",
    ]


def test_panels_do_not_cover_each_other_and_have_numbers_of_their_own() -> None:
    panels = dashboard(car(), Source.SENSORTHINGS, has_metrics=True)["panels"]
    numbers = [one["id"] for one in panels]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for place in (one["gridPos"] for one in panels):
        covered = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not covered & taken
        assert place["x"] + place["w"] <= 24
        taken |= covered


def test_panels_ask_for_just_their_datastream() -> None:
    by_id = [
        one for one in dashboard(car(), Source.SENSORTHINGS, has_metrics=False)["panels"] if "targets" in one
    ]
    paths = [target["urlPath"] for panel in by_id for target in panel["targets"]]
    assert sum(path.startswith("/Datastreams(3)?") for path in paths) == 2
    assert sum(path.startswith("/Datastreams(3)/Observations?bucket=PT1M&") for path in paths) == 1
    assert all("__from" in path and "__to" in path for path in paths)
    by_name = dashboard(car(), Source.ELASTICSEARCH, has_metrics=False)["panels"]
    queries = {target["query"] for panel in by_name for target in panel.get("targets", [])}
    assert f'name:"{CAR}.Main.Speed"' in queries
    assert f'name:"{CAR}.Main.A \\"quoted\\" \\\\ name"' in queries


def test_a_panel_never_asks_for_a_list_whose_next_links_would_be_followed_to_its_end() -> None:
    panels = dashboard(car(), Source.SENSORTHINGS, has_metrics=False)["panels"]
    asked = {(one["type"], target["urlPath"]) for one in panels for target in one.get("targets", [])}
    lists = [path for _, path in asked if "/Observations?" in path]
    assert all("aggregate=count" in path for path in lists), "a row per minute"
    expanded = {kind: path for kind, path in asked if "$expand=Observations(" in path}
    assert "%3B$top=1%3B" in expanded["stat"], "the newest, whatever the order of the rows"
    assert "%3B$top=1000%3B" in expanded["timeseries"]
    assert not any(";" in path for _, path in asked)


def test_every_source_that_a_dashboard_names_is_provisioned_and_holds_no_secret() -> None:
    for source in Source:
        files = grafana_files([car(), empty()], _ALL, source)
        sources = yaml.safe_load(files["datasources/dtwin.yaml"])["datasources"]
        known = {(one["type"], one["uid"]) for one in sources}
        boards = [json.loads(text) for path, text in files.items() if path.endswith(".json")]
        assert len(boards) == 2
        named = {
            (one["datasource"]["type"], one["datasource"]["uid"])
            for board in boards
            for panel in board["panels"]
            for one in [panel, *panel.get("targets", [])]
            if "datasource" in one
        }
        assert named <= known
        assert {kind for kind, _ in named} >= {
            SENSORTHINGS_KIND if source is Source.SENSORTHINGS else ELASTICSEARCH_KIND
        }
        assert all(_UID.fullmatch(uid) for _, uid in known)
        secrets = [text for one in sources for text in one.get("secureJsonData", {}).values()]
        assert secrets
        assert all(re.fullmatch(r"(Bearer )?\$[A-Z_]+", text) for text in secrets)


def test_each_company_has_a_folder_that_holds_its_systems() -> None:
    files = grafana_files([car(), empty()], _ALL, Source.SENSORTHINGS)
    providers = yaml.safe_load(files["dashboards/dtwin.yaml"])["providers"]
    assert [one["options"]["path"] for one in providers] == [
        "/srv/dashboards/at.mill",
        "/srv/dashboards/cz.icecars",
    ]
    assert f"dashboards/dtwin/cz.icecars/{CAR}.json" in files
    assert all({"name", "type", "options"} <= set(one) for one in providers)


def test_stream_apps_are_shown_by_figures_of_their_own_only() -> None:
    panels = dashboard(car(), Source.SENSORTHINGS, has_metrics=True)["panels"]
    asked: list[dict[str, Any]] = [
        target for panel in panels for target in panel.get("targets", []) if "expr" in target
    ]
    assert asked
    apps = (f"{CAR}.share", "is.iceland.Weather.Stations.weather")
    label = 'app=~"{}"'.format("|".join(app.replace(".", r"\\.") for app in apps))
    assert all(label in target["expr"] for target in asked)


def test_units_are_words_that_grafana_knows() -> None:
    listed = set(json.loads((_VENDOR / "grafana-units.json").read_text(encoding="utf-8")))
    assert known_units() <= listed
    assert grafana_unit("", "°C") == grafana_unit("Cel") == "celsius"
    assert grafana_unit("{rev}/min", "rpm") == "suffix: rpm"
    assert grafana_unit("") == "none"
