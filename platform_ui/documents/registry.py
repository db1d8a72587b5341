"""Publishing the schemas of records to a schema registry, where the operator has one.

What lives here: the two requests that this takes. What does not: the schemas (``asyncapi``), the setting
``DTWIN_SCHEMA_REGISTRY__URL`` (``settings``).

It speaks the REST API that Confluent's registry has, and Karapace and Apicurio understand: ask whether a
subject holds a schema already, and register it if not. Records carry no schema id: they stay plain JSON, so
readers need no registry. The registry is told what they hold, for people and tools that look there.

Source: Confluent Schema Registry API reference, "POST /subjects/(string: subject)" and "POST
/subjects/(string: subject)/versions".
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import httpx2

from client.messaging.topics import SystemName
from platform_ui.documents.asyncapi import Stream, observation_schema
from platform_ui.errors import SchemaRegistryError
from platform_ui.outgoing import trusted

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
SCHEMA_TYPE: Final = "JSON"
TIMEOUT_S: Final = 5.0
MAX_SHOWN: Final = 200


class SchemaRegistry:
    """A registry at an address.

    Args:
        url: Where its API begins; user and password may stand in it.
        client: Speaks HTTP; one of its own when left out.
    """

    def __init__(self, url: str, *, client: httpx2.AsyncClient | None = None) -> None:
        self._url = url.rstrip("/")
        self._client = client or httpx2.AsyncClient(timeout=TIMEOUT_S, verify=trusted())

    async def publish(self, subject: str, schema: dict[str, Any]) -> bool:
        """Let a subject hold a schema; False when it holds it already.

        Raises:
            SchemaRegistryError: the registry does not answer, or does not take it.
        """
        body = {"schemaType": SCHEMA_TYPE, "schema": json.dumps(schema, sort_keys=True)}
        path = f"/subjects/{quote(subject, safe='')}"
        known = await self._send(path, body)
        if known.status_code == HTTPStatus.OK:
            return False
        if known.status_code != HTTPStatus.NOT_FOUND:
            raise _refused(subject, known)
        taken = await self._send(f"{path}/versions", body)
        if taken.status_code != HTTPStatus.OK:
            raise _refused(subject, taken)
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, path: str, body: dict[str, str]) -> httpx2.Response:
        try:
            return await self._client.post(
                f"{self._url}{path}", json=body, headers={"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise SchemaRegistryError(
                "The schema registry does not answer.",
                code="schema_registry.unavailable",
                hint="Look at DTWIN_SCHEMA_REGISTRY__URL of the platform, and whether the registry runs.",
            ) from error


def subjects_of(system: SystemName, streams: Iterable[Stream]) -> dict[str, dict[str, Any]]:
    """Return the schema of each topic with observations, by its subject ``<topic>-value``.

    A topic holds the records of all Datastreams of its system: its schema is one of theirs.
    """
    schemas = [observation_schema(stream) for stream in streams]
    for schema in schemas:
        del schema["$schema"]
    if not schemas:
        return {}
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": system.topics.internal,
        "anyOf": schemas,
    }
    return {f"{system.topics.internal}-value": whole}


def _refused(subject: str, answer: httpx2.Response) -> SchemaRegistryError:
    return SchemaRegistryError(
        f"The schema registry did not take {subject}: {answer.status_code} {answer.text[:MAX_SHOWN]}"
    )
