"""The site behind a real socket with something in it, and texts that have broken sites before."""

import asyncio
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

import httpx2
import uvicorn
from fastapi import FastAPI

from platform_ui.browser import SECURITY_HEADERS
from platform_ui.browser.server import server_options

PASSWORD = "correct horse 7 battery"
PROOF = "31337"
HOSTILE = {
    "sql": "' OR '1'='1' --",
    "sql-2": "1); DROP TABLE users; --",
    "html": f'"><script>alert({PROOF})</script>',
    "attribute": f"' onmouseover='alert({PROOF})' x='",
    "image": f"<img src=x onerror=alert({PROOF})>",
    "template": "{{31337*31337}}${31337*31337}#{31337*31337}<%= 31337*31337 %>",
    "path": "../../../../etc/passwd",
    "path-2": "..%2f..%2fetc%2fpasswd",
    "crlf": "a\r\nX-Injected: 1\r\n\r\n<b>",
    "ldap": "*)(uid=*))(|(uid=*",
    "null": "a\x00b",
    "marks": "\u202egnp.exe\u200b\ufeff",
    "long": "a" * 10_000,
    "format": "%s%n%d{0}{0.__class__}",
    "shell": "$(id)`id`;id|id",
    "number": "-1e309",
}
_RAW = (HOSTILE["html"], HOSTILE["image"], HOSTILE["attribute"], f"onerror=alert({PROOF})>")
_TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


class RunningSite:
    """A site in a thread, as it is served in production but for the port.

    Args:
        app: The site.
        lifespan: Whether what it does by itself runs too, such as keeping access rules.
    """

    def __init__(self, app: FastAPI, lifespan: Literal["on", "off"] = "off") -> None:
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="critical", lifespan=lifespan, **server_options()
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(app)), daemon=True)

    async def _serve(self, app: FastAPI) -> None:
        await self._server.serve()
        await app.state.units.close()
        await app.state.gateway.close()
        app.state.metadata.close()
        if app.state.access is not None:
            app.state.access.close()
        await app.state.engine.dispose()

    def __enter__(self) -> str:
        self._thread.start()
        deadline = time.monotonic() + 60
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        host, port = self._server.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(60)


@dataclass
class World:
    """A person who is logged in, with a company, two systems, a client app and a stream app.

    Attributes:
        http: their browser.
        email: their address.
        values: what stands for each parameter of an address.
    """

    http: httpx2.Client
    email: str
    values: dict[str, str]
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self) -> str:
        """Return the CSRF token of the present session."""
        cookie = str(self.http.cookies.get("dtwin_session"))
        if cookie not in self._tokens:
            self._tokens[cookie] = str(self.http.get("/api/v1/session").json()["csrf_token"])
        return self._tokens[cookie]

    def submit(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form as one of our pages does."""
        return self.http.post(path, data={"csrf_token": self.token(), **fields})


def make_world(address: str) -> World:
    """Sign somebody up and give them something of everything."""
    word = f"t{secrets.token_hex(4)}"
    http = httpx2.Client(base_url=address, timeout=60)
    company, system = f"cz.{word}", f"cz.{word}.Fleet.Car1"
    values = {"name": system, "system": system, "company": company, "email": f"{word}@example.com"}
    world = World(http, values["email"], values)
    made = [
        world.submit(
            "/signup",
            first_name="Mia",
            last_name="Berg",
            email=world.email,
            password=PASSWORD,
            confirm=PASSWORD,
        ),
        world.submit("/companies/new", domain="cz", enterprise=word),
        world.submit("/systems/new", company=company, workcenter="Fleet", station="Car1"),
        world.submit("/systems/new", company=company, workcenter="Fleet", station="Car2"),
        world.submit(f"/systems/{system}/clients/new", name="car_1"),
        world.submit(
            f"/systems/{system}/apps/new",
            name="share",
            target_system=f"cz.{word}.Fleet.Car2",
            statement="SELECT * FROM *;",
        ),
    ]
    for answer in made:
        assert answer.status_code == 303, f"{answer.request.url}: {answer.text[:2000]}"
    return world


def values_for(world: World, path: str) -> dict[str, str]:
    """Return something that exists for every parameter of a path."""
    name = world.values["system"]
    if path.startswith(("/companies", "/api/v1/companies")):
        name = world.values["company"]
    elif "/clients/" in path:
        name = "car_1"
    elif "/apps/" in path:
        name = "share"
    unknown = {
        "contract": "c-aaaaaaaaaaaaaaaa",
        "token": "a" * 43,
        "token_id": "00000000-0000-7000-8000-000000000000",
        "session_id": "00000000-0000-7000-8000-000000000000",
        "invitation": "00000000-0000-7000-8000-000000000000",
        "number": "1",
        "thing": "1",
        "datastream": "1",
        "table": "datastreams",
        "offer": "o-aaaaaaaaaaaaaaaa",
        "position": "0:0",
        "kind": "json",
        "path": "Things",
    }
    return unknown | world.values | {"name": name}


def assert_sound(answer: httpx2.Response, sent: str = "") -> None:
    """Check what every answer of the site keeps, whatever was sent."""
    about = f"{answer.request.method} {answer.request.url!s:.300} <- {sent[:60]!r}: {answer.status_code}"
    assert answer.status_code < 500 or answer.status_code in {502, 503}, f"{about} {answer.text[:500]}"
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers.get(name) == value, f"{about} {name}"
    assert "x-injected" not in answer.headers, about
    assert "server" not in answer.headers, about
    assert answer.headers["cache-control"], about
    if not answer.request.url.path.startswith("/static/"):
        assert answer.headers["cache-control"] == "no-store", about
    _assert_cookies(answer, about)
    _assert_body(answer, about)
    location = answer.headers.get("location", "/")
    assert location.startswith("/"), f"{about} {location}"
    assert not location.startswith(("//", "/\\")), f"{about} {location}"


def _assert_cookies(answer: httpx2.Response, about: str) -> None:
    for line in answer.headers.get_list("set-cookie"):
        assert line.startswith("dtwin_"), f"{about} {line}"
        for part in ("Path=/", "HttpOnly", "SameSite=Lax"):
            assert f"; {part}" in line, f"{about} {line}"


def _assert_body(answer: httpx2.Response, about: str) -> None:
    kind = answer.headers.get("content-type", "")
    text = answer.text
    assert "982007569" not in text, about  # a template computed what was sent
    assert "root:x:0" not in text, about
    assert "Traceback" not in text, about
    if kind.startswith("text/html"):
        for raw in _RAW:
            assert raw not in text, f"{about} reflects {raw}"
    if answer.status_code >= 400 and answer.request.url.path.startswith("/api/"):
        assert kind == "application/problem+json", f"{about} {kind} {text[:200]}"
        problem = answer.json()
        assert problem["status"] == answer.status_code, about
        assert {"type", "title", "detail", "instance", "code"} <= problem.keys(), about
