"""Options that several commands share, and reading what they name.

What lives here: names, environment, help. What does not: what commands do with them.
"""

from pathlib import Path
from typing import Annotated

import typer

from client.errors import ConfigurationError
from streamhub.commands.outcome import EXIT_NOT_FOUND, fail

StreamName = Annotated[str | None, typer.Option(envvar="STREAM_NAME", help="Name of the app.")]
SourceSystem = Annotated[
    str | None,
    typer.Option(
        envvar="SOURCE_SYSTEM", help="System that the app belongs to; a join names it as one of its sources."
    ),
]
TargetSystem = Annotated[
    str | None, typer.Option(envvar="TARGET_SYSTEM", help="System that receives what the statement makes.")
]
FilterLogic = Annotated[str | None, typer.Option(envvar="FILTER_LOGIC", help="SELECT statement.")]
StatementFile = Annotated[Path | None, typer.Option(help="File that holds the statement.")]
BootstrapServer = Annotated[
    str | None,
    typer.Option(
        envvar=["KAFKA_BOOTSTRAP_SERVERS", "BOOTSTRAP_SERVER", "DTWIN_KAFKA__BOOTSTRAP_SERVERS"],
        help="Kafka addresses, host:port[,host:port...].",
    ),
]
BrokerWait = Annotated[float, typer.Option(min=0, help="Longest wait for Kafka at start \\[s].")]
SensorThingsUrl = Annotated[
    str | None,
    typer.Option(
        envvar="DTWIN_SENSORTHINGS__URL",
        help="SensorThings service: units are checked there, and outputs registered.",
    ),
]
UnitsFile = Annotated[
    Path | None,
    typer.Option(help='Units without a service: JSON, {"full Datastream name": "unit"}.'),
]


def required(value: str | None, option: str) -> str:
    """Give a value that must be there.

    Raises:
        ConfigurationError: it is not; the message names the option and the environment variable.
    """
    if not value:
        environment = option.removeprefix("--").replace("-", "_").upper()
        raise ConfigurationError(f"{option} is missing: give it, or set {environment}", setting=option)
    return value


def statement_text(filter_logic: str | None, file: Path | None) -> str:
    """Give the statement that one of two options names.

    Raises:
        ConfigurationError: neither or both are given, or the file cannot be read.
        typer.Exit: the file does not exist.
    """
    if (file is None) == (filter_logic is None):
        raise ConfigurationError("give either --filter-logic or --file")
    return read_text(file) if file is not None else required(filter_logic, "--filter-logic")


def read_text(path: Path) -> str:
    """Read a file that the user names.

    Raises:
        ConfigurationError: it cannot be read.
        typer.Exit: it does not exist.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        fail(f"file {path} does not exist", EXIT_NOT_FOUND)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"file {path} cannot be read: {error}") from error
