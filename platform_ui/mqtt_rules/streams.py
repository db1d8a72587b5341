"""Which Datastreams are whose, asked from the SensorThings service; for topics that hold an id.

What lives here: asking for new ones often and for all of them now and then. What does not: what follows from
it (`adapters.mqtt.rules`).

Whose a Datastream is tells its full name, `<system>.<Thing>.<Datastream>`.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2

from client.errors import InvalidNameError
from client.messaging.topics import DatastreamName
from platform_ui.outgoing import trusted

_log = logging.getLogger(__name__)

SETS: Final = ("Datastreams", "MultiDatastreams")
TIMEOUT_S: Final = 10.0
EVERYTHING_AGAIN_S: Final = 300.0
"""Names change and Datastreams go: all are asked for again after this time [s]."""
_PAGE: Final = 1000


class StreamDirectory:
    """Knows the ids of Datastreams by system; used by one task.

    Args:
        sensorthings_url: Address of the service, without a version.
        token: Its admin token; empty where everybody may read.
        client: Makes requests; an own one when left out.
        clock: A monotonic clock [s].

    Attributes:
        known: By set (`Datastreams`, `MultiDatastreams`) and system: ids.
    """

    def __init__(
        self,
        sensorthings_url: str,
        token: str = "",
        *,
        client: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = f"{sensorthings_url.rstrip('/')}/v1.1"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = client or httpx2.AsyncClient(timeout=TIMEOUT_S, verify=trusted())
        self._clock = clock
        self._last = dict.fromkeys(SETS, 0)
        self._all_at = float("-inf")
        self.known: dict[str, dict[str, frozenset[int]]] = {one: {} for one in SETS}

    async def refresh(self) -> bool:
        """Ask for what is new, or for everything when that is due; tell whether anything has changed.

        Raises:
            httpx2.HTTPError: The service does not answer, or refuses.
            ValueError: Its answer cannot be read.
        """
        is_due = self._clock() - self._all_at >= EVERYTHING_AGAIN_S
        fresh = {one: await self._after(one, 0 if is_due else self._last[one]) for one in SETS}
        before = self.known
        if is_due:
            self._all_at = self._clock()
            self.known = {one: _grouped(fresh[one], {}) for one in SETS}
        else:
            self.known = {one: _grouped(fresh[one], before[one]) for one in SETS}
        return self.known != before

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _after(self, entities: str, last: int) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        while True:
            query = {
                "$select": "id,name",
                "$orderby": "id asc",
                "$filter": f"id gt {last}",
                "$top": str(_PAGE),
            }
            answer = await self._client.get(f"{self._url}/{entities}", params=query, headers=self._headers)
            answer.raise_for_status()
            page = list(_rows(answer.json()))
            found += page
            if page:
                last = page[-1][1]
            if len(page) < _PAGE:
                self._last[entities] = last
                return found


def _rows(document: Any) -> Iterator[tuple[str, int]]:  # noqa: ANN401 - JSON of another service
    values = document.get("value") if isinstance(document, dict) else None
    if values is None:
        raise ValueError("the SensorThings service has answered with no collection")
    for entity in values:
        yield str(entity.get("name", "")), int(entity["@iot.id"])


def _grouped(rows: list[tuple[str, int]], before: dict[str, frozenset[int]]) -> dict[str, frozenset[int]]:
    new: dict[str, set[int]] = {}
    for name, identifier in rows:
        try:
            system = str(DatastreamName.parse(name).system)
        except InvalidNameError:
            _log.debug("Datastream %d is no system's: %s", identifier, name)
            continue
        new.setdefault(system, set()).add(identifier)
    return {**before, **{system: before.get(system, frozenset()) | ids for system, ids in new.items()}}
