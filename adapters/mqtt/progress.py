"""How far the bridge is, as a small file and for people.

What lives here: the figures of the bridge, in the form of an app's progress with a part of its own. What does
not: measuring rates and writing atomically (`streamhub.engine`).
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streamhub.commands.standing import refused_text
from streamhub.engine.progress import AppProgress, write_atomically

_log = logging.getLogger(__name__)

PART: Final = "mqtt"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeFigures:
    """What only the bridge has.

    Attributes:
        broker: Address of the MQTT broker.
        is_connected: Whether both connections to it are there.
        acknowledged: Messages acknowledged to it [1].
        unacknowledged: Messages that it has sent and that are not acknowledged [1].
        repeated: Messages that it repeated [1].
        dropped: Messages of QoS 0 that found no room [1].
        states: States of clients recorded [1].
        published: Values of other systems that it has [1].
        updates: Updates of SensorThings entities that it has [1].
        unpublished: Values that it refuses, or that have no MQTT topic [1].
        withdrawn: Values taken back, because they are shared no more [1].
        buffer_bytes: What waits on disk [bytes].
        troubles: What is wrong at the moment.
    """

    broker: str
    is_connected: bool
    acknowledged: int = 0
    unacknowledged: int = 0
    repeated: int = 0
    dropped: int = 0
    states: int = 0
    published: int = 0
    updates: int = 0
    unpublished: int = 0
    withdrawn: int = 0
    buffer_bytes: int = 0
    troubles: tuple[str, ...] = ()


def write_progress(path: Path, progress: AppProgress, figures: BridgeFigures) -> None:
    """Write both as one JSON object; a disk that does not take it is no reason to stop."""
    document = json.loads(progress.to_json()) | {
        PART: {name: getattr(figures, name) for name in BridgeFigures.__slots__}
    }
    try:
        write_atomically(path, json.dumps(document, sort_keys=True))
    except OSError as error:
        _log.warning("progress file %s: %s", path, error, extra={"action": "progress"})


def read_figures(path: Path) -> Mapping[str, Any]:
    """Read the part of the bridge from a progress file; empty when there is none."""
    try:
        part = json.loads(path.read_bytes()).get(PART)
    except (OSError, ValueError, AttributeError):
        return {}
    return part if isinstance(part, dict) else {}


def sentence(progress: AppProgress, figures: Mapping[str, Any]) -> str:
    """Say it in one sentence."""
    parts = [
        f"{progress.consumed} messages received",
        f"{progress.forwarded} in Kafka",
        refused_text(progress),
        f"{progress.held} waiting",
        f"{figures.get('published', 0)} published",
        f"{progress.output_rate:g}/s",
    ]
    if figures.get("buffer_bytes"):
        parts.append(f"{figures['buffer_bytes']} bytes on disk")
    return ", ".join(parts)
