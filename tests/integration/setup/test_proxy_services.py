"""The real services behind a real entry proxy, reached from outside."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2
import psutil
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization

from platform_ui.app import create_app
from platform_ui.browser.server import server_options
from platform_ui.settings import PlatformSettings
from setup.local.ports import any_free_port, is_answering
from setup.proxy.behind import service_settings
from setup.proxy.settings import ProxySettings
from tests.integration.platform_ui.beginnings import begin
from tests.integration.platform_ui.doubles import MemoryMetadata, MemoryRunner, MemoryTopics
from tests.integration.setup.entries import (
    NAME,
    OUTSIDE,
    Entry,
    device,
    make_authority,
    nginx_or_skip,
    running_double,
    running_entry,
    wait_until,
)
from tests.sensorthings_service import running_service

pytestmark = pytest.mark.postgres

SYSTEM = "at.srfg.Mill.M1"
CLIENT = f"{SYSTEM}.spindle"
ADMIN_TOKEN = secrets.token_urlsafe(32)
_ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@dataclass
class Served:
    """Two replicas of SensorThings on one database, behind a proxy."""

    entry: Entry
    replicas: list[str]

    def administer(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """Ask the administration, from inside."""
        url = f"{self.replicas[0]}/access/v1/{path}"
        return httpx2.request(method, url, json=body, headers=_ADMIN, timeout=60)


@pytest.fixture(scope="module")
def served(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    nginx = nginx_or_skip()
    folder = tmp_path_factory.mktemp("served")
    authority = make_authority(folder)
    port = any_free_port()
    told = service_settings(
        ProxySettings(
            host=OUTSIDE,
            port=port,
            public_port=port,
            names=(NAME, OUTSIDE),
            client_ca_file=folder / "pki" / "ca.pem",
        )
    )
    prefix = "DTWIN_SENSORTHINGS__"
    settings = {
        name.removeprefix(prefix).lower(): value for name, value in told.items() if name.startswith(prefix)
    }
    settings |= {"anonymous": "none", "admin_token": ADMIN_TOKEN}
    database = new_database("entry")
    with ExitStack() as stack:
        replicas = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            replicas.append(stack.enter_context(running_service(database, folder / name, **settings)))
        platform = stack.enter_context(running_double("platform"))
        entry = stack.enter_context(
            running_entry(
                folder / "entry",
                nginx,
                authority,
                platform=[platform.address],
                sensorthings=[urlsplit(url).netloc for url in replicas],
                port=port,
                public_port=port,
                names=(NAME, OUTSIDE),
            )
        )
        found = Served(entry, replicas)
        body = {"home": SYSTEM, "grants": [{"system": SYSTEM, "write": True}]}
        assert found.administer("PUT", f"principals/{quote(CLIENT)}", body).status_code in {200, 201}
        yield found


def test_a_device_is_known_by_its_certificate_through_the_proxy(served: Served) -> None:
    with served.entry.client(device(served.entry.authority, CLIENT)) as http:
        assert http.get("/v1.1/Things").status_code == 200
        made = http.post("/v1.1/Things", json={"name": f"{SYSTEM}.spindle", "description": "a spindle"})
        assert made.status_code == 201
        assert made.headers["location"].startswith(f"{served.entry.url}/v1.1/Things(")


def test_links_lead_on_where_one_came_from(served: Served) -> None:
    with served.entry.client(device(served.entry.authority, CLIENT)) as http:
        outside = [entry["url"] for entry in http.get("/v1.1").json()["value"]]
        named = http.get("/v1.1", headers={"Host": f"{NAME}:1", "X-Forwarded-Host": "evil.example"})
    inside = httpx2.get(f"{served.replicas[0]}/v1.1", headers=_ADMIN, timeout=60).json()["value"]
    assert {entry.rpartition("/")[0] for entry in outside} == {f"{served.entry.url}/v1.1"}
    assert {entry["url"].rpartition("/")[0] for entry in inside} == {f"{served.replicas[0]}/v1.1"}
    port = served.entry.proxy.settings.port
    assert {entry["url"].rpartition("/")[0] for entry in named.json()["value"]} == {
        f"https://{NAME}:{port}/v1.1"
    }


def test_nobody_is_let_in_by_a_certificate_that_is_only_claimed(served: Served) -> None:
    der = device(served.entry.authority, CLIENT).certificate.public_bytes(serialization.Encoding.DER)
    forged = f":{base64.b64encode(der).decode()}:"
    # The header itself would count: from the address of the proxy, which anybody on this machine has.
    things = f"{served.replicas[0]}/v1.1/Things"
    direct = httpx2.get(things, headers={"Client-Cert": forged}, timeout=60)
    assert direct.status_code == 200
    assert served.entry.get("/v1.1/Things").status_code == 401
    assert served.entry.get("/v1.1/Things", Client_Cert=forged).status_code == 401
    with served.entry.client(device(served.entry.authority, "cz.other.W.S.stranger")) as http:
        assert http.get("/v1.1/Things", headers={"Client-Cert": forged}).status_code == 401


def test_administration_is_out_of_reach_even_with_the_admin_s_token(served: Served) -> None:
    for path in ("/access/v1/principals", "/v1.1/../access/v1/principals", "/metrics", "/health/ready"):
        with served.entry.connection() as connection:
            head = f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n"
            connection.sendall(f"{head}Authorization: Bearer {ADMIN_TOKEN}\r\n\r\n".encode())
            status = int(connection.makefile("rb").readline().split()[1])
        assert status in {400, 404}, path
    assert served.administer("GET", "principals").status_code == 200


@pytest.mark.extended
def test_no_read_fails_when_a_replica_is_killed(
    served: Served, new_database: Callable[[str], str], tmp_path: Path
) -> None:
    """A replica of its own is killed, so that the others stay as they are.

    An answer whose head the killed replica had sent already cannot be asked for again: it breaks off,
    visibly, at most once for every reader. Everything else is answered by the other replica.
    """
    database = new_database("killed")
    settings = {"anonymous": "read", "admin_token": ADMIN_TOKEN}
    (tmp_path / "victim").mkdir()
    (tmp_path / "survivor").mkdir()
    with (
        running_service(database, tmp_path / "survivor", **settings) as survivor,
        running_service(database, tmp_path / "victim", **settings) as victim,
        running_entry(
            tmp_path / "entry",
            served.entry.proxy.nginx,
            served.entry.authority,
            platform=["127.0.0.1:1"],
            sensorthings=[urlsplit(survivor).netloc, urlsplit(victim).netloc],
        ) as entry,
    ):
        statuses: list[int] = []
        broken_off: list[int] = []
        done = threading.Event()

        def read(reader: int) -> None:
            with entry.client() as http:
                while not done.is_set():
                    try:
                        statuses.append(http.get("/v1.1/Things").status_code)
                    except httpx2.RemoteProtocolError:
                        broken_off.append(reader)

        threads = [threading.Thread(target=read, args=(reader,)) for reader in range(3)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(statuses) > 50)
            _kill_listener(int(victim.rpartition(":")[2]))
            seen = len(statuses)
            wait_until(lambda: len(statuses) > seen + 100)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        used = {one for line in entry.access_log for one in line["upstream"].split(", ")}
    assert set(statuses) == {200}
    assert len(broken_off) == len(set(broken_off))
    assert used == {urlsplit(survivor).netloc, urlsplit(victim).netloc}


def test_outside_only_the_tls_port_answers(served: Served) -> None:
    """Everything that this run has started is asked for on the outside address."""
    assert served.entry.proxy.process is not None
    proxy = psutil.Process(served.entry.proxy.process.pid)
    own = {proxy.pid, *(child.pid for child in proxy.children())}
    listening = list(_listening())
    ports = {port for _, _, port in listening}
    assert served.entry.proxy.settings.port in ports
    assert {int(url.rpartition(":")[2]) for url in served.replicas} <= ports
    loopback = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}  # Java's sockets speak both protocols
    exposed = {(pid, host, port) for pid, host, port in listening if host not in loopback}
    assert {pid for pid, _, _ in exposed} <= own
    assert {port for port in ports if is_answering(port, OUTSIDE)} == {served.entry.proxy.settings.port}


def _listening() -> Iterator[tuple[int, str, int]]:
    """Every listening socket of the processes that this one has started, and its own."""
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # one that has ended since
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    yield process.pid, connection.laddr.ip, connection.laddr.port


def _kill_listener(port: int) -> None:
    found = [pid for pid, _, listened in _listening() if listened == port]
    assert len(found) == 1
    os.kill(found[0], signal.SIGKILL)


# ---- The platform


@dataclass
class Site:
    """The platform on a real port, behind a proxy."""

    entry: Entry
    address: str


@pytest.fixture(scope="module")
def site(
    served: Served, new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    database = new_database("entry_platform")
    begin(database)
    port, outside_port = any_free_port(), any_free_port()
    told = service_settings(
        ProxySettings(host=OUTSIDE, port=outside_port, public_port=outside_port, names=(NAME, OUTSIDE))
    )
    environment = {
        **told,
        "DTWIN_PLATFORM__DATABASE_URL": database,
        "DTWIN_PLATFORM__SECRET_KEY": secrets.token_hex(32),
        "DTWIN_KAFKA__BOOTSTRAP_SERVERS": "kafka.test:9092",
        "DTWIN_SENSORTHINGS__URL": "http://metadata.test:8084",
        "DTWIN_RUNNER__DIRECTORY": str(folder / "runner"),
    }
    app = create_app(
        PlatformSettings.from_environment(environment),
        topics=MemoryTopics(),
        runner=MemoryRunner(),
        metadata=MemoryMetadata(),
    )
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", **server_options())
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: is_answering(port))
        with running_entry(
            folder / "entry",
            served.entry.proxy.nginx,
            served.entry.authority,
            platform=[f"127.0.0.1:{port}"],
            sensorthings=["127.0.0.1:1"],
            port=outside_port,
            public_port=outside_port,
            names=(NAME, OUTSIDE),
        ) as entry:
            yield Site(entry, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join()


def test_a_person_signs_up_and_in_through_the_proxy_with_a_secure_cookie(site: Site) -> None:
    with site.entry.client() as http:
        page = http.get("/login")
        assert page.status_code == 200
        cookies = page.headers.get_list("set-cookie")
        assert cookies
        assert all("secure" in cookie.lower() for cookie in cookies)
        assert page.headers.get_list("strict-transport-security") == []  # all names are this machine's
        away = http.get("/dashboard")
        assert away.is_redirect
        assert urlsplit(away.headers["location"]).scheme in {"", "https"}
        assert urlsplit(away.headers["location"]).netloc in {"", urlsplit(site.entry.url).netloc}


def test_the_api_answers_through_the_proxy_with_its_own_problems(site: Site) -> None:
    answer = site.entry.get("/api/v1/systems")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert not answer.json()["code"].startswith("proxy.")


def test_pages_of_the_platform_are_compressed_only_where_nothing_is_secret(site: Site) -> None:
    assert "content-encoding" not in site.entry.get("/login", Accept_Encoding="gzip").headers
    style = site.entry.get("/static/app.css", Accept_Encoding="gzip")
    assert style.headers["content-encoding"] == "gzip"


def test_a_scheme_that_a_client_claims_does_not_count(site: Site) -> None:
    claimed = site.entry.get("/login", X_Forwarded_Proto="http", X_Forwarded_For="1.2.3.4")
    assert all("secure" in cookie.lower() for cookie in claimed.headers.get_list("set-cookie"))
