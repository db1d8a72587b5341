"""Units of a statement, from a file or from the SensorThings service; outputs registered there.

What lives here: which of the two is asked, and what is said when neither is. What does not: the rules of
units (`streamhub.query.quantities`), the service (`streamhub.outputs`).
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from client.errors import ConfigurationError
from streamhub.commands.options import read_text
from streamhub.commands.outcome import note
from streamhub.query import CompiledStatement, Derivation, compile_statement
from streamhub.query.quantities import check_units
from streamhub.specification import StreamAppSpecification

_UNCHECKED: Final = (
    "without --sensorthings-url the units of the sources are not checked, and the output Datastreams are not "
    "registered: records carry no Datastream id"
)


def check_with_file(compiled: CompiledStatement | Derivation, path: Path) -> None:
    """Check the units of a statement against a file, {"full Datastream name": "unit" or null}.

    Raises:
        ConfigurationError: the file holds something else.
        QueryTypeError: the units do not fit.
        typer.Exit: the file does not exist.
    """
    check_units(compiled.tree, compiled.text, _units_of(path))


def check_without_units(compiled: CompiledStatement | Derivation) -> None:
    """Check what can be checked without knowing any Datastream: the codes in the text itself.

    Raises:
        QueryTypeError: a code is none, or two of them do not fit.
    """
    check_units(compiled.tree, compiled.text, {})


def registered(described: StreamAppSpecification, sensorthings_url: str | None) -> StreamAppSpecification:
    """Check the units of an app, and register what it computes; filters have nothing to register.

    Args:
        described: The app.
        sensorthings_url: The SensorThings service; without it only the text itself is checked, and a note
            says so.

    Returns:
        The app, with the ids of its output Datastreams.

    Raises:
        QueryTypeError: the units do not fit.
        SensorThingsError: the service does not answer, or refuses.
        StreamAppError: an output has the name of something that belongs to another.
    """
    compiled = compile_statement(described.statement)
    check_without_units(compiled)
    if not isinstance(compiled, Derivation):
        return described
    if not sensorthings_url:
        note(_UNCHECKED)
        return described
    # The HTTP client takes its time to import.
    from client.metadata.server import SensorThingsServer  # noqa: PLC0415
    from client.metadata.token import token_from_environment  # noqa: PLC0415
    from streamhub.outputs import read_units, register_outputs, source_things_of  # noqa: PLC0415

    server = SensorThingsServer(sensorthings_url, token=token_from_environment())
    try:
        units = read_units(server, described.systems)
        check_units(compiled.tree, compiled.text, units)
        ids = register_outputs(
            server,
            app_name=described.name,
            app_id=described.app_id,
            target_system=described.target_system,
            derivation=compiled,
            source_things=source_things_of(compiled, units),
        )
    finally:
        server.close()
    return replace(described, datastreams={**described.datastreams, **ids})


def _units_of(path: Path) -> Mapping[str, str | None]:
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise ConfigurationError(f"file {path} is not JSON: {error}", setting="--units") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f'file {path} is not {{"name": "unit"}}', setting="--units")
    for name, unit in document.items():
        if unit is not None and not isinstance(unit, str):
            raise ConfigurationError(
                f"file {path}: the unit of {name!r} is {unit!r}, but must be a text or null",
                setting="--units",
            )
    return document
