"""The console script `dtwin`: runs the command line and turns errors into one sentence and an exit code.

Exit codes: 0 ok, 1 failure, 2 usage, 3 drift, 4 not allowed, 5 not found, 6 unavailable.
"""

from __future__ import annotations

import importlib.util
import os
import sys

from client.errors import (
    ConfigurationError,
    DigitalTwinError,
    EntityNotFoundError,
    NotAuthorizedError,
    TopicNotFoundError,
)
from setup.remote.errors import RemoteError

FAILURE, USAGE, NOT_ALLOWED, NOT_FOUND, UNAVAILABLE = 1, 2, 4, 5, 6
_INTERRUPTED = 130  # by the custom of shells: 128 + SIGINT


def main() -> None:
    """Run the command line; never returns normally."""
    missing = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"The command dtwin needs {' and '.join(missing)}, which a bare install leaves out.\n"
            "  pip install 'digital-twin-stack[command]'    the command line\n"
            "  pip install 'digital-twin-stack[streamhub]'  and to run stream apps on this machine\n"
            "  pip install 'digital-twin-stack[local]'      and to run the whole stack on this machine\n"
        )
        sys.exit(FAILURE)
    from setup.command_line import application  # noqa: PLC0415 (needs typer, checked above)

    try:
        application(prog_name="dtwin")
    except DigitalTwinError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`dtwin logs | head`); leave without a traceback at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILURE)


def exit_code(error: DigitalTwinError) -> int:
    """Return the exit code that tells scripts what kind of error it was."""
    if isinstance(error, RemoteError):
        return error.exit_code
    if isinstance(error, ConfigurationError):
        return USAGE
    if isinstance(error, NotAuthorizedError):
        return NOT_ALLOWED
    if isinstance(error, EntityNotFoundError | TopicNotFoundError):
        return NOT_FOUND
    return UNAVAILABLE if error.retriable else FAILURE
