"""What Prometheus asks for figures in a stack that runs on this machine, out of what is recorded of its home.

What lives here: finding it. What does not: the files (``prometheus``); choosing ports (``setup.stack``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from setup.local.ports import LOOPBACK
from setup.local.state import PartState
from setup.services import METRICS_PURPOSE

_PLATFORM: Final = "platform"
_SENSORTHINGS: Final = "sensorthings"


@dataclass(frozen=True, slots=True)
class Found:
    """What is recorded of a home; empty texts for what is not.

    Attributes:
        platform: Address of the platform.
        sensorthings: Address of the SensorThings service.
        pages: `host:port` of runner, recorder, bridge and sinks that have a page of their own.
    """

    platform: str = ""
    sensorthings: str = ""
    pages: tuple[str, ...] = ()


def found_targets(parts: Mapping[str, PartState]) -> Found:
    """Return what can be asked of the parts of a home.

    Parts that have died count as well: that they do not answer is what an alarm is for.

    Args:
        parts: What is recorded of it.
    """
    ports = sorted(part.ports[METRICS_PURPOSE] for part in parts.values() if METRICS_PURPOSE in part.ports)
    return Found(
        _address(parts.get(_PLATFORM)),
        _address(parts.get(_SENSORTHINGS)),
        tuple(f"{LOOPBACK}:{port}" for port in ports),
    )


def _address(part: PartState | None) -> str:
    return part.address if part is not None and part.address.startswith("http") else ""
