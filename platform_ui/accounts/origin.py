"""Where a request comes from, as far as sessions and rate limits need to know."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from fastapi import Request

from platform_ui.accounts.models import MAX_ADDRESS, MAX_AGENT
from platform_ui.settings import PlatformSettings

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """The other end of a request, and what the operator wants for those who come from there.

    Attributes:
        address: as the server sees it, or as a trusted proxy says.
        agent: what the program calls itself; anything may stand there.
        attempts_per_address: how much one address may try in a window, all accounts together.
        idle: how long a session lasts unused.
        life: how long a session lasts in any case.
    """

    address: str = UNKNOWN
    agent: str = ""
    attempts_per_address: int = 100
    idle: timedelta = timedelta(hours=12)
    life: timedelta = timedelta(days=14)


def origin_of(request: Request) -> Origin:
    """Return where a request comes from."""
    settings = cast(PlatformSettings, request.app.state.settings)
    agent = request.headers.get("user-agent", "")
    return Origin(
        address=(request.client.host if request.client else UNKNOWN)[:MAX_ADDRESS],
        agent="".join(char for char in agent if char.isprintable())[:MAX_AGENT],
        attempts_per_address=settings.attempts_per_address,
        idle=timedelta(hours=settings.session_idle_hours),
        life=timedelta(days=settings.session_days),
    )
