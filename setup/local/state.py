"""What is running on this machine: one JSON file in the home, written after every change.

The file is the memory between `dtwin up` and `dtwin down`. It holds no secret. Writing is atomic, so a reader
never sees half a file, and a crash in the middle of `up` leaves a file from which `down` can stop everything
started so far.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from setup.errors import SetupError
from setup.local.processes import ProcessIdentity

_FORMAT = 2
_CLIENT_VARIABLES = {
    "kafka": "DTWIN_KAFKA__BOOTSTRAP_SERVERS",
    "sensorthings": "DTWIN_SENSORTHINGS__URL",
}


@dataclass(frozen=True, slots=True)
class PartState:
    """One part of the stack.

    Attributes:
        name: `kafka`, `postgres`, ... or the client name of a demo program.
        address: What others connect to; empty when there is nothing to connect to.
        pid: Process id; None for a part given by URL.
        began: When the process began, as `streamhub.beginning` tells it.
        ports: Port numbers by purpose.
        kind: `service`, or `program` for demo applications.
        settings: What the process was started with, to notice that it must be restarted.
    """

    name: str
    address: str = ""
    pid: int | None = None
    began: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    kind: str = "service"
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def is_given(self) -> bool:
        """Whether the part was given by URL, so that nobody here starts or stops it."""
        return self.pid is None

    @property
    def process(self) -> ProcessIdentity | None:
        """The process of the part; None for a part given by URL."""
        return None if self.pid is None else ProcessIdentity(self.pid, self.began)

    def is_running(self) -> bool:
        """Tell whether the process runs; a part given by URL counts as running."""
        process = self.process
        return process is None or process.is_running()


class StateFile:
    """The parts that were started, kept in a file. Safe for the threads of one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()

    def parts(self) -> dict[str, PartState]:
        """Return all parts by name, in the order in which they were started.

        Raises:
            SetupError: the file cannot be understood.
        """
        with self._guard:
            return self._read()

    def put(self, part: PartState) -> None:
        """Add a part, or replace the one of this name."""
        with self._guard:
            parts = self._read()
            parts.pop(part.name, None)
            parts[part.name] = part
            self._write(parts)

    def remove(self, name: str) -> None:
        """Forget a part."""
        with self._guard:
            parts = self._read()
            if parts.pop(name, None) is not None:
                self._write(parts)

    def _read(self) -> dict[str, PartState]:
        try:
            content: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise SetupError(
                    f"{self._path} was written by another version: run `dtwin down` with that version."
                )
            return {entry["name"]: PartState(**entry) for entry in content["parts"]}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise SetupError(
                f"{self._path} cannot be understood ({error}): "
                "end the processes that it names by hand, then delete it."
            ) from error

    def _write(self, parts: Mapping[str, PartState]) -> None:
        fresh = self._path.with_suffix(".new")
        content = {"format": _FORMAT, "parts": [asdict(part) for part in parts.values()]}
        fresh.write_text(json.dumps(content, indent=1), encoding="utf-8")
        fresh.replace(self._path)


def name_parts(parts: Mapping[str, PartState], **others: str) -> None:
    """Name broker and SensorThings service in this process's environment, where it names no others.

    Args:
        parts: What was started.
        **others: Further parts: the variable that names each.
    """
    for name, variable in (_CLIENT_VARIABLES | others).items():
        part = parts.get(name)
        if part is not None and part.address:
            os.environ.setdefault(variable, part.address)
