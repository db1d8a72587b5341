"""`app preview` and `query run`: a statement over records that are there already; nothing is written.

What lives here: options and printing. What does not: reading the ends of topics (`streamhub.preview`),
running the statement (`streamhub.query.replay`).
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from streamhub.commands.options import (
    BootstrapServer,
    BrokerWait,
    FilterLogic,
    SourceSystem,
    StatementFile,
    UnitsFile,
    required,
    statement_text,
)
from streamhub.commands.outcome import EXIT_NOT_FOUND, explained, fail, note
from streamhub.commands.units import check_with_file
from streamhub.explanation import explain
from streamhub.query import compile_statement
from streamhub.query.compiling import compile_trial
from streamhub.query.replay import run_query

_STANDARD_INPUT: Final = "-"
_ANY_SYSTEM: Final = ("*",)
_MOST: Final = 100_000


def preview(  # noqa: PLR0917 - typer makes options of them, not positions
    last: Annotated[int, typer.Option(min=1, max=_MOST, help="Records of each source topic.")] = 100,
    filter_logic: FilterLogic = None,
    file: StatementFile = None,
    source_system: SourceSystem = None,
    bootstrap_server: BootstrapServer = None,
    broker_wait: BrokerWait = 15.0,
) -> None:
    """Run a statement over the last records of its sources; print what it would send, write nothing."""
    with explained():
        text = statement_text(filter_logic, file)
        compiled = compile_trial(text)
        if compiled.tree.explain:
            typer.echo(explain(compile_statement(text)))
            return
        sources = compiled.sources
        if sources == _ANY_SYSTEM:
            sources = (required(source_system, "--source-system"),)
        topics = [SystemName.parse(system).topics.internal for system in sources]
        servers = required(bootstrap_server, "--bootstrap-server")
        from streamhub.preview import read_last  # noqa: PLC0415 - the Kafka client takes its time to import

        found = read_last(servers, KafkaSecurity.from_environment(), topics, last, wait_s=broker_wait)
        _replay(text, found.lines)
        for topic in topics:
            left_out = found.unreadable[topic]
            typer.echo(
                f"{topic}: {found.found[topic]} records"
                + (f", {left_out} of them left out: not UTF-8" if left_out else ""),
                err=True,
            )
        if not found.is_complete:
            note(f"the ends of the topics were not reached within {broker_wait:g} s: this is not all")


def run_statement(
    statement: Annotated[str, typer.Argument(help="SELECT statement.")],
    input_: Annotated[
        str,
        typer.Option("--input", help='JSON lines {"topic","key","value"} in arrival order; - reads stdin.'),
    ],
    units: UnitsFile = None,
) -> None:
    """Run a statement over recorded records; print each output record as a JSON line."""
    with explained():
        compiled = compile_trial(statement)
        if units is not None:
            check_with_file(compiled, units)
        if compiled.tree.explain:
            typer.echo(explain(compile_statement(statement)))
            return
        if input_ == _STANDARD_INPUT:
            _replay(statement, sys.stdin)
            return
        path = Path(input_)
        if not path.is_file():
            fail(f"file {input_} does not exist", EXIT_NOT_FOUND)
        with path.open(encoding="utf-8") as lines:
            _replay(statement, lines)


def _replay(statement: str, lines: Iterable[str]) -> None:
    run = run_query(statement, lines)
    for record in run:
        typer.echo(record.to_json())
    for refusal in run.refusals:
        typer.echo(f"line {refusal.line}: {refusal.code}: {refusal.detail}", err=True)
    typer.echo(json.dumps(run.counters.to_dict()), err=True)
