"""One nginx of this machine: start, wait until it answers, reload without losing a request, stop.

What lives here: the process and its folder. What does not: what its configuration says (`configuration`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import psutil

from client.errors import ConfigurationError
from setup.errors import PartNotReadyError
from setup.local.processes import ProcessIdentity, log_tail, start_process
from setup.proxy.configuration import Places, render
from setup.proxy.program import Nginx, find_nginx
from setup.proxy.settings import ProxySettings

_USERS_FOR_ROOT = ("www-data", "nginx", "nobody")
_SHARED_PLACE = Path("/var/lib/dtwin")  # where another user may enter, whatever root's folders are
_CHECK_TIMEOUT_S = 30.0
_POLL_S = 0.05


class LocalProxy:
    """A proxy with its files in one folder.

    Args:
        directory: Configuration, certificate and logs.
        settings: What it is told.
        nginx: The program; found when None.
        log_file: Where nginx's own output goes; `output.log` in the folder when None.
        process: The identity of a proxy that already runs on this folder.
    """

    def __init__(
        self,
        directory: Path,
        settings: ProxySettings,
        *,
        nginx: Nginx | None = None,
        log_file: Path | None = None,
        process: ProcessIdentity | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.settings = settings
        self.places = Places(self.directory, _temporary_folder(self.directory))
        self.log_file = log_file or self.directory / "output.log"
        self.process = process
        self._nginx = nginx
        self._loaded: dict[Path, int] = {}

    @property
    def nginx(self) -> Nginx:
        """The program.

        Raises:
            PartMissingError: there is none.
        """
        if self._nginx is None:
            self._nginx = find_nginx()
        return self._nginx

    def write(self) -> Path:
        """Write the configuration and return its file; what runs goes on as it is until `reload`.

        Raises:
            ConfigurationError: a path cannot be named in it.
            PartMissingError: nginx is not installed, so that its version is not known.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        user = _worker_user()
        text = render(self.settings, self.places, self.nginx.version, user.pw_name if user else "")
        self.places.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        if user is not None:
            _SHARED_PLACE.chmod(0o755)
            os.chown(self.places.temporary, user.pw_uid, user.pw_gid)
        path = self.places.configuration_file
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
        return path

    def check(self) -> None:
        """Write the configuration and let nginx read it.

        Raises:
            ConfigurationError: nginx refuses it; the message holds its reason.
            PartMissingError: nginx is not installed.
        """
        self.write()
        done = subprocess.run(
            [*self._command(), "-t", "-q"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_CHECK_TIMEOUT_S,
        )
        if done.returncode:
            raise ConfigurationError(
                f"nginx refuses {self.places.configuration_file}:\n{done.stderr.strip()}\n"
                "Correct the setting DTWIN_PROXY__... or the file that it names."
            )

    def start(self) -> None:
        """Check the configuration and start nginx; does not wait until it answers (see `wait_ready`).

        Raises:
            ConfigurationError: the configuration is refused.
            PartMissingError: nginx is not installed.
        """
        self.check()
        self._loaded = self._file_times()
        self.process = start_process(self._command(), log_file=self.log_file)

    def wait_ready(self, timeout_s: float = 15.0) -> None:
        """Wait until it speaks TLS.

        Raises:
            PartNotReadyError: it ended, or did not answer within `timeout_s` [s].
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process is None or not self.process.is_running():
                raise PartNotReadyError(
                    f"The proxy ended while starting. Its log {self.log_file} ends:\n"
                    f"{log_tail(self.log_file)}{self._port_hint()}"
                )
            if self._answers():
                return
            time.sleep(_POLL_S)
        raise PartNotReadyError(
            f"The proxy did not answer on {self.settings.host}:{self.settings.port} within {timeout_s:g} s. "
            f"Its log {self.log_file} ends:\n{log_tail(self.log_file)}"
        )

    def reload(self, timeout_s: float = 15.0) -> None:
        """Let nginx go on with the present settings and certificates; requests under way are finished.

        Returns when only new workers accept connections.

        Raises:
            ConfigurationError: the configuration is refused; what runs goes on with the old one.
            PartNotReadyError: it does not run, or has no new workers within `timeout_s` [s].
        """
        self.check()
        process = self.process.process() if self.process is not None else None
        if process is None:
            raise PartNotReadyError("The proxy does not run: start it with dtwin proxy run.")
        self._loaded = self._file_times()
        before = process.children()
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if all(_has_let_go(worker) for worker in before):
                return
            time.sleep(_POLL_S)
        raise PartNotReadyError(
            f"The proxy has no new workers after {timeout_s:g} s. Its log {self.places.error_log} ends:\n"
            f"{log_tail(self.places.error_log)}"
        )

    def has_new_files(self) -> bool:
        """Tell whether a certificate or key was replaced since nginx has read it."""
        return self._file_times() != self._loaded

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it: requests under way are finished, those that last longer than `timeout_s` [s] are not."""
        if self.process is None:
            return
        workers = self.process.descendants()
        self.process.end(first_signal=signal.SIGQUIT, timeout_s=timeout_s)
        for worker in workers:
            # Killed, the master leaves its workers behind.
            worker.end(timeout_s=timeout_s)
        self.process = None
        # What waited there belonged to requests that have ended.
        shutil.rmtree(self.places.temporary, ignore_errors=True)

    def running(self) -> ProcessIdentity | None:
        """Return the process that the pid file names, when it is an nginx that runs on this folder."""
        try:
            identity = ProcessIdentity.of(int(self.places.pid_file.read_text(encoding="ascii")))
            process = identity.process() if identity is not None else None
            command = " ".join(process.cmdline()) if process is not None else ""
        except (OSError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return identity if str(self.places.configuration_file) in command else None

    def _command(self) -> list[str]:
        # `-e`: until it has read the configuration, nginx would write to a place of its own.
        return [
            str(self.nginx.path),
            "-e",
            "stderr",
            "-p",
            str(self.directory),
            "-c",
            str(self.places.configuration_file),
        ]

    def _file_times(self) -> dict[Path, int]:
        files = (*self.settings.files, self.places.certificate_file, self.places.key_file)
        return {path: path.stat().st_mtime_ns for path in files if path.is_file()}

    def _answers(self) -> bool:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Only whether TLS is spoken matters here; clients check the certificate.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings.host, self.settings.host)  # noqa: S104
        try:
            with (
                socket.create_connection((host, self.settings.port), timeout=2) as connection,
                context.wrap_socket(connection),
            ):
                return True
        except OSError:
            return False

    def _port_hint(self) -> str:
        if self.settings.port >= 1024 or os.geteuid() == 0:  # noqa: PLR2004 (the ports of root end there)
            return ""
        return (
            f"\nA plain user may open port {self.settings.port} only after: "
            f"sysctl net.ipv4.ip_unprivileged_port_start={self.settings.port}, or AmbientCapabilities="
            "CAP_NET_BIND_SERVICE in its systemd unit."
        )


def _has_let_go(worker: psutil.Process) -> bool:
    """Tell whether a worker has ended, or finishes what it has begun and accepts nothing more."""
    try:
        return "shutting down" in " ".join(worker.cmdline()) or worker.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _worker_user() -> pwd.struct_passwd | None:
    """Choose whom the workers run as: None for the present user, somebody powerless for root.

    Raises:
        ConfigurationError: root has nobody to give them to.
    """
    if os.geteuid() != 0:
        return None
    for name in _USERS_FOR_ROOT:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ConfigurationError(
        f"nginx started by root needs one of the users {', '.join(_USERS_FOR_ROOT)} for its workers: "
        "make one, or run the proxy as a plain user."
    )


def _temporary_folder(directory: Path) -> Path:
    """Choose where bodies wait: in the folder, unless root's substitute could not enter it."""
    if os.geteuid() != 0:
        return directory / "temporary"
    return _SHARED_PLACE / f"proxy-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:10]}"
