"""The Datastreams that a stream app leaves behind when it is deleted, and deleting them with it.

What lives here: counting what would be lost, and deleting it. What does not: registering them
(``statements``), and deleting the app (``service``).

They belong to the target system. So they are deleted in the name of the person, whom SensorThings permits it
or not, and only who operates the target is asked at all. The Sensor and the ObservedProperties that stand for
the app stay: they are small, and say where other Observations came from.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import Annotated, Protocol, cast
from urllib.parse import quote

from fastapi import Depends, Request

from platform_ui.accounts.models import User
from platform_ui.errors import ForbiddenError, MetadataError
from platform_ui.streams.models import TARGET_SIDE
from platform_ui.streams.statements import OutputView
from platform_ui.streams.views import AppView

_AT_ONCE = 50


class Answered(Protocol):
    """What SensorThings said."""

    @property
    def status(self) -> int:
        """The status of the answer."""

    @property
    def body(self) -> bytes:
        """Its body."""


class Observatory(Protocol):
    """SensorThings, asked for a person."""

    async def read(self, path: str, query: str, person: str) -> Answered:
        """Ask something.

        Raises:
            MetadataError: it does not answer.
        """

    async def write(self, method: HTTPMethod, path: str, person: str) -> Answered:
        """Change something.

        Raises:
            MetadataError: it does not answer.
        """


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What an app has registered.

    Attributes:
        outputs: Its Datastreams.
        observations: How many Observations they hold; nothing when nobody could say.
        may_delete: Whether the person may delete them.
    """

    outputs: Sequence[OutputView]
    observations: int | None = None
    may_delete: bool = False


async def leftovers_of(
    view: AppView, user: User, outputs: Sequence[OutputView], observatory: Observatory
) -> Leftovers:
    """Return what an app would leave behind, counted for those who may delete it."""
    registered = [one for one in outputs if one.iot_id is not None]
    if not registered or TARGET_SIDE not in view.sides:
        return Leftovers(registered)
    try:
        counted = sum([await _count(part, user, observatory) for part in _parts(registered)])
    except (MetadataError, ValueError, KeyError):
        return Leftovers(registered, None, may_delete=True)
    return Leftovers(registered, counted, may_delete=True)


def require_target_side(view: AppView) -> None:
    """Refuse to delete Datastreams of a system that somebody else operates.

    Raises:
        ForbiddenError: the person is no agent of the target system.
    """
    if TARGET_SIDE not in view.sides:
        raise ForbiddenError(
            f"The Datastreams belong to {view.target}: only agents of that system may delete them.",
            code="stream.outputs_not_yours",
            hint="Delete the app alone, and ask an agent of the target to delete them.",
        )


async def delete(outputs: Sequence[OutputView], user: User, observatory: Observatory) -> list[str]:
    """Delete Datastreams with their Observations; return the names of those that stay.

    One that cannot be deleted does not keep the others.
    """
    kept = []
    for one in outputs:
        if one.iot_id is None:
            continue
        try:
            answer = await observatory.write(
                HTTPMethod.DELETE, f"Datastreams({_key(one.iot_id)})", user.email
            )
        except MetadataError:
            kept.append(one.name)
            continue
        if answer.status >= HTTPStatus.BAD_REQUEST and answer.status != HTTPStatus.NOT_FOUND:
            kept.append(one.name)
    return kept


async def _count(outputs: Sequence[OutputView], user: User, observatory: Observatory) -> int:
    condition = " or ".join(f"Datastream/id eq {_key(one.iot_id)}" for one in outputs)
    query = f"$count=true&$top=0&$filter={quote(condition, safe='')}"
    answer = await observatory.read("Observations", query, user.email)
    return int(json.loads(answer.body)["@iot.count"])


def _parts(outputs: Sequence[OutputView]) -> list[Sequence[OutputView]]:
    return [outputs[start : start + _AT_ONCE] for start in range(0, len(outputs), _AT_ONCE)]


def _key(iot_id: int | str | None) -> str:
    return str(iot_id) if isinstance(iot_id, int) else "'" + str(iot_id).replace("'", "''") + "'"


def _observatory(request: Request) -> Observatory:
    return cast(Observatory, request.app.state.gateway)


CurrentObservatory = Annotated[Observatory, Depends(_observatory)]
