"""`app validate` and `app explain`: what a statement means, without running it.

What lives here: options and printing. What does not: the text (`streamhub.explanation`), the language.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from streamhub.commands.options import (
    BootstrapServer,
    BrokerWait,
    FilterLogic,
    SourceSystem,
    StatementFile,
    StreamName,
    TargetSystem,
    UnitsFile,
    read_text,
    statement_text,
)
from streamhub.commands.outcome import explained
from streamhub.commands.units import check_with_file, check_without_units
from streamhub.explanation import explain as explain_statement
from streamhub.query import CompiledStatement, Derivation, compile_statement
from streamhub.specification import StreamAppSpecification

_ANY_SYSTEM = "*"
# An app is described without being run: Kafka need not be there.
_SOME_BROKER = "localhost:9092"


def validate(filter_logic: FilterLogic = None, file: StatementFile = None, units: UnitsFile = None) -> None:
    """Check a statement: say what it reads and makes, or show where it is wrong.

    A statement that begins with EXPLAIN is explained, as by `app explain`.
    """
    with explained():
        compiled = _checked(statement_text(filter_logic, file), units)
        if compiled.tree.explain:
            typer.echo(explain_statement(compiled))
            return
        typer.echo("OK")
        sources = ", ".join(compiled.sources)
        typer.echo(f"reads: {'every system of the app' if sources == _ANY_SYSTEM else sources}")
        if isinstance(compiled, Derivation):
            columns = [
                column.name if column.unit is None else f"{column.name} in {column.unit}"
                for column in compiled.columns
            ]
            typer.echo(f"joins: {f'{compiled.width} sources' if compiled.width > 1 else 'nothing'}")
            typer.echo(f"makes: {', '.join(columns) or 'nothing that can be deployed: no Datastream'}")
            return
        typer.echo(f"values are parsed: {'yes' if compiled.needs_value else 'no, the key alone decides'}")
        typer.echo(f"values are rewritten: {'yes' if compiled.projects else 'no, forwarded byte by byte'}")


def explain(  # noqa: PLR0917 - typer makes options of them, not positions
    filter_logic: FilterLogic = None,
    file: StatementFile = None,
    stream_name: StreamName = None,
    source_system: SourceSystem = None,
    target_system: TargetSystem = None,
    bootstrap_server: BootstrapServer = None,
    units: UnitsFile = None,
    broker_wait: BrokerWait = 15.0,
    specification: Annotated[
        Path | None,
        typer.Option(help="JSON file of an app with the terms of its contracts, instead of the others."),
    ] = None,
) -> None:
    """Say what a statement reads, joins, writes, needs and remembers, and what contracts keep back.

    Nothing is run. With name, source and target of the app, topics and rights are named; with a broker,
    partitions are counted.
    """
    with explained():
        app = None
        if specification is not None:
            app = StreamAppSpecification.from_json(read_text(specification))
            compiled = app.compile()
        else:
            compiled = _checked(statement_text(filter_logic, file), units)
        if app is None and stream_name and source_system and target_system:
            app = StreamAppSpecification(
                name=stream_name,
                source_system=source_system,
                target_system=target_system,
                statement=compiled.text,
                bootstrap_servers=bootstrap_server or _SOME_BROKER,
            )
        systems = [system for system in compiled.sources if system != _ANY_SYSTEM]
        topics = app.source_topics if app else [SystemName.parse(name).topics.internal for name in systems]
        partitions: Mapping[str, int] = {}
        if bootstrap_server and topics:
            from streamhub.preview import count_partitions  # noqa: PLC0415 - imports the Kafka client

            security = KafkaSecurity.from_environment()
            partitions = count_partitions(bootstrap_server, security, topics, wait_s=broker_wait)
        typer.echo(explain_statement(compiled, app, partitions))


def _checked(text: str, units: Path | None) -> CompiledStatement | Derivation:
    compiled = compile_statement(text)
    if units is None:
        check_without_units(compiled)
    else:
        check_with_file(compiled, units)
    return compiled
