"""The entry proxy as a real nginx, in front of doubles that tell what reached them."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self
from urllib.parse import unquote

import httpx2
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from client.errors import ConfigurationError
from platform_ui.pki.authority import Authority, IssuedCredentials
from platform_ui.pki.names import Identity, Kind
from setup.errors import PartNotReadyError
from setup.local.paths import Home
from setup.local.ports import any_free_port
from setup.local.secret_files import write_secret
from setup.proxy.home import keep_certificate, present_proxy, proxy_of
from setup.proxy.local import LocalProxy
from setup.proxy.program import Nginx
from tests.integration.setup.entries import (
    DAY,
    NAME,
    OUTSIDE,
    PASSPHRASE,
    Double,
    Entry,
    device,
    make_authority,
    nginx_or_skip,
    running_double,
    running_entry,
    wait_until,
)

_CLIENT = "at.srfg.Mill.M1.spindle"
_BODY_BYTES = 64 * 1024
_TLS_1_1, _TLS_1_2 = 0x0302, 0x0303
_ECDSA_GCM, _ECDSA_CBC = 0xC02B, 0xC009
_HANDSHAKE, _ALERT = 0x16, 0x15
_HANDSHAKE_FAILURE, _PROTOCOL_VERSION = 40, 70


@dataclass
class World:
    """A proxy with the doubles behind it."""

    entry: Entry
    platform: Double
    sensorthings: Double

    def forget(self) -> None:
        for double in (self.platform, self.sensorthings):
            double.seen.clear()
            double.go_on.clear()


@pytest.fixture(scope="module")
def nginx() -> Nginx:
    return nginx_or_skip()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def shared_world(
    nginx: Nginx, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with (
        running_double("platform") as platform,
        running_double("sensorthings") as sensorthings,
        running_entry(
            tmp_path_factory.mktemp("entry"),
            nginx,
            authority,
            platform=[platform.address],
            sensorthings=[sensorthings.address],
            platform_body_bytes=_BODY_BYTES,
            sensorthings_body_bytes=4 * _BODY_BYTES,
            body_timeout_s=1,
            hsts_seconds=1000,
            http_port=any_free_port(),
        ) as entry,
    ):
        yield World(entry, platform, sensorthings)


@pytest.fixture
def world(shared_world: World) -> World:
    shared_world.forget()
    return shared_world


# ---- TLS


def _say_hello(world: World, version: int, cipher: int) -> tuple[int, int]:
    """Begin a handshake that Python's own TLS would not; return the kind of answer, and its last byte."""
    # Extensions: the group secp256r1, and signatures by ECDSA with SHA-256.
    extensions = bytes.fromhex("000a000400020017000d000400020403")
    body = version.to_bytes(2) + bytes(32) + b"\0" + b"\0\2" + cipher.to_bytes(2) + b"\1\0"
    body += len(extensions).to_bytes(2) + extensions
    hello = b"\1" + len(body).to_bytes(3) + body
    with socket.create_connection((OUTSIDE, world.entry.proxy.settings.port), timeout=30) as connection:
        connection.sendall(bytes([_HANDSHAKE, 3, 1]) + len(hello).to_bytes(2) + hello)
        answer = connection.recv(7)
    return answer[0], answer[-1]


def test_tls_below_1_2_and_old_ciphers_are_refused(world: World) -> None:
    assert _say_hello(world, _TLS_1_2, _ECDSA_GCM)[0] == _HANDSHAKE
    assert _say_hello(world, _TLS_1_1, _ECDSA_CBC) == (_ALERT, _PROTOCOL_VERSION)
    assert _say_hello(world, _TLS_1_2, _ECDSA_CBC) == (_ALERT, _HANDSHAKE_FAILURE)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_of_today_is_spoken_with_http2(world: World, version: ssl.TLSVersion) -> None:
    context = world.entry.context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    address = (OUTSIDE, world.entry.proxy.settings.port)
    with (
        socket.create_connection(address, timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as connection,
    ):
        assert connection.version() == version.name.replace("v1_", "v1.")
        assert connection.selected_alpn_protocol() == "h2"


def test_browsers_are_told_once_to_insist_on_tls_and_nothing_of_the_version(world: World) -> None:
    headers = world.entry.get("/").headers
    assert headers.get_list("strict-transport-security") == ["max-age=1000"]
    assert headers["server"] == "nginx"


def test_pages_are_sent_on_from_the_open_port_and_programs_are_refused(world: World) -> None:
    settings = world.entry.proxy.settings
    plain = f"http://{OUTSIDE}:{settings.http_port}"
    page = httpx2.get(f"{plain}/login?next=1", timeout=60)
    assert (page.status_code, page.headers["location"]) == (308, f"{world.entry.url}/login?next=1")
    secret = {"Authorization": "Bearer secret"}
    refused = httpx2.get(f"{plain}/v1.1/Things", headers=secret, timeout=60)
    assert refused.status_code == 403
    assert refused.json()["code"] == "proxy.refused"
    wrong_port = httpx2.get(f"http://{OUTSIDE}:{settings.port}/api/v1/session", timeout=60)
    assert (wrong_port.status_code, wrong_port.json()["code"]) == (400, "proxy.tls_needed")


# ---- Who asks


def _port(world: World) -> int:
    return world.entry.proxy.settings.port


def _passed_on(world: World, credentials: IssuedCredentials | None, **headers: str) -> str | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with world.entry.client(credentials) as http:
        assert http.get("/v1.1/Things", headers=named).status_code == 200
    return world.sensorthings.seen[-1].header("client-cert")


def test_a_device_s_certificate_arrives_in_the_form_of_rfc_9440(world: World) -> None:
    credentials = device(world.entry.authority, _CLIENT)
    der = credentials.certificate.public_bytes(serialization.Encoding.DER)
    assert _passed_on(world, credentials) == f":{base64.b64encode(der).decode()}:"


def test_a_certificate_with_a_large_key_arrives_whole(world: World, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 3072)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    certificate = world.entry.authority.sign_request(pem, Identity(Kind.CLIENT, _CLIENT), DAY)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    certificate_pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    passed_on = _passed_on(world, IssuedCredentials(certificate, certificate_pem, key_pem))
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert passed_on == f":{base64.b64encode(der).decode()}:"


def test_a_certificate_that_somebody_only_claims_to_have_never_arrives(world: World) -> None:
    der = device(world.entry.authority, _CLIENT).certificate.public_bytes(serialization.Encoding.DER)
    forged = f":{base64.b64encode(der).decode()}:"
    assert _passed_on(world, None) is None
    assert _passed_on(world, None, Client_Cert=forged) is None
    assert _passed_on(world, None, Client_Cert=forged, Connection="client-cert, keep-alive") is None
    own = device(world.entry.authority, "cz.other.W.S.own")
    assert _passed_on(world, own, Client_Cert=forged) not in (None, forged)


@pytest.mark.parametrize("which", ["expired", "foreign"])
def test_a_certificate_that_does_not_count_is_refused_with_a_reason(
    world: World, which: str, tmp_path: Path
) -> None:
    if which == "expired":
        credentials = device(world.entry.authority, _CLIENT, -DAY / 1440)
    else:
        credentials = device(make_authority(tmp_path), _CLIENT)
    with world.entry.client(credentials) as http:
        answer = http.get("/v1.1/Things")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "proxy.certificate"
    assert world.sensorthings.seen == []


def test_what_a_client_says_of_its_own_origin_is_lost(world: World) -> None:
    spoofed = {
        "Forwarded": "for=1.2.3.4",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Client-Cert": "x",
        "X-Real-IP": "1.2.3.4",
        "X-Original-URL": "/metrics",
        "X-HTTP-Method-Override": "DELETE",
        "Proxy": "http://evil.example",
        "Upgrade": "websocket",
    }
    with world.entry.client() as http:
        http.get("/pages", headers=spoofed | {"Authorization": "Bearer kept", "traceparent": "00-a-b-01"})
    seen = world.platform.seen[-1]
    assert seen.header("x-forwarded-for") == "127.0.0.1"
    assert seen.header("x-forwarded-proto") == "https"
    assert seen.header("x-forwarded-host") == seen.header("host") == f"{OUTSIDE}:{_port(world)}"
    gone = spoofed.keys() - {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}
    assert {name: seen.header(name) for name in gone} == dict.fromkeys(gone)
    assert seen.header("authorization") == "Bearer kept"
    assert seen.header("traceparent") == "00-a-b-01"


def test_nobody_outside_acts_for_somebody_else(world: World) -> None:
    for value in ("somebody", "0"):
        answer = world.entry.get("/v1.1/Things", DTWIN_Act_As=value, Authorization="Bearer admin")
        assert (answer.status_code, answer.json()["code"]) == (403, "proxy.refused")
    assert world.sensorthings.seen == []


def test_a_host_that_is_not_ours_is_refused(world: World) -> None:
    assert world.entry.get("/", Host="evil.example").status_code == 421
    with world.entry.connection() as connection:
        # An absolute address counts more than the header: RFC 9112, clause 3.2.2.
        head = f"GET https://{NAME}/x HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 200 " in connection.makefile("rb").readline()
    assert [seen.header("host") for seen in world.platform.seen] == [f"{NAME}:{_port(world)}"]


# ---- What is open

_INSIDE = ("metrics", "health/ready", "health/", "version", "access/v1/principals", "access/v1/grants/x")
_SPELLINGS = (
    "/{0}",
    "//{0}",
    "/./{0}",
    "/x/../{0}",
    "/x/%2e%2e/{0}",
    "/x/%2E./{0}",
    "/x/..%2f{0}",
    "/v1.1/../{0}",
    "/v1.1/%2e%2e/{0}",
    "/v1.1/..%2F{0}",
    "/v1.1/..%5c{0}",
    "/v1.1/..\\{0}",
    "/static/../{0}",
    "/{0}/.",
    "/{0}/",
    "/{0}?a=b",
    "/{0}#x",
    "/{0}/../../v1.1/Things",
    "/{0}/../../../../../v1.1/Things",
    "/{0}/..%2f..%2f..%2f..%2fv1.1/Things",
    "/{0}%2f..%2f..%2f..%2f..%2fv1.1",
    "/%76%31.1/../{0}",
    "/v1%2e1/%2e%2e/{0}",
    "/.refusal/../{0}",
    "https://" + NAME + "/{0}",
)


@pytest.mark.parametrize("spelling", _SPELLINGS)
@pytest.mark.parametrize("inside", _INSIDE)
def test_what_is_for_inside_is_reached_by_no_spelling_of_its_address(
    world: World, inside: str, spelling: str
) -> None:
    status = world.entry.ask_raw(spelling.format(inside))
    reached = [unquote(seen.path) for seen in (*world.platform.seen, *world.sensorthings.seen)]
    assert status in {400, 403, 404}, reached
    assert reached == []


@pytest.mark.parametrize(
    "target",
    [
        "/v1.1/..;/access/v1/principals",
        "/v1.1;/../metrics",
        "/v1.10/Things",
        "/V1.1",
        "//v1.1/Things",
        "///v1.0/access",
        "/%76%31.1/Things",
        "/v1%2e1/Things",
    ],
)
def test_lookalikes_of_sensorthings_never_reach_it_above_its_root(world: World, target: str) -> None:
    world.entry.ask_raw(target)
    assert all(seen.path.startswith(("/v1.1/", "/v1.0/")) for seen in world.sensorthings.seen)


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", "platform"),
        ("/health/live", "platform"),
        ("/api/v1/systems?page=2", "platform"),
        ("/systems/a.b.c.d", "platform"),
        ("/accessories", "platform"),
        ("/v1.1", "sensorthings"),
        ("/v1.1/Things(1)/Datastreams?$filter=name%20eq%20%27a%2Fb%27", "sensorthings"),
        ("/v1.0/Observations", "sensorthings"),
    ],
)
def test_addresses_reach_their_service_as_they_were_sent(world: World, path: str, service: str) -> None:
    assert world.entry.ask_raw(path) == 200
    seen = world.platform.seen if service == "platform" else world.sensorthings.seen
    assert [one.path for one in seen] == [path]


# ---- Limits


def test_a_body_beyond_the_limit_of_its_service_is_refused(world: World) -> None:
    body = bytes(2 * _BODY_BYTES)
    with world.entry.client() as http:
        refused = http.post("/api/v1/systems", content=body)
        assert (refused.status_code, refused.json()["code"]) == (413, "proxy.too_large")
        assert http.post("/v1.1/CreateObservations", content=body).status_code == 200
        assert http.post("/v1.1/CreateObservations", content=body * 3).status_code == 413
    assert [seen.body_bytes for seen in world.sensorthings.seen] == [len(body)]
    assert world.platform.seen == []


def test_a_sender_that_pauses_too_long_is_hung_up_on(world: World) -> None:
    with world.entry.connection() as connection:
        head = f"POST /v1.1/Things HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100\r\n\r\nslow"
        connection.sendall(head.encode())
        connection.settimeout(50)  # nginx itself would wait for a minute
        try:
            answer = connection.recv(100)
        except (ConnectionResetError, ssl.SSLError):
            answer = b""
    assert answer == b"" or b" 408 " in answer
    assert world.sensorthings.seen == []


def test_requests_without_end_from_one_address_are_slowed_down(
    world: World, nginx: Nginx, tmp_path: Path
) -> None:
    upstreams = {"platform": [world.platform.address], "sensorthings": [world.sensorthings.address]}
    limited = running_entry(tmp_path, nginx, world.entry.authority, requests_per_second=1, **upstreams)
    with limited as entry, entry.client() as http:
        answers = [http.get("/api/v1/session") for _ in range(5)]
        while answers[-1].status_code == 200 and len(answers) < 100:
            answers.append(http.get("/api/v1/session"))
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert answers[-1].status_code == 429
    assert answers[-1].json()["code"] == "proxy.too_many"


def test_only_answers_without_secrets_of_the_reader_are_compressed(world: World) -> None:
    encodings = {
        path: world.entry.get(path, Accept_Encoding="gzip").headers.get("content-encoding")
        for path in ("/long", "/api/v1/long", "/v1.1/long", "/static/long")
    }
    assert encodings == {"/long": None, "/api/v1/long": None, "/v1.1/long": "gzip", "/static/long": "gzip"}


# ---- Streams, replicas, reloads


def test_events_of_a_live_tail_arrive_one_by_one(world: World) -> None:
    with world.entry.client() as http, http.stream("GET", "/systems/a.b.c.d/tail") as answer:
        chunks = answer.iter_text()
        assert next(chunks) == "data: first\n\n"
        assert not world.platform.go_on.is_set()
        world.platform.go_on.set()
        assert "".join(chunks) == "data: second\n\n"


def test_a_request_is_repeated_at_another_replica_only_when_that_does_no_harm(
    nginx: Nginx, authority: Authority, tmp_path: Path
) -> None:
    with running_double("one") as one, running_double("two") as two:
        replicas = [one.address, two.address]
        with (
            running_entry(tmp_path, nginx, authority, platform=replicas, sensorthings=replicas) as entry,
            entry.client() as http,
        ):
            assert {http.get("/").json()["name"] for _ in range(8)} == {"one", "two"}
            one.seen.clear()
            two.seen.clear()
            answer = http.post("/api/v1/drop", json={})
            assert (answer.status_code, answer.json()["code"]) == (503, "proxy.unavailable")
            assert len(one.seen) + len(two.seen) == 1
            one.seen.clear()
            two.seen.clear()
            assert http.get("/api/v1/drop").status_code == 503
            assert (len(one.seen), len(two.seen)) == (1, 1)


class _Load:
    """Requests without a pause, each on a connection of its own.

    One that stays open may be closed while it is silent, at any time.
    """

    def __init__(self, entry: Entry) -> None:
        self.failures: list[str] = []
        self.answered = 0
        self._entry = entry
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Return when so many more were answered, or one failed."""
        wanted = self.answered + more
        while self.answered < wanted and not self.failures:
            time.sleep(0.01)

    def _ask(self) -> None:
        context = self._entry.context()
        while not self._done.is_set():
            try:
                answer = httpx2.get(f"{self._entry.url}/", verify=context, timeout=60)
            except httpx2.HTTPError as error:
                self.failures.append(repr(error))
            else:
                self.answered += 1
                if answer.status_code != 200:
                    self.failures.append(str(answer.status_code))


def test_a_reload_under_load_loses_no_request(world: World) -> None:
    whole: list[str] = []
    slow = threading.Thread(target=lambda: whole.append(world.entry.get("/waits").text))
    with _Load(world.entry) as load:
        slow.start()
        while not any(seen.path == "/waits" for seen in list(world.platform.seen)):
            time.sleep(0.01)
        for _ in range(4):
            world.entry.proxy.reload()
            load.wait_for(10)
        world.platform.go_on.set()
    slow.join()
    assert load.failures == []
    assert whole == ["whole"]


def test_a_reload_that_nginx_would_refuse_leaves_everything_as_it_was(world: World, tmp_path: Path) -> None:
    good = world.entry.proxy.settings
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate", encoding="utf-8")
    world.entry.proxy.settings = replace(good, client_ca_file=broken)
    try:
        with pytest.raises(ConfigurationError, match="nginx refuses"):
            world.entry.proxy.reload()
    finally:
        world.entry.proxy.settings = good
    assert world.entry.get("/").status_code == 200


# ---- What is written down, and the process


def test_the_logs_hold_no_query_and_no_token(world: World) -> None:
    secret = "A" * 20 + "-secret_" + "b" * 20
    log = world.entry.proxy.places
    world.entry.get(
        f"/login?code={secret}", Authorization=f"Bearer {secret}", Cookie=f"dtwin_session={secret}"
    )
    world.entry.get(f"/invitations/{secret}/accept?x={secret}", Referer=f"https://x/?{secret}")
    world.entry.get(f"/api/v1/drop?token={secret}")
    world.entry.get(f"/v1.1/drop?token={secret}")
    # A line is written after its answer.
    wait_until(lambda: world.entry.access_log[-1]["path"] == "/v1.1/drop")
    entries = world.entry.access_log[-4:]
    assert [entry["path"] for entry in entries] == [
        "/login",
        "/invitations/***/accept",
        "/api/v1/drop",
        "/v1.1/drop",
    ]
    assert [entry["status"] for entry in entries] == ["200", "200", "503", "503"]
    written = log.access_log.read_text(encoding="utf-8") + log.error_log.read_text(encoding="utf-8")
    assert "secret" not in written


def test_workers_are_not_root_and_end_with_their_master(world: World, nginx: Nginx, tmp_path: Path) -> None:
    upstreams = {"platform": [world.platform.address], "sensorthings": [world.sensorthings.address]}
    with running_entry(tmp_path, nginx, world.entry.authority, workers=2, **upstreams) as entry:
        assert entry.proxy.process is not None
        master = psutil.Process(entry.proxy.process.pid)
        # The first one may answer while the other one is not there yet, or has not changed its user.
        wait_until(lambda: [worker.uids().real != 0 for worker in master.children()] == [True, True])
        workers = master.children()
        assert entry.proxy.running() == entry.proxy.process
        entry.proxy.stop()
        assert not any(worker.is_running() for worker in workers)
        assert entry.proxy.running() is None


def test_a_proxy_whose_port_is_taken_says_so(world: World, nginx: Nginx, tmp_path: Path) -> None:
    second = LocalProxy(tmp_path, world.entry.proxy.settings, nginx=nginx)
    second.start()
    assert second.process is not None
    second.process.wait_ended(60)
    with pytest.raises(PartNotReadyError, match="Address already in use"):
        second.wait_ready()
    second.stop()


def test_a_home_s_proxy_gets_its_certificate_from_the_authority_and_renews_it(
    nginx: Nginx, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    authority = Authority.create(home.pki, PASSPHRASE)
    home.pki_passphrase_file.parent.mkdir()
    write_secret(home.pki_passphrase_file, PASSPHRASE)
    port = any_free_port()
    environment = {
        "DTWIN_PROXY__PORT": str(port),
        "DTWIN_PROXY__HOST": OUTSIDE,
        "DTWIN_PROXY__NAMES": f"{NAME},{OUTSIDE}",
        "DTWIN_PROXY__WORKERS": "1",
    }
    proxy = proxy_of(home, environment, nginx=nginx)
    entry = Entry(proxy, authority, tmp_path)
    proxy.start()
    try:
        proxy.wait_ready(60)
        with entry.connection() as connection:
            first = connection.getpeercert()
        assert not keep_certificate(home, proxy, environment)
        proxy.places.certificate_file.unlink()
        assert keep_certificate(home, proxy, environment)
        with entry.connection() as connection:
            second = connection.getpeercert()
        assert first is not None
        assert second is not None
        assert first["serialNumber"] != second["serialNumber"]
        assert json.dumps(second).count(NAME) == 1
        assert present_proxy(home).process == proxy.process
    finally:
        proxy.stop()
