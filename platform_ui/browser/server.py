"""The HTTP server's own limits: size and slowness of request lines and headers, and pauses of the process.

What lives here: the settings of uvicorn that keep one careless or hostile client from the others, and the
one limit that it lacks: a client that sends headers a byte at a time would hold its connection for ever. What
keeps the collection of garbage from holding up a request is here too.
"""

import asyncio
import gc
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD_BYTES: Final = 16 * 1024  # request line and headers together
HEAD_TIMEOUT_S: Final = 10.0
KEEP_ALIVE_S: Final = 5
MAX_CONNECTIONS: Final = 1000
# A page makes some ten thousand objects that die with it.
_GARBAGE_THRESHOLDS: Final = (20_000, 20, 20)


class TimedProtocol(H11Protocol):
    """Ends connections whose request line and headers do not arrive in time."""

    head_timeout_s = HEAD_TIMEOUT_S
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived; the first bytes of a further request start the clock again."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head_timer is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._end)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


def spare_pauses() -> None:
    """Take what the site is made of out of the collection of garbage; called once, when it is put together.

    Modules, routes and models are some 300,000 objects that live as long as the process: to look through
    them again takes 150 to 200 ms, in the midst of somebody's request (`python -m benchmarks.site`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


def server_options() -> dict[str, Any]:
    """Return the options of uvicorn that every server of the site runs with."""
    return {
        "http": TimedProtocol,
        "h11_max_incomplete_event_size": MAX_HEAD_BYTES,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "limit_concurrency": MAX_CONNECTIONS,
        "proxy_headers": False,  # which proxies are trusted is our own setting
        "access_log": False,
        "server_header": False,
    }
