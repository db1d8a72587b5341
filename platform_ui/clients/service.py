"""The rules of client apps, and the configuration that a client app's program needs.

Agents of a system add and remove its client apps. A name is unique in its system.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.accounts.service import new_id
from platform_ui.audit import service as audit
from platform_ui.clients.forms import ClientForm
from platform_ui.clients.models import ClientApp
from platform_ui.companies.descriptions import DescriptionForm
from platform_ui.db import now
from platform_ui.errors import ConflictError, NotFoundError
from platform_ui.settings import PlatformSettings
from platform_ui.systems import service as systems
from platform_ui.systems.models import System


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    """What a program passes to ``DigitalTwinClient``; addresses as ``host:port``, without a scheme."""

    client_name: str
    system: str
    gost_servers: str
    kafka_bootstrap_servers: str


def sensorthings_url(client: ClientApp, settings: PlatformSettings) -> str:
    """Return the address of the SensorThings service of a client app, without a version."""
    return client.metadata_uri or settings.sensorthings_url


def configuration_of(client: ClientApp, system: System, settings: PlatformSettings) -> ClientConfiguration:
    """Return the ready configuration of a client app, with the addresses of this platform."""
    own = urlsplit(client.metadata_uri).netloc if client.metadata_uri else ""
    return ClientConfiguration(
        client_name=client.name,
        system=system.name,
        gost_servers=own or settings.gost_servers,
        kafka_bootstrap_servers=settings.kafka_bootstrap_servers,
    )


async def list_of_system(session: AsyncSession, system: System) -> Sequence[ClientApp]:
    """Return the client apps of a system, by name."""
    statement = select(ClientApp).where(ClientApp.system_id == system.id).order_by(ClientApp.name)
    return (await session.scalars(statement)).all()


async def get_client(
    session: AsyncSession, user: User, system_name: str, name: str
) -> tuple[ClientApp, System]:
    """Return a client app of a system that a person operates, and the system.

    Raises:
        NotFoundError: one of them is not there, or the person has no part in the system.
        ForbiddenError: the person only views the system.
    """
    return await _find(session, await systems.get_system(session, user, system_name), name)


async def see_client(
    session: AsyncSession, user: User, system_name: str, name: str
) -> tuple[ClientApp, System]:
    """Return a client app of a system that a person operates or views, and the system.

    Raises:
        NotFoundError: one of them is not there, or the person has no part in the system.
    """
    return await _find(session, await systems.see_system(session, user, system_name), name)


async def _find(session: AsyncSession, system: System, name: str) -> tuple[ClientApp, System]:
    statement = select(ClientApp).where(ClientApp.system_id == system.id, ClientApp.name == name)
    client = (await session.scalars(statement)).one_or_none()
    if client is None:
        raise NotFoundError(f"{system.name} has no client app named {name}.", code="client.not_found")
    return client, system


async def create_client(session: AsyncSession, user: User, system_name: str, form: ClientForm) -> ClientApp:
    """Create a client app.

    Raises:
        NotFoundError: the system is not there, or the person is no agent of it.
        ConflictError: the system has a client app of this name.
    """
    system = await systems.get_system(session, user, system_name)
    client = ClientApp(
        id=new_id(),
        system_id=system.id,
        name=form.name,
        metadata_uri=form.metadata_uri,
        description=form.description,
        created_at=now(),
        created_by=user.id,
    )
    try:
        async with session.begin_nested():
            session.add(client)
    except IntegrityError as error:
        raise ConflictError(
            f"{system_name} already has a client app named {form.name}.",
            code="client.exists",
            fields={"name": f"{system_name} already has a client app named {form.name}."},
        ) from error
    audit.record(session, user, "client.created", f"{system_name}.{form.name}")
    await session.commit()
    return client


async def edit_client(
    session: AsyncSession, user: User, system_name: str, name: str, form: DescriptionForm
) -> tuple[ClientApp, System]:
    """Describe a client app in other words; its name stays, for records and certificates carry it.

    Raises:
        NotFoundError: it is not there, or the person has no part in its system.
        ForbiddenError: the person only views the system.
    """
    client, system = await get_client(session, user, system_name, name)
    if form.description is not None and client.description != form.description:
        before, client.description = client.description, form.description
        audit.record(
            session,
            user,
            "client.described",
            f"{system_name}.{name}",
            before={"description": before},
            after={"description": form.description},
        )
        await session.commit()
    return client, system


async def delete_client(session: AsyncSession, user: User, system_name: str, name: str) -> None:
    """Delete a client app; what it has produced stays.

    Raises:
        NotFoundError: it is not there, or the person is no agent of its system.
    """
    client, _ = await get_client(session, user, system_name, name)
    await session.delete(client)
    audit.record(session, user, "client.deleted", f"{system_name}.{name}")
    await session.commit()
