"""Trying an operation: everything is checked and answered as if it were done, and nothing stays.

What lives here: the application as a rehearsal sees it. What does not: when there is one (``exchange``), and
which ports touch the world outside (the composition root).

How it works: the handler gets sessions that all lie within one transaction, where a commit is but a
savepoint; in the end it is rolled back. Ports that change something outside the database are given as their
readers: what changes is answered with nothing.

Source: SQLAlchemy 2.1, "Joining a Session into an External Transaction".
"""

import copy
import inspect
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker
from starlette.datastructures import State

from platform_ui.errors import RequestError

PARAMETER: Final = "dry_run"
HEADER: Final = "Dry-Run"

MakePorts = Callable[[State], Mapping[str, object]]
"""Makes the ports of a rehearsal, by their names in the state of the application."""


class Reader:
    """A port whose changing calls do nothing, or are refused where nothing cannot be answered."""

    def __init__(self, port: object, *, idle: Collection[str] = (), refused: Collection[str] = ()) -> None:
        self._port = port
        self._idle = frozenset(idle)
        self._refused = frozenset(refused)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port has
        """Return a call of the port, or one that changes nothing.

        Raises:
            RequestError: what the call does cannot be tried.
        """
        if name in self._refused:
            raise RequestError(
                "What this operation changes is kept by another service, so it cannot be tried.",
                code="request.not_rehearsed",
                hint=f"Leave {PARAMETER} out.",
            )
        found = getattr(self._port, name)
        if name not in self._idle:
            return found
        return _do_nothing_later if inspect.iscoroutinefunction(found) else _do_nothing


def _do_nothing(*_args: object, **_options: object) -> None:
    """Change nothing."""


async def _do_nothing_later(*_args: object, **_options: object) -> None:
    """Change nothing."""


@asynccontextmanager
async def rehearsed(app: FastAPI) -> AsyncIterator[FastAPI]:
    """Give the application as a rehearsal sees it; what is written to its database is taken back.

    ``app.state.rehearsal_ports`` makes the ports that take the place of the real ones.
    """
    async with app.state.sessions() as session:
        try:
            yield _with_state(app, await session.connection())
        finally:
            await session.rollback()


def _with_state(app: FastAPI, connection: AsyncConnection) -> FastAPI:
    shown = copy.copy(app)
    known: dict[str, Any] = dict(app.state._state)  # noqa: SLF001 - the only way to copy it
    known["sessions"] = async_sessionmaker(
        bind=connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
    )
    shown.state = State(known)
    make: MakePorts = app.state.rehearsal_ports
    for name, port in make(shown.state).items():
        setattr(shown.state, name, port)
    return shown
