"""The progress of an app as a small file: written each second by the app, read by others.

What lives here: the record, its JSON form, atomic writing. What does not: judging it (`streamhub.runner`).
"""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class AppProgress:
    """What an app has done since its process started, and how far behind it is.

    Attributes:
        pid: Process id of the app.
        state: starting, running (it has joined its group) or stopping.
        consumed: Records read, in committed transactions [1].
        forwarded: Records written to the target [1].
        dead_lettered: Records written to the dead-letter topic [1].
        dead_letters: The same by error code.
        mismatches: Comparisons that were false because of another type [1].
        missing: Comparisons that were false because an attribute is missing [1].
        joined: Records that went into a join [1].
        tuples: Groups of records that a join has found [1].
        late: Records that came too late for their join [1].
        dropped: Records that a join gave up after its longest latency [1].
        failed: Groups that a function of the user could not be computed for [1].
        held: Records that joins remember now [1].
        hit_rate: Groups found per record that went into a join, over the last seconds [1].
        lag: Records that wait in the assigned partitions [1]; None while Kafka does not tell.
        lag_s: Age of the record read last, while others wait behind it [s]; None while Kafka does not tell.
        position: Sum of the next offsets to read; moves when anything moves.
        input_rate: Records read per second, over the last seconds [1/s].
        output_rate: Records forwarded per second, over the last seconds [1/s].
        turn_age_s: Time since the loop last turned [s].
        cpu_s: Processor time that the process has used, all threads [s].
        memory_bytes: Memory that the process holds (resident) [bytes]; None while nobody has measured.
        trouble: What Kafka complains about at the moment.
        last_progress: When `consumed` or `position` last changed.
        updated_at: When this was written.
    """

    pid: int
    state: str
    updated_at: datetime
    consumed: int = 0
    forwarded: int = 0
    dead_lettered: int = 0
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    mismatches: int = 0
    missing: int = 0
    joined: int = 0
    tuples: int = 0
    late: int = 0
    dropped: int = 0
    failed: int = 0
    held: int = 0
    hit_rate: float | None = None
    lag: int | None = None
    lag_s: float | None = None
    position: int = 0
    input_rate: float = 0.0
    output_rate: float = 0.0
    turn_age_s: float = 0.0
    cpu_s: float = 0.0
    memory_bytes: int | None = None
    trouble: str | None = None
    last_progress: datetime | None = None

    def to_json(self) -> str:
        """Write as one JSON object; times in RFC 3339."""
        document = asdict(self)
        for name in ("updated_at", "last_progress"):
            moment = document[name]
            document[name] = moment.isoformat() if moment is not None else None
        return json.dumps(document, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "AppProgress":
        """Read what `to_json` wrote; fields of a newer version are ignored.

        Raises:
            ValueError: when it is something else.
        """
        try:
            return _decoder().decode(text)
        except msgspec.MsgspecError as error:
            raise ValueError(f"not a progress file: {error}") from error


@cache
def _decoder() -> "msgspec.json.Decoder[AppProgress]":
    return msgspec.json.Decoder(AppProgress)  # those of hundreds of apps are read every few seconds


def write_atomically(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a file so that a reader sees the old or the new text, never a part.

    Args:
        path: The file.
        text: What it is to hold.
        durable: Whether that holds after a power cut too, from when this returns; it takes some milliseconds.

    Raises:
        OSError: the folder cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    draft.write_text(text, encoding="utf-8")
    if durable:
        sync_path(draft)
    draft.replace(path)
    if durable:
        # A new name in a folder is on disk only when the folder is.
        sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Bring what a file holds, or the names in a folder, to the disk.

    Raises:
        OSError: it does not take it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_progress(path: Path) -> AppProgress | None:
    """Read a progress file; None when there is none or it cannot be understood."""
    try:
        return AppProgress.from_json(path.read_bytes())
    except (OSError, ValueError, TypeError):
        return None
