"""Files for Grafana's provisioning: data sources, where dashboards are, and a dashboard for each system.

What lives here: the files and what is on a dashboard. What does not: single panels (``panels``). No
file holds a secret: tokens and passwords are taken from the environment of Grafana.

Source: Grafana 8 and later, "Provision Grafana" (data sources, dashboards).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import yaml

from setup.provisioning.files import Files, to_json, to_yaml
from setup.provisioning.panels import (
    COLUMNS,
    ELASTICSEARCH_KIND,
    PROMETHEUS_KIND,
    ROW_HEIGHT,
    SENSORTHINGS_KIND,
    Place,
    Reference,
    Source,
    last_value,
    line,
    metric,
    per_minute,
    row,
)
from setup.provisioning.registry import Stream, SystemFiles
from setup.provisioning.scope import Scope

Json = dict[str, Any]

KIND: Final = "grafana"
DASHBOARDS: Final = "/var/lib/grafana/dashboards/dtwin"
"""Where Grafana looks for the dashboards, unless something else is asked for."""
_SOURCES_FILE: Final = "datasources/dtwin.yaml"
_PROVIDERS_FILE: Final = "dashboards/dtwin.yaml"
_SOURCE_PREFIX: Final = "Digital Twin "
_SCHEMA: Final = 39
_STAT_WIDTH: Final = 6
_MOST_COUNTED: Final = 20
_SENSORTHINGS: Final = Reference(SENSORTHINGS_KIND, "dtwin-sensorthings")
_PROMETHEUS: Final = Reference(PROMETHEUS_KIND, "dtwin-prometheus")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where Grafana finds what it shows.

    Attributes:
        sensorthings: Of the SensorThings service, with its version.
        elasticsearch: Of Elasticsearch; empty when there is none.
        prometheus: Of Prometheus; empty when there is none.
        dashboards: Folder in which Grafana sees the files of the dashboards.
    """

    sensorthings: str
    elasticsearch: str = ""
    prometheus: str = ""
    dashboards: str = DASHBOARDS


def grafana_files(systems: Sequence[SystemFiles], addresses: Addresses, source: Source) -> dict[str, str]:
    """Make all files.

    Args:
        systems: What is shown.
        addresses: Where it is found.
        source: Where the numbers of Datastreams come from.
    """
    files = {
        _SOURCES_FILE: to_yaml({"apiVersion": 1, "datasources": _sources(systems, addresses)}),
        _PROVIDERS_FILE: to_yaml({"apiVersion": 1, "providers": _providers(systems, addresses)}),
    }
    for system in systems:
        path = f"dashboards/dtwin/{system.company}/{system.name}.json"
        files[path] = to_json(dashboard(system, source, has_metrics=bool(addresses.prometheus)))
    return files


def with_others(files: Files, earlier: Callable[[str], str], scope: Scope) -> dict[str, str]:
    """Let the files that all systems share keep what an earlier run has written for other ones.

    Args:
        files: What was made for the systems of this run.
        earlier: Gives what is in a file now; empty for nothing.
        scope: The systems of this run.
    """

    def is_others_source(entry: Json) -> bool:
        name = entry["name"].removeprefix(_SOURCE_PREFIX)
        return not scope.holds(name)

    def is_others_provider(entry: Json) -> bool:
        return not scope.holds_all_of(str(entry.get("folder")))

    kept = {
        _SOURCES_FILE: ("datasources", is_others_source),
        _PROVIDERS_FILE: ("providers", is_others_provider),
    }
    merged = dict(files)
    for path, (part, is_others) in kept.items() if not scope.is_everything else ():
        fresh = yaml.safe_load(files[path])
        names = {entry["name"] for entry in fresh[part]}
        others = [one for one in _entries(earlier(path), part) if one["name"] not in names and is_others(one)]
        merged[path] = to_yaml(fresh | {part: sorted([*fresh[part], *others], key=_place)})
    return merged


def _entries(text: str, part: str) -> list[Json]:
    """Return what a file lists; nothing when it is not as we write it."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return []
    listed = found.get(part) if isinstance(found, dict) else None
    return [
        one
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]


def _place(entry: Json) -> tuple[int, str]:
    """Order entries as a run for everything does: what all share, then by name."""
    common = (_SENSORTHINGS.uid, _PROMETHEUS.uid)
    uid = entry.get("uid")
    return common.index(uid) if uid in common else len(common), entry["name"]


def dashboard(system: SystemFiles, source: Source, *, has_metrics: bool) -> Json:
    """Make the dashboard of a system (Grafana's classic dashboard model)."""
    return {
        "uid": _uid("dtwin", system.name),
        "title": system.name,
        "description": f"Datastreams of {system.name} and those shared with it.",
        "tags": ["dtwin", system.company],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": []},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_panels(system, _reference(system, source), has_metrics=has_metrics)),
    }


def _panels(system: SystemFiles, source: Reference, *, has_metrics: bool) -> Iterator[Json]:
    number, y = 1, 0
    for thing, streams in groupby(_by_thing(system), key=lambda one: one.thing):
        yield row(thing.removeprefix(f"{system.name}.") or system.name, number, y)
        number, y = number + 1, y + 1
        for stream in streams:
            title = stream.name.removeprefix(f"{thing}.") if thing else stream.title(system.name)
            yield last_value(stream, title, Place(number, 0, y, _STAT_WIDTH), source)
            yield line(stream, title, Place(number + 1, _STAT_WIDTH, y, COLUMNS - _STAT_WIDTH), source)
            number, y = number + 2, y + ROW_HEIGHT
    if system.streams:
        yield row("How much arrives", number, y)
        counted = system.streams[:_MOST_COUNTED]
        yield per_minute(counted, system.name, Place(number + 1, 0, y + 1, COLUMNS), source)
        number, y = number + 2, y + 1 + ROW_HEIGHT
    if system.apps and has_metrics:
        yield row("Stream apps", number, y)
        yield from _app_panels(system.apps, number + 1, y + 1)


def _app_panels(apps: Sequence[str], number: int, y: int) -> Iterator[Json]:
    chosen = "|".join(_in_pattern(app) for app in apps)
    label = f'{{app=~"{chosen}"}}'
    width = COLUMNS // 3
    yield metric(
        "Records that wait",
        Place(number, 0, y, width),
        _PROMETHEUS,
        [(f"dtwin_app_lag_records{label}", "{{app}}")],
        "short",
    )
    yield metric(
        "How far behind",
        Place(number + 1, width, y, width),
        _PROMETHEUS,
        [(f"dtwin_app_lag_seconds{label}", "{{app}}")],
        "s",
    )
    yield metric(
        "Records per minute of stream apps",
        Place(number + 2, 2 * width, y, width),
        _PROMETHEUS,
        [
            (f"60 * rate(dtwin_app_records_consumed_total{label}[5m])", "{{app}} read"),
            (f"60 * rate(dtwin_app_records_forwarded_total{label}[5m])", "{{app}} written"),
            (f"60 * rate(dtwin_app_records_dead_lettered_total{label}[5m])", "{{app}} set aside: {{code}}"),
        ],
        "short",
    )


def _by_thing(system: SystemFiles) -> list[Stream]:
    return sorted(system.streams, key=lambda one: (one.thing, one.name))


def _in_pattern(app: str) -> str:
    """Write a name for a regular expression inside a text of PromQL; dots are all that needs it."""
    return app.replace(".", "\\\\.")


def _reference(system: SystemFiles, source: Source) -> Reference:
    if source is Source.ELASTICSEARCH:
        return Reference(ELASTICSEARCH_KIND, _uid("dtwin-es", system.name))
    return _SENSORTHINGS


def _sources(systems: Sequence[SystemFiles], addresses: Addresses) -> list[Json]:
    header = {"jsonData": {"httpHeaderName1": "Authorization"}}
    token = {"secureJsonData": {"httpHeaderValue1": "Bearer $SENSORTHINGS_TOKEN"}}
    found = [_source(f"{_SOURCE_PREFIX}SensorThings", _SENSORTHINGS, addresses.sensorthings) | header | token]
    if addresses.prometheus:
        found.append(_source(f"{_SOURCE_PREFIX}Prometheus", _PROMETHEUS, addresses.prometheus))
    for system in systems if addresses.elasticsearch else ():
        given = _source(
            f"{_SOURCE_PREFIX}{system.name}",
            _reference(system, Source.ELASTICSEARCH),
            addresses.elasticsearch,
        )
        access = {"basicAuth": True, "basicAuthUser": "$ELASTICSEARCH_USERNAME"}
        secret = {"secureJsonData": {"basicAuthPassword": "$ELASTICSEARCH_PASSWORD"}}
        # Grafana before 9.4 takes the index from `database`, later ones from `jsonData`.
        index = {"database": system.index, "jsonData": {"index": system.index, "timeField": "@timestamp"}}
        found.append(given | access | index | secret)
    return found


def _source(name: str, reference: Reference, url: str) -> Json:
    return {
        "name": name,
        "type": reference.kind,
        "uid": reference.uid,
        "access": "proxy",
        "url": url,
        "orgId": 1,
        "editable": False,
    }


def _providers(systems: Sequence[SystemFiles], addresses: Addresses) -> list[Json]:
    """One folder of Grafana for each company, so that each can be given to its people."""
    return [
        {
            "name": f"dtwin {company}",
            "orgId": 1,
            "folder": company,
            "type": "file",
            "folderUid": _uid("dtwin-folder", company),
            "disableDeletion": False,
            "allowUiUpdates": False,
            "updateIntervalSeconds": 30,
            "options": {"path": f"{addresses.dashboards}/{company}"},
        }
        for company in sorted({system.company for system in systems})
    ]


def _uid(prefix: str, name: str) -> str:
    """Return an id that stays the same for a name; Grafana takes at most 40 characters."""
    return f"{prefix}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
