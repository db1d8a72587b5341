"""The load: connections that are kept alive, in a process of their own whose cost is not counted.

`python -m benchmarks.sensorthings.connections`: takes a plan as JSON on standard input, sends for so long,
prints one JSON object. One request is under way on each connection at any time.
"""

import base64
import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

from benchmarks.sensorthings.scenarios import MARK

_MARK: Final = MARK.encode()
_NEXT: Final = re.compile(rb'"@iot\.nextLink":\s*"https?://[^/"]+([^"]+)"')
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNK_BYTES: Final = 256 * 1024
_STALL_S: Final = 30.0


class Connection:
    """One connection: sends, collects the answer, and knows what to send next."""

    def __init__(
        self, address: tuple[str, int], requests: Sequence[bytes], place: int, *, follows: bool
    ) -> None:
        self.socket = socket.create_connection(address, timeout=_STALL_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._turn = place
        self._follows = follows
        self._received = bytearray()
        self._next: bytes | None = None
        self.sent_at = 0.0

    def send(self, number: int) -> None:
        """Send the next request."""
        if self._next is None:
            request = self._requests[self._turn % len(self._requests)]
            self._turn += 1
        else:
            request = self._next
        self.sent_at = time.perf_counter()
        self.socket.sendall(request.replace(_MARK, b"%06d" % (number % 1_000_000)))

    def receive(self) -> int | None:
        """Take what has arrived; the status when the answer is complete."""
        got = self.socket.recv(_CHUNK_BYTES)
        if not got:
            raise SystemExit("the service closed a connection")
        self._received += got
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = _LENGTH.search(self._received, 0, head)
        if length is None:
            complete = self._received.endswith(b"0\r\n\r\n")
        else:
            complete = len(self._received) >= head + 4 + int(length[1])
        if not complete:
            return None
        status = int(self._received[9:12])
        if self._follows:
            self._next = self._following()
        self._received.clear()
        return status

    def _following(self) -> bytes | None:
        link = _NEXT.search(self._received)
        if link is None:
            return None
        host = self._requests[0].partition(b"Host: ")[2].partition(b"\r\n")[0]
        return b"GET %b HTTP/1.1\r\nHost: %b\r\nAccept: application/json\r\n\r\n" % (link[1], host)


def drive(
    address: tuple[str, int],
    requests: Sequence[bytes],
    count: int,
    seconds: float,
    *,
    first: int,
    follows: bool,
) -> dict[str, object]:
    """Send over some connections for some time.

    Args:
        address: Host and port.
        requests: Sent in turn; each connection begins elsewhere.
        count: Connections.
        seconds: How long [s]; what is under way then is waited for.
        first: Number that the first request carries.
        follows: Follow next links.

    Returns:
        Seconds [s], latencies [ms], how many answers had which status.
    """
    selector = selectors.DefaultSelector()
    number = first
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    began = time.perf_counter()
    for place in range(count):
        connection = Connection(address, requests, place * 7, follows=follows)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(number)
        number += 1
    open_ = count
    while open_:
        events = selector.select(_STALL_S)
        if not events:
            raise SystemExit(f"the service did not answer for {_STALL_S:g} s")
        for key, _ in events:
            connection = key.data
            status = connection.receive()
            if status is None:
                continue
            now = time.perf_counter()
            latencies.append(round((now - connection.sent_at) * 1000, 3))
            statuses[status] = statuses.get(status, 0) + 1
            if now - began < seconds:
                connection.send(number)
                number += 1
            else:
                selector.unregister(connection.socket)
                connection.socket.close()
                open_ -= 1
    return {
        "seconds": time.perf_counter() - began,
        "latencies_ms": latencies,
        "statuses": statuses,
        "next": number,
    }


def main() -> None:
    """Read the plan, drive, print."""
    plan = json.load(sys.stdin)
    requests = [base64.b64decode(one) for one in plan["requests"]]
    host, _, port = plan["host"].partition(":")
    seconds = plan["seconds"]
    done = drive(
        (host, int(port)),
        requests,
        plan["connections"],
        seconds,
        first=plan["first"],
        follows=plan["follows"],
    )
    print(json.dumps(done))


if __name__ == "__main__":
    main()
