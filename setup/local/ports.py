"""Free TCP ports on loopback.

A port that another program holds is replaced by the next free one; whoever asks says so to the user. Seconds
pass until the server listens that it was chosen for: two stacks that start at the same time see each other's
choices by their claims.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Collection
from functools import cache
from pathlib import Path

from setup.errors import SetupError
from setup.local.paths import cache_folder

LOOPBACK = "127.0.0.1"
_TRIES = 200
# Below those that operating systems give to connections outwards, which would be in the way of a server.
_UNASKED = range(20_000, 32_768)


class PortClaims:
    """Ports that servers of this program will listen on, as far as other programs of this user have to know.

    A claim is a locked file: it ends with this object, and with the program however that ends. Where no file
    can be made, every port is this program's, as without claims.

    Args:
        folder: Where the files are, the same for all; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[int, int] = {}

    @property
    def held(self) -> Collection[int]:
        """The ports that are claimed."""
        return self._held.keys()

    def claim(self, port: int) -> bool:
        """Claim a port; tell whether it is ours now, and not another program's."""
        if port in self._held:
            return True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._held[port] = file
        return True

    def release(self, *ports: int) -> None:
        """Let others claim some ports; all of them when none is named."""
        for port in ports or list(self._held):
            file = self._held.pop(port, None)
            if file is not None:
                os.close(file)

    def __del__(self) -> None:
        """Let others claim all of them."""
        self.release()


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose old connections are still in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def is_answering(port: int, host: str = LOOPBACK, timeout_s: float = 0.5) -> bool:
    """Tell whether something accepts connections on the port."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def free_port_from(wanted: int, taken: Collection[int] = (), claims: PortClaims | None = None) -> int:
    """Return the wanted port, or the next one that is free and not in `taken`.

    Args:
        wanted: The first one that is looked at.
        taken: Ports that are not to be had.
        claims: Where the port is claimed, and those are left out that another program has claimed.

    Raises:
        SetupError: none of the 200 ports from the wanted one on is free.
    """
    for port in range(wanted, min(wanted + _TRIES, 65536)):
        if port in taken or (claims is not None and not claims.claim(port)):
            continue
        # After the claim: whoever had it before is listening by now.
        if is_free(port):
            return port
        if claims is not None:
            claims.release(port)
    raise SetupError(
        f"No free port between {wanted} and {wanted + _TRIES - 1} on {LOOPBACK}: "
        "end a program that holds one."
    )


def any_free_port(first: int = 0, last: int = 0) -> int:
    """Return a port that is free, for servers nobody needs to find by number.

    Seconds pass until a server listens on it: this program and others that ask in this way get other ones.

    Args:
        first: Smallest port; 0 for any that no connection outwards is ever given.
        last: Largest port, for a server that takes no larger one.

    Raises:
        SetupError: none of the 200 ports that were looked at is free.
    """
    if not first:
        first, last = _UNASKED.start, _UNASKED.stop - 1
    claims = _claims()
    # From a random one on: others look for a port in the same range at the same time.
    start = first + secrets.randbelow(max(1, last - first - _TRIES))
    return free_port_from(start, claims.held, claims)


@cache
def _claims() -> PortClaims:
    """Return the claims of this program, which last until it ends."""
    return PortClaims(cache_folder() / "any-ports")
