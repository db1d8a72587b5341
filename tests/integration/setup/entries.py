"""A real entry proxy for tests, reached from an address that no service listens on, and doubles behind it."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from platform_ui.pki.authority import Authority, IssuedCredentials
from platform_ui.pki.names import Identity, Kind
from setup.errors import DownloadError, PartMissingError
from setup.local.ports import any_free_port
from setup.proxy.local import LocalProxy
from setup.proxy.program import Nginx, fetch_nginx
from setup.proxy.settings import ProxySettings

OUTSIDE = "127.0.0.2"
"""Stands for the world: services listen on 127.0.0.1, the proxy here."""
NAME = "twin.example.org"
PASSPHRASE = "only for the tests of the proxy"
DAY = dt.timedelta(days=1)
LONG_TEXT = "abcdefgh " * 1000


def nginx_or_skip() -> Nginx:
    """nginx of this machine or of the user's cache; a build machine must have it."""
    try:
        return fetch_nginx()
    except (PartMissingError, DownloadError) as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@dataclass
class Seen:
    """A request as a service got it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body_bytes: int

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, values
        return values[0] if values else None


@dataclass
class Double:
    """A service that says what it was asked.

    Attributes:
        name: Stands in its answers.
        seen: Requests, in order.
        go_on: Lets an answer that waits in its middle go on.
    """

    name: str
    seen: list[Seen] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    address: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: Double

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.double.seen.append(Seen(self.command, self.path, list(self.headers.items()), len(body)))
        path = self.path.partition("?")[0]
        if path.endswith("/drop"):
            self.close_connection = True
        elif path.endswith("/tail"):
            self._stream()
        elif path.endswith("/waits"):
            self.double.go_on.wait(100)
            self._send("text/plain", b"whole")
        elif path.endswith("/long"):
            self._send("application/json", json.dumps(LONG_TEXT).encode())
        else:
            self._send("application/json", json.dumps({"name": self.double.name}).encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Strict-Transport-Security", "max-age=1")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.double.go_on.wait(100)
        self.wfile.write(b"data: second\n\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running_double(name: str) -> Iterator[Double]:
    """Run a double on loopback."""
    double = Double(name)
    handler = type("Handler", (_Handler,), {"double": double})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    double.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield double
    finally:
        double.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Entry:
    """A running proxy and how to reach it."""

    proxy: LocalProxy
    authority: Authority
    folder: Path

    @property
    def url(self) -> str:
        return f"https://{OUTSIDE}:{self.proxy.settings.port}"

    @property
    def access_log(self) -> list[dict[str, str]]:
        lines = self.proxy.places.access_log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def context(self, credentials: IssuedCredentials | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.certificate_pem)
        if credentials is not None:
            path = self.folder / f"client-{credentials.certificate.serial_number}.pem"
            path.write_text(credentials.certificate_pem + credentials.key_pem, encoding="utf-8")
            context.load_cert_chain(path)
        return context

    def client(self, credentials: IssuedCredentials | None = None) -> httpx2.Client:
        return httpx2.Client(verify=self.context(credentials), base_url=self.url, timeout=60)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        with self.client() as http:
            return http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def connection(self) -> ssl.SSLSocket:
        """A connection for requests that no client library would send."""
        plain = socket.create_connection((OUTSIDE, self.proxy.settings.port), timeout=60)
        return self.context().wrap_socket(plain, server_hostname=NAME)

    def ask_raw(self, target: str, method: str = "GET") -> int:
        """Send an address as it is; return the status."""
        with self.connection() as connection:
            head = f"{method} {target} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode("latin-1"))
            return int(connection.makefile("rb").readline().split()[1])


def wait_until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def device(authority: Authority, name: str, lifetime: dt.timedelta = DAY) -> IssuedCredentials:
    """Credentials of a client app."""
    return authority.issue(Identity(Kind.CLIENT, name), lifetime=lifetime)


def make_authority(folder: Path) -> Authority:
    """An authority of its own."""
    return Authority.create(folder / "pki", PASSPHRASE)


@contextmanager
def running_entry(
    folder: Path,
    nginx: Nginx,
    authority: Authority,
    *,
    platform: Sequence[str],
    sensorthings: Sequence[str],
    **settings: object,
) -> Iterator[Entry]:
    """Run a proxy on the outside address, in front of services on loopback."""
    issued = authority.issue(
        Identity(Kind.SERVICE, "proxy"), lifetime=DAY, hosts=(NAME, "localhost", OUTSIDE)
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.pem" for name in ("server", "server-key", "ca")}
    files["server"].write_text(issued.certificate_pem, encoding="utf-8")
    files["server-key"].write_text(issued.key_pem, encoding="utf-8")
    files["ca"].write_text(authority.certificate_pem, encoding="utf-8")
    port = any_free_port()
    chosen: dict[str, Any] = {
        "host": OUTSIDE,
        "port": port,
        "public_port": port,
        "names": (NAME, "localhost", OUTSIDE),
        "platform": tuple(platform),
        "sensorthings": tuple(sensorthings),
        "certificate_file": files["server"],
        "key_file": files["server-key"],
        "client_ca_file": files["ca"],
        "workers": 1,
    }
    proxy = LocalProxy(folder / "proxy", ProxySettings(**chosen | settings), nginx=nginx)
    proxy.start()
    try:
        proxy.wait_ready(60)
        yield Entry(proxy, authority, folder)
    finally:
        proxy.stop()
