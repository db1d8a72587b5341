"""The outside parts that stream apps touch, handed down together.

What lives here: which parts there are, and SensorThings as the platform uses it. What does not: the runner's
port (``runner_port``) and the rules (``service``, ``statements``).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from client.metadata.entities import Entity
from client.metadata.server import SensorThingsServer
from client.metadata.wire import JsonObject
from platform_ui.limit_settings import LimitSettings
from platform_ui.pki.authority import Authority
from platform_ui.streams.runner_port import StreamRunner
from streamhub.outputs import MetadataRegistry

EntityT = TypeVar("EntityT", bound=Entity)
TIMEOUT_S = 5.0
RETRY_S = 2.0  # somebody waits for the page


class AccessRules(Protocol):
    """What is needed of the broker's access rules."""

    async def ensure(self, session: AsyncSession, identities: Collection[str], /) -> None:
        """Let the broker permit Kafka principals what they may do, as the running transaction sees it.

        Raises:
            BrokerError: the broker did not take it.
        """


@dataclass(frozen=True, slots=True)
class StreamPorts:
    """What an app needs of the world before it can run.

    Attributes:
        runner: The runner of stream apps.
        metadata: The SensorThings service that knows units and takes output Datastreams.
        brokers: Kafka's addresses for the app, ``host:port,...``.
        authority: Signs the certificates of apps; without it they are deployed without credentials.
        rules: The broker's access rules, brought there before an app is started; nothing where the broker
            has none.
        limits: What the apps of a company may take that has no limits of its own.
    """

    runner: StreamRunner
    metadata: MetadataRegistry
    brokers: str
    authority: Authority | None = None
    rules: AccessRules | None = None
    limits: LimitSettings = field(default_factory=LimitSettings)


def open_metadata(sensorthings_url: str, token: str = "") -> SensorThingsServer:
    """Return the SensorThings service of the settings; it connects when it is first used."""
    return SensorThingsServer(sensorthings_url, timeout_s=TIMEOUT_S, retry_s=RETRY_S, token=token or None)


class RehearsedMetadata:
    """The service as a rehearsal sees it: it is read, and takes nothing."""

    def __init__(self, metadata: MetadataRegistry) -> None:
        self._metadata = metadata

    def seen_by(self, principal: str) -> "RehearsedMetadata":
        """Return the same as somebody sees it."""
        return RehearsedMetadata(acting_as(self._metadata, principal))

    def upsert(self, entity: EntityT) -> EntityT:
        """Return an entity as it would be stored."""
        return entity

    def search(self, entities: str, condition: str, *, select: Sequence[str]) -> list[JsonObject]:
        """Return what the service finds."""
        return self._metadata.search(entities, condition, select=select)

    def close(self) -> None:
        """Leave the service open: it is that of the whole process."""


def acting_as(metadata: MetadataRegistry, principal: str) -> MetadataRegistry:
    """Return the service as a person (by e-mail address) or a system (by name) sees it.

    A service without rights, such as a test's, is seen alike by all.
    """
    if isinstance(metadata, RehearsedMetadata):
        return metadata.seen_by(principal)
    return metadata.acting_as(principal) if isinstance(metadata, SensorThingsServer) else metadata
