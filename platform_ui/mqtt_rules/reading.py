"""The registry as the rules of MQTT see it, read from the platform's database.

What lives here: who holds a good certificate and what its subject is; which certificates count no more. What
does not: what follows from it (`adapters.mqtt.rules`), and Datastreams (`streams`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.mqtt.rules.access import Member
from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import MQTT_BRIDGE, Registry
from platform_ui.acls.registry import read_registry
from platform_ui.credentials.models import Credential, IssuedCertificate
from platform_ui.db import now
from platform_ui.pki.names import Identity, Kind


@dataclass(frozen=True, slots=True)
class Participants:
    """Who may take part, and which certificates count no more.

    Attributes:
        members: Client apps with a good certificate.
        bridges: Subjects of the certificates of the platform's own bridge.
        revoked: When certificates were revoked, by serial number; without those that have ended by now.
    """

    members: tuple[Member, ...] = ()
    bridges: tuple[str, ...] = ()
    revoked: Mapping[int, datetime] = field(default_factory=dict)


async def read_participants(session: AsyncSession) -> Participants:
    """Read who may take part.

    MQTT brokers know everybody by certificates, also where Kafka knows them by names.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: What the database says.
    """
    registry = await read_registry(session, Principals.CERTIFICATES)
    return Participants(_members(registry), _bridges(registry), await _revoked(session))


def subject_of(identity: Identity) -> str:
    """Give the subject of an identity's certificates as brokers show it (RFC 4514)."""
    return identity.subject.rfc4514_string()


def _members(registry: Registry) -> tuple[Member, ...]:
    found = []
    for system, client in sorted(registry.clients):
        name = f"{system}.{client}"
        state = registry.credentials.get((Kind.CLIENT, name))
        if state is not None and state.is_good:
            found.append(Member(subject_of(Identity(Kind.CLIENT, name, state.epoch)), system, client))
    return tuple(found)


def _bridges(registry: Registry) -> tuple[str, ...]:
    """Give the bridge's subject; its certificate is made by the installation, and may be on no record."""
    state = registry.credentials.get((MQTT_BRIDGE.kind, MQTT_BRIDGE.name))
    if state is None:
        return (subject_of(MQTT_BRIDGE),)
    if state.is_blocked:
        return ()
    return (subject_of(Identity(MQTT_BRIDGE.kind, MQTT_BRIDGE.name, state.epoch)),)


async def _revoked(session: AsyncSession) -> dict[int, datetime]:
    """Read certificates that could still be shown, but must not count any more."""
    present = now()
    owner = and_(Credential.kind == IssuedCertificate.kind, Credential.name == IssuedCertificate.name)
    is_refused = or_(
        IssuedCertificate.revoked_at.is_not(None),
        Credential.blocked_at.is_not(None),
        IssuedCertificate.epoch != Credential.epoch,
    )
    rows = await session.execute(
        select(IssuedCertificate.serial, IssuedCertificate.revoked_at, Credential.blocked_at)
        .join(Credential, owner)
        .where(IssuedCertificate.not_after > present, is_refused)
    )
    return {int(serial, 16): revoked or blocked or _LONG_AGO for serial, revoked, blocked in rows.all()}


# When an epoch ended is not on record; the date of an entry is of no consequence to who checks.
_LONG_AGO = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
