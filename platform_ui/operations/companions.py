"""Looking at parts that work beside the platform: recorder, sink, MQTT bridge and the MQTT broker.

What lives here: which of them there are, and what follows from what they say. What does not: parts that the
platform itself needs (``checks``). One that nobody set up is not shown.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from adapters.mqtt.progress import read_figures
from platform_ui.db import now
from platform_ui.operations.findings import Finding, Level
from platform_ui.part_settings import PartSettings
from streamhub.engine.progress import AppProgress, read_progress

SILENCE: Final = timedelta(seconds=15)
"""How long a part may say nothing: it says something each second."""
MOST_BEHIND_S: Final = 60.0
MOST_WAITING: Final = 1000
BROKER_HINT: Final = (
    "Start it (dtwin up --with mqtt, or your own), and see that DTWIN_MQTT__URL names it; "
    "dtwin logs mqtt has its log."
)

Check = tuple[str, str, Callable[[], Awaitable[Finding]]]


@dataclass(frozen=True, slots=True)
class Companion:
    """A part that says in a file how far it is.

    Attributes:
        part: A stable word for it.
        name: What people call it.
        start: How it is started.
        log: How its log is read.
        does: What it does, and what is lost meanwhile when it does not.
    """

    part: str
    name: str
    start: str
    log: str
    does: str


RECORDER: Final = Companion(
    "recorder",
    "Recorder",
    "dtwin recorder run",
    "dtwin logs recorder",
    "Results wait in Kafka and are not in SensorThings until it runs.",
)
SINK: Final = Companion(
    "elasticsearch_sink",
    "Sink to Elasticsearch",
    "dtwin sink elasticsearch run",
    "dtwin logs elasticsearch-sink",
    "Records wait in Kafka and are not in Elasticsearch until it runs.",
)
BRIDGE: Final = Companion(
    "mqtt_bridge",
    "MQTT bridge",
    "dtwin up --with mqtt, or dtwin bridge mqtt run",
    "dtwin logs mqtt-bridge",
    "What devices publish waits at the MQTT broker until it runs.",
)


def companion_checks(settings: PartSettings) -> Sequence[Check]:
    """Return the checks of all parts that there are, in the order of recorder, sink, bridge, broker.

    Args:
        settings: What the platform is told of them.
    """
    files = ((RECORDER, settings.recorder), (SINK, settings.sink), (BRIDGE, settings.bridge))
    # A file that a sink has never written is that of a sink which nobody wants.
    found = [
        _check(which, file)
        for which, file in files
        if file is not None and (which is not SINK or file.exists())
    ]
    if settings.broker:
        found.append(("mqtt_broker", "MQTT broker", lambda: _broker(settings)))
    return found


def judge(which: Companion, progress: AppProgress | None, present: datetime, trouble: str = "") -> Finding:
    """Judge a part by what it said last.

    Args:
        which: Which one.
        progress: What it said; nothing when it never has, or when nobody understands it.
        present: The present time.
        trouble: What only this part complains about.
    """
    begin = f"Start it ({which.start}) and look into its log ({which.log}). {which.does}"
    if progress is None:
        return Finding(which.part, which.name, Level.FAILED, "It has not said yet how far it is.", begin)
    silent = present - progress.updated_at
    if silent > SILENCE:
        ended = "It was stopped" if progress.state == "stopping" else "It gave its last sign of life"
        says = f"{ended} at {progress.updated_at:%Y-%m-%d %H:%M:%S} UTC."
        return Finding(which.part, which.name, Level.FAILED, says, begin)
    waiting = "" if progress.lag is None else f", waiting: {progress.lag}"
    says = f"Since its start read: {progress.consumed}, set aside: {progress.dead_lettered}{waiting}."
    complaint = trouble or progress.trouble or ""
    if complaint:
        hint = f"Its log has more ({which.log}). {which.does}"
        return Finding(which.part, which.name, Level.WARNING, f"{complaint.rstrip('.')}. {says}", hint)
    if (progress.lag_s or 0) > MOST_BEHIND_S and (progress.lag or 0) > MOST_WAITING:
        says = f"It is {progress.lag_s:.0f} s behind. {says}"
        hint = "Let more copies of it run, and look at the load of what it writes to."
        return Finding(which.part, which.name, Level.WARNING, says, hint)
    return Finding(which.part, which.name, Level.OK, says)


def _check(which: Companion, file: Path) -> Check:
    async def check() -> Finding:
        progress = await asyncio.to_thread(read_progress, file)
        figures = await asyncio.to_thread(read_figures, file) if which is BRIDGE else {}
        trouble = "; ".join(figures.get("troubles", ()))
        if figures and not figures.get("is_connected"):
            trouble = trouble or "It is not connected to the MQTT broker"
        return judge(which, progress, now(), trouble)

    return which.part, which.name, check


async def _broker(settings: PartSettings) -> Finding:
    """Take the word of a bridge that is connected; ask for a connection where there is none."""
    if settings.bridge is not None:
        progress = await asyncio.to_thread(read_progress, settings.bridge)
        figures = await asyncio.to_thread(read_figures, settings.bridge)
        if progress is not None and now() - progress.updated_at <= SILENCE and figures.get("is_connected"):
            says = f"The bridge is connected to it at {settings.broker}."
            return Finding("mqtt_broker", "MQTT broker", Level.OK, says)
    host, port = settings.broker_place
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    with suppress(OSError):  # it may end the connection first
        await writer.wait_closed()
    return Finding("mqtt_broker", "MQTT broker", Level.OK, f"It takes connections at {settings.broker}.")
