"""The document as it is served.

What lives here: what stands around paths and schemas, and the memory that spares making it again. What does
not: paths and schemas.

Source: OpenAPI 3.1.0, clause 4.8.1 (OpenAPI Object).
"""

from functools import lru_cache
from typing import Any, Final

import orjson

from sensorthings.http.messages import Answer, Request
from sensorthings.http.openapi.parameters import PARAMETERS
from sensorthings.http.openapi.paths import RESPONSES, paths
from sensorthings.http.openapi.schemas import schemas
from sensorthings.model.entities import ENTITY_TYPES
from sensorthings.settings import Settings

MEDIA_TYPE: Final = "application/vnd.oai.openapi+json"
_SECURITY: Final[dict[str, Any]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token that an administrator made for a client, a user or a service.",
    },
    "certificate": {
        "type": "mutualTLS",
        "description": "The certificate that a client also shows to Kafka.",
    },
}


def document(request: Request, settings: Settings) -> Answer:
    """Answer with the OpenAPI document for the address that the client uses."""
    return Answer(200, _rendered(request.root, request.version, settings.anonymous, settings.filtered_delete))


@lru_cache(maxsize=8)
def _rendered(root: str, version: str, anonymous: str, is_filtered_delete_on: bool) -> bytes:  # noqa: FBT001
    return orjson.dumps(
        describe(root, version, anonymous=anonymous, is_filtered_delete_on=is_filtered_delete_on)
    )


def describe(
    root: str, version: str, *, anonymous: str = "none", is_filtered_delete_on: bool = False
) -> dict[str, Any]:
    """Make the document.

    Args:
        root: Address of the version.
        version: As in the address.
        anonymous: What a stranger may do.
        is_filtered_delete_on: Whether sets take DELETE.
    """
    proofs: list[dict[str, list[str]]] = [{name: []} for name in _SECURITY]
    if anonymous != "none":
        proofs.insert(0, {})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SensorThings",
            "version": version.removeprefix("v"),
            "summary": "What things measure: OGC SensorThings API, Part 1.",
            "description": "OGC 18-088 with batches, data arrays and MultiDatastreams.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {
            "description": "The standard",
            "url": "https://docs.ogc.org/is/18-088/18-088.html",
        },
        "servers": [{"url": root}],
        "security": proofs,
        "tags": [{"name": "Service"}, *({"name": one.set_name} for one in ENTITY_TYPES)],
        "paths": paths(is_filtered_delete_on=is_filtered_delete_on),
        "components": {
            "schemas": schemas(),
            "parameters": PARAMETERS,
            "responses": RESPONSES,
            "securitySchemes": _SECURITY,
        },
    }
