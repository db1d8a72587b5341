"""The endpoint: the address that links begin with, bodies that are too large."""

from typing import Any

import pytest
from starlette.types import Message, Scope

from sensorthings.access.principals import ANYONE, Principal
from sensorthings.http.endpoint import Endpoint, is_ours
from sensorthings.http.messages import Answer, Request
from sensorthings.settings import Settings


class _Echo:
    """A service that tells the root of a request."""

    async def answer(self, request: Request) -> Answer:
        return Answer(200, f"{request.root} {len(request.body)}".encode())


async def _anyone(*_: object) -> Principal:
    return ANYONE


async def _ask(
    headers: dict[str, str],
    peer: str = "127.0.0.1",
    body: tuple[bytes, ...] = (b"",),
    more: dict[str, Any] | None = None,
) -> tuple[int, bytes]:
    settings = Settings(database_url="postgresql://x", trusted_proxies="10.0.0.0/8", **(more or {}))
    endpoint = Endpoint(_Echo(), _anyone, settings)  # type: ignore[arg-type]
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1.1/Things",
        "query_string": b"",
        "scheme": "http",
        "client": (peer, 1),
        "server": ("127.0.0.1", 80),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    parts = list(body)
    sent: list[Message] = []

    async def receive() -> Message:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        sent.append(message)

    await endpoint(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


FORWARDED = {
    "host": "inside",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "twin.example.org",
    "x-forwarded-prefix": "/sta/",
}


@pytest.mark.parametrize(
    ("headers", "peer", "more", "root"),
    [
        ({"host": "twin:8084"}, "127.0.0.1", {}, "http://twin:8084/v1.1"),
        ({}, "127.0.0.1", {}, "http://127.0.0.1:80/v1.1"),
        (FORWARDED, "10.1.2.3", {}, "https://twin.example.org/sta/v1.1"),
        (FORWARDED, "192.0.2.1", {}, "http://inside/v1.1"),
        (FORWARDED, "10.1.2.3", {"root_url": "https://set.example.org/"}, "https://set.example.org/v1.1"),
        ({"host": 'a"<b>'}, "127.0.0.1", {}, "http://a%22%3Cb%3E/v1.1"),
    ],
)
async def test_links_begin_with_the_address_that_the_client_used(
    headers: dict[str, str], peer: str, more: dict[str, Any], root: str
) -> None:
    assert await _ask(headers, peer, more=more) == (200, f"{root} 0".encode())


async def test_a_body_in_parts_is_put_together() -> None:
    assert (await _ask({"host": "h"}, body=(b"ab", b"", b"cde")))[1].endswith(b" 5")


@pytest.mark.parametrize("body", [(b"x" * 2000,), (b"x" * 600, b"x" * 600)])
async def test_a_body_that_is_too_large_is_refused(body: tuple[bytes, ...]) -> None:
    status, text = await _ask({"host": "h"}, body=body, more={"max_body_bytes": 1024})

    assert status == 413
    assert b"body.too_large" in text


@pytest.mark.parametrize(
    ("path", "ours"),
    [("/v1.1", True), ("/v1.1/Things", True), ("/v1.0/", True), ("/v1.10/Things", False), ("/health", False)],
)
def test_only_known_versions_are_sensorthings(path: str, ours: bool) -> None:
    assert is_ours(path) is ours
