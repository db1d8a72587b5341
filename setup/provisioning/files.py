"""Files in a folder, written so that the same content is the same bytes; whether they are as they should be.

What lives here: writing, comparing, and remembering what was written. What does not: what is in the files,
and which of them a run is about (``scope``). A file that somebody else put into the folder is never touched:
the list of ours stands beside them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from setup.errors import SetupError
from setup.provisioning.scope import Scope

Files = Mapping[str, str]
"""Text by path below the folder, with slashes."""
EVERYTHING: Final = Scope()
HEAD: Final = "# Written by dtwin provision; a later run writes it anew.\n"


@dataclass(frozen=True, slots=True)
class Drift:
    """How a folder differs from what it should hold.

    Attributes:
        missing: Files that are not there.
        changed: Files with another content.
        surplus: Files that an earlier run wrote, for something that is there no more.
    """

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    surplus: tuple[str, ...]

    @property
    def is_none(self) -> bool:
        """Whether all is as it should be."""
        return not (self.missing or self.changed or self.surplus)


def compare(folder: Path, files: Files, kind: str, scope: Scope = EVERYTHING) -> Drift:
    """Find out how a folder differs from what it should hold.

    Args:
        folder: Where the files are.
        files: What it should hold.
        kind: Which tool they are for: each one has its own list.
        scope: Whose files they are: those of other systems are left as they are.

    Raises:
        SetupError: A file cannot be read, or would not be in the folder.
    """
    outside = [path for path in files if not _is_inside(path)]
    if outside:
        raise SetupError(
            f"{outside[0]!r} would lead out of {folder}; do not trust where the name comes from."
        )
    present = {path: _read(folder / path) for path in files}
    return Drift(
        tuple(path for path in sorted(files) if present[path] is None),
        tuple(path for path in sorted(files) if present[path] not in {None, files[path]}),
        tuple(
            path
            for path in _written(folder, kind)
            if path not in files and not scope.leaves(path) and (folder / path).exists()
        ),
    )


def write(folder: Path, files: Files, kind: str, scope: Scope = EVERYTHING) -> Drift:
    """Bring a folder to what it should hold; return what had to be done.

    Args:
        folder: Where the files are.
        files: What it should hold.
        kind: Which tool they are for.
        scope: Whose files they are: those of other systems are left as they are.

    Raises:
        SetupError: A file cannot be read or written.
    """
    drift = compare(folder, files, kind, scope)
    try:
        for path in (*drift.missing, *drift.changed):
            _replace(folder / path, files[path])
        for path in drift.surplus:
            (folder / path).unlink()
        listed = folder / _list_name(kind)
        text = to_json(sorted({*files, *filter(scope.leaves, _written(folder, kind))}))
        if _read(listed) != text:
            _replace(listed, text)
    except OSError as error:
        raise SetupError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error
    return drift


def read_earlier(folder: Path, path: str) -> str:
    """Return what an earlier run has written; empty for nothing.

    Raises:
        SetupError: The file cannot be read.
    """
    return _read(folder / path) or ""


def to_json(value: object) -> str:
    """Write JSON for people: the same value is the same text."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def to_yaml(value: object) -> str:
    """Write YAML with a head that says where it comes from; the same value is the same text."""
    return HEAD + str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110))


def to_lines(values: list[dict[str, Any]]) -> str:
    """Write one JSON object per line (NDJSON); the same values are the same text."""
    lines = (json.dumps(one, ensure_ascii=False, sort_keys=True, separators=(",", ":")) for one in values)
    return "".join(f"{line}\n" for line in lines)


def _list_name(kind: str) -> str:
    return f".dtwin-{kind}.json"


def _written(folder: Path, kind: str) -> list[str]:
    """Return what an earlier run wrote; paths that would lead out of the folder do not count."""
    text = _read(folder / _list_name(kind))
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return []
    named = [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
    return [one for one in named if _is_inside(one)]


def _is_inside(path: str) -> bool:
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path} cannot be read: {error}.") from error


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)  # Grafana and Prometheus run as users of their own
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
