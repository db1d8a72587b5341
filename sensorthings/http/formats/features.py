"""Entities as GeoJSON: a FeatureCollection, one Feature for each entity.

What lives here: which geometry an entity has, and its other values as flat properties. What does not:
computing with geometries (`sensorthings.spatial`).

The geometry is the first GeoJSON value among location, feature and observedArea, of the entity itself or of
what is expanded. Names of nested values are joined by slashes, because few programs that read GeoJSON look
into nested properties.

Source: RFC 7946; FROST-Server's extension "GeoJSON ResultFormat".
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sensorthings.http.formats.pages import Entity, Page, bare, inner, inner_list, is_null

_PLACES: Final = ("location", "feature", "observedArea")
_GEOMETRIES: Final = frozenset(
    {
        "Point",
        "LineString",
        "Polygon",
        "MultiPoint",
        "MultiLineString",
        "MultiPolygon",
        "GeometryCollection",
    }
)
_LINKS: Final = (".navigationLink", ".selfLink", ".nextLink")
_NULL: Final = msgspec.Raw(b"null")


def write_features(page: Page) -> bytes:
    """Write a page as a FeatureCollection.

    The next link and the count stand in it as foreign members, as in FROST-Server.
    """
    whole: dict[str, Any] = {"type": "FeatureCollection"}
    if page.count is not None:
        whole["@iot.count"] = page.count
    if page.next_link is not None:
        whole["@iot.nextLink"] = page.next_link
    return msgspec.json.encode(whole | {"features": [_feature(one) for one in page.entities]})


def _feature(entity: Entity) -> dict[str, Any]:
    properties: dict[str, msgspec.Raw] = {}
    geometries: list[msgspec.Raw] = []
    _collect(entity, "", properties, geometries)
    feature: dict[str, Any] = {"type": "Feature"}
    if "@iot.id" in entity:
        feature["id"] = entity["@iot.id"]
    return feature | {"geometry": geometries[0] if geometries else _NULL, "properties": properties}


def _collect(
    entity: Entity, prefix: str, properties: dict[str, msgspec.Raw], geometries: list[msgspec.Raw]
) -> None:
    """Take the values of an entity, its own before those of what is expanded."""
    expanded: list[tuple[str, msgspec.Raw]] = []
    for name, value in entity.items():
        if name.endswith(_LINKS):
            continue
        if name[:1].isupper() and "@" not in name:  # relations, and only they, begin with a capital
            expanded.append((name, value))
        elif name in _PLACES and (found := _geometry(value)) is not None:
            geometries.append(found[0])
            for key, one in found[1].items():
                properties.setdefault(f"{prefix}{key}", one)
        else:
            shown = f"{prefix}id" if name == "@iot.id" else f"{prefix}{name}"
            properties |= _flat(shown, value)
    for name, value in expanded:
        is_many = bytes(value).startswith(b"[")
        for place, member in enumerate(inner_list(value)):
            inside = f"{prefix}{name}/{place}/" if is_many else f"{prefix}{name}/"
            _collect(member, inside, properties, geometries)


def _flat(name: str, value: msgspec.Raw) -> dict[str, msgspec.Raw]:
    flat: dict[str, msgspec.Raw] = {}
    pending = [(name, value)]
    while pending:
        at, part = pending.pop()
        members = list(_members(part))
        if members:
            pending += [(f"{at}/{key}", one) for key, one in reversed(members)]
        else:
            flat[at] = part
    return flat


def _members(value: msgspec.Raw) -> Iterator[tuple[str, msgspec.Raw]]:
    text = bytes(value)
    if text.startswith(b"{"):
        yield from msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items()
    elif text.startswith(b"["):
        parts = msgspec.json.decode(text, type=list[msgspec.Raw])
        yield from ((str(place), one) for place, one in enumerate(parts))


def _geometry(value: msgspec.Raw) -> tuple[msgspec.Raw, Entity] | None:
    """Give the geometry in a GeoJSON value and, of a Feature, its properties; None for what is none."""
    found = inner(value)
    if found is None or "type" not in found:
        return None
    kind = bare(found["type"])
    if kind in _GEOMETRIES:
        return value, {}
    if kind == "Feature":
        geometry = found.get("geometry", _NULL)
        return None if is_null(geometry) else (geometry, inner(found.get("properties")) or {})
    if kind == "FeatureCollection":
        parts = [one.get("geometry", _NULL) for one in inner_list(found.get("features"))]
        united = {"type": "GeometryCollection", "geometries": [one for one in parts if not is_null(one)]}
        return msgspec.Raw(msgspec.json.encode(united)), {}
    return None
