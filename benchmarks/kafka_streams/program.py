"""Make the Kafka Streams peer runnable: its jars from Maven Central once, its class compiled once.

A JDK (`javac`, `java`, 17 or newer) has to be on the path: the Java of the local broker has no compiler.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from setup.local.paths import cache_folder, exclusive_lock

KAFKA_STREAMS_VERSION: Final = "4.1.1"
_SOURCE: Final = Path(__file__).with_name("StreamsPeer.java")
_JARS: Final = Path(__file__).with_name("jars.txt")


def is_possible() -> bool:
    """Whether there is a JDK on the path."""
    return shutil.which("javac") is not None and shutil.which("java") is not None


def class_path() -> str:
    """Return the class path of the peer, made when it is not there or its source has changed.

    Raises:
        SystemExit: a jar is not the pinned one, or the source does not compile.
    """
    folder = cache_folder() / "benchmarks" / "kafka-streams"
    with exclusive_lock(folder / "lock"):
        jars = _jars(folder)
        classes = folder / f"classes-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]}"
        found = ":".join([str(classes), *map(str, jars)])
        if not (classes / "StreamsPeer.class").exists():
            classes.mkdir(exist_ok=True)
            command = ["javac", "--release", "17", "-cp", found, "-d", str(classes), str(_SOURCE)]
            if subprocess.run(command, check=False).returncode:
                raise SystemExit(f"{_SOURCE} could not be compiled")
    return found


def peer_command(
    kind: str, bootstrap: str, application: str, state: Path, *more: str, commit_interval_s: float = 0.1
) -> Sequence[str]:
    """The command of one process of the peer.

    Args:
        kind: `filter` or `join`.
        bootstrap: Kafka addresses.
        application: Consumer group and transactional id.
        state: Folder for its state, of this process alone.
        more: Source topics (commas between), target topic, and the limit or the window [ms].
        commit_interval_s: Time between two commits [s].
    """
    return [
        *("java", "-Xms512m", "-Xmx1g", "-XX:+UseParallelGC", "-cp", class_path(), "StreamsPeer"),
        *(kind, bootstrap, application, str(state), str(round(commit_interval_s * 1000)), *more),
    ]


def _jars(folder: Path) -> list[Path]:
    import jgo  # noqa: PLC0415 - takes a while to import, and few runs need it

    pinned = {
        name: digest
        for digest, name in (
            line.split() for line in _JARS.read_text(encoding="utf-8").splitlines() if line[:1] != "#"
        )
    }
    present = folder / "jars"
    if not all((present / name).exists() for name in pinned):
        coordinate = f"org.apache.kafka:kafka-streams:{KAFKA_STREAMS_VERSION}"
        resolved = Path(jgo.build(coordinate, cache_dir=folder / "downloads").path)
        present.mkdir(exist_ok=True)
        for jar in resolved.rglob("*.jar"):
            shutil.copyfile(jar, present / jar.name)
    for name, digest in pinned.items():
        file = present / name
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise SystemExit(f"{file} is missing or not the pinned file: delete {present} and start again")
    return [present / name for name in pinned]
