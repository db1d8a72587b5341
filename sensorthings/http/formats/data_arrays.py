"""Observations as data arrays: the names once, then rows of values, grouped by stream.

What lives here: writing them. What does not: reading data arrays that clients send
(`sensorthings.http.data_arrays`).

Source: OGC 18-088, clause 12.1 (requirement "data-array/data-array").
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sensorthings.http.formats.pages import NULL, Entity, Page, inner
from sensorthings.model.entities import OBSERVATION
from sensorthings.odata.nodes import Options

_STREAMS: Final = ("Datastream", "MultiDatastream")
_IDS: Final = ("id", "@iot.id")
_FEATURE: Final = "FeatureOfInterest"


def components_of(options: Options) -> tuple[str, ...]:
    """Give the names of the values in a row: those of `$select`, in its order, or all."""
    every = ("id", *(one.name for one in OBSERVATION.properties))
    if options.select is None:
        return every
    named = dict.fromkeys(
        "id" if name in _IDS else f"{_FEATURE}/id" if name == _FEATURE else name for name in options.select
    )
    return tuple(name for name in named if name in every or name == f"{_FEATURE}/id")


def write_data_array(page: Page, options: Options) -> bytes:
    """Write a page of Observations as data arrays.

    Args:
        page: Observations with the addresses of their streams, as `needed_expand` has it.
        options: What was asked for.
    """
    components = components_of(options)
    groups: dict[tuple[str, bytes], list[list[msgspec.Raw]]] = {}
    for entity in page.entities:
        groups.setdefault(_stream(entity), []).append(_row(entity, components))
    value = [
        {f"{name}@iot.navigationLink": msgspec.Raw(link), "components": components, "dataArray": rows}
        for (name, link), rows in groups.items()
    ]
    whole: dict[str, Any] = {}
    if page.count is not None:
        whole["@iot.count"] = page.count
    if page.next_link is not None:
        whole["@iot.nextLink"] = page.next_link
    return msgspec.json.encode(whole | {"value": value})


def _stream(entity: Entity) -> tuple[str, bytes]:
    for name in _STREAMS:
        stream = inner(entity.get(name))
        if stream is not None:
            return name, bytes(stream["@iot.selfLink"])
    return _STREAMS[0], b"null"


def _row(entity: Entity, components: Sequence[str]) -> list[msgspec.Raw]:
    return [_value(entity, name) for name in components]


def _value(entity: Entity, name: str) -> msgspec.Raw:
    if name == "id":
        return entity.get("@iot.id", NULL)
    if name == f"{_FEATURE}/id":
        feature = inner(entity.get(_FEATURE))
        return NULL if feature is None else feature.get("@iot.id", NULL)
    return entity.get(name, NULL)
