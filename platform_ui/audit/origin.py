"""Where the request comes from that something is done for: kept beside it, so that no caller has to pass it.

What lives here: the client's address and a number for the request, for every task that works on it. What does
not: whom to believe about the address (``browser``).
"""

import uuid
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER: Final = "X-Request-ID"
MAX_ADDRESS: Final = 64


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """Where something comes from; both are None when no request led to it.

    Attributes:
        address: The client's address.
        request_id: The number of the request; every answer names it.
    """

    address: str | None = None
    request_id: uuid.UUID | None = None


_NOWHERE: Final = RequestOrigin()
_current: ContextVar[RequestOrigin] = ContextVar("origin", default=_NOWHERE)


def current_origin() -> RequestOrigin:
    """Return where the running request comes from."""
    return _current.get()


class OriginMiddleware:
    """Gives every request a number, and notes it with the client's address for what the request leads to.

    The number is always made here: one that a client chose could be that of somebody else's request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        origin = RequestOrigin(client[0][:MAX_ADDRESS] if client else None, uuid.uuid4())

        async def send_with_number(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = str(origin.request_id)
            await send(message)

        token = _current.set(origin)
        try:
            await self._app(scope, receive, send_with_number)
        finally:
            _current.reset(token)
