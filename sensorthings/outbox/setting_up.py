"""The relay made from the settings, or none, beside a running service.

What lives here: which settings it needs. What does not: what it does (`sensorthings.outbox.relay`).
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from client.messaging.security import KafkaSecurity
from sensorthings.outbox.carrier import KafkaAccess
from sensorthings.outbox.relay import Relay, RelaySettings
from sensorthings.settings import PREFIX, Settings

_BOOTSTRAP = "DTWIN_KAFKA__BOOTSTRAP_SERVERS"
_NAME = "DTWIN_SENSORTHINGS__RELAY"

_log = logging.getLogger(__name__)


def make_relay(settings: Settings, environment: Mapping[str, str] = os.environ) -> Relay | None:
    """Make the relay of a service whose outbox is on; None where it is off, or no Kafka is named.

    Args:
        settings: Of the service.
        environment: Where Kafka's settings are, and `DTWIN_SENSORTHINGS__RELAY`, a name for the relay: only
            needed where one database is a copy of another, because the name is made of its identity.

    Raises:
        ConfigurationError: A setting of Kafka is wrong.
    """
    if not settings.outbox:
        return None
    bootstrap_servers = environment.get(_BOOTSTRAP)
    if not bootstrap_servers:
        _log.warning("%sOUTBOX is on, but nothing is sent from here: set %s", PREFIX, _BOOTSTRAP)
        return None
    access = KafkaAccess(bootstrap_servers, KafkaSecurity.from_environment(environment))
    return Relay(RelaySettings(database=settings.database, kafka=access, name=environment.get(_NAME, "")))


@asynccontextmanager
async def sending(relay: Relay | None) -> AsyncIterator[None]:
    """Let a relay, if there is one, send as long as the block lasts."""
    if relay is None:
        yield
        return
    relay.start()
    try:
        yield
    finally:
        await asyncio.to_thread(relay.stop)
