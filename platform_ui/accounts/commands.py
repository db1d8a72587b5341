"""What an operator does for people from the command line: let them in again, keep them out.

What lives here: options and what is printed. What does not: the rules (``service``, ``resets``).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, Never

import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import ConfigurationError
from platform_ui.accounts import resets, second_factor, service
from platform_ui.accounts.models import User
from platform_ui.db import create_engine, create_sessions
from platform_ui.settings import database_url

_FAILURE, _USAGE, _UNAVAILABLE = 1, 2, 6
_Email = Annotated[str, typer.Argument(help="Address of the account.")]
_Action = Callable[[AsyncSession, User], Awaitable[str]]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the platform's."""
    app.command("reset-password")(reset_password)
    app.command("remove-second-factor")(remove_second_factor)
    app.command("disable-account")(disable_account)
    app.command("enable-account")(enable_account)
    app.command("make-operator")(make_operator)
    app.command("remove-operator")(remove_operator)


def reset_password(email: _Email) -> None:
    """Print a link by which a person chooses a new password: single use, 30 minutes."""
    site = os.environ.get("DTWIN_PLATFORM__URL", "").strip().rstrip("/")

    async def act(session: AsyncSession, user: User) -> str:
        token = await resets.new_token(session, user, by_mail=False)
        return f"{site}/reset/{token}"

    _run(email, act)


def remove_second_factor(email: _Email) -> None:
    """Turn the second factor of a person off who has lost the app and the recovery codes."""

    async def act(session: AsyncSession, user: User) -> str:
        await second_factor.turn_off(session, user)
        return f"{email} logs in by password alone now."

    _run(email, act)


def disable_account(email: _Email) -> None:
    """Keep a person out: their sessions end, their tokens do not count."""

    async def act(session: AsyncSession, user: User) -> str:
        await service.disable(session, user)
        return f"{email} is kept out."

    _run(email, act)


def enable_account(email: _Email) -> None:
    """Let a person in again who was kept out."""

    async def act(session: AsyncSession, user: User) -> str:
        await service.enable(session, user)
        return f"{email} may log in."

    _run(email, act)


def make_operator(email: _Email) -> None:
    """Let a person see how the whole platform is, and mend its access rules."""

    async def act(session: AsyncSession, user: User) -> str:
        await service.set_operator(session, user, is_operator=True)
        return f"{email} is an operator of this platform."

    _run(email, act)


def remove_operator(email: _Email) -> None:
    """Take that from a person again; their account and what they are a member of stay."""

    async def act(session: AsyncSession, user: User) -> str:
        await service.set_operator(session, user, is_operator=False)
        return f"{email} is no operator any more."

    _run(email, act)


def _run(email: str, act: _Action) -> None:
    try:
        typer.echo(asyncio.run(_in_session(database_url(os.environ), email.strip().lower(), act)))
    except ConfigurationError as error:
        _fail(str(error), _USAGE)
    except LookupError:
        _fail(f"Nobody has an account as {email}.", _FAILURE)
    except SQLAlchemyError as error:
        _fail(f"The database does not answer: {error}", _UNAVAILABLE)


async def _in_session(url: str, email: str, act: _Action) -> str:
    engine = create_engine(url)
    try:
        async with create_sessions(engine)() as session:
            user = await service.find_by_email(session, email)
            if user is None:
                raise LookupError(email)
            return await act(session, user)
    finally:
        await engine.dispose()


def _fail(message: str, status: int) -> Never:
    typer.echo(f"platform: {message}", err=True)
    raise typer.Exit(status)
