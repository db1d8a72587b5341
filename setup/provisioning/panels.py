"""Panels of Grafana: a last value, a line over time, and where each gets its numbers.

What lives here: JSON of single panels. What does not: how they are put on a dashboard (``grafana``).

Source: the classic dashboard model of Grafana, schema version 39 and later; the data source
``iosb-sensorthings-datasource`` 0.0.5 for SensorThings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from setup.provisioning.registry import Stream
from setup.provisioning.units import grafana_unit

Json = dict[str, Any]

COLUMNS: Final = 24
"""Width of a dashboard in Grafana's units [1]."""
ROW_HEIGHT: Final = 7
_MOST_ROWS: Final = 1000
_SEMICOLON: Final = "%3B"


class Source(StrEnum):
    """Where dashboards get the numbers of Datastreams."""

    SENSORTHINGS = "sensorthings"
    ELASTICSEARCH = "elasticsearch"


@dataclass(frozen=True, slots=True)
class Reference:
    """A data source, as panels name it.

    Attributes:
        kind: Id of its plugin.
        uid: Its own id.
    """

    kind: str
    uid: str

    def json(self) -> Json:
        """Return it as a panel has it."""
        return {"type": self.kind, "uid": self.uid}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel is on its dashboard, and its number there."""

    number: int
    x: int
    y: int
    width: int
    height: int = ROW_HEIGHT

    def json(self) -> Json:
        """Return it as a panel has it."""
        return {"x": self.x, "y": self.y, "w": self.width, "h": self.height}


def row(title: str, number: int, y: int) -> Json:
    """Return a heading over panels."""
    place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def last_value(stream: Stream, title: str, place: Place, source: Reference) -> Json:
    """Return a panel with the newest value of a Datastream."""
    reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    return _panel("stat", title, place, source, [_target(stream, source, most=1)]) | {
        "fieldConfig": _field_config(grafana_unit(stream.unit_code, stream.unit)),
        "options": {
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "showPercentChange": False,
            "textMode": "auto",
            "reduceOptions": reduced,
            "wideLayout": True,
        },
    }


def line(stream: Stream, title: str, place: Place, source: Reference) -> Json:
    """Return a panel with the values of a Datastream over time."""
    unit = grafana_unit(stream.unit_code, stream.unit)
    return _over_time(title, place, source, [_target(stream, source)], unit)


def per_minute(streams: Sequence[Stream], system: str, place: Place, source: Reference) -> Json:
    """Return a panel with how many results of Datastreams come per minute."""
    targets = [
        _count_target(stream, stream.title(system), source, f"R{number}")
        for number, stream in enumerate(streams)
    ]
    return _over_time("Records per minute", place, source, targets, "short", style="bars")


def metric(
    title: str, place: Place, source: Reference, expressions: Sequence[tuple[str, str]], unit: str
) -> Json:
    """Return a panel with figures of Prometheus over time.

    Args:
        title: Its heading.
        place: Where it is.
        source: Prometheus.
        expressions: PromQL, and how its lines are called.
        unit: Word of Grafana.
    """
    targets = [
        {
            "refId": f"M{number}",
            "datasource": source.json(),
            "editorMode": "code",
            "range": True,
            "expr": expression,
            "legendFormat": legend,
        }
        for number, (expression, legend) in enumerate(expressions)
    ]
    return _over_time(title, place, source, targets, unit)


def _over_time(
    title: str, place: Place, source: Reference, targets: list[Json], unit: str, *, style: str = "line"
) -> Json:
    custom = {"drawStyle": style, "lineWidth": 1, "fillOpacity": 10, "showPoints": "auto", "spanNulls": False}
    legend = {
        "calcs": ["mean", "min", "max"],
        "displayMode": "list",
        "placement": "bottom",
        "showLegend": True,
    }
    return _panel("timeseries", title, place, source, targets) | {
        "fieldConfig": _field_config(unit, custom),
        "options": {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}},
    }


def _panel(kind: str, title: str, place: Place, source: Reference, targets: list[Json]) -> Json:
    return {
        "id": place.number,
        "type": kind,
        "title": title,
        "gridPos": place.json(),
        "datasource": source.json(),
        "targets": targets,
    }


def _field_config(unit: str, custom: Json | None = None) -> Json:
    defaults: Json = {"unit": unit, "color": {"mode": "palette-classic"}, "mappings": []}
    return {"defaults": defaults | ({"custom": custom} if custom else {}), "overrides": []}


def _target(stream: Stream, source: Reference, most: int = _MOST_ROWS) -> Json:
    """Ask for the newest results of a Datastream in the time that is shown, newest first."""
    if source.kind == ELASTICSEARCH_KIND:
        average = {"id": "1", "type": "avg", "field": "result"}
        title = stream.observed_property or stream.name
        return _elasticsearch(stream, source, name="A", title=title, measured=average, interval="auto")
    fields = [
        {
            "name": "Time",
            "jsonPath": "$.Observations[*].phenomenonTime",
            "language": "jsonpath",
            "type": "time",
        },
        {
            "name": stream.observed_property or stream.name,
            "jsonPath": "$.Observations[*].result",
            "language": "jsonpath",
            "type": "number",
        },
    ]
    # The plugin follows every next link of a list, however many results there are; it takes what is expanded
    # as it is. A bare semicolon may be dropped by the proxy in Grafana.
    options = (
        "$select=phenomenonTime,result",
        "$orderby=phenomenonTime desc",
        f"$top={most}",
        "$filter=phenomenonTime ge __from and phenomenonTime le __to",
    )
    path = f"{stream.path}?$select=name&$expand=Observations({_SEMICOLON.join(options)})"
    return _sensorthings(path, fields, source, "A")


def _count_target(stream: Stream, title: str, source: Reference, name: str) -> Json:
    if source.kind == ELASTICSEARCH_KIND:
        count = {"id": "1", "type": "count"}
        return _elasticsearch(stream, source, name=name, title=title, measured=count, interval="1m")
    # The plugin reads parts of a text by JSONata only: a bucket's time is its start, a slash, and its end.
    fields = [
        {
            "name": "Time",
            "jsonPath": '[value.$toMillis($substringBefore(phenomenonTime, "/"))]',
            "language": "jsonata",
            "type": "time",
        },
        {"name": title, "jsonPath": "[value.count]", "language": "jsonata", "type": "number"},
    ]
    query = (
        "bucket=PT1M&aggregate=count"
        "&$filter=phenomenonTime ge __from and phenomenonTime le __to"
        f"&$top={_MOST_ROWS}"
    )
    return _sensorthings(f"{stream.path}/Observations?{query}", fields, source, name)


def _sensorthings(path: str, fields: list[Json], source: Reference, name: str) -> Json:
    return {
        "refId": name,
        "datasource": source.json(),
        "method": "GET",
        "urlPath": path,
        "fields": fields,
        "queryParams": "",
        "params": [],
        "headers": [],
        "body": "",
        "cacheDurationSeconds": 10,
        "entrypointUrlPath": "",
        "selectedEntrypoint": "",
        "selectedDatastream": "",
    }


def _elasticsearch(
    stream: Stream, source: Reference, *, name: str, title: str, measured: Json, interval: str
) -> Json:
    settings = {"interval": interval, "min_doc_count": "0", "trimEdges": "0"}
    buckets = [{"id": "2", "type": "date_histogram", "field": "@timestamp", "settings": settings}]
    escaped = stream.name.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "refId": name,
        "datasource": source.json(),
        "timeField": "@timestamp",
        "alias": title,
        "query": f'name:"{escaped}"',
        "metrics": [measured],
        "bucketAggs": buckets,
    }


ELASTICSEARCH_KIND: Final = "elasticsearch"
SENSORTHINGS_KIND: Final = "iosb-sensorthings-datasource"
PROMETHEUS_KIND: Final = "prometheus"
