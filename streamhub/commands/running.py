"""`app run`: a stream app in this process, from options, a specification, or a hooks file.

What lives here: options, and what is said while the app runs. What does not: running it (`streamhub.apps`),
units and registration (`metadata`).
"""

import logging
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from streamhub.commands.options import (
    BootstrapServer,
    BrokerWait,
    FilterLogic,
    SensorThingsUrl,
    SourceSystem,
    StreamName,
    TargetSystem,
    read_text,
    required,
)
from streamhub.commands.outcome import explained
from streamhub.commands.units import registered
from streamhub.engine.progress import AppProgress
from streamhub.hooks import HookDerivation, HookFile, load_hooks, stand_in
from streamhub.specification import StreamAppSpecification

_COMMIT_INTERVAL_S: Final = 0.1


class _Given(NamedTuple):
    """The options that describe an app."""

    stream_name: str | None
    source_system: str | None
    target_system: str | None
    filter_logic: str | None
    bootstrap_server: str | None
    commit_interval: float | None
    contract: str | None
    spread: bool


def run_app(  # noqa: PLR0917 - typer makes options of them, not positions
    stream_name: StreamName = None,
    source_system: SourceSystem = None,
    target_system: TargetSystem = None,
    filter_logic: FilterLogic = None,
    bootstrap_server: BootstrapServer = None,
    commit_interval: Annotated[
        float | None, typer.Option(help="Longest time between two commits \\[s]; 0.1 when not given.")
    ] = None,
    contract: Annotated[str | None, typer.Option(help="Contract that permits the flow.")] = None,
    spread: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool,
        typer.Option(
            "--spread",
            help="Copies share a join ON l.thing = r.thing; needs producers that place records by Thing.",
        ),
    ] = False,
    specification: Annotated[
        Path | None, typer.Option(help="JSON file with all of the above, instead of the options.")
    ] = None,
    hooks: Annotated[
        Path | None, typer.Option(help="Python file with ingest_fct and on_join, instead of a statement.")
    ] = None,
    sensorthings_url: SensorThingsUrl = None,
    copy: Annotated[int, typer.Option(min=0, help="Number of this copy; each runs once at a time.")] = 0,
    broker_wait: BrokerWait = 15.0,
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
    """Send what a statement, or a hooks file, makes of systems' records to another, exactly once.

    Runs until Ctrl-C.
    """
    given = _Given(
        stream_name,
        source_system,
        target_system,
        filter_logic,
        bootstrap_server,
        commit_interval,
        contract,
        spread,
    )
    with explained():
        file = None if hooks is None else _hook_file(hooks, specification, filter_logic)
        if file is not None:
            described = _of_hooks(file, given)
        elif specification is not None:
            described = StreamAppSpecification.from_json(read_text(specification))
        else:
            described = _of_options(given)
        _set_up_logging(verbose=verbose or (file is not None and file.is_verbose))
        if file is None and specification is None:
            # A specification comes from somebody who has done this already, such as the platform.
            described = registered(described, sensorthings_url)
        # Faust takes a third of a second to import: only what runs an app pays for it.
        from streamhub.apps.stream_app import RunOptions  # noqa: PLC0415

        options = RunOptions(
            broker_wait_s=broker_wait, progress_file=progress_file, metrics_port=metrics_port
        )
        _run(described, file, options, copy=copy, verbose=verbose)


def _hook_file(path: Path, specification: Path | None, filter_logic: str | None) -> HookFile:
    for given, option in ((specification, "--specification"), (filter_logic, "--filter-logic")):
        if given is not None:
            raise ConfigurationError(f"--hooks and {option} exclude one another", setting="--hooks")
    return load_hooks(path)


def _of_hooks(file: HookFile, given: _Given) -> StreamAppSpecification:
    settings = file.settings(
        {
            "STREAM_NAME": given.stream_name,
            "KAFKA_BOOTSTRAP_SERVERS": given.bootstrap_server,
            "SOURCE_SYSTEMS": given.source_system,
            "TARGET_SYSTEM": given.target_system,
        }
    )
    described = StreamAppSpecification(
        name=settings.stream_name,
        source_system=settings.source_systems[0],
        target_system=settings.target_system,
        statement=stand_in(settings.source_systems, file.within),
        bootstrap_servers=settings.bootstrap_servers,
        contract=given.contract,
    )
    interval = given.commit_interval or file.commit_interval_s or _COMMIT_INTERVAL_S
    return replace(described, commit_interval_s=interval)


def _of_options(given: _Given) -> StreamAppSpecification:
    return StreamAppSpecification(
        name=required(given.stream_name, "--stream-name"),
        source_system=required(given.source_system, "--source-system"),
        target_system=required(given.target_system, "--target-system"),
        statement=required(given.filter_logic, "--filter-logic"),
        bootstrap_servers=required(given.bootstrap_server, "--bootstrap-server"),
        commit_interval_s=_COMMIT_INTERVAL_S if given.commit_interval is None else given.commit_interval,
        contract=given.contract,
        spread=given.spread,
    )


def _run(
    described: StreamAppSpecification,
    file: HookFile | None,
    options: Any,  # noqa: ANN401 - its class is imported late
    *,
    copy: int,
    verbose: bool,
) -> None:
    from streamhub.apps.stream_app import run_stream_app  # noqa: PLC0415 - as above
    from streamhub.engine.settings import LaneSettings  # noqa: PLC0415

    settings = LaneSettings(specification=described, security=KafkaSecurity.from_environment(), copy=copy)
    status = _StatusLine(enabled=verbose or sys.stderr.isatty())
    way = f"{', '.join(described.source_topics)} -> {described.target_topic}"
    typer.echo(f"{described.app_id}: {way}{', Ctrl-C stops' if sys.stderr.isatty() else ''}", err=True)
    if file is None:
        run_stream_app(settings, options, status.show)
    else:
        if file.batch_records is not None:
            settings = replace(settings, batch_records=file.batch_records)
        run_stream_app(settings, options, status.show, HookDerivation(file, described.systems))
    typer.echo(f"{described.app_id}: stopped", err=True)


def _set_up_logging(*, verbose: bool) -> None:
    # Read beside the runner's marks, which are in UTC, and on machines of other time zones.
    logging.Formatter.converter = time.gmtime
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
