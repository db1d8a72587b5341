"""Free TCP ports on loopback.

A port that another program holds is replaced by the next free one; whoever asks says so to the user.
"""

from __future__ import annotations

import socket
from collections.abc import Collection

from setup.errors import SetupError

LOOPBACK = "127.0.0.1"
_TRIES = 200


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


def free_port_from(wanted: int, taken: Collection[int] = ()) -> int:
    """Return the wanted port, or the next one that is free and not in `taken`.

    Raises:
        SetupError: none of the 200 ports from the wanted one on is free.
    """
    for port in range(wanted, min(wanted + _TRIES, 65536)):
        if port not in taken and is_free(port):
            return port
    raise SetupError(
        f"No free port between {wanted} and {wanted + _TRIES - 1} on {LOOPBACK}: "
        "end a program that holds one."
    )


def any_free_port() -> int:
    """Return a port that the operating system says is free, for servers nobody needs to find by number."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
