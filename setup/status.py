"""What runs now: the table of `dtwin status` and its machine-readable form."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from rich.table import Table

from setup.local.answers import (
    Answer,
    ask_bridge,
    ask_broker,
    ask_database,
    ask_elasticsearch,
    ask_health,
    ask_mqtt,
)
from setup.local.paths import Home
from setup.local.ports import is_answering
from setup.local.postgres import libpq_url, socket_url
from setup.local.processes import ProcessIdentity
from setup.local.state import PartState, StateFile
from setup.services import BRIDGE, BRIDGE_PROGRESS, PARTS
from setup.stream_apps import stream_apps
from streamhub.runner import AppStatus

_MEGABYTE = 1024 * 1024
_COLOURS = {"running": "green", "given": "cyan", "not ready": "yellow", "stopped": "dim", "died": "red"}


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One row of the table.

    Attributes:
        part: Name.
        state: `running`, `given`, `not ready`, `stopped` or `died`.
        pid: Process id.
        address: What others connect to.
        since: Start time.
        memory_bytes: Resident memory, children included [bytes].
        detail: Why a part is not ready.
    """

    part: str
    state: str
    pid: int | None = None
    address: str = ""
    since: datetime | None = None
    memory_bytes: int = 0
    detail: str = ""


def collect_status(home: Home) -> list[PartStatus]:
    """Return the state of every part, services first, then programs and stream apps."""
    recorded = StateFile(home.state_file).parts()
    rows = [_row(recorded[name]) if name in recorded else PartStatus(name, "stopped") for name in PARTS]
    rows += [_row(part) for name, part in recorded.items() if name not in PARTS]
    rows += [_app_row(app, has_runner="runner" in recorded) for app in stream_apps(home.runner)]
    return rows


def status_table(rows: list[PartStatus]) -> Table:
    """Draw the rows."""
    table = Table(box=None, header_style="bold")
    for title in ("PART", "STATE", "PID", "ADDRESS", "SINCE"):
        table.add_column(title, overflow="fold")
    table.add_column("MEMORY", justify="right")
    for row in rows:
        since = row.since.astimezone().strftime("%Y-%m-%d %H:%M:%S") if row.since else ""
        table.add_row(
            row.part,
            f"[{_COLOURS[row.state]}]{row.state}[/]" + (f" ({row.detail})" if row.detail else ""),
            str(row.pid or ""),
            row.address,
            since,
            f"{row.memory_bytes / _MEGABYTE:.0f} MB" if row.memory_bytes else "",
        )
    return table


def status_json(rows: list[PartStatus]) -> list[dict[str, object]]:
    """Return the rows for JSON; times in RFC 3339, UTC."""
    return [asdict(row) | {"since": row.since.isoformat() if row.since else None} for row in rows]


def ask_part(part: PartState) -> Answer:
    """Ask a running part whether it can do its work."""
    ask = _ASKED.get(part.name)
    if ask is not None:
        return ask(part)
    return ask_health(part.address) if part.address.startswith("http") else Answer(ready=True, detail="")


def _ask_kafka(part: PartState) -> Answer:
    return ask_broker(part.address, dict(os.environ) | part.settings, 3)


def _ask_postgres(part: PartState) -> Answer:
    given = os.environ.get("DTWIN_POSTGRES__URL", "")
    return ask_database(libpq_url(given) if part.is_given else socket_url(Path(part.address)))


def _ask_elasticsearch(part: PartState) -> Answer:
    return ask_elasticsearch(part.address, os.environ if part.is_given else {})


def _ask_mqtt(part: PartState) -> Answer:
    if part.is_given:
        return ask_mqtt(part.address, os.environ)
    # It talks to nobody without a certificate, but it listens only when it knows the rules.
    listens = is_answering(part.ports["client"])
    return Answer(ready=listens, detail="" if listens else "no connection")


def _ask_bridge(part: PartState) -> Answer:
    return ask_bridge(Path(part.settings[BRIDGE_PROGRESS]))


_ASKED: Mapping[str, Callable[[PartState], Answer]] = {
    "kafka": _ask_kafka,
    "postgres": _ask_postgres,
    "elasticsearch": _ask_elasticsearch,
    "mqtt": _ask_mqtt,
    BRIDGE: _ask_bridge,
}


def _app_row(app: AppStatus, *, has_runner: bool) -> PartStatus:
    process = None if app.pid is None else ProcessIdentity.of(app.pid)
    state = {"running": "running", "stopped": "stopped"}.get(app.state, "not ready")
    detail = "" if state != "not ready" else f"{app.state}: {app.cause}"
    if app.state == "unknown" and process is None and not has_runner:
        state, detail = "stopped", "starts with the runner"  # the stack is down, nothing is wrong
    return PartStatus(
        f"stream app {app.app_id.rpartition('.')[2]}",
        state,
        app.pid,
        app.app_id.rpartition(".")[0],
        app.started_at,
        0 if process is None else process.memory_bytes(),
        detail,
    )


def _row(part: PartState) -> PartStatus:
    process = part.process
    if process is not None and not process.is_running():
        return PartStatus(part.name, "died", part.pid, part.address)
    answer = ask_part(part)
    state = "not ready" if not answer.ready else "given" if process is None else "running"
    detail = "" if answer.ready else answer.detail
    if process is None:
        return PartStatus(part.name, state, None, part.address, detail=detail)
    return PartStatus(part.name, state, part.pid, part.address, process.since, process.memory_bytes(), detail)
