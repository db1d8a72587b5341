"""How a command ends: one message on standard error, and an exit code that scripts can rely on.

0 ok, 1 failure, 2 wrong use or a refused statement, 4 not allowed, 5 not found, 6 unavailable, 7 ended
because a contract did, 130 interrupted before the app had started.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import typer

from client.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    DigitalTwinError,
    NotAuthorizedError,
    TopicNotFoundError,
    UnavailableError,
)
from streamhub.errors import ContractEndedError, QueryError

EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_ALLOWED: Final = 4
EXIT_NOT_FOUND: Final = 5
EXIT_UNAVAILABLE: Final = 6
EXIT_CONTRACT_ENDED: Final = 7
EXIT_INTERRUPTED: Final = 130

_EXIT_CODES: Final[tuple[tuple[type[DigitalTwinError], int], ...]] = (
    (QueryError, EXIT_USAGE),
    (ConfigurationError, EXIT_USAGE),
    (NotAuthorizedError, EXIT_NOT_ALLOWED),
    (TopicNotFoundError, EXIT_NOT_FOUND),
    (BrokerUnavailableError, EXIT_UNAVAILABLE),
    (UnavailableError, EXIT_UNAVAILABLE),
    (ContractEndedError, EXIT_CONTRACT_ENDED),
    (DigitalTwinError, EXIT_FAILURE),
)


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors into one message on standard error and an exit code.

    Raises:
        typer.Exit: with the code.
    """
    try:
        yield
    except QueryError as error:
        fail(error.render(), EXIT_USAGE)
    except DigitalTwinError as error:
        fail(str(error), next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))
    except KeyboardInterrupt:
        fail("interrupted", EXIT_INTERRUPTED)


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong and end.

    Raises:
        typer.Exit: with the code.
    """
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def note(message: str) -> None:
    """Say something on standard error that is neither an error nor a result."""
    typer.echo(f"note: {message}", err=True)
