"""The server's own limits, over a real socket: slow and large request heads, slow bodies, unknown hosts."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from platform_ui.browser import BrowserMiddleware, WebRules
from platform_ui.browser.server import MAX_HEAD_BYTES, TimedProtocol, server_options

HEAD_S = 2.0  # a machine that has much to do may take a second between a connection and its first bytes
BODY_S = 2.0
LONGEST_S = 60.0


class Quick(TimedProtocol):
    head_timeout_s = HEAD_S


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    text = f"{request.url.scheme} {request.client.host if request.client else ''} {len(await request.body())}"
    response: Response = PlainTextResponse(text)
    await response(scope, receive, send)


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    rules = WebRules(allowed_hosts=("127.0.0.1",), body_timeout_s=BODY_S)
    options = server_options() | {"http": Quick}
    config = uvicorn.Config(
        BrowserMiddleware(echo, rules),
        host="127.0.0.1",
        port=0,
        log_level="critical",
        lifespan="off",
        **options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    deadline = time.monotonic() + LONGEST_S
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join(LONGEST_S)


def talk(address: tuple[str, int], *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send parts with pauses between them and return all that comes back until the server closes.

    A server that does not close within `LONGEST_S` is an error.
    """
    answer = b""
    with (
        socket.create_connection(address, timeout=LONGEST_S) as connection,
        # The server may close while we are still sending.
        suppress(ConnectionResetError, BrokenPipeError),
    ):
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 4\r\n"


def test_a_whole_request_is_answered(address: tuple[str, int]) -> None:
    answer = talk(address, HEAD + b"\r\nabcd")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"http 127.0.0.1 4")


def test_a_slow_head_ends_the_connection(address: tuple[str, int]) -> None:
    began = time.monotonic()
    assert talk(address, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n") == b""
    assert time.monotonic() - began > HEAD_S * 0.8


def test_a_second_request_with_a_slow_head_ends_the_connection_too(address: tuple[str, int]) -> None:
    first = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = talk(address, first, b"GET / HTTP/1.1\r\n", pause_s=0.2)
    assert answer.count(b"HTTP/1.1") == 1


def test_a_slow_body_is_answered_with_408(address: tuple[str, int]) -> None:
    assert talk(address, HEAD + b"\r\nab").startswith(b"HTTP/1.1 408")


def test_a_head_beyond_the_limit_is_refused(address: tuple[str, int]) -> None:
    for head in (b"X-Long: " + b"x" * MAX_HEAD_BYTES * 2, b"X: y\r\n" * MAX_HEAD_BYTES):
        answer = talk(address, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head)
        assert not answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\rb\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_a_request_that_two_parsers_might_read_differently_is_refused(
    address: tuple[str, int], request_text: bytes
) -> None:
    assert talk(address, request_text).startswith(b"HTTP/1.1 400")


def test_a_body_whose_length_is_stated_twice_is_not_taken(address: tuple[str, int]) -> None:
    both = HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
    assert not talk(address, both).endswith(b" 5")
    chunked = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert talk(address, chunked).startswith(b"HTTP/1.1 411")


def test_an_unknown_host_is_refused_with_all_headers(address: tuple[str, int]) -> None:
    answer = talk(address, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421")
    assert b"content-security-policy: default-src 'none'" in answer.lower()


def test_what_a_stranger_says_about_the_scheme_is_not_believed(address: tuple[str, int]) -> None:
    head = HEAD + b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.7\r\n\r\nabcd"
    assert talk(address, head).endswith(b"http 127.0.0.1 4")
