"""Saved objects for Kibana: for each system a data view, visualisations and a dashboard in one NDJSON file.

What lives here: the objects, in the form that Kibana 7.10 writes and that later ones take over when they are
imported. What does not: the index itself, which the sink makes (``adapters.elasticsearch``). They are of the
kinds that the free licence has (no Lens, which 7.10 has by another licence only).

Source: Kibana 7.10, "Saved objects" (import, NDJSON); classic visualisations (line, metric, heat map).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any, Final

from setup.provisioning.files import to_lines
from setup.provisioning.registry import Stream, SystemFiles

Json = dict[str, Any]

KIND: Final = "kibana"
VERSION: Final = "7.10.2"
_SPACE: Final = uuid.UUID("6f1f0c6e-9a0b-5a55-9a0e-6b1de6c1f5a4")
_INDEX_REFERENCE: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"
_MIGRATED: Final = {
    "index-pattern": "7.6.0",
    "search": "7.9.3",
    "visualization": "7.10.0",
    "dashboard": "7.9.3",
}
_COLUMNS: Final = ["name", "result", "result_text", "unit", "system", "place"]
_WIDTH: Final = 48
_HEIGHT: Final = 12
_METRIC_WIDTH: Final = 12


def kibana_files(systems: Sequence[SystemFiles]) -> dict[str, str]:
    """Make all files: one for each system."""
    return {f"{system.company}/{system.name}.ndjson": to_lines(saved_objects(system)) for system in systems}


def saved_objects(system: SystemFiles) -> list[Json]:
    """Make the saved objects of a system; what is referred to comes first."""
    view = _data_view(system)
    search = _search(system, view["id"])
    overview = [
        _visualization(system, view["id"], "Records over time", _records()),
        _visualization(system, view["id"], "Records by hour and weekday", _hours()),
    ]
    pairs = [
        (
            _visualization(system, view["id"], f"Last {title}", _last(stream), query),
            _visualization(system, view["id"], title, _average(), query),
        )
        for stream in system.streams
        for title, query in [(stream.title(system.name), _query(stream))]
    ]
    placed: list[tuple[Json, tuple[int, int, int]]] = [
        (one, (number * _WIDTH // 2, 0, _WIDTH // 2)) for number, one in enumerate(overview)
    ]
    for number, (last, line) in enumerate(pairs, start=1):
        placed.append((last, (0, number * _HEIGHT, _METRIC_WIDTH)))
        placed.append((line, (_METRIC_WIDTH, number * _HEIGHT, _WIDTH - _METRIC_WIDTH)))
    shown = [one for one, _ in placed]
    return [view, search, *shown, _dashboard(system, placed)]


def _data_view(system: SystemFiles) -> Json:
    attributes = {"title": system.index, "timeFieldName": "@timestamp", "fields": "[]"}
    return _object("index-pattern", system, system.index, attributes, [])


def _search(system: SystemFiles, view: str) -> Json:
    attributes = {
        "title": f"{system.name}: records",
        "description": f"Records of {system.name} and those shared with it, newest first.",
        "columns": _COLUMNS,
        "sort": [["@timestamp", "desc"]],
        "hits": 0,
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _search_source("", has_highlight=True)},
    }
    return _object("search", system, "records", attributes, [_to_view(view)])


def _visualization(system: SystemFiles, view: str, title: str, state: Json, query: str = "") -> Json:
    whole = f"{system.name}: {title}"
    attributes = {
        "title": whole,
        "description": "",
        "version": 1,
        "uiStateJSON": "{}",
        "visState": _text({"title": whole, **state}),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _search_source(query)},
    }
    return _object("visualization", system, title, attributes, [_to_view(view)])


def _dashboard(system: SystemFiles, placed: Sequence[tuple[Json, tuple[int, int, int]]]) -> Json:
    panels = [
        {
            "version": VERSION,
            "panelIndex": str(number),
            "panelRefName": f"panel_{number}",
            "gridData": {"x": x, "y": y, "w": width, "h": _HEIGHT, "i": str(number)},
            "embeddableConfig": {},
        }
        for number, (_, (x, y, width)) in enumerate(placed)
    ]
    attributes = {
        "title": system.name,
        "description": f"Datastreams of {system.name} and those shared with it.",
        "version": 1,
        "hits": 0,
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "refreshInterval": {"pause": False, "value": 30_000},
        "optionsJSON": _text({"hidePanelTitles": False, "useMargins": True}),
        "panelsJSON": _text(panels),
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": _text({"query": {"language": "kuery", "query": ""}, "filter": []})
        },
    }
    references = [
        {"name": f"panel_{number}", "type": one["type"], "id": one["id"]}
        for number, (one, _) in enumerate(placed)
    ]
    return _object("dashboard", system, "dashboard", attributes, references)


def _records() -> Json:
    count = {"id": "1", "enabled": True, "type": "count", "schema": "metric", "params": {}}
    return {"type": "histogram", "params": _axes("Records", "histogram"), "aggs": [count, _by_time()]}


def _average() -> Json:
    average = {"id": "1", "enabled": True, "type": "avg", "schema": "metric", "params": {"field": "result"}}
    return {"type": "line", "params": _axes("Mean result", "line"), "aggs": [average, _by_time()]}


def _last(stream: Stream) -> Json:
    newest = {
        "field": "result",
        "aggregate": "average",
        "size": 1,
        "sortField": "@timestamp",
        "sortOrder": "desc",
        "customLabel": f"{stream.observed_property or stream.name} {stream.unit}".strip(),
    }
    colour = {
        "colorSchema": "Green to Red",
        "colorsRange": [{"from": 0, "to": 10_000}],
        "invertColors": False,
    }
    style = {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 40}
    metric = {
        "percentageMode": False,
        "useRanges": False,
        "metricColorMode": "None",
        "labels": {"show": True},
        "style": style,
    }
    return {
        "type": "metric",
        "params": {"addTooltip": True, "addLegend": False, "type": "metric", "metric": metric | colour},
        "aggs": [{"id": "1", "enabled": True, "type": "top_hits", "schema": "metric", "params": newest}],
    }


def _hours() -> Json:
    count = {"id": "1", "enabled": True, "type": "count", "schema": "metric", "params": {}}
    params = {
        "type": "heatmap",
        "addTooltip": True,
        "addLegend": True,
        "enableHover": False,
        "legendPosition": "right",
        "times": [],
        "colorsNumber": 7,
        "colorSchema": "Greens",
        "setColorRange": False,
        "colorsRange": [],
        "invertColors": False,
        "percentageMode": False,
        "valueAxes": [
            {
                "show": False,
                "id": "ValueAxis-1",
                "type": "value",
                "scale": {"type": "linear", "defaultYExtents": False},
                "labels": {"show": False, "rotate": 0, "overwriteColor": False, "color": "black"},
            }
        ],
    }
    aggregations = [count, _whole("2", "segment", "hour"), _whole("3", "group", "weekday")]
    return {"type": "heatmap", "params": params, "aggs": aggregations}


def _whole(number: str, schema: str, field: str) -> Json:
    params = {"field": field, "interval": 1, "min_doc_count": False, "has_extended_bounds": False}
    params |= {"extended_bounds": {"min": "", "max": ""}}
    return {"id": number, "enabled": True, "type": "histogram", "schema": schema, "params": params}


def _by_time() -> Json:
    params = {
        "field": "@timestamp",
        "interval": "auto",
        "min_doc_count": 1,
        "drop_partials": False,
        "useNormalizedEsInterval": True,
        "scaleMetricValues": False,
        "extended_bounds": {},
    }
    return {"id": "2", "enabled": True, "type": "date_histogram", "schema": "segment", "params": params}


def _axes(title: str, kind: str) -> Json:
    """Return what a line or a bar chart has besides its numbers."""
    category = {
        "id": "CategoryAxis-1",
        "type": "category",
        "position": "bottom",
        "show": True,
        "style": {},
        "scale": {"type": "linear"},
        "labels": {"show": True, "filter": True, "truncate": 100},
        "title": {},
    }
    value = {
        "id": "ValueAxis-1",
        "name": "LeftAxis-1",
        "type": "value",
        "position": "left",
        "show": True,
        "style": {},
        "scale": {"type": "linear", "mode": "normal"},
        "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
        "title": {"text": title},
    }
    series = {
        "show": True,
        "type": kind,
        "mode": "stacked" if kind == "histogram" else "normal",
        "data": {"label": title, "id": "1"},
        "valueAxis": "ValueAxis-1",
        "drawLinesBetweenPoints": True,
        "lineWidth": 2,
        "interpolate": "linear",
        "showCircles": True,
    }
    return {
        "type": kind,
        "grid": {"categoryLines": False},
        "categoryAxes": [category],
        "valueAxes": [value],
        "seriesParams": [series],
        "addTooltip": True,
        "addLegend": False,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }


def _query(stream: Stream) -> str:
    """Choose the records of a Datastream, in Kibana's query language."""
    escaped = stream.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'name : "{escaped}"'


def _search_source(query: str, *, has_highlight: bool = False) -> str:
    found: Json = {
        "query": {"language": "kuery", "query": query},
        "filter": [],
        "indexRefName": _INDEX_REFERENCE,
    }
    return _text(found | ({"highlightAll": True, "version": True} if has_highlight else {}))


def _to_view(view: str) -> Json:
    return {"name": _INDEX_REFERENCE, "type": "index-pattern", "id": view}


def _object(kind: str, system: SystemFiles, name: str, attributes: Json, references: list[Json]) -> Json:
    """Make a saved object; its id follows from its names, so that a later import replaces it."""
    return {
        "id": str(uuid.uuid5(_SPACE, f"{kind}/{system.name}/{name}")),
        "type": kind,
        "attributes": attributes,
        "references": references,
        "migrationVersion": {kind: _MIGRATED[kind]},
    }


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
