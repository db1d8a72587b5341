"""The jars of the OGC suite: resolved from Maven Central once, every file checked against `jars.txt`.

What the suite does with a service is in `suite.py`. Nothing of the suite is kept in this repository.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from setup.errors import DownloadError
from setup.local.certificates import system_certificates
from setup.local.paths import cache_folder, exclusive_lock

SUITE_VERSION: Final = "1.5"
# The suite was written against the lenient org.json of 2009. The release that its 1.5 asks for has a strict
# `getString`, with which one test refuses every server that sends a numeric result as a JSON number.
JSON_VERSION: Final = "20090211"
_COORDINATES: Final = (f"org.opengis.cite:ets-sta10:{SUITE_VERSION}", f"org.json:json:{JSON_VERSION}")
_PINNED: Final = Path(__file__).with_name("jars.txt")


def class_path() -> str:
    """Return the class path of the suite, fetching its jars (33 MB) when they are not in the cache.

    Raises:
        DownloadError: no network, or a file is not the pinned one.
    """
    return ":".join(map(str, _jars()))


def description() -> bytes:
    """Return the suite's own description for TestNG (`testng.xml`), out of its jar."""
    jar = next(path for path in _jars() if path.name == f"ets-sta10-{SUITE_VERSION}.jar")
    with ZipFile(jar) as archive:
        return archive.read("org/opengis/cite/sta10/testng.xml")


def pinned_hashes() -> dict[str, str]:
    """Return jar name to sha256 (hexadecimal) for every jar of the suite."""
    lines = _PINNED.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines if line[:1] not in {"", "#"})}


def _jars() -> list[Path]:
    pinned = pinned_hashes()
    folder = cache_folder() / "ogc" / f"ets-sta10-{SUITE_VERSION}"
    with exclusive_lock(folder / "lock"):
        present = folder / "jars"
        if not all((present / name).exists() for name in pinned):
            _resolve(folder / "downloads", present, set(pinned))
        for name, digest in pinned.items():
            file = present / name
            if not file.exists() or _sha256(file) != digest:
                raise DownloadError(
                    f"{file} is missing or not the pinned file: delete {present}, start again"
                )
    return [present / name for name in pinned]


def _resolve(downloads: Path, target: Path, wanted: set[str]) -> None:
    import jgo

    target.mkdir(parents=True, exist_ok=True)
    for coordinate in _COORDINATES:
        try:
            with system_certificates():
                environment = Path(jgo.build(coordinate, cache_dir=downloads).path)
        except (OSError, RuntimeError, ValueError) as error:
            raise DownloadError(
                f"The OGC suite ({coordinate}) could not be fetched from Maven Central ({error}). "
                "Check the network and the proxy settings and start again."
            ) from error
        for jar in environment.rglob("*.jar"):
            if jar.name in wanted:
                shutil.copyfile(jar, target / jar.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
