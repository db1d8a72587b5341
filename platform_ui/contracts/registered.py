"""Which Datastreams of a system the metadata tells to a person, in one question however many they are.

What lives here: the question, reading its answer, and completing the names of terms by it. What does not: the
way to the SensorThings service, which lies above this folder and comes as a port; how lists show the answer
(``choices``).

The service is asked in the name of who looks. It is asked only about systems of the person, and about those
of which a contract in force gives a system of theirs something. So nobody learns by writing terms what a
system has of which they see nothing: names of such a system are taken as they are written.
"""

import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.contracts import naming
from platform_ui.contracts.forms import OfferedForm
from platform_ui.contracts.reach import reach_of
from platform_ui.contracts.terms import REFUSED
from platform_ui.contracts.views import in_force
from platform_ui.errors import FormError, PlatformError
from platform_ui.systems.models import System

_log = logging.getLogger(__name__)

MOST: Final = 1000
"""So many Datastreams the service tells at once; of a system with more nothing is refused for its name."""
MAX_TEXT: Final = 300
_OK: Final = 200
_MOST_READERS: Final = 3  # systems of a person's that get something of the same system

OfferedT = TypeVar("OfferedT", bound=OfferedForm)


class _Answer(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...


class MetadataPort(Protocol):
    """What terms need of the way to the SensorThings service."""

    async def read(self, path: str, query: str, person: str) -> _Answer:
        """Ask the service.

        Args:
            path: below the version, without a leading slash.
            query: still encoded.
            person: who asks.

        Raises:
            PlatformError: the service does not answer.
        """


@dataclass(frozen=True, slots=True)
class Registered:
    """The Datastreams of a system, as far as somebody is told of them.

    Attributes:
        rows: Name, description, unit, its name and what is observed, by the full name of the Datastream.
        is_own: Whether the person sees the system itself, so that what is not here is not there.
        is_complete: Whether the service told all that there are for the person.
        is_answered: Whether the service answered.
    """

    rows: dict[str, dict[str, str]]
    is_own: bool = True
    is_complete: bool = True
    is_answered: bool = True

    @property
    def decides(self) -> bool:
        """Whether a name that is not among them is that of no Datastream.

        A system without any may get them when its client starts.
        """
        return self.is_own and self.is_complete and self.is_answered and bool(self.rows)


async def ask(port: MetadataPort, person: str, system: str) -> Registered:
    """Ask for the Datastreams of a system as somebody sees them; without an answer there are none.

    Args:
        port: the way to the service.
        person: who asks: an e-mail address, or the full name of a system that gets records.
        system: full name of the system.
    """
    condition = quote(f"startswith(name,'{system}.')")
    query = (
        f"$filter={condition}&$select=name,description,unitOfMeasurement&$expand=ObservedProperty($select=name)"
        f"&$orderby=name&$top={MOST}"
    )
    try:
        answer = await port.read("Datastreams", query, person)
    except PlatformError as error:
        _log.warning("the Datastreams of %s are not known: %s", system, error)
        return Registered({}, is_answered=False)
    document = _document(answer)
    if document is None:
        _log.warning(
            "the Datastreams of %s are not known: the service answers %s without any", system, answer.status
        )
        return Registered({}, is_answered=False)
    rows = document.get("value")
    described = [_described(row, system) for row in rows or [] if isinstance(row, dict)]
    return Registered(
        {one["name"]: one for one in described if one["name"].startswith(f"{system}.")},
        is_complete="@iot.nextLink" not in document,
    )


def _document(answer: _Answer) -> dict[str, Any] | None:
    if answer.status != _OK:
        return None
    try:
        document = json.loads(answer.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


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


async def seen_of(session: AsyncSession, user: User, system: str, port: MetadataPort) -> Registered:
    """Return the Datastreams of a system that a person may see: of their own, or by a contract in force.

    Args:
        session: the database; its connection is given back before the service is asked.
        user: who looks.
        system: full name of the system; one that is not there is like one of which the person sees nothing.
        port: the way to the service.
    """
    person = user.email
    reach = await reach_of(session, user)
    own = select(System.id).where(System.name == system, System.id.in_(reach.seen))
    is_own = await session.scalar(own) is not None
    shared = [] if is_own else await in_force(session, consumer_ids=reach.seen)
    await session.commit()  # asking takes a while; the connection goes back to the pool
    if is_own:
        return await ask(port, person, system)
    rows: dict[str, dict[str, str]] = {}
    told = [one for one in shared if one.terms.provider == system][:_MOST_READERS]
    for contract in told:
        found = (await ask(port, contract.consumer, system)).rows
        named = contract.terms.datastreams
        rows |= {name: row for name, row in found.items() if not named or name in named}
        rows |= {name: {"name": name} for name in named if name not in rows}
    return Registered(rows, is_own=False, is_complete=False)


async def with_full_names(
    session: AsyncSession,
    user: User,
    system: str,
    form: OfferedT,
    port: MetadataPort,
    *,
    kept: Collection[str] | None = None,
) -> OfferedT:
    """Return a form with the full names of its Datastreams.

    A short name must be one that the person can be told of, where the system is theirs. A full name may be
    that of a Datastream which is registered later, unless ``kept`` says which are known.

    Args:
        session: the database.
        user: who writes it.
        system: full name of the system that gives.
        form: what was written.
        port: the way to the service.
        kept: where a person writes it who can look: full names that are taken although they are not
            registered (any more), because they stood there before; nothing for programs.

    Raises:
        FormError: one of them is no Datastream of a system that the person sees; with the nearest.
    """
    if not form.datastreams:
        return form
    found = await seen_of(session, user, system, port)
    names = naming.completed(system, form.datastreams, found.rows)
    malformed = naming.describe_faults(system, names)
    if malformed or not found.decides:
        return form.model_copy(update={"datastreams": names})  # what is malformed is refused with all else
    accepted = {*found.rows, *(form.datastreams if kept is None else kept)}
    unknown = [name for name in names if name not in accepted]
    if unknown:
        told = naming.describe_unknown(system, unknown, found.rows)
        raise FormError({"datastreams": told}, code=REFUSED)
    return form.model_copy(update={"datastreams": names})
