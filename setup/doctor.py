"""`dtwin doctor`: look at this machine and at the running stack, and name the fix for whatever is wrong."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from confluent_kafka import KafkaException
from rich.table import Table

from client.errors import ConfigurationError
from setup.local.answers import topic_names
from setup.local.jars import ELASTICSEARCH, KAFKA, JarSet, jars_are_cached
from setup.local.paths import Home, cache_folder
from setup.local.ports import is_free
from setup.local.state import PartState, StateFile
from setup.services import KAFKA_PORT, PARTS, PLATFORM_PORT, SENSORTHINGS_PORT, given_address, wanted_port
from setup.status import ask_part
from setup.tokens import knows

_GIGABYTE = 1024**3
_DISK_NEEDED = 2 * _GIGABYTE
_MEMORY_NEEDED = int(1.5 * _GIGABYTE)
_PYTHON_NEEDED = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Attributes:
        what: What was looked at.
        ok: Whether it is as it should be.
        seen: What was found.
        fix: What to do when it is not; a command where there is one.
    """

    what: str
    ok: bool
    seen: str
    fix: str = ""


def examine(home: Home) -> list[Finding]:
    """Run all checks, of the machine first."""
    parts = StateFile(home.state_file).parts()
    findings = [_python(), _environment(), *_disk(home), _memory(parts), *_jars(parts), _browser()]
    findings += _ports(parts)
    findings += [_service(name, parts.get(name)) for name in PARTS]
    kafka = parts.get("kafka")
    if kafka is not None and kafka.is_running():
        findings.append(_topics(kafka))
    sensorthings = parts.get("sensorthings")
    if sensorthings is not None and sensorthings.is_running() and not sensorthings.is_given:
        findings.append(_access(home, sensorthings))
    findings += [_service(name, part) for name, part in parts.items() if name not in PARTS]
    return findings


def findings_table(findings: list[Finding]) -> Table:
    """Draw the findings, each failure with its fix below it."""
    table = Table(box=None, show_header=False)
    for finding in findings:
        sign = "[green]ok[/]" if finding.ok else "[red]wrong[/]"
        table.add_row(sign, finding.what, finding.seen)
        if not finding.ok:
            table.add_row("", "", f"[bold]fix:[/] {finding.fix}")
    return table


def _python() -> Finding:
    seen = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= _PYTHON_NEEDED, seen, "install Python 3.11 or newer")


def _environment() -> Finding:
    isolated = sys.prefix != sys.base_prefix
    fix = "start with ./dtwin from the clone, or install into a virtual environment: python3 -m venv .venv"
    return Finding("virtual environment", isolated, sys.prefix, fix)


def _disk(home: Home) -> Iterator[Finding]:
    for what, folder in (("disk of the data", home.folder), ("disk of the downloads", cache_folder())):
        place = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(place).free
        writable = os.access(place, os.W_OK)
        seen = f"{free / _GIGABYTE:.1f} GB free in {folder}" + ("" if writable else ", not writable")
        variable = "DTWIN_HOME" if folder == home.folder else "XDG_CACHE_HOME"
        fix = f"free some space, or choose another place with {variable}"
        yield Finding(what, free >= _DISK_NEEDED and writable, seen, fix)


def _memory(parts: dict[str, PartState]) -> Finding:
    available = psutil.virtual_memory().available
    running = any(part.is_running() and not part.is_given for part in parts.values())
    seen = f"{available / _GIGABYTE:.1f} GB available"
    return Finding(
        "memory", running or available >= _MEMORY_NEEDED, seen, "end programs that use much memory"
    )


def _jars(parts: dict[str, PartState]) -> Iterator[Finding]:
    yield _jars_of(KAFKA, "Kafka's jars")
    if "elasticsearch" in parts:
        yield _jars_of(ELASTICSEARCH, "Elasticsearch's jars")


def _jars_of(jars: JarSet, what: str) -> Finding:
    if given_address(jars.name):
        return Finding(what, ok=True, seen="not needed: it is given by URL")
    cached = jars_are_cached(jars)
    seen = f"{jars.version}, checked" if cached else "not fetched yet"
    return Finding(what, cached, seen, "dtwin up  (fetches them; needs the network once)")


def _browser() -> Finding:
    """Chromium is a nicety for tests: never a failure."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        None,
    )
    return Finding("browser for tests", ok=True, seen=found or "none: tests with a browser are skipped")


def _ports(parts: dict[str, PartState]) -> Iterator[Finding]:
    for part, default in (
        ("kafka", KAFKA_PORT),
        ("sensorthings", SENSORTHINGS_PORT),
        ("platform", PLATFORM_PORT),
    ):
        present = parts.get(part)
        if given_address(part) is not None or (present is not None and present.is_running()):
            continue
        port = wanted_port(part, default)
        seen = "free" if is_free(port) else "taken by another program; the next free one will be used"
        yield Finding(f"port {port} ({part})", ok=True, seen=seen)


def _service(name: str, part: PartState | None) -> Finding:
    if part is None:
        return Finding(name, ok=False, seen="not started", fix="dtwin up")
    if not part.is_running():
        again = "dtwin demo" if part.kind == "program" else "dtwin up"
        return Finding(
            name, ok=False, seen=f"died (process {part.pid})", fix=f"dtwin logs {name}  then  {again}"
        )
    answer = ask_part(part)
    fix = f"dtwin logs {name}" if not part.is_given else "start it, or unset its variable"
    return Finding(
        name, answer.ready, f"{part.address or f'process {part.pid}'} {answer.detail}".strip(), fix
    )


def _access(home: Home, sensorthings: PartState) -> Finding:
    """Whether the service takes the token by which the platform administers it."""
    file = home.sensorthings_token_file
    known = file.is_file() and knows(sensorthings.address, file.read_text(encoding="utf-8").strip())
    seen = "the platform's token counts" if known else f"the token in {file} does not count"
    return Finding("access to SensorThings", known, seen, "dtwin down  then  dtwin up")


def _topics(kafka: PartState) -> Finding:
    try:
        names = topic_names(kafka.address, dict(os.environ) | kafka.settings)
    except (KafkaException, ConfigurationError) as error:
        return Finding("topics", ok=False, seen=str(error), fix="dtwin logs kafka")
    systems = {name.rpartition(".")[0] for name in names if name.endswith((".int", ".ext", ".log"))}
    lacking = sorted(
        f"{system}{ending}"
        for system in systems
        for ending in (".int", ".ext", ".log")
        if f"{system}{ending}" not in names
    )
    topics = "1 topic" if len(names) == 1 else f"{len(names)} topics"
    seen = f"{topics} of {len(systems)} {'system' if len(systems) == 1 else 'systems'}" + (
        f", lacking {', '.join(lacking)}" if lacking else ""
    )
    return Finding("topics", not lacking, seen, "delete and create the system again in the platform")
