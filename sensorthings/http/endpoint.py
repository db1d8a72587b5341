"""The ASGI application of SensorThings itself: from the wire to a request, from an answer to the wire.

What lives here: bodies within the size limit, addresses, who asks, errors as answers. What does not: what a
request does (`sensorthings.http.service`); health, metrics and administration (`sensorthings.app`).

Plain ASGI, because a framework's routing costs as much as reading an entity does.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from sensorthings.access.certificates import is_within, parse_networks
from sensorthings.access.principals import Principal
from sensorthings.errors import EntityMissingError, RequestError
from sensorthings.http.messages import VERSIONS, Answer, Request
from sensorthings.http.ports import Service
from sensorthings.http.problems import problem_of
from sensorthings.settings import Settings

Authenticate = Callable[[Mapping[str, str], Scope], Awaitable[Principal]]
"""Tells from headers and connection who asks."""
_WITH_BODY: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})


def is_ours(path: str) -> bool:
    """Tell whether an address belongs to SensorThings."""
    return path.startswith("/v1.") and path.split("/", 2)[1] in VERSIONS


class Endpoint:
    """The application below `/v1.1` and `/v1.0`."""

    def __init__(self, service: Service, authenticate: Authenticate, settings: Settings) -> None:
        self._service = service
        self._authenticate = authenticate
        self._root = settings.root_url.rstrip("/")
        self._max_body_bytes = settings.max_body_bytes
        self._proxies = parse_networks(settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            request = await self._read(scope, receive)
            answer = await self._service.answer(request)
        except Exception as error:  # noqa: BLE001 - the one place where every error becomes an answer
            answer = problem_of(error, scope["path"])
        await _send(answer, send, is_head=scope["method"] == "HEAD")

    async def _read(self, scope: Scope, receive: Receive) -> Request:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        _, version, *rest = scope["path"].split("/", 2)
        if version not in VERSIONS:
            raise EntityMissingError(f"Nothing is at /{version}.", f"The versions are {', '.join(VERSIONS)}.")
        principal = await self._authenticate(headers, scope)
        body = await _body(receive, self._max_body_bytes) if scope["method"] in _WITH_BODY else b""
        return Request(
            scope["method"],
            rest[0] if rest else "",
            scope["query_string"].decode("ascii", "replace"),
            headers,
            body,
            f"{self._root or self._base(scope, headers)}/{version}",
            version,
            principal,
        )

    def _base(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """Give the address that the client used, without the version.

        What a proxy says of it (X-Forwarded-Proto, -Host, -Prefix) counts when the proxy is a trusted one.
        Source: RFC 9110, clause 7.2 (Host).
        """
        client = scope.get("client")
        told = headers if is_within(client[0] if client else None, self._proxies) else {}
        server: Any = scope.get("server") or ("127.0.0.1", None)
        host = told.get("x-forwarded-host") or headers.get("host")
        if not host:
            host = f"{server[0]}:{server[1]}" if server[1] else server[0]
        scheme = "https" if told.get("x-forwarded-proto", scope["scheme"]) == "https" else "http"
        prefix = told.get("x-forwarded-prefix", scope.get("root_path", "")).strip("/")
        path = f"/{quote(prefix, safe='/-._~')}" if prefix else ""
        return f"{scheme}://{quote(host, safe=':[]%-._~')}{path}"


async def _body(receive: Receive, max_bytes: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= max_bytes:
        return body
    chunks, size = [body], len(body)
    while message.get("more_body", False) and size <= max_bytes:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if size > max_bytes:
        raise RequestError(
            413, "body.too_large", f"The body is larger than {max_bytes} bytes.", "Send it in parts."
        )
    return b"".join(chunks)


async def _send(answer: Answer, send: Send, *, is_head: bool) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode())]
    if answer.body:
        charset = "; charset=utf-8" if answer.media_type.startswith("text/") else ""
        headers.append((b"content-type", f"{answer.media_type}{charset}".encode("latin-1")))
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else answer.body})
