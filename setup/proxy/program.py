"""Finding nginx, and fetching it where it is not installed.

What lives here: the program and its version. What does not: its configuration, and running it.

Debian's package can be unpacked anywhere: a plain user needs no administrator to run it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from setup.errors import DownloadError, PartMissingError
from setup.local.paths import cache_folder, exclusive_lock

INSTALL_HINT = "Install it with: apt install nginx; or without being root: dtwin proxy fetch"
_SYSTEM_PLACES = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx")
_VERSION = re.compile(r"nginx/(\d+)\.(\d+)\.(\d+)")
_OLDEST = (1, 22, 0)  # Debian 12; what is before was never tried
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Nginx:
    """A program that runs on this machine.

    Attributes:
        path: Where it is.
        version: Its version.
    """

    path: Path
    version: tuple[int, int, int]


def find_nginx(environment: Mapping[str, str] = os.environ) -> Nginx:
    """Find nginx: on PATH, where systems keep it, or in the user's cache.

    Raises:
        PartMissingError: there is none, or only one that is too old or does not run.
    """
    refused = []
    for path in _places(environment):
        version = _version_of(path)
        if version is not None and version >= _OLDEST:
            return Nginx(path, version)
        refused.append(f"{path} {'does not run' if version is None else 'is older than 1.22'}")
    found = f" ({'; '.join(refused)})" if refused else ""
    raise PartMissingError(f"The proxy needs nginx, which was not found{found}. {INSTALL_HINT}.")


def fetch_nginx(
    environment: Mapping[str, str] = os.environ, say: Callable[[str], None] = lambda _: None
) -> Nginx:
    """Find nginx, or unpack Debian's package of it into the user's cache.

    Needs neither root nor a change of the system.

    Args:
        environment: Where PATH and the cache are named.
        say: Called with a sentence before something is fetched.

    Raises:
        PartMissingError: this is no Debian-like system, or the package does not run here.
        DownloadError: the package could not be fetched.
    """
    try:
        return find_nginx(environment)
    except PartMissingError:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise
    target = _unpacked(environment)
    with exclusive_lock(target.parent / "nginx.lock"):
        if not _program_in(target).exists():
            say("fetching Debian's nginx into the user's cache")
            _fetch_into(target)
    return find_nginx(environment)


def _places(environment: Mapping[str, str]) -> list[Path]:
    on_path = shutil.which("nginx", path=environment.get("PATH", os.defpath))
    candidates = [on_path, *_SYSTEM_PLACES, str(_program_in(_unpacked(environment)))]
    # Each once, in this order.
    return [Path(place) for place in dict.fromkeys(candidates) if place and os.access(place, os.X_OK)]


def _unpacked(environment: Mapping[str, str]) -> Path:
    return cache_folder(environment) / "nginx"


def _program_in(folder: Path) -> Path:
    return folder / "usr" / "sbin" / "nginx"


def _version_of(program: Path) -> tuple[int, int, int] | None:
    try:
        done = subprocess.run(
            [str(program), "-v"], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stderr + done.stdout)
    return (int(found[1]), int(found[2]), int(found[3])) if found and done.returncode == 0 else None


def _fetch_into(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="nginx-", dir=target.parent) as name:
        folder = Path(name)
        if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
            _apt(folder, "update", "-qq")
        try:
            _apt(folder, "download", "nginx")
        except DownloadError:
            # The machine's list may name a version that the mirror has replaced since.
            _apt(folder, "update", "-qq", own_lists=True)
            _apt(folder, "download", "nginx", own_lists=True)
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(folder / "unpacked")], folder)
        (folder / "unpacked").rename(target)


def _apt(folder: Path, *arguments: str, own_lists: bool = False) -> None:
    """Run apt-get; with lists and cache of its own, a plain user may update them."""
    own: list[str] = []
    if own_lists or arguments[0] == "update" or (folder / "lists").exists():
        (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        own = [
            f"-oDir::State::lists={folder / 'lists'}",
            f"-oDir::Cache={folder / 'cache'}",
            "-oDebug::NoLocking=1",
        ]
    # As root, apt would change to a user that may not write here.
    _run(["apt-get", *own, "-oAPT::Sandbox::User=", *arguments], folder)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"{command[0]} did not end within {_TIMEOUT_S:g} s. {INSTALL_HINT}.") from error
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise DownloadError(f"nginx could not be fetched: {' '.join(reason)} ({' '.join(command)}).")
