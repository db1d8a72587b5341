"""The tokens of client apps: agents of a system make, see and revoke them.

What lives here: the rules. What does not: how the service is asked (``port``). A token is shown once; the
platform does not keep it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.access.port import AccessPort, KnownToken, client_principal
from platform_ui.access.wanted import client_rights
from platform_ui.accounts.models import User
from platform_ui.audit import service as audit
from platform_ui.clients import service as clients
from platform_ui.clients.models import ClientApp
from platform_ui.errors import MetadataError
from platform_ui.systems.models import System

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class ClientTokens:
    """The tokens of a client app, the newest first."""

    client: ClientApp
    system: System
    tokens: list[KnownToken]


async def list_tokens(
    session: AsyncSession, user: User, system_name: str, name: str, port: AccessPort | None
) -> ClientTokens:
    """Return the tokens of a client app.

    Raises:
        NotFoundError: it is not there, or the person is no agent of its system.
        MetadataError: the service does not answer.
    """
    client, system = await clients.get_client(session, user, system_name, name)
    principal = client_principal(system.name, client.name)

    def ask(access: AccessPort) -> list[KnownToken]:
        if principal not in access.principals():
            return []  # the client app is newer than the last look of the keeper
        return access.tokens(principal)

    found = await _ask(port, ask)
    return ClientTokens(client, system, sorted(found, key=lambda token: -token.id))


async def create_token(
    session: AsyncSession, user: User, system_name: str, name: str, port: AccessPort | None
) -> str:
    """Make a token of a client app; it can be read only now.

    Raises:
        NotFoundError: it is not there, or the person is no agent of its system.
        MetadataError: the service does not answer.
    """
    client, system = await clients.get_client(session, user, system_name, name)
    principal = client_principal(system.name, client.name)

    rights = await client_rights(session, system.name, client.name)

    def make(access: AccessPort) -> str:
        access.put_principal(principal, rights)
        return access.create_token(principal, f"made by {user.email}")

    token = await _ask(port, make)
    audit.record(session, user, "client.token_created", principal)
    await session.commit()
    return token


async def revoke_token(
    session: AsyncSession, user: User, client_name: tuple[str, str], number: int, port: AccessPort | None
) -> None:
    """Revoke a token of a client app; it counts for a second or two more.

    Args:
        session: the database.
        user: who wants it.
        client_name: the full name of the system, and the client app's name in it.
        number: which token.
        port: the service's administration, if there is one.

    Raises:
        NotFoundError: the client app is not there, or the person is no agent of its system.
        MetadataError: the service does not answer.
    """
    client, system = await clients.get_client(session, user, *client_name)
    principal = client_principal(system.name, client.name)
    await _ask(port, lambda access: access.revoke_token(principal, number))
    audit.record(session, user, "client.token_revoked", principal, number=str(number))
    await session.commit()


async def _ask(port: AccessPort | None, question: Callable[[AccessPort], _Result]) -> _Result:
    if port is None:
        raise MetadataError(
            "This platform does not administer access to its SensorThings service.",
            code="access.not_configured",
            hint="Set DTWIN_SENSORTHINGS__TOKEN of the platform to the service's admin token.",
        )
    return await asyncio.to_thread(question, port)
