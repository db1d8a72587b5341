"""Saved objects of Kibana: the fields that its documentation demands, and references that lead somewhere."""

import json
import re
from typing import Any

from adapters.elasticsearch.documents import index_alias
from adapters.elasticsearch.schema import mappings, read_server
from setup.provisioning.kibana import kibana_files, saved_objects
from setup.provisioning.registry import SystemFiles
from tests.unit.setup.provisioning.worlds import CAR, car, empty

_REQUIRED = {
    "index-pattern": {"title", "timeFieldName", "fields"},
    "search": {"title", "columns", "sort", "kibanaSavedObjectMeta"},
    "visualization": {"title", "visState", "uiStateJSON", "version", "kibanaSavedObjectMeta"},
    "dashboard": {"title", "panelsJSON", "optionsJSON", "timeRestore", "kibanaSavedObjectMeta"},
}
_SERVER = read_server({"version": {"number": "8.15.0", "build_flavor": "default"}})


def objects(system: SystemFiles) -> list[dict[str, Any]]:
    (text,) = kibana_files([system]).values()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_has_a_whole_object_in_each_line_and_what_is_referred_to_comes_first() -> None:
    for system in (car(), empty()):
        known: set[tuple[str, str]] = set()
        for one in objects(system):
            assert set(one) == {"id", "type", "attributes", "references", "migrationVersion"}
            assert _REQUIRED[one["type"]] <= set(one["attributes"])
            assert list(one["migrationVersion"]) == [one["type"]]
            assert {(reference["type"], reference["id"]) for reference in one["references"]} <= known
            assert (one["type"], one["id"]) not in known
            known.add((one["type"], one["id"]))


def test_the_data_view_is_what_the_sink_writes_to_and_charts_use_fields_that_it_has() -> None:
    found = objects(car())
    view = found[0]["attributes"]
    assert (view["title"], view["timeFieldName"]) == (index_alias(CAR), "@timestamp")
    fields = mappings(_SERVER)["properties"]
    used = set(found[1]["attributes"]["columns"])
    for one in found:
        if one["type"] == "visualization":
            state = json.loads(one["attributes"]["visState"])
            assert state["type"] == state["params"]["type"]
            numbers = [part["id"] for part in state["aggs"]]
            assert len(set(numbers)) == len(numbers)
            used |= {part["params"].get("field", "result") for part in state["aggs"]}
            used |= {part["params"].get("sortField", "result") for part in state["aggs"]}
    assert used <= set(fields)
    assert {"result", "hour", "weekday", "@timestamp"} <= used


def test_every_reference_is_named_by_what_uses_it_and_the_other_way_round() -> None:
    for one in objects(car()):
        names = [reference["name"] for reference in one["references"]]
        used = re.findall(
            r'"(?:indexRefName|panelRefName)":"([^"]+)"',
            json.dumps(one).replace('\\"', '"').replace(": ", ":"),
        )
        assert sorted(names) == sorted(used)


def test_a_chart_shows_just_its_datastream() -> None:
    texts = [
        json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
        for one in objects(car())
        if one["type"] == "visualization"
    ]
    assert texts.count(f'name : "{CAR}.Main.Speed"') == 2
    assert f'name : "{CAR}.Main.A \\"quoted\\" \\\\ name"' in texts


def test_panels_of_the_dashboard_do_not_cover_each_other() -> None:
    board = json.loads(objects(car())[-1]["attributes"]["panelsJSON"])
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridData"] for panel in board):
        covered = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not covered & taken
        assert place["x"] + place["w"] <= 48
        taken |= covered


def test_ids_stay_the_same_and_differ_between_systems() -> None:
    ids = [one["id"] for one in saved_objects(car())]
    assert ids == [one["id"] for one in saved_objects(car())]
    assert not {*ids} & {one["id"] for one in saved_objects(empty())}
