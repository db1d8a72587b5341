"""The descriptions of the topics of systems as resources."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from client.metadata.wire import DATASTREAMS
from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.assets.reading import AssetReader
from platform_ui.db import Database
from platform_ui.documents import asyncapi
from platform_ui.documents.asyncapi import Brokers, Stream
from platform_ui.documents.registry import SchemaRegistry, subjects_of
from platform_ui.errors import ConflictError
from platform_ui.metadata.gateway import Gateway
from platform_ui.metadata.pages import CurrentGateway
from platform_ui.settings import CurrentSettings
from platform_ui.systems import service as systems

router = APIRouter(prefix="/systems/{name}", tags=["documents"])


def _registry(request: Request) -> SchemaRegistry | None:
    return cast("SchemaRegistry | None", request.app.state.schema_registry)


Registry = Annotated[SchemaRegistry | None, Depends(_registry)]


class PublishedAnswer(BaseModel):
    """Subjects of the schema registry, and which of them are new or hold another schema now."""

    subjects: list[str]
    changed: list[str]


async def _streams(gateway: Gateway, user: User, system: str) -> list[Stream]:
    found = await AssetReader(gateway, user.email, system).everything(DATASTREAMS)
    return sorted((asyncapi.stream_of(one) for one in found), key=lambda stream: stream.name)


@router.get("/asyncapi.json", operation_id="describe_system_topics")
async def describe_topics(
    *, database: Database, user: LoggedIn, gateway: CurrentGateway, settings: CurrentSettings, name: str
) -> dict[str, Any]:
    """Describe the topics of a system as an AsyncAPI 3.0 document.

    Each Datastream of the system is a message, with the JSON Schema of its records.
    """
    system = (await systems.see_system(database, user, name)).system_name
    brokers = Brokers(settings.kafka_bootstrap_servers.split(","), settings.security.protocol)
    return asyncapi.describe(system, await _streams(gateway, user, name), brokers)


@router.post("/schemas:publish", operation_id="publish_system_schemas")
async def publish_schemas(
    *, database: Database, user: LoggedIn, gateway: CurrentGateway, registry: Registry, name: str
) -> PublishedAnswer:
    """Publish the schemas of a system's records to the schema registry of the platform."""
    system = (await systems.get_system(database, user, name)).system_name
    if registry is None:
        raise ConflictError(
            "This platform publishes no schemas: it has no schema registry.",
            code="schema_registry.none",
            hint="Its operator sets DTWIN_SCHEMA_REGISTRY__URL.",
        )
    subjects = subjects_of(system, await _streams(gateway, user, name))
    changed = [subject for subject, schema in subjects.items() if await registry.publish(subject, schema)]
    return PublishedAnswer(subjects=list(subjects), changed=changed)
