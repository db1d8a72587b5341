"""Commands of stream apps: `app run`, `app validate` and `query run`.

What lives here: options, environment names, output, exit codes. What does not: any work. Mounted by `dtwin`
and by `python -m streamhub`.
Exit codes: 0 ok, 1 failure, 2 wrong use or a refused statement, 4 not allowed, 5 not found, 6 unavailable,
130 interrupted before the app had started.
"""

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from client.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    DigitalTwinError,
    NotAuthorizedError,
    TopicNotFoundError,
)
from client.messaging.security import KafkaSecurity
from streamhub.engine.progress import AppProgress
from streamhub.errors import QueryError
from streamhub.query import compile_statement
from streamhub.query.replay import run_query
from streamhub.specification import StreamAppSpecification

EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_ALLOWED: Final = 4
EXIT_NOT_FOUND: Final = 5
EXIT_UNAVAILABLE: Final = 6
EXIT_INTERRUPTED: Final = 130

_EXIT_CODES: Final[tuple[tuple[type[DigitalTwinError], int], ...]] = (
    (QueryError, EXIT_USAGE),
    (ConfigurationError, EXIT_USAGE),
    (NotAuthorizedError, EXIT_NOT_ALLOWED),
    (TopicNotFoundError, EXIT_NOT_FOUND),
    (BrokerUnavailableError, EXIT_UNAVAILABLE),
    (DigitalTwinError, EXIT_FAILURE),
)
_STANDARD_INPUT: Final = "-"

app = typer.Typer(help="Run and check stream apps.", no_args_is_help=True)
query = typer.Typer(help="Try statements without a broker.", no_args_is_help=True)


@app.callback()
def _app_group() -> None:
    """Run and check stream apps."""


@query.callback()
def _query_group() -> None:
    """Try statements without a broker."""


@contextmanager
def _explained() -> Iterator[None]:
    """Turn errors into one message on standard error and an exit code."""
    try:
        yield
    except QueryError as error:
        _fail(error.render(), EXIT_USAGE)
    except DigitalTwinError as error:
        _fail(str(error), next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))
    except KeyboardInterrupt:
        _fail("interrupted", EXIT_INTERRUPTED)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _required(value: str | None, option: str) -> str:
    if not value:
        environment = option.removeprefix("--").replace("-", "_").upper()
        raise ConfigurationError(f"{option} is missing: give it, or set {environment}", setting=option)
    return value


@app.command("run")
def run_app(  # noqa: PLR0917 - typer makes options of them, not positions
    stream_name: Annotated[str | None, typer.Option(envvar="STREAM_NAME", help="Name of the app.")] = None,
    source_system: Annotated[
        str | None, typer.Option(envvar="SOURCE_SYSTEM", help="System whose records are read.")
    ] = None,
    target_system: Annotated[
        str | None, typer.Option(envvar="TARGET_SYSTEM", help="System that receives what matches.")
    ] = None,
    filter_logic: Annotated[
        str | None, typer.Option(envvar="FILTER_LOGIC", help="SELECT statement; see 'app validate'.")
    ] = None,
    bootstrap_server: Annotated[
        str | None,
        typer.Option(
            envvar=["KAFKA_BOOTSTRAP_SERVERS", "BOOTSTRAP_SERVER", "DTWIN_KAFKA__BOOTSTRAP_SERVERS"],
            help="Kafka addresses, host:port[,host:port...].",
        ),
    ] = None,
    commit_interval: Annotated[float, typer.Option(help="Longest time between two commits \\[s].")] = 0.1,
    contract: Annotated[str | None, typer.Option(help="Contract that permits the flow.")] = None,
    specification: Annotated[
        Path | None, typer.Option(help="JSON file with all of the above, instead of the options.")
    ] = None,
    copy: Annotated[int, typer.Option(min=0, help="Number of this copy; each runs once at a time.")] = 0,
    broker_wait: Annotated[float, typer.Option(min=0, help="Longest wait for Kafka at start \\[s].")] = 15.0,
    progress_file: Annotated[
        Path | None, typer.Option(envvar="DTWIN_APP__PROGRESS_FILE", help="Write progress here each second.")
    ] = None,
    metrics_port: Annotated[
        int,
        typer.Option(
            envvar="DTWIN_APP__METRICS_PORT", min=0, max=65535, help="Prometheus port on 127.0.0.1; 0: none."
        ),
    ] = 0,
    verbose: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("-v", "--verbose", help="Say more on standard error.")
    ] = False,
) -> None:
    """Forward the matching records of one system to another, exactly once, until Ctrl-C."""
    with _explained():
        if specification is not None:
            described = StreamAppSpecification.from_json(_read(specification))
        else:
            described = StreamAppSpecification(
                name=_required(stream_name, "--stream-name"),
                source_system=_required(source_system, "--source-system"),
                target_system=_required(target_system, "--target-system"),
                statement=_required(filter_logic, "--filter-logic"),
                bootstrap_servers=_required(bootstrap_server, "--bootstrap-server"),
                commit_interval_s=commit_interval,
                contract=contract,
            )
        _set_up_logging(verbose=verbose)
        # Faust takes a third of a second to import: only what runs an app pays for it.
        from streamhub.apps.filter_app import RunOptions, run_filter_app  # noqa: PLC0415
        from streamhub.engine.settings import LaneSettings  # noqa: PLC0415

        settings = LaneSettings(specification=described, security=KafkaSecurity.from_environment(), copy=copy)
        options = RunOptions(
            broker_wait_s=broker_wait, progress_file=progress_file, metrics_port=metrics_port
        )
        status = _StatusLine(enabled=verbose or sys.stderr.isatty())
        typer.echo(
            f"{described.app_id}: {described.source_topic} -> {described.target_topic}, Ctrl-C stops",
            err=True,
        )
        run_filter_app(settings, options, status.show)
        typer.echo(f"{described.app_id}: stopped", err=True)


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for noisy in ("faust", "mode", "aiokafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not verbose:
        # An outage is dozens of lines of librdkafka per second; the lane says what matters.
        logging.getLogger("streamhub.kafka").setLevel(logging.CRITICAL)


class _StatusLine:
    """One line of figures: rewritten in place on a terminal, every ten seconds elsewhere."""

    _lines_apart = 10

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._calls = 0

    def show(self, progress: AppProgress) -> None:
        if not self._enabled:
            return
        lag = "?" if progress.lag is None else progress.lag
        text = (
            f"in {progress.consumed}  out {progress.forwarded}  dead letters {progress.dead_lettered}  "
            f"lag {lag}  {progress.input_rate:.0f} records/s  {progress.trouble or ''}"
        )
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{text:<100}")
            sys.stderr.flush()
        elif self._calls % self._lines_apart == 0 or progress.state == "stopping":
            typer.echo(text, err=True)
        self._calls += 1


@app.command("validate")
def validate(
    filter_logic: Annotated[
        str | None, typer.Option(envvar="FILTER_LOGIC", help="SELECT statement to check.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="File that holds the statement.")] = None,
) -> None:
    """Check a statement: say what it reads, or show where it is wrong."""
    with _explained():
        if (file is None) == (filter_logic is None):
            raise ConfigurationError("give either --filter-logic or --file")
        text = _read(file) if file is not None else _required(filter_logic, "--filter-logic")
        compiled = compile_statement(text)
        sources = ", ".join(compiled.sources)
        typer.echo("OK")
        typer.echo(f"reads: {'every system of the app' if sources == '*' else sources}")
        typer.echo(f"values are parsed: {'yes' if compiled.needs_value else 'no, the key alone decides'}")
        typer.echo(f"values are rewritten: {'yes' if compiled.projects else 'no, forwarded byte by byte'}")


@query.command("run")
def run_statement(
    statement: Annotated[str, typer.Argument(help="SELECT statement.")],
    input_: Annotated[
        str,
        typer.Option("--input", help='JSON lines {"topic","key","value"} in arrival order; - reads stdin.'),
    ],
) -> None:
    """Run a statement over recorded records; print each output record as a JSON line."""
    with _explained():
        if input_ == _STANDARD_INPUT:
            _replay(statement, sys.stdin)
            return
        path = Path(input_)
        if not path.is_file():
            _fail(f"file {input_} does not exist", EXIT_NOT_FOUND)
        with path.open(encoding="utf-8") as lines:
            _replay(statement, lines)


def _replay(statement: str, lines: Iterable[str]) -> None:
    run = run_query(statement, lines)
    for record in run:
        typer.echo(record.to_json())
    for refusal in run.refusals:
        typer.echo(f"line {refusal.line}: {refusal.code}: {refusal.detail}", err=True)
    typer.echo(json.dumps(run.counters.to_dict()), err=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        _fail(f"file {path} does not exist", EXIT_NOT_FOUND)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"file {path} cannot be read: {error}") from error
