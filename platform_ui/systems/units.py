"""Units of Datastreams, asked from the SensorThings service beside the flow of records.

What lives here: a cache with an expiry, for known units and (shorter) for unknown ones. What does not: any
wait on the way of a record: a record whose unit is unknown is shown without, the unit follows.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx2

from platform_ui.outgoing import trusted

_log = logging.getLogger(__name__)

KNOWN_S = 600.0
UNKNOWN_S = 20.0
MAX_ENTRIES = 10_000
MAX_AT_ONCE = 4
TIMEOUT_S = 3.0

_Key = tuple[str, str]  # system that sees it, Datastream


@dataclass(frozen=True, slots=True)
class _Entry:
    unit: str
    expires_at: float


class UnitDirectory:
    """The units of Datastreams by their full names."""

    def __init__(
        self,
        sensorthings_url: str,
        token: str = "",
        *,
        client: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = f"{sensorthings_url.rstrip('/')}/v1.1/Datastreams"
        self._client = client or httpx2.AsyncClient(timeout=TIMEOUT_S, verify=trusted())
        self._token = token
        self._clock = clock
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._pending: set[_Key] = set()
        self._gate = asyncio.Semaphore(MAX_AT_ONCE)

    def known(self, name: str, system: str = "") -> str | None:
        """Return the unit as far as it is known: a symbol, empty for none, None when not asked.

        Args:
            name: full name of the Datastream.
            system: full name of the system for which it is shown.
        """
        entry = self._entries.get((system, name))
        return entry.unit if entry is not None and entry.expires_at > self._clock() else None

    async def resolve(self, names: Iterable[str], system: str = "") -> dict[str, str]:
        """Ask for units that are not known and not being asked for; return those that were found.

        Args:
            names: full Datastream names.
            system: full name of the system for which they are shown: the service tells what that one may
                see, for its agents see no less.
        """
        keys = [(system, name) for name in names]
        wanted = [key for key in keys if key not in self._pending and self.known(key[1], system) is None]
        self._pending.update(wanted)
        try:
            units = await asyncio.gather(*(self._ask(key) for key in wanted))
        finally:
            self._pending.difference_update(wanted)
        return {name: unit for (_, name), unit in zip(wanted, units, strict=True) if unit}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, key: _Key) -> str:
        system, name = key
        quoted = name.replace("'", "''")
        query = {"$filter": f"name eq '{quoted}'", "$select": "name,unitOfMeasurement", "$top": "1"}
        unit = ""
        async with self._gate:
            try:
                answer = await self._client.get(self._url, params=query, headers=self._headers(system))
                answer.raise_for_status()
                unit = _symbol(answer.json())
            except (httpx2.HTTPError, ValueError) as error:
                _log.info("unit of %s not found: %s", name, error)
        self._remember(key, unit)
        return unit

    def _headers(self, system: str) -> dict[str, str]:
        if not self._token:
            return {}
        return {"Authorization": f"Bearer {self._token}", "DTWIN-Act-As": system}

    def _remember(self, key: _Key, unit: str) -> None:
        self._entries[key] = _Entry(unit, self._clock() + (KNOWN_S if unit else UNKNOWN_S))
        self._entries.move_to_end(key)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)


def _symbol(document: Any) -> str:  # noqa: ANN401 - JSON of another service
    """Return the symbol of the first Datastream of a collection (OGC 18-088, clause 8.2.4 "Datastream")."""
    values = document.get("value") if isinstance(document, dict) else None
    first = values[0] if isinstance(values, list) and values else None
    unit = first.get("unitOfMeasurement") if isinstance(first, dict) else None
    symbol = (unit.get("symbol") or unit.get("name")) if isinstance(unit, dict) else None
    return str(symbol or "")[:20]
