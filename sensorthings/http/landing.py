"""The landing page: entity sets, and what the service conforms to.

What lives here: names of requirements and what is set for them. What does not: how they are met.

Source: OGC 18-088, clause 9.2.1 and annex A; OData JSON batches, CSV and GeoJSON as FROST-Server names them.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from sensorthings.http.batch.parts import MAX_PARTS
from sensorthings.http.messages import Answer, Request
from sensorthings.model.entities import ENTITY_TYPES
from sensorthings.settings import Settings

_STANDARD: Final = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
_OWN: Final = "urn:digital-twin-stack:sensorthings:"
_REQUIREMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "datamodel": (),
    "resource-path": ("resource-path-to-entities",),
    "request-data": (
        "order",
        "expand",
        "select",
        "status-code",
        "query-status-code",
        "orderby",
        "top",
        "skip",
        "count",
        "filter",
        "built-in-filter-operations",
        "built-in-query-functions",
        "pagination",
    ),
    "create-update-delete": (
        "create-entity",
        "link-to-existing-entities",
        "deep-insert",
        "deep-insert-status-code",
        "update-entity",
        "update-entity-put",
        "update-entity-jsonpatch",
        "delete-entity",
        "historical-location-auto-creation",
    ),
    "batch-request": ("batch-request",),
    "multi-datastream": ("properties", "relations", "constraints"),
    "data-array": ("data-array",),
}
_JSON_BATCH: Final = "https://fraunhoferiosb.github.io/FROST-Server/extensions/JsonBatchRequest.html"
_ELSEWHERE: Final = (
    _JSON_BATCH,
    "https://github.com/INSIDE-information-systems/SensorThingsAPI/blob/master/CSV-ResultFormat/CSV-ResultFormat.md",
    "https://fraunhoferiosb.github.io/FROST-Server/extensions/GeoJSON-ResultFormat.html",
)


def landing_page(request: Request, settings: Settings) -> Answer:
    """Answer at the address of a version."""
    sets = [{"name": one.set_name, "url": f"{request.root}/{one.set_name}"} for one in ENTITY_TYPES]
    details = _details(request.root, settings)
    own = sorted(name for name in details if name.startswith(_OWN))
    by_mqtt = _mqtt_details(settings)
    conformance = [*_standard_requirements(), *by_mqtt, *_ELSEWHERE, *own]
    details |= by_mqtt
    return Answer(
        200, orjson.dumps({"value": sets, "serverSettings": {"conformance": conformance, **details}})
    )


def _standard_requirements() -> Iterator[str]:
    for group, names in _REQUIREMENTS.items():
        yield _STANDARD + group
        yield from (f"{_STANDARD}{group}/{name}" for name in names)


def _mqtt_details(settings: Settings) -> dict[str, dict[str, object]]:
    """Give the addresses of the MQTT extension, by requirement; nothing where it is not served.

    Source: OGC 18-088, clauses 14.2 and 14.3.
    """
    updates = _split(settings.mqtt_endpoints)
    creations = _split(settings.mqtt_creation_endpoints) or updates
    found: dict[str, dict[str, object]] = {}
    if creations:
        found[f"{_STANDARD}create-observations-via-mqtt/observations-creation"] = {"endpoints": creations}
    if updates:
        found[f"{_STANDARD}receive-updates-via-mqtt/receive-updates"] = {"endpoints": updates}
    return found


def _split(addresses: str) -> list[str]:
    return [one.strip() for one in addresses.split(",") if one.strip()]


def _details(root: str, settings: Settings) -> dict[str, dict[str, object]]:
    """Give what is set for single requirements, by their names."""
    batch = {"url": f"{root}/$batch", "maxRequests": MAX_PARTS, "maxBodyBytes": settings.max_body_bytes}
    details: dict[str, dict[str, object]] = {
        f"{_STANDARD}request-data/top": {"default": settings.page_size, "max": settings.max_page_size},
        f"{_STANDARD}create-update-delete/create-entity": {
            "ids": settings.ids,
            "maxBodyBytes": settings.max_body_bytes,
        },
        f"{_STANDARD}batch-request/batch-request": batch,
        f"{_STANDARD}data-array/data-array": {"url": f"{root}/CreateObservations"},
        _JSON_BATCH: batch,
        f"{_OWN}openapi": {"url": f"{root}/api"},
        f"{_OWN}upsert": {"option": "upsert=true"},
        f"{_OWN}aggregate": {"options": ["bucket", "aggregate"]},
    }
    if settings.filtered_delete:
        details[f"{_OWN}filtered-delete"] = {"option": "$filter"}
    if settings.strict_types:
        details[f"{_OWN}strict-types"] = {}
    return details
