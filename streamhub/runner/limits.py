"""What an app may take of the machine: written by whoever deploys it, held by the runner.

What lives here: the limits, and their file `limits.json` in the app's folder. What does not: who decides them
(the platform, for each company), and holding them (`supervisor` for processes, engines for containers).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streamhub.engine.progress import write_atomically

__all__ = ["AppLimits", "read_limits", "write_limits"]

MEGABYTE = 1_000_000  # bytes


@dataclass(frozen=True, slots=True)
class AppLimits:
    """What one app may take; nothing stands for as much as it likes.

    Attributes:
        memory_mb: Memory (resident) of all that belongs to it [MB = 1,000,000 bytes].
        cpus: Processor cores [1].
    """

    memory_mb: int | None = None
    cpus: float | None = None

    @property
    def memory_bytes(self) -> int | None:
        """The memory that it may take [bytes]."""
        return None if self.memory_mb is None else self.memory_mb * MEGABYTE

    def to_json(self) -> str:
        """Write as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "AppLimits":
        """Read what `to_json` wrote; what cannot be understood limits nothing."""
        try:
            document: Any = json.loads(text)
        except ValueError:
            return cls()
        if not isinstance(document, dict):
            return cls()
        memory, cpus = document.get("memory_mb"), document.get("cpus")
        return cls(
            memory if isinstance(memory, int) and memory > 0 else None,
            float(cpus) if isinstance(cpus, int | float) and cpus > 0 else None,
        )


def read_limits(path: Path) -> AppLimits:
    """Read a file of limits; none when there is no such file."""
    try:
        return AppLimits.from_json(path.read_text(encoding="utf-8"))
    except OSError:
        return AppLimits()


def write_limits(path: Path, limits: AppLimits) -> bool:
    """Write a file of limits, if they are others than before; say whether they are.

    Raises:
        OSError: the folder cannot be written.
    """
    if path.is_file() and read_limits(path) == limits:
        return False
    write_atomically(path, limits.to_json())
    return True
