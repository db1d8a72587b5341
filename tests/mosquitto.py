"""A real Mosquitto with TLS and client certificates, as a process of its own, for tests and benchmarks.

The installed program is used; where there is none, Debian's package is unpacked into the user's cache.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509

from setup.local.paths import cache_folder, exclusive_lock
from setup.local.ports import LOOPBACK, any_free_port, is_answering
from setup.local.processes import ProcessIdentity, log_tail, start_process
from tests.certificates import TestAuthority

_READY_S: Final = 60.0
_FETCH_S: Final = 180.0
_PLACES: Final = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
# What every system has, or what must not be mixed with the system's own.
_LEFT_OUT: Final = frozenset({"libc6", "libgcc-s1", "libssl3", "libssl3t64", "libsystemd0", "libcrypt1"})
# Nothing may be dropped while the bridge is away; the defaults keep 1000 messages and send 20 at a time.
KEEP_EVERYTHING: Final = ("max_queued_messages 0", "max_inflight_messages 0", "max_packet_size 2000000")


class Mosquitto:
    """One broker: its authority, certificates, store and log are in `folder`; it may be killed and restarted.

    Args:
        folder: Where everything goes.
        settings: Lines of its configuration that come after the listener, as `acl_file /x`; without any
            about access, everybody with a certificate may do everything.
        authority: Who signs certificates; an own one when left out.
        port: Where it listens; a free port when left out.
        anonymous: Whether certificates alone let in (`allow_anonymous`), whatever names they show.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Sequence[str] = (),
        authority: TestAuthority | None = None,
        port: int | None = None,
        anonymous: bool = True,
    ) -> None:
        self.folder = folder
        self.authority = authority or TestAuthority("MQTT test CA")
        self.port = port or any_free_port()
        self.url = f"mqtts://{LOOPBACK}:{self.port}"
        self.log_file = folder / "mosquitto.log"
        (folder / "store").mkdir(parents=True, exist_ok=True)
        self.ca_file, _ = self.authority.own.write(folder, "mqtt-ca")
        self._certificate = self.authority.sign("mosquitto", server=True).write(folder, "mqtt-server")
        self._settings = (*KEEP_EVERYTHING, f"allow_anonymous {str(anonymous).lower()}", *settings)
        self._process: ProcessIdentity | None = None

    def identity(self, name: str, subject: x509.Name | None = None) -> tuple[Path, Path]:
        """Make files of certificate and key of a client; `subject` says more than a common name can."""
        signed = self.authority.sign(*(() if subject else (name,)), subject=subject)
        return signed.write(self.folder, f"client-{name}")

    def configure(self, settings: Sequence[str]) -> None:
        """Replace all settings after the listener; read when it starts, or with `reload`."""
        self._settings = tuple(settings)
        self._write()

    def _write(self) -> Path:
        lines = [
            # As root it would change to a user that may not read the folder of a test.
            *(["user root"] if os.geteuid() == 0 else []),
            "per_listener_settings false",
            f"listener {self.port} {LOOPBACK}",
            f"cafile {self.ca_file}",
            f"certfile {self._certificate[0]}",
            f"keyfile {self._certificate[1]}",
            "require_certificate true",
            "persistence true",
            f"persistence_location {self.folder / 'store'}/",
            f"log_dest file {self.log_file}",
            *self._settings,
        ]
        file = self.folder / "mosquitto.conf"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    def start(self) -> None:
        """Start it and wait until it answers."""
        program, environment = find_mosquitto()
        file = self._write()
        output = self.folder / "output.log"
        self._process = start_process(
            [str(program), "-c", str(file)], log_file=output, environment=os.environ | environment
        )
        deadline = time.monotonic() + _READY_S
        while not is_answering(self.port):
            if not self._process.is_running() or time.monotonic() > deadline:
                said = log_tail(output, 20) + log_tail(self.log_file, 20)
                raise RuntimeError(f"Mosquitto did not start:\n{said}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order: it writes its store first. Nothing happens when it does not run."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """End it in order and start it again, on the same port with the same store."""
        self.stop()
        self.start()


@cache
def find_mosquitto() -> tuple[Path, dict[str, str]]:
    """Find the program, or unpack Debian's package; give it and the environment that it needs.

    Raises:
        RuntimeError: There is none and it cannot be fetched.
    """
    found = next(
        (name for name in (shutil.which("mosquitto"), *_PLACES) if name and Path(name).exists()), None
    )
    if found is not None:
        return Path(found), {}
    target = cache_folder(os.environ) / "mosquitto"
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(target.parent / "mosquitto.lock"):
        if not (target / "usr" / "sbin" / "mosquitto").exists():
            _fetch_into(target)
    libraries = sorted({str(file.parent) for file in target.rglob("lib*.so*")})
    return target / "usr" / "sbin" / "mosquitto", {"LD_LIBRARY_PATH": ":".join(libraries)}


@cache
def find_mosquitto_pub() -> tuple[Path, dict[str, str]]:
    """Find the program that publishes, or unpack Debian's package; give it and the environment it needs.

    Raises:
        RuntimeError: There is none and it cannot be fetched.
    """
    found = shutil.which("mosquitto_pub")
    if found is not None:
        return Path(found), {}
    target = cache_folder(os.environ) / "mosquitto-clients"
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(target.parent / "mosquitto-clients.lock"):
        if not (target / "usr" / "bin" / "mosquitto_pub").exists():
            _fetch_into(target, "mosquitto-clients")
    libraries = sorted({str(file.parent) for file in target.rglob("lib*.so*")})
    return target / "usr" / "bin" / "mosquitto_pub", {"LD_LIBRARY_PATH": ":".join(libraries)}


def _fetch_into(target: Path, program: str = "mosquitto") -> None:
    with tempfile.TemporaryDirectory(prefix="mosquitto-", dir=target.parent) as name:
        folder = Path(name)
        needed = _libraries(program)
        needed |= {further for library in needed for further in _libraries(library)}
        # As root, apt would change to a user that may not write here.
        _run(["apt-get", "-oAPT::Sandbox::User=", "download", program, *sorted(needed)], folder)
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(folder / "unpacked")], folder)
        (folder / "unpacked").rename(target)


def _libraries(package: str) -> set[str]:
    listing = _run(["apt-cache", "depends", package], Path.cwd())
    names = (line.split("Depends:")[1].strip() for line in listing.splitlines() if " Depends:" in line)
    return {name for name in names if name.startswith("lib") and name not in _LEFT_OUT}


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_FETCH_S)
    if done.returncode:
        raise RuntimeError(
            f"Mosquitto is not installed and could not be fetched ({' '.join(command)}): "
            f"{done.stderr.strip()}. Install it with: apt install mosquitto"
        )
    return done.stdout
