"""Lineage as OpenLineage documents.

The package of the standard holds no JSON Schema, so its rules for what we tell are written down here, as in
the 2-0-2 specification: what is required of events, jobs, datasets and facets.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import jsonschema_rs
import pytest

from platform_ui.lineage.openlineage import Teller, events_of
from platform_ui.lineage.world.facts import AppFact
from platform_ui.lineage.world.truths import World
from tests.unit.platform_ui.lineage.worlds import CAR, HOME, INSIDE, LAB, SECRET, SHARE, SPEED, facts

TELLER = Teller("https://twin.example", "kafka.test:9092", datetime(2026, 1, 2, 12, tzinfo=UTC))
_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_URI: Final[dict[str, Any]] = {"type": "string", "format": "uri"}


def _object(required: dict[str, Any], **optional: object) -> dict[str, Any]:
    return {"type": "object", "required": sorted(required), "properties": required | optional}


def _facet(name: str, version: str, **fields: object) -> dict[str, Any]:
    url = f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"
    return _object({"_producer": _URI, "_schemaURL": {"const": url}, **fields})


_TRANSFORMATION = _object(
    {"type": {"enum": ["DIRECT", "INDIRECT"]}},
    subtype={"enum": ["IDENTITY", "TRANSFORMATION", "AGGREGATION", "JOIN", "GROUP_BY", "FILTER", "SORT"]},
    description={"type": "string"},
    masking={"type": "boolean"},
)
_INPUT_FIELD = _object(
    {"namespace": _TEXT, "name": _TEXT, "field": _TEXT},
    transformations={"type": "array", "items": _TRANSFORMATION},
)
_COLUMNS = _object({"inputFields": {"type": "array", "items": _INPUT_FIELD}})
_DATASET_FACETS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "columnLineage": _facet(
            "ColumnLineageDatasetFacet",
            "1-2-0",
            fields={"type": "object", "additionalProperties": _COLUMNS},
        ),
        "schema": _facet(
            "SchemaDatasetFacet",
            "1-2-0",
            fields={"type": "array", "items": _object({"name": _TEXT}, type=_TEXT)},
        ),
    },
}
_DATASET = _object({"namespace": _TEXT, "name": _TEXT}, facets=_DATASET_FACETS)
_JOB_FACETS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "sql": _facet("SQLJobFacet", "1-1-0", query=_TEXT),
        "jobType": _facet(
            "JobTypeJobFacet",
            "2-0-4",
            processingType={"enum": ["BATCH", "STREAMING", "SERVICE"]},
            integration=_TEXT,
        ),
    },
}
_EVENT = {"eventTime": {"type": "string", "format": "date-time"}, "producer": _URI}
_BASE = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
JOB_EVENT = _object(
    {
        **_EVENT,
        "schemaURL": {"const": f"{_BASE}JobEvent"},
        "job": _object({"namespace": _TEXT, "name": _TEXT}, facets=_JOB_FACETS),
    },
    inputs={"type": "array", "items": _DATASET},
    outputs={"type": "array", "items": _DATASET},
) | {"not": {"anyOf": [{"required": ["run"]}, {"required": ["dataset"]}]}}
DATASET_EVENT = _object({**_EVENT, "schemaURL": {"const": f"{_BASE}DatasetEvent"}, "dataset": _DATASET}) | {
    "not": {"anyOf": [{"required": ["run"]}, {"required": ["job"]}]}
}


@pytest.fixture(scope="module")
def rules() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "array",
            "items": {"oneOf": [JOB_EVENT, DATASET_EVENT]},
        },
        validate_formats=True,
    )


def told(
    *apps: AppFact, known: tuple[str, ...] = (SPEED,), seen: tuple[str, ...] = (CAR, HOME)
) -> list[dict[str, Any]]:
    world = World(facts(*apps, seen=seen))
    return events_of(world, apps, {CAR: known} if CAR in seen else {}, TELLER)


def test_events_keep_the_rules_of_the_standard(rules: jsonschema_rs.Validator) -> None:
    events = told(SHARE, INSIDE)
    rules.validate(json.loads(json.dumps(events)))
    assert [event["schemaURL"].rpartition("/")[2] for event in events] == ["JobEvent"] * 2 + [
        "DatasetEvent"
    ] * 3


def test_the_rules_refuse_an_event_without_a_job(rules: jsonschema_rs.Validator) -> None:
    event = told(SHARE)[0]
    del event["job"]
    assert not rules.is_valid([event])


def test_a_stream_app_is_a_job_from_topics_to_a_topic() -> None:
    event = told(SHARE)[0]
    assert (event["job"]["namespace"], event["job"]["name"]) == ("cz.cars", SHARE.app_id)
    assert event["job"]["facets"]["jobType"]["processingType"] == "STREAMING"
    assert event["job"]["facets"]["sql"]["query"] == SHARE.statement
    assert event["inputs"] == [{"namespace": "kafka://kafka.test:9092", "name": f"{CAR}.int"}]
    assert event["outputs"][0]["name"] == f"{LAB}.ext"


def test_a_computed_column_tells_what_feeds_it_and_what_decides() -> None:
    lineage = told(INSIDE)[0]["outputs"][0]["facets"]["columnLineage"]["fields"]
    (source,) = lineage[f"{HOME}.Motor.twice"]["inputFields"]
    assert (source["name"], source["field"]) == (f"{CAR}.int", SPEED)
    ways = [(one["type"], one["subtype"], one["description"]) for one in source["transformations"]]
    assert ways == [("DIRECT", "TRANSFORMATION", "result * 2"), ("INDIRECT", "FILTER", "quality")]


def test_records_that_are_passed_on_are_the_same() -> None:
    lineage = told(SHARE)[0]["outputs"][0]["facets"]["columnLineage"]["fields"]
    ways = [one["subtype"] for one in lineage[SPEED]["inputFields"][0]["transformations"]]
    assert ways == ["IDENTITY", "FILTER"]


def test_topics_tell_their_datastreams() -> None:
    events = [event["dataset"] for event in told(INSIDE)[1:]]
    fields = {one["name"]: [field["name"] for field in one["facets"]["schema"]["fields"]] for one in events}
    assert fields == {f"{CAR}.int": [SPEED], f"{HOME}.ext": [f"{HOME}.Motor.twice"]}


def test_the_other_side_gets_neither_the_statement_nor_what_is_not_shared() -> None:
    app = replace(SHARE, statement=f"SELECT * FROM * WHERE name <> '{SECRET}';", is_inside=False)
    text = json.dumps(told(app, seen=(LAB,)))
    assert SPEED in text
    assert "SQLJobFacet" not in text
    assert "Secret" not in text
