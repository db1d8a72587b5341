"""What can go wrong between this machine and a platform, each with the exit code that scripts see.

Exit codes: 1 failure, 2 usage, 4 not allowed, 5 not found, 6 unavailable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from client.errors import DigitalTwinError

FAILURE: Final = 1
USAGE: Final = 2
PENDING: Final = 3
NOT_ALLOWED: Final = 4
NOT_FOUND: Final = 5
UNAVAILABLE: Final = 6

_CODES: Final = {400: USAGE, 422: USAGE, 401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND, 429: UNAVAILABLE}
_SERVER_ERRORS: Final = 500
_ADDRESS_OF_A_PAGE: Final = re.compile(r"(?<= )(?=/[a-z]+[/?])")  # a terminal needs the whole of it


class RemoteError(DigitalTwinError):
    """A command against a platform did not do what it was asked for.

    Attributes:
        exit_code: What scripts see.
    """

    exit_code: int = FAILURE


class UsageError(RemoteError):
    """What was typed, or a file, cannot be meant."""

    exit_code = USAGE


class LoggedOutError(RemoteError):
    """No token is known, or it counts no longer."""

    exit_code = NOT_ALLOWED


class PlatformUnreachableError(RemoteError):
    """The platform does not answer."""

    retriable = True
    exit_code = UNAVAILABLE


class ProblemError(RemoteError):
    """The platform refused a request, and says why.

    Source: RFC 9457, clause 3 "Members of a Problem Details Object".

    Attributes:
        status: Of the answer.
        code: The stable word for the case; empty when the answer was no problem document.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], base: str) -> None:
        super().__init__("\n".join(_lines(status, problem, base)))
        self.status = status
        self.code = str(problem.get("code", ""))
        self.exit_code = exit_code_of(status)
        self.retriable = self.exit_code == UNAVAILABLE


def exit_code_of(status: int) -> int:
    """Return the exit code for the status of an answer."""
    return UNAVAILABLE if status >= _SERVER_ERRORS else _CODES.get(status, FAILURE)


def _lines(status: int, problem: Mapping[str, Any], base: str) -> list[str]:
    """Say what happened, where, what to do next, and where to read more."""
    lines = [str(problem.get("detail") or f"The platform answered {status}.")]
    for fault in problem.get("errors") or ():
        place = str(fault.get("pointer", "")).removeprefix("/") or fault.get("parameter", "")
        said = f"{place}: {fault.get('detail', '')}" if place else str(fault.get("detail", ""))
        if said not in lines[0]:
            lines.append(f"  {said}")
    if problem.get("hint"):
        hint = _ADDRESS_OF_A_PAGE.sub(base, str(problem["hint"]))
        lines.append(f"  What to do: {hint}")
    if problem.get("explain"):
        lines.append(f"  Why: {base}{problem['explain']}")
    if problem.get("code"):
        lines.append(f"  Code: {problem['code']} ({status})")
    return lines
