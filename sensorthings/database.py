"""The database as the service uses it: pooled psycopg connections and statements compiled once.

What lives here: running what SQLAlchemy Core describes on psycopg directly. What does not: what is asked
(`queries`, `writes`, `store`).

Why not SQLAlchemy's own connections: on the way of one small query they cost four times the CPU of psycopg,
more than the query itself (docs/explanations/decisions/0015-sensorthings-on-psycopg.md).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import URL, Executable
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.compiler import SQLCompiler

from sensorthings.errors import BusyError

Row = tuple[Any, ...]
_NOTHING: Final[Mapping[str, Any]] = {}


_MARK: Final = re.compile(r"%\((?P<name>[^)]+)\)s|%%")


class Prepared:
    """A statement compiled once, to be run with changing values.

    Attributes:
        sql: Text for the database, with `$1`, `$2` for the values: the driver would look for the names in a
            long text anew each time.
        parameters: Values by name that the statement was made with.
    """

    __slots__ = ("_converters", "_names", "parameters", "sql")

    def __init__(self, compiled: SQLCompiler) -> None:
        places: dict[str, int] = {}

        def place(found: re.Match[str]) -> str:
            name = found["name"]
            return "%" if name is None else f"${places.setdefault(name, len(places) + 1)}"

        self.sql = _MARK.sub(place, str(compiled))
        self._names = tuple(places)
        # SQLAlchemy has no public way to them outside its own connections.
        bound = compiled._bind_processors  # noqa: SLF001
        self._converters: dict[str, Callable[[Any], Any]] = {
            name: convert for name, convert in bound.items() if callable(convert)
        }
        self.parameters: dict[str, Any] = self._converted(compiled.params)

    def values(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give all values, with some of them changed; names that the statement lacks are left out."""
        if not changes:
            return self.parameters
        known = self.parameters
        return {**known, **self._converted({name: changes[name] for name in changes if name in known})}

    def arguments(self, changes: Mapping[str, Any]) -> list[Any]:
        """Give all values in the order of their places, with some of them changed."""
        values = self.values(changes)
        return [values[name] for name in self._names]

    def _converted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        converters = self._converters
        return {
            name: converters[name](value) if name in converters else value for name, value in values.items()
        }


_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def prepare(statement: Executable) -> Prepared:
    """Compile a statement."""
    compiled = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
    return Prepared(compiled)


class Session:
    """One connection on loan: outside any transaction, or inside one.

    Attributes:
        connection: The driver's connection, for COPY and the like.
    """

    __slots__ = ("connection",)

    def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self.connection = connection

    async def _execute(
        self, statement: Prepared | Executable, parameters: Mapping[str, Any]
    ) -> psycopg.AsyncCursor[Row]:
        prepared = statement if isinstance(statement, Prepared) else prepare(statement)
        return await self.connection.execute(prepared.sql, prepared.arguments(parameters))

    async def rows(
        self, statement: Prepared | Executable, parameters: Mapping[str, Any] = _NOTHING
    ) -> list[Row]:
        """Run a statement and give all its rows.

        Raises:
            psycopg.Error: What the database says.
        """
        return await (await self._execute(statement, parameters)).fetchall()

    async def row(
        self, statement: Prepared | Executable, parameters: Mapping[str, Any] = _NOTHING
    ) -> Row | None:
        """Run a statement and give its first row, None when it has none.

        Raises:
            psycopg.Error: What the database says.
        """
        return await (await self._execute(statement, parameters)).fetchone()

    async def scalar(self, statement: Prepared | Executable, parameters: Mapping[str, Any] = _NOTHING) -> Any:  # noqa: ANN401 - as the column is
        """Run a statement and give the first value of its first row, None when it has none.

        Raises:
            psycopg.Error: What the database says.
        """
        row = await self.row(statement, parameters)
        return None if row is None else row[0]

    async def run(self, statement: Prepared | Executable, parameters: Mapping[str, Any] = _NOTHING) -> int:
        """Run a statement and give the number of rows it touched.

        Raises:
            psycopg.Error: What the database says.
        """
        return (await self._execute(statement, parameters)).rowcount


class Database:
    """A pool of connections.

    Args:
        url: Address, as SQLAlchemy writes it.
        pool_size: Connections kept open.
        statement_timeout_s: Longest time for one statement [s].
        wait_s: Longest wait for a free connection [s].
    """

    def __init__(
        self, url: URL, *, pool_size: int = 10, statement_timeout_s: float = 60.0, wait_s: float = 30.0
    ) -> None:
        timeout_ms = int(statement_timeout_s * 1000)
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Row]] = AsyncConnectionPool(
            url.set(drivername="postgresql").render_as_string(hide_password=False),
            kwargs={
                "autocommit": True,
                "cursor_factory": psycopg.AsyncRawCursor,
                "options": f"-c timezone=UTC -c statement_timeout={timeout_ms} -c jit=off",
            },
            min_size=min(2, pool_size),
            max_size=pool_size,
            timeout=wait_s,
            open=False,
            configure=_configure,
        )
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start filling the pool; does not wait for the database."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        if self._looking is not None:
            self._looking.cancel()
        await self._pool.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """Lend a connection outside any transaction: every statement is its own.

        Raises:
            BusyError: None became free in time.
        """
        async with self._lent() as connection:
            yield Session(connection)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Session]:
        """Lend a connection inside a transaction: committed at the end, rolled back on an error.

        Raises:
            BusyError: None became free in time.
        """
        async with self._lent() as connection, connection.transaction():
            yield Session(connection)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        try:
            connection = await self._pool.getconn()
        except psycopg.errors.OperationalError as error:  # PoolTimeout is one
            raise BusyError(str(error)) from error
        try:
            yield connection
        finally:
            if connection.closed:
                self._look_through()
            await self._pool.putconn(connection)

    def _look_through(self) -> None:
        """Replace all dead connections: where one has died, as in a restart, others have too."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._pool.check())


async def _configure(connection: psycopg.AsyncConnection[Row]) -> None:
    set_json_dumps(orjson.dumps, connection)
    set_json_loads(orjson.loads, connection)
    connection.prepare_threshold = 2
