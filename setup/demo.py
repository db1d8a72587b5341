"""`dtwin demo`: the whole stack, its demo companies and programs, until it is interrupted.

The order: services, demo companies (by the platform itself), where the crossing topics end now, programs,
the first records that crossed, a line that stays alive. However it ends, everything that was
started is taken down.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import importlib.util
import os
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from setup.credentials import client_environment, credentials_last
from setup.crossings import Crossing, CrossingWatch
from setup.errors import PartNotReadyError, SetupError
from setup.interruption import ignore_further_signals, signals_interrupt
from setup.local.paths import Home
from setup.local.postgres import LocalPostgres, database_url
from setup.local.processes import ProcessIdentity, log_tail
from setup.local.state import PartState, StateFile
from setup.report import Report, report_on
from setup.services import Addresses, module_command, stack_environment
from setup.stack import Stack
from setup.teardown import take_down
from setup.tokens import admin_token, ensure_client_tokens

_ACCOUNTS = ("sue.smith", "stefan.gunnarsson", "peter.novak", "anna.gruber")
_FIRST_CROSSING_TIMEOUT_S = 90.0
_SHOWN_CROSSINGS = 6
_OTHER_FLOWS_S = 1.5


class _Program(Protocol):
    """A demo program as `demo_applications.programs` describes it."""

    name: str
    system: str
    module: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the user chose.

    Attributes:
        speed: How many times faster than it was the weather is replayed; the programs' own choice when None.
        duration_s: Stop by itself after so many seconds of running; never when None [s].
        open_browser: Show the platform in a browser, on a desktop.
        purge: Remove all data at the end.
        optional_parts: Names of optional parts that run as well.
        with_sink: Whether what the partners share with the analysts goes to Elasticsearch.
        by_mqtt: Whether the cars speak MQTT.
    """

    speed: float | None = None
    duration_s: float | None = None
    open_browser: bool = True
    purge: bool = False
    optional_parts: tuple[str, ...] = ()
    with_sink: bool = False
    by_mqtt: bool = False

    def parts(self) -> tuple[str, ...]:
        """Return the optional parts that the programs need, and those that were asked for."""
        needed = {"elasticsearch": self.with_sink, "mqtt": self.by_mqtt}
        return tuple({*self.optional_parts, *(name for name, is_needed in needed.items() if is_needed)})

    def programs(self) -> tuple[_Program, ...]:
        """Return what runs beside the services."""
        # By name: the demo applications are the floor above this one, what a user would install.
        module = importlib.import_module("demo_applications.programs")
        chosen = module.chosen_programs(with_sink=self.with_sink, by_mqtt=self.by_mqtt)
        return cast("tuple[_Program, ...]", chosen)


def run_demo(home: Home, console: Console, options: DemoOptions) -> int:
    """Run the demo until Ctrl-C, SIGTERM, or for a given time; return the exit code.

    Args:
        home: Folders of the stack.
        console: Where progress is shown.
        options: What the user chose.

    Raises:
        SetupError: another demo runs in this home, or a part could not be started.
    """
    home.create()
    with _only_demo(home), signals_interrupt():
        try:
            _run(home, console, options)
        except KeyboardInterrupt:
            typer.echo("Interrupted.")
        finally:
            # A second Ctrl-C must not leave half a stack behind.
            ignore_further_signals()
            with report_on(console, "Stopping") as report:
                take_down(home, report, purge=options.purge)
    return 0


def _run(home: Home, console: Console, options: DemoOptions) -> None:
    started = time.monotonic()
    with report_on(console, "Digital Twin Stack: starting") as report:
        stack = Stack(home, report)
        addresses = stack.up("demo", options.parts())
        environment = stack_environment(home, addresses)
        _load_companies(stack, environment, options, report)
        watch = CrossingWatch(addresses.kafka, environment, addresses.sensorthings, admin_token(addresses))
        _start_programs(stack, addresses, options, report)
        report.part(
            "first crossing", "starting", "waiting for a record that goes from one company to another"
        )
        first = _first_crossings(watch, home)
        report.part("first crossing", "ready", f"{len(first)} Datastreams so far")
    _introduce(addresses, options, first, time.monotonic() - started)
    if (
        options.open_browser
        and console.is_terminal
        and (os.environ.get("DISPLAY") or sys.platform == "darwin")
    ):
        webbrowser.open(addresses.platform)
    _keep_showing(console, watch, home, options.duration_s)
    watch.close()


def _load_companies(stack: Stack, environment: dict[str, str], options: DemoOptions, report: Report) -> None:
    """Let the platform make its demo companies, unless an earlier run did: what users changed since stays."""
    home = stack.home
    settings = _platform_environment(home)
    present = _demo_version(settings["DTWIN_PLATFORM__DATABASE_URL"])
    further = ("--sink",) if options.with_sink else ()
    loaded = home.demo_loaded_file.is_file() and home.demo_loaded_file.read_text(encoding="utf-8") == present
    if loaded and credentials_last(home, options.programs()):
        report.part("demo companies", "ready", "loaded by an earlier run")
        return
    report.part("demo companies", "starting", "accounts, systems with their topics, clients, stream apps")
    _finish_loading(_start_loading(stack, environment | settings, further), home)
    home.demo_loaded_file.write_text(present, encoding="utf-8")
    report.part("demo companies", "ready", "")


def _demo_version(database: str) -> str:
    """Return a text that changes when the demo's definition or its database does."""
    definition = importlib.util.find_spec("platform_ui.demo_world")
    if definition is None or definition.origin is None:
        raise SetupError("The package platform_ui is not installed: pip install 'digital-twin-stack[local]'.")
    return hashlib.sha256(Path(definition.origin).read_bytes() + database.encode()).hexdigest()


def _start_loading(
    stack: Stack, environment: dict[str, str], further: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    home = stack.home
    with home.log_file("load-demo").open("ab") as output:
        loading = subprocess.Popen(
            module_command("platform_ui", "load-demo", *_credentials_option(home, environment), *further),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home.folder,
            start_new_session=True,
        )
    identity = ProcessIdentity.of(loading.pid)
    if identity is not None:
        stack.state.put(PartState("load-demo", "", identity.pid, identity.began, kind="program"))
    return loading


def _credentials_option(home: Home, environment: Mapping[str, str]) -> tuple[str, ...]:
    # Without an authority the broker is somebody else's, and so are the credentials for it.
    return ("--credentials", str(home.credentials)) if environment.get("DTWIN_PKI__DIRECTORY") else ()


def _finish_loading(loading: subprocess.Popen[bytes], home: Home) -> None:
    if loading.wait():
        log_file = home.log_file("load-demo")
        raise SetupError(
            f"The demo companies could not be loaded. The log {log_file} ends:\n{log_tail(log_file, 25)}"
        )
    StateFile(home.state_file).remove("load-demo")


def _platform_environment(home: Home) -> dict[str, str]:
    """Return the platform's settings as its running process has them, and its database."""
    settings = Stack(home).state.parts()["platform"].settings
    maintenance = os.environ.get("DTWIN_POSTGRES__URL") or LocalPostgres(home.postgres).url()
    return settings | {"DTWIN_PLATFORM__DATABASE_URL": database_url(maintenance, "platform")}


def _start_programs(stack: Stack, addresses: Addresses, options: DemoOptions, report: Report) -> None:
    programs = options.programs()
    tokens = ensure_client_tokens(
        stack.home, addresses, [(program.system, program.name) for program in programs]
    )
    for program in programs:
        environment = (
            stack_environment(stack.home, addresses, None)
            | tokens[program.system, program.name]
            | client_environment(stack.home, addresses, program)
            | {"DTWIN_ELASTICSEARCH__PROGRESS_FILE": str(stack.home.sink_progress_file)}
            | addresses.metrics_settings(program.name)
        )
        arguments = list(program.arguments)
        if options.speed is not None and "--speed" in arguments:
            arguments[arguments.index("--speed") + 1] = f"{options.speed:g}"
        command, ports = module_command(program.module, *arguments), addresses.metrics_ports(program.name)
        stack.start_program(program.name, command, environment, ports)
        report.part(program.name, "ready", program.module.rpartition(".")[2].replace("_", " "))


def _first_crossings(watch: CrossingWatch, home: Home) -> list[Crossing]:
    deadline = time.monotonic() + _FIRST_CROSSING_TIMEOUT_S
    grace_ends = deadline
    while time.monotonic() < min(deadline, grace_ends):
        if watch.poll(0.3) and grace_ends == deadline:
            grace_ends = time.monotonic() + _OTHER_FLOWS_S  # the other flows follow within moments
        if len(watch.flows) >= _SHOWN_CROSSINGS:
            break
    if not watch.flows:
        _say_ended(_ended_parts(home))
        raise PartNotReadyError(
            f"No record crossed between companies within {_FIRST_CROSSING_TIMEOUT_S:g} s. "
            f"The stream apps' runner says:\n"
            f"{log_tail(home.log_file('runner'), 12)}\nMore: dtwin logs, dtwin doctor."
        )
    return list(watch.flows.values())


def _introduce(addresses: Addresses, options: DemoOptions, first: list[Crossing], seconds: float) -> None:
    typer.echo("")
    typer.echo(f"The stack runs ({seconds:.0f} s).")
    typer.echo("")
    typer.echo(f"  Platform      {addresses.platform}")
    typer.echo(f"  SensorThings  {addresses.sensorthings}/v1.1")
    typer.echo(f"  Kafka         {addresses.kafka}")
    for title, address in (("Elasticsearch", addresses.elasticsearch), ("MQTT", addresses.mqtt)):
        if address:
            typer.echo(f"  {title:<13} {address}")
    typer.echo(f"  Accounts      {', '.join(f'{name}@example.com' for name in _ACCOUNTS)}; password asdf")
    if options.with_sink:
        analysts = options.programs()[-1].system
        typer.echo(f"  Analytics     {addresses.platform}/systems/{analysts}/analytics   (Anna Gruber's)")
        typer.echo("  Notebooks     dtwin notebook")
    typer.echo("")
    typer.echo("  First records that crossed from one company to another:")
    for crossing in first[:_SHOWN_CROSSINGS]:
        typer.echo(f"    {crossing.text()}")
    typer.echo("")


def _ended_parts(home: Home) -> set[str]:
    """Return what was started and does not run any more."""
    return {part.name for part in StateFile(home.state_file).parts().values() if not part.is_running()}


def _say_ended(names: set[str]) -> None:
    for name in sorted(names):
        typer.echo(f"{name} has ended. What it wrote: dtwin logs {name}")


def _keep_showing(console: Console, watch: CrossingWatch, home: Home, duration_s: float | None) -> None:
    """Show the newest crossing in one line until interrupted, until the time is over or nothing runs."""
    known_ended: set[str] = set()
    deadline = None if duration_s is None else time.monotonic() + duration_s
    if not console.is_terminal:
        typer.echo("Stop with Ctrl-C.")
    live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
    with live or contextlib.nullcontext():
        while deadline is None or time.monotonic() < deadline:
            watch.poll(0.5)
            if not StateFile(home.state_file).parts():
                typer.echo("The stack was taken down by another command.")
                break
            ended = _ended_parts(home)
            _say_ended(ended - known_ended)
            known_ended = ended
            if live is not None and watch.newest is not None:
                line = f"{watch.count} records crossed   {watch.newest.text()}   Ctrl-C stops"
                live.update(Text(line, no_wrap=True, overflow="ellipsis"))
    typer.echo(f"{watch.count} records crossed.")


@contextlib.contextmanager
def _only_demo(home: Home) -> Iterator[None]:
    with home.demo_lock_file.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(f"Another `dtwin demo` runs in {home.folder}: stop that one first.") from None
        yield
