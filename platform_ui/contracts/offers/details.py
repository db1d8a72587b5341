"""What the metadata tells of the Datastreams of an offer: units, descriptions, observed properties.

What lives here: the question, and reading its answer. What does not: the way to the SensorThings service,
which lies above this folder and comes as a port; offers (``service``).

It is asked when an offer is saved, in the name of who saves it, and kept with the offer: so the catalogue
shows strangers what the provider's agents saw then, and never asks for them.
"""

import json
import logging
from collections.abc import Iterable
from typing import Any, Final, Protocol
from urllib.parse import quote

from platform_ui.errors import PlatformError

_log = logging.getLogger(__name__)

MOST: Final = 500
MAX_TEXT: Final = 300
_OK: Final = 200


class _Answer(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...


class MetadataPort(Protocol):
    """What offers need of the way to the SensorThings service."""

    async def read(self, path: str, query: str, person: str) -> _Answer:
        """Ask the service.

        Args:
            path: below the version, without a leading slash.
            query: still encoded.
            person: who asks.

        Raises:
            PlatformError: the service does not answer.
        """


async def describe(
    port: MetadataPort, person: str, system: str, names: Iterable[str]
) -> list[dict[str, str]]:
    """Return what is known of Datastreams, by name; what the service does not know is named alone.

    Args:
        port: the way to the service.
        person: who asks.
        system: full name of the system.
        names: full names of Datastreams; empty for all of the system.
    """
    wanted = tuple(names)
    found = await _ask(port, person, system)
    if not wanted:
        return sorted(found.values(), key=lambda one: one["name"])
    return [found.get(name, {"name": name}) for name in wanted]


async def _ask(port: MetadataPort, person: str, system: str) -> dict[str, dict[str, str]]:
    condition = quote(f"startswith(name,'{system}.')")
    query = (
        f"$filter={condition}&$select=name,description,unitOfMeasurement&$expand=ObservedProperty($select=name)"
        f"&$orderby=name&$top={MOST}"
    )
    try:
        answer = await port.read("Datastreams", query, person)
    except PlatformError as error:
        _log.warning("an offer of %s is kept without units: %s", system, error)
        return {}
    if answer.status != _OK:
        _log.warning("an offer of %s is kept without units: the service answers %s", system, answer.status)
        return {}
    try:
        document = json.loads(answer.body)
    except ValueError:
        return {}
    rows = document.get("value") if isinstance(document, dict) else None
    described = [_described(row, system) for row in rows or [] if isinstance(row, dict)]
    return {one["name"]: one for one in described if one["name"].startswith(f"{system}.")}


def _described(row: dict[str, Any], system: str) -> dict[str, str]:
    """Read one Datastream (OGC 18-088, clause 8.2.4 "Datastream")."""
    unit = row.get("unitOfMeasurement")
    observed = row.get("ObservedProperty")
    words = {
        "name": row.get("name"),
        "description": row.get("description"),
        "unit": (unit.get("symbol") or unit.get("name")) if isinstance(unit, dict) else "",
        "unit_name": unit.get("name") if isinstance(unit, dict) else "",
        # Clients name what they observe with their system in front, which only makes it harder to find.
        "property": str(observed.get("name") or "").removeprefix(f"{system}.")
        if isinstance(observed, dict)
        else "",
    }
    return {name: str(value or "")[:MAX_TEXT] for name, value in words.items()}
