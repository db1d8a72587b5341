"""What a look at one part of the platform finds, in words that people understand; pure.

What lives here: `Finding`, and the judgements that need no more than figures (disks, clocks, ends of
certificates). What does not: asking the parts (``checks``), remembering (``watch``).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

GIB: Final = 2**30
LEAST_FREE: Final = 2 * GIB
"""Below this, a disk is nearly full [bytes]: Kafka and PostgreSQL both write ahead in files of a gibibyte."""
NEARLY_NONE: Final = GIB // 4
"""Below this, programs are about to stop [bytes]."""
MOST_USED: Final = 0.9
"""The part of a disk beyond which it is nearly full, where it is small."""
MOST_SKEW_S: Final = 2.0
"""How far clocks may be apart [s]: log-ins by codes and certificates forgive so much."""
AUTHORITY_SOON: Final = timedelta(days=180)
"""How long before its end an authority must be replaced: every device has to learn to trust the new one."""


class Level(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    OFF = "off"


_ORDER: Final = {Level.FAILED: 0, Level.WARNING: 1, Level.OFF: 2, Level.OK: 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part of the platform is.

    Attributes:
        part: A stable word for it, such as ``kafka``.
        name: What people call it.
        level: How it is; ``off`` means that somebody chose to do without.
        says: What was seen; may name addresses, so it is for operators.
        hint: How to mend it; empty when nothing is to be mended.
        version: Of the program, as far as it tells.
        latency_ms: How long it took to answer [ms]; nothing when nothing was asked.
        since: Since when it is so, as far as this process knows.
    """

    part: str
    name: str
    level: Level
    says: str
    hint: str = ""
    version: str = ""
    latency_ms: float | None = None
    since: datetime | None = None

    @property
    def is_trouble(self) -> bool:
        """Whether somebody should do something."""
        return self.level in (Level.FAILED, Level.WARNING)

    @property
    def word(self) -> str:
        """How it is, in one or two words."""
        return {Level.OK: "ok", Level.WARNING: "look at it", Level.FAILED: "not ok", Level.OFF: "not set up"}[
            self.level
        ]

    def public(self) -> "Finding":
        """Return what everybody may know: how it is, not where it is nor what runs there."""
        return replace(self, says="", hint="", version="", latency_ms=None)


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Return findings with the troubles first, otherwise in their order."""
    return sorted(findings, key=lambda one: _ORDER[one.level])


def judge_disk(part: str, name: str, path: Path, total: int, free: int) -> Finding:
    """Judge the space on a disk.

    Args:
        part: A stable word for it, without the path: everybody may see it.
        name: What is kept there.
        path: Where.
        total: Its size [bytes].
        free: What is left for us [bytes].
    """
    title = f"Disk of {name}"
    says = f"{size_text(free)} of {size_text(total)} are free at {path}."
    hint = "Make room there, or move the folder to a larger disk; Kafka and PostgreSQL stop when it is full."
    if free < NEARLY_NONE:
        return Finding(part, title, Level.FAILED, says, hint)
    is_tight = free < LEAST_FREE or (free < (1 - MOST_USED) * total and free < 10 * LEAST_FREE)
    return Finding(part, title, Level.WARNING if is_tight else Level.OK, says, hint if is_tight else "")


def judge_clock(skew_s: float) -> Finding:
    """Judge how far the platform's clock is from the database's.

    Args:
        skew_s: Ours less theirs [s].
    """
    says = f"Platform and database differ by {abs(skew_s):.1f} s."
    if abs(skew_s) <= MOST_SKEW_S:
        return Finding("clock", "Clock", Level.OK, says)
    return Finding(
        "clock",
        "Clock",
        Level.WARNING,
        says,
        "Let both machines follow a time server (timedatectl set-ntp true): codes of authenticator apps, "
        "certificates and the ends of contracts depend on it.",
    )


def judge_authority(until: datetime, present: datetime) -> Finding:
    """Judge how long the certificate authority still counts."""
    left = until - present
    says = f"Its certificate ends on {until:%Y-%m-%d}, in {max(0, left.days)} days."
    hint = "Make a new authority with dtwin pki, and give its certificate to every device before the end."
    if left <= timedelta(0):
        return Finding("authority", "Certificate authority", Level.FAILED, says, hint)
    is_soon = left < AUTHORITY_SOON
    return Finding(
        "authority",
        "Certificate authority",
        Level.WARNING if is_soon else Level.OK,
        says,
        hint if is_soon else "",
    )


def size_text(number: float) -> str:
    """Return a size for people, in units of 1024 bytes (IEC 80000-13)."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:  # noqa: PLR2004 - the step between units
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
