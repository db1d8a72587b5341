"""What a handler says about itself, for the conventions that all operations of the API share.

What lives here: the marks, and reading those of the handler that answers. What does not: what follows from
them (``exchange``).
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.types import Scope

_MOVES: Final = "moves_by_itself"
_COUNTS: Final = "counts_attempts"
_SECRET: Final = "answers_secret"  # noqa: S105 - the name of a mark
_Handler = TypeVar("_Handler", bound=Callable[..., Any])


def moving(*members: str) -> Callable[[_Handler], _Handler]:
    """Mark a handler whose answer has members that change without anybody changing the object.

    Counters, states and ages are left out of its ETag, or nobody could ever bring the right one.

    Args:
        members: Their names, at the top of the answer.
    """

    def mark(handler: _Handler) -> _Handler:
        setattr(handler, _MOVES, frozenset(members))
        return handler

    return mark


def never_rehearsed(handler: _Handler) -> _Handler:
    """Mark a handler that counts every attempt, or whose answer is worth something by itself.

    A rehearsal takes back what it wrote: so it would forget the attempt (passwords, one-time tokens, whom
    somebody invites), and would know nothing of a certificate that it signed.
    """
    setattr(handler, _COUNTS, True)
    return handler


def answers_secret(handler: _Handler) -> _Handler:
    """Mark a handler whose answer holds a secret: it is neither kept for a repeated request nor rehearsed."""
    setattr(handler, _SECRET, True)
    return never_rehearsed(handler)


def moving_members(scope: Scope) -> frozenset[str]:
    """Return which members of the answer are left out of its ETag."""
    return getattr(scope.get("endpoint"), _MOVES, frozenset())


def can_be_rehearsed(handler: object) -> bool:
    """Return whether an operation may be tried without being done."""
    return not getattr(handler, _COUNTS, False)


def is_secret(scope: Scope) -> bool:
    """Return whether the answer holds a secret."""
    return bool(getattr(scope.get("endpoint"), _SECRET, False))
