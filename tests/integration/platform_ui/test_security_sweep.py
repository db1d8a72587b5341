"""Hostile texts through every parameter, query and form field of every route, found in the route table.

A route that is added is swept by itself. Each route gets a quarter of the texts, another quarter than its
neighbours, so that each kind of parameter meets them all; `SWEEP=all` sends every text to every route.
`SWEEP_EXAMPLES=50` sends more of what the API's description allows.
"""

import os
import re
import secrets
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zlib import crc32

import httpx2
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok

from platform_ui.app import create_app
from platform_ui.fields import Form
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from platform_ui.web import STATIC
from tests.integration.platform_ui.doubles import MemoryMetadata, MemoryRunner, MemoryTopics
from tests.integration.platform_ui.hostile_world import (
    HOSTILE,
    RunningSite,
    World,
    assert_sound,
    make_world,
    values_for,
)
from tests.integration.platform_ui.route_table import Served, served_routes

_PARTS = 1 if os.environ.get("SWEEP") == "all" else 4
_EXAMPLES = int(os.environ.get("SWEEP_EXAMPLES", "2"))
_ENDS_WORLD = re.compile(r"(delete|remove|logout|end|end-others|withdraw|role|password|off|session)$")
_STREAMS = {"/systems/{name}/tail", "/systems/{system}/apps/{name}/log/live"}  # they never end
_PROVEN = ("/api/v1/credentials/", "/api/v1/tokens", "/api/v1/setup")  # by a proof, a password, a setup code
_LONGEST_QUERY = 5  # parameters at a time: an address with more long texts is too long for the client
_WHO_ASKS = {"authorization", "cookie"}  # the sweep is logged in by the cookie that it has
_FIELD = re.compile(r'<(?:input|textarea|select)\b[^>]*\bname="([a-z_]+)"([^>]*)', re.IGNORECASE)
_VALUE = re.compile(r'\bvalue="([^"]*)"')


@pytest.fixture(scope="module")
def app(platform_database: str, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    chosen = PlatformSettings(
        attempts_per_address=100_000,  # all tests come from one address
        database_url=platform_database,
        secret_key=secrets.token_hex(32),
        kafka_bootstrap_servers="127.0.0.1:9",
        sensorthings_url="http://127.0.0.1:9",
        runner_directory=Path(tmp_path_factory.mktemp("runner")),
        mode=Mode.PRODUCTION,
    )
    return create_app(chosen, topics=MemoryTopics(), runner=MemoryRunner(), metadata=MemoryMetadata())


@pytest.fixture(scope="module")
def address(app: FastAPI) -> Iterator[str]:
    with RunningSite(app) as address:
        yield address


@pytest.fixture(scope="module")
def world(address: str) -> Iterator[World]:
    world = make_world(address)
    yield world
    world.http.close()


@pytest.fixture(scope="module")
def routes(app: FastAPI) -> list[Served]:
    return [route for route in served_routes(app) if route.path not in _STREAMS]


def all_fields() -> set[str]:
    """Names of the fields of every form of the site."""
    kinds, names = [Form], set[str]()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        names |= set(kind.model_fields)
    assert len(names) > 10
    return names


def send(world: World, method: str, path: str, **options: object) -> httpx2.Response:
    headers = {"X-CSRF-Token": world.token()} if method not in {"GET", "HEAD"} else {}
    return world.http.request(method, path, headers=headers, **options)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _the_world_is_still_there(world: World) -> Iterator[None]:
    yield
    path = f"/api/v1/systems/{world.values['system']}"
    assert world.http.get(path).status_code == 200, "the sweep has lost what it sweeps"


def is_due(route: Served, kind: str) -> bool:
    """Whether a route gets a text in this run."""
    turn = crc32(f"{route.method} {route.path}".encode()) + list(HOSTILE).index(kind)
    return turn % _PARTS == 0


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_parameter_of_an_address_breaks_a_route(world: World, routes: list[Served], kind: str) -> None:
    tried = 0
    for route in routes:
        if not is_due(route, kind):
            continue
        right = values_for(world, route.path)
        for name in route.parameters:
            path = route.address(**right | {name: quote(HOSTILE[kind], safe="%" if kind == "path-2" else "")})
            assert_sound(send(world, route.method, path), HOSTILE[kind])
            tried += 1
    assert tried > 50


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_query_breaks_a_page(world: World, routes: list[Served], kind: str) -> None:
    for route in routes:
        if route.method == "GET" and not _leaves_the_site(route) and is_due(route, kind):
            path = route.address(**values_for(world, route.path))
            names = [*route.query, "unknown"]
            for at in range(0, len(names), _LONGEST_QUERY):
                query = dict.fromkeys(names[at : at + _LONGEST_QUERY], HOSTILE[kind])
                assert_sound(send(world, "GET", path, params=query), HOSTILE[kind])


def _leaves_the_site(route: Served) -> bool:
    return route.path in {"/login/oidc", "/login/oidc/leave"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_text_in_all_fields_breaks_a_form(world: World, routes: list[Served], kind: str) -> None:
    hostile = dict.fromkeys(all_fields(), HOSTILE[kind])
    for route in routes:
        if route.method in {"GET", "DELETE"} or _ENDS_WORLD.search(route.path) or not is_due(route, kind):
            continue
        path = route.address(**values_for(world, route.path))
        options = {"json": hostile} if route.path.startswith("/api/") else {"data": hostile}
        assert_sound(send(world, route.method, path, **options), HOSTILE[kind])


def test_no_text_in_one_field_breaks_a_form_that_is_else_as_a_page_offers_it(
    world: World, routes: list[Served]
) -> None:
    forms = {route.path for route in routes if route.method == "POST" and not _ENDS_WORLD.search(route.path)}
    tried = 0
    for path in sorted(forms & {route.path for route in routes if route.method == "GET"}):
        address = path if "{" not in path else Served("POST", path, (), "").address(**values_for(world, path))
        page = send(world, "GET", address)
        fields = {
            name: unescape(value[1]) if (value := _VALUE.search(rest)) else "text"
            for name, rest in _FIELD.findall(page.text)
            if name != "csrf_token"
        }
        for name in fields:
            for kind, text in HOSTILE.items():
                if not is_due(Served("POST", f"{path} {name}", (), ""), kind):
                    continue
                assert_sound(send(world, "POST", address, data=fields | {name: text}), text)
                tried += 1
    assert tried > 50


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"\\ud800"',
        b'{"name": "\\ud800", "domain": "\\ud800", "enterprise": "a\\u0000b", "email": "\\udfff@a.bb"}',
        b"[" * 31 + b"]" * 31,
        b"[" * 5000,
        b"9" * 5000,
        b"NaN",
        b"\xff\xfe",
        b'{"a":1,"a":2}',
    ],
)
def test_no_json_breaks_the_api(world: World, routes: list[Served], body: bytes) -> None:
    for route in routes:
        if not route.path.startswith("/api/") or _ENDS_WORLD.search(route.path):
            continue
        if route.method in {"GET", "HEAD", "DELETE"}:
            continue  # they take no body
        path = route.address(**values_for(world, route.path))
        headers = {"X-CSRF-Token": world.token(), "Content-Type": "application/json"}
        assert_sound(world.http.request(route.method, path, content=body, headers=headers), repr(body))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % at for at in range(5000))),
        ("application/x-www-form-urlencoded", b"%zz=%f&%00=%00&=&&"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--"),
        ("multipart/form-data", b"no boundary"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="email"; filename="a',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.zip"\r\n\r\nPK\x03\x04\r\n--x--',
        ),
        ("application/xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
    ],
)
def test_no_odd_body_breaks_a_form(world: World, kind: str, body: bytes) -> None:
    headers = {"Content-Type": kind, "X-CSRF-Token": world.token()}
    for path in ("/login", "/signup", "/companies/new", "/api/v1/session"):
        assert_sound(world.http.post(path, content=body, headers=headers), kind)


def test_every_file_and_every_error_carries_the_headers(world: World) -> None:
    for name in ("app.css", "app.js", "vendor/htmx.min.js", "icon.svg"):
        assert (STATIC / name).is_file()
        answer = world.http.get(f"/static/{name}")
        assert answer.status_code == 200
        assert_sound(answer)
    for path in (
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2fsettings.py",
        "/nothing",
    ):
        answer = world.http.get(path)
        assert answer.status_code == 404, path
        assert_sound(answer)
    for method in ("PUT", "TRACE", "PATCH", "OPTIONS", "PROPFIND"):
        answer = world.http.request(method, "/login", headers={"X-CSRF-Token": world.token()})
        assert answer.status_code == 405, method
        assert_sound(answer)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_or_field_changes_the_method(world: World, header: str) -> None:
    path = f"/api/v1/systems/{world.values['system']}"
    world.http.get(path, headers={header: "DELETE"}, params={"_method": "DELETE"})
    headers = {header: "DELETE", "X-CSRF-Token": world.token()}
    assert world.http.post(path, headers=headers, data={"_method": "DELETE"}).status_code == 405


def test_no_origin_is_let_in_by_cors(world: World) -> None:
    answer = world.http.get("/api/v1/session", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert world.http.options("/api/v1/session", headers=asked).status_code == 405


def test_another_site_can_neither_post_nor_embed_nor_read(world: World) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    for answer in (
        world.http.get("/dashboard", headers=foreign),
        world.http.get("/api/v1/systems", headers=foreign),
        world.http.post("/logout", headers=foreign | {"X-CSRF-Token": world.token()}),
    ):
        assert answer.status_code == 403
        assert_sound(answer)
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert world.http.get("/dashboard", headers=link).status_code == 200


def test_no_change_is_made_without_the_forms_token(world: World, routes: list[Served]) -> None:
    """Routes that prove by their body who sends them say so at their handler."""
    checked = 0
    for route in routes:
        if route.method in {"GET", "HEAD"}:
            continue
        answer = world.http.request(route.method, route.address(**values_for(world, route.path)))
        if answer.status_code != 403:
            assert route.path.startswith(_PROVEN), str(route)
            continue
        checked += 1
    assert checked > 50


def test_everything_the_api_describes_answers_with_well_formed_problems(address: str) -> None:
    """Logged in as somebody of their own: what is described may also be deleted."""
    world = make_world(address)
    token = world.token()
    schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json", timeout=60)
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(operations) > 20
    for operation in operations:
        if (operation.method.upper(), operation.path) == ("DELETE", "/api/v1/session"):
            continue

        @settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            derandomize="SWEEP_EXAMPLES" not in os.environ,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def try_it(case: schemathesis.Case[Any]) -> None:
            options = case.as_transport_kwargs(base_url=address)
            given = dict(options.get("headers") or {})
            sent = {name: value for name, value in given.items() if name.lower() not in _WHO_ASKS}
            headers = {**sent, "X-CSRF-Token": token}
            kept = {
                name: options[name] for name in ("json", "data", "params") if options.get(name) is not None
            }
            answer = world.http.request(
                options["method"], options["url"], headers=headers, follow_redirects=False, **kept
            )
            assert_sound(answer, repr(kept)[:200])

        try_it()
    world.http.close()
