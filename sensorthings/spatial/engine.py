"""The engine: what a service asks to have its spatial calls resolved, with PostGIS or without.

What lives here: telling which queries hold spatial calls at all, and finding out once whether the database
has PostGIS. What does not: resolving (`spatial.resolution`).
"""

import asyncio
import logging
from typing import Final
from urllib.parse import unquote

import psycopg

from sensorthings.database import Database
from sensorthings.model.entities import EntityType
from sensorthings.odata.nodes import Options
from sensorthings.spatial.calls import find_calls
from sensorthings.spatial.postgis import Postgis, find_postgis
from sensorthings.spatial.resolution import NOTHING_SPATIAL, Reader, Resolved, resolve

_MARKS: Final = ("st_", "geo.")
_LOGGER: Final = logging.getLogger(__name__)


def may_be_spatial(query: str) -> bool:
    """Tell whether the query part of a URL may hold spatial calls; cheap, and true for some that hold none.

    Args:
        query: The query part, still percent-encoded.
    """
    text = unquote(query) if "%" in query else query
    return any(mark in text for mark in _MARKS)


class SpatialEngine:
    """Resolves the spatial calls of requests to one database.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._is_checked = False
        self._postgis: Postgis | None = None

    async def resolve(
        self, options: Options, root: EntityType, reader: Reader, *, is_inside: bool = False
    ) -> Resolved:
        """Resolve the spatial calls in the options of a request.

        Args:
            options: The options, those of expands included.
            root: Type of the entities that they are about.
            reader: Reads geometries where PostGIS is not there.
            is_inside: Whether the reader's session is inside a transaction; PostGIS is not set up then,
                because the index may have to wait for that transaction.

        Raises:
            RequestError: A call or a constant is wrong, or too many geometries would be looked at.
        """
        calls = list(find_calls(options, root))
        if not calls:
            return NOTHING_SPATIAL
        if not self._is_checked and not is_inside:
            await self._check()
        return await resolve(calls, reader, self._postgis)

    async def _check(self) -> None:
        async with self._lock:
            if self._is_checked:
                return
            try:
                async with self._database.writing() as session:
                    await session.connection.execute("SET LOCAL statement_timeout = 0")
                    self._postgis = await find_postgis(session)
            except psycopg.errors.InsufficientPrivilege as error:
                _LOGGER.warning(
                    "PostGIS is there, but our functions for it may not be made: %s Shapely is used instead.",
                    error,
                    extra={"action": "spatial.postgis"},
                )
            self._is_checked = True
