"""Certificates of client apps, from people and from devices, on a real database and a real authority."""

import asyncio
import base64
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fastapi import FastAPI
from sqlalchemy import func, select, update

from client.errors import ConfigurationError
from platform_ui.app import create_app
from platform_ui.audit.models import AuditEntry
from platform_ui.credentials import register, service
from platform_ui.credentials.models import Credential, EnrolmentToken, IssuedCertificate
from platform_ui.db import now
from platform_ui.errors import ConflictError
from platform_ui.pki.authority import Authority
from platform_ui.pki.names import Identity, Kind
from platform_ui.pki.proofs import fingerprint
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.doubles import Browser

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
PASSPHRASE = "a passphrase of the tests 4711"
RENEWAL = "/api/v1/credentials/renewal"
ENROLMENT = "/api/v1/credentials/enrolment"


@pytest.fixture(scope="module")
def authority_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    Authority.create(folder, PASSPHRASE)
    return folder


@pytest.fixture
def settings(settings: PlatformSettings, authority_folder: Path) -> PlatformSettings:
    return replace(settings, pki_directory=authority_folder, pki_passphrase=PASSPHRASE)


@pytest.fixture
def authority(site: FastAPI) -> Authority:
    found = site.state.authority
    assert isinstance(found, Authority)
    return found


@pytest.fixture
async def browser(new_browser: MakeBrowser, word: Word) -> Browser:
    made = new_browser()
    await made.sign_up(word())
    return made


@pytest.fixture
async def page(browser: Browser, word: Word) -> str:
    """The address of the credentials of a new client app."""
    company = f"cz.{word()}"
    await browser.add("/companies/new", domain="cz", enterprise=company[3:])
    await browser.add("/systems/new", company=company, workcenter="Fleet", station="Car1")
    await browser.add(f"/systems/{company}.Fleet.Car1/clients/new", name="car_1")
    return f"/systems/{company}.Fleet.Car1/clients/car_1/credentials"


def name_of(page: str) -> str:
    _, _, system, _, client, _ = page.split("/")
    return f"{system}.{client}"


def csr(key: Key | None = None, common_name: str = "anybody") -> str:
    """A signing request; of a new P-256 key when none is given."""
    made = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    algorithm = None if isinstance(made, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(made, algorithm)
    return request.public_bytes(serialization.Encoding.PEM).decode()


def sign(key: Key, text: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return key.sign(text)


def renewal(certificate: str, key: Key, *, request: str = "", at: datetime | None = None) -> dict[str, str]:
    """What a device sends, built as the reference page says, with nothing of the platform's."""
    wanted = request or csr()
    time = (at or datetime.now(UTC)).isoformat()
    der = x509.load_pem_x509_csr(wanted.encode()).public_bytes(serialization.Encoding.DER)
    serial = f"{x509.load_pem_x509_certificate(certificate.encode()).serial_number:x}"
    text = f"dtwin-renewal-v1\n{time}\n{hashlib.sha256(der).hexdigest()}\n{serial}\n"
    signature = base64.b64encode(sign(key, text.encode())).decode()
    return {"certificate": certificate, "request": wanted, "time": time, "signature": signature}


async def archive_of(browser: Browser, page: str) -> dict[str, str]:
    """Download an archive; return its files by name."""
    answer = await browser.post(f"{page}/archive", page)
    assert answer.status_code == 200, answer.text
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as packed:
        found = {}
        for entry in packed.getmembers():
            file = packed.extractfile(entry)
            assert file
            found[entry.name.rpartition("/")[2]] = file.read().decode()
        return found


async def device_of(browser: Browser, page: str) -> tuple[str, Key]:
    """Give the client app a certificate; return it with its key."""
    files = await archive_of(browser, page)
    key = serialization.load_pem_private_key(files["key.pem"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return files["certificate.pem"], key


async def call(browser: Browser, method: str, path: str, body: Any = None) -> httpx2.Response:  # noqa: ANN401 - JSON
    session = (await browser.get("/api/v1/session")).json()
    return await browser.http.request(
        method, f"/api/v1{path}", json=body, headers={"X-CSRF-Token": session["csrf_token"]}
    )


async def stranger(site: FastAPI) -> httpx2.AsyncClient:
    """A program without any cookie."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=site), base_url="http://site.test")


async def send(site: FastAPI, path: str, body: dict[str, str]) -> httpx2.Response:
    async with await stranger(site) as device:
        return await device.post(path, json=body)


async def refused(site: FastAPI, path: str, body: dict[str, str]) -> tuple[int, str]:
    answer = await send(site, path, body)
    problem = answer.json()
    assert problem.get("hint") or problem.get("errors"), "it says what to do next"
    return answer.status_code, problem["code"]


def identity_of(pem: str) -> Identity:
    return Identity.of_subject(x509.load_pem_x509_certificate(pem.encode()).subject)


async def test_an_archive_has_all_that_a_device_needs_and_its_key_is_nowhere_else(
    browser: Browser, page: str, authority: Authority, site: FastAPI
) -> None:
    files = await archive_of(browser, page)
    assert set(files) == {
        "ca.pem",
        "certificate.pem",
        "client.env",
        "configuration.json",
        "first_records.py",
        "instances.json",
        "key.pem",
        "README.txt",
        "subscriptions.json",
    }
    certificate = x509.load_pem_x509_certificate(files["certificate.pem"].encode())
    key = serialization.load_pem_private_key(files["key.pem"].encode(), None)
    assert authority.has_signed(certificate)
    assert certificate.public_key() == key.public_key()
    assert identity_of(files["certificate.pem"]) == Identity(Kind.CLIENT, name_of(page))
    assert timedelta(days=29) < certificate.not_valid_after_utc - now() <= timedelta(days=30)
    assert json.loads(files["configuration.json"])["client_name"] == "car_1"
    assert "DTWIN_KAFKA__SSL_KEY_FILE=key.pem" in files["client.env"]
    assert "DTWIN_PLATFORM__URL=http://site.test" in files["client.env"]
    assert "DTWIN_SENSORTHINGS__URL=http" in files["client.env"]
    async with site.state.sessions() as session:
        row = await session.get(IssuedCertificate, f"{certificate.serial_number:x}")
    assert (row.name, row.epoch, row.origin) == (name_of(page), 1, "archive")


async def test_an_archive_is_handed_over_once_and_never_again(browser: Browser, page: str) -> None:
    first = await archive_of(browser, page)
    assert (await browser.get(f"{page}/archive")).status_code == 405
    shown = (await browser.get(page)).text
    assert "PRIVATE KEY" not in shown
    second = await archive_of(browser, page)
    assert first["key.pem"] != second["key.pem"]
    assert first["certificate.pem"] != second["certificate.pem"]


async def test_the_key_in_the_archive_is_for_its_owner_only(browser: Browser, page: str) -> None:
    answer = await browser.post(f"{page}/archive", page)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "attachment" in answer.headers["Content-Disposition"]
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as packed:
        modes = {entry.name.rpartition("/")[2]: entry.mode for entry in packed.getmembers()}
    assert modes["key.pem"] == 0o600


async def test_the_page_shows_who_issued_what_and_until_when(browser: Browser, page: str) -> None:
    assert "No certificate yet" in (await browser.get(page)).text
    await archive_of(browser, page)
    shown = (await browser.get(page)).text
    assert "@example.com" in shown
    assert f"User:client.{name_of(page)}" in shown
    listed = (await call(browser, "GET", page)).json()
    assert listed["principal"] == f"User:client.{name_of(page)}"
    assert [one["origin"] for one in listed["certificates"]] == ["archive"]


@pytest.mark.parametrize("way", ["archive", "request", "token", "revoke", "block", "unblock"])
async def test_for_others_there_are_no_credentials(
    new_browser: MakeBrowser, word: Word, browser: Browser, page: str, way: str
) -> None:
    await archive_of(browser, page)
    other = new_browser()
    await other.sign_up(word())
    assert (await other.get(page)).status_code == 404
    assert (await other.post(f"{page}/{way}", "/companies/new", request=csr())).status_code == 404
    assert (await call(other, "GET", page)).status_code == 404
    for method, path, body in (
        ("POST", "archive", None),
        ("POST", "certificates", {"request": csr()}),
        ("POST", "tokens", None),
        ("POST", "revocation", {}),
        ("PUT", "block", None),
        ("DELETE", "block", None),
    ):
        assert (await call(other, method, f"{page}/{path}", body)).status_code == 404, path
    listed = (await call(browser, "GET", page)).json()
    assert (listed["epoch"], listed["blocked_at"], len(listed["certificates"])) == (1, None, 1)


async def test_a_pasted_request_is_signed_for_the_client_app_whatever_it_asks_for(
    browser: Browser, page: str
) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    answer = await browser.post(f"{page}/request", page, request=csr(key, common_name="service.platform"))
    assert answer.status_code == 200
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as packed:
        names = {entry.name.rpartition("/")[2] for entry in packed.getmembers()}
        file = packed.extractfile(f"{name_of(page)}/certificate.pem")
        assert file
        certificate = x509.load_pem_x509_certificate(file.read())
    assert "key.pem" not in names
    assert Identity.of_subject(certificate.subject) == Identity(Kind.CLIENT, name_of(page))
    assert certificate.public_key() == key.public_key()


async def test_an_uploaded_request_is_signed_too(browser: Browser, page: str) -> None:
    form = await browser.http.get(page)
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', form.text)
    assert token
    answer = await browser.http.post(
        f"{page}/request",
        data={"csrf_token": token[1], "request": ""},
        files={"file": ("request.pem", csr().encode())},
    )
    assert answer.headers["Content-Type"] == "application/gzip"


def forged_csr() -> str:
    """A request in which somebody else's key was put."""
    mine, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    der = x509.load_pem_x509_csr(csr(mine).encode()).public_bytes(serialization.Encoding.DER)
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    encoding = serialization.Encoding.DER
    wrong = der.replace(
        mine.public_key().public_bytes(encoding, spki), other.public_key().public_bytes(encoding, spki)
    )
    return x509.load_der_x509_csr(wrong).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("request_pem", "code"),
    [
        (csr(WEAK), "credential.request_weak_key"),
        (csr(ec.generate_private_key(ec.SECP521R1())), "credential.request_weak_key"),
        (forged_csr(), "credential.request_forged"),
        ("-----BEGIN NONSENSE-----", "credential.request_unreadable"),
        ("x" * 20000, "form.invalid"),
    ],
)
async def test_a_bad_request_is_refused_and_told_why(
    browser: Browser, page: str, request_pem: str, code: str
) -> None:
    answer = await call(browser, "POST", f"{page}/certificates", {"request": request_pem})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    shown = await browser.post(f"{page}/request", page, request=request_pem)
    assert shown.status_code == 422
    assert 'id="request-error"' in shown.text
    assert (await call(browser, "GET", page)).json()["certificates"] == []


@pytest.mark.parametrize(
    "make_key",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate,
    ],
)
async def test_a_device_renews_its_certificate_with_any_accepted_key(
    browser: Browser, page: str, site: FastAPI, make_key: Callable[[], Key]
) -> None:
    key = make_key()
    first = (await call(browser, "POST", f"{page}/certificates", {"request": csr(key)})).json()
    fresh = ec.generate_private_key(ec.SECP256R1())
    answer = await send(site, RENEWAL, renewal(first["certificate"], key, request=csr(fresh)))
    assert answer.status_code == 201, answer.text
    renewed = answer.json()
    assert identity_of(renewed["certificate"]) == identity_of(first["certificate"])
    certificate = x509.load_pem_x509_certificate(renewed["certificate"].encode())
    assert certificate.public_key() == fresh.public_key()
    left = datetime.fromisoformat(renewed["not_after"]) - datetime.fromisoformat(renewed["renew_after"])
    assert left == timedelta(days=10)
    origins = [one["origin"] for one in (await call(browser, "GET", page)).json()["certificates"]]
    assert origins == ["renewal", "csr"]


async def test_a_renewal_is_written_down_with_the_device_as_who_did_it(
    browser: Browser, page: str, site: FastAPI
) -> None:
    await send(site, RENEWAL, renewal(*await device_of(browser, page)))
    async with site.state.sessions() as session:
        entries = (
            await session.scalars(
                select(AuditEntry).where(AuditEntry.object_name == name_of(page)).order_by(AuditEntry.id)
            )
        ).all()
    done = [(entry.action, entry.user_email) for entry in entries if entry.action.startswith("credential.")]
    assert [action for action, _ in done] == ["credential.issued", "credential.renewed"]
    assert done[1][1] == f"client.{name_of(page)}"


async def test_a_certificate_of_another_authority_renews_nothing(
    browser: Browser, page: str, site: FastAPI, tmp_path: Path
) -> None:
    await archive_of(browser, page)
    other = Authority.create(tmp_path / "other", PASSPHRASE)
    made = other.issue(Identity(Kind.CLIENT, name_of(page)), lifetime=timedelta(days=1))
    key = serialization.load_pem_private_key(made.key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert await refused(site, RENEWAL, renewal(made.certificate_pem, key)) == (
        401,
        "credential.foreign_certificate",
    )


async def test_an_expired_certificate_renews_nothing(page: str, site: FastAPI, authority: Authority) -> None:
    made = authority.issue(Identity(Kind.CLIENT, name_of(page)), lifetime=timedelta(seconds=-1))
    key = serialization.load_pem_private_key(made.key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert await refused(site, RENEWAL, renewal(made.certificate_pem, key)) == (401, "credential.expired")


@pytest.mark.parametrize("kind", [Kind.SERVICE, Kind.APP])
async def test_services_and_stream_apps_do_not_renew_here(
    page: str, site: FastAPI, authority: Authority, kind: Kind
) -> None:
    made = authority.issue(Identity(kind, name_of(page)), lifetime=timedelta(days=1))
    key = serialization.load_pem_private_key(made.key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert await refused(site, RENEWAL, renewal(made.certificate_pem, key)) == (403, "credential.wrong_kind")


async def test_a_certificate_that_was_never_written_down_renews_nothing(
    browser: Browser, page: str, site: FastAPI, authority: Authority
) -> None:
    await archive_of(browser, page)
    made = authority.issue(Identity(Kind.CLIENT, name_of(page)), lifetime=timedelta(days=1))
    key = serialization.load_pem_private_key(made.key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert await refused(site, RENEWAL, renewal(made.certificate_pem, key)) == (403, "credential.unknown")


async def test_a_forged_signature_renews_nothing(browser: Browser, page: str, site: FastAPI) -> None:
    certificate, key = await device_of(browser, page)
    thief = ec.generate_private_key(ec.SECP256R1())
    wrong = (401, "credential.signature_wrong")
    assert await refused(site, RENEWAL, renewal(certificate, thief)) == wrong
    body = renewal(certificate, key)
    assert await refused(site, RENEWAL, body | {"request": csr()}) == wrong, "the request was exchanged"
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert await refused(site, RENEWAL, body | {"time": later}) == wrong, "the time was exchanged"
    assert await refused(site, RENEWAL, body | {"signature": "not base64!"}) == wrong


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_signature_of_another_time_renews_nothing(
    browser: Browser, page: str, site: FastAPI, minutes: int
) -> None:
    device = await device_of(browser, page)
    body = renewal(*device, at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert await refused(site, RENEWAL, body) == (401, "credential.stale")


async def test_a_time_without_an_offset_is_no_time(browser: Browser, page: str, site: FastAPI) -> None:
    at = datetime.now(UTC).replace(tzinfo=None)
    body = renewal(*await device_of(browser, page), at=at)
    assert await refused(site, RENEWAL, body) == (422, "form.invalid")


async def test_a_renewal_that_comes_twice_is_refused_also_with_another_signature_over_the_same(
    browser: Browser, page: str, site: FastAPI
) -> None:
    certificate, key = await device_of(browser, page)
    request, at = csr(), datetime.now(UTC)
    assert (await send(site, RENEWAL, renewal(certificate, key, request=request, at=at))).status_code == 201
    again = renewal(certificate, key, request=request, at=at)
    assert await refused(site, RENEWAL, again) == (401, "credential.replayed")


async def test_a_weak_key_is_not_renewed_and_the_same_proof_may_not_be_tried_on(
    browser: Browser, page: str, site: FastAPI
) -> None:
    certificate, key = await device_of(browser, page)
    body = renewal(certificate, key, request=csr(WEAK))
    assert await refused(site, RENEWAL, body) == (422, "credential.request_weak_key")
    assert (await send(site, RENEWAL, renewal(certificate, key))).status_code == 201


async def test_revoking_begins_an_epoch_that_old_certificates_do_not_reach(
    browser: Browser, page: str, site: FastAPI
) -> None:
    old = await device_of(browser, page)
    answer = await browser.post(f"{page}/revoke", page, reason="stolen")
    assert "revoked" in answer.text
    assert "stolen" in answer.text
    assert await refused(site, RENEWAL, renewal(*old)) == (403, "credential.revoked")
    certificate, key = await device_of(browser, page)
    assert identity_of(certificate) == Identity(Kind.CLIENT, name_of(page), 2)
    renewed = await send(site, RENEWAL, renewal(certificate, key))
    assert identity_of(renewed.json()["certificate"]).epoch == 2
    listed = (await call(browser, "GET", page)).json()
    assert (listed["principal"], listed["epoch"]) == (f"User:client.{name_of(page)}~2", 2)
    reasons = [(one["epoch"], one["revoked_reason"]) for one in listed["certificates"]]
    assert reasons == [(2, ""), (2, ""), (1, "stolen")]


async def test_what_was_never_issued_cannot_be_revoked(browser: Browser, page: str) -> None:
    answer = await call(browser, "POST", f"{page}/revocation", {"reason": "r"})
    assert (answer.status_code, answer.json()["code"]) == (409, "credential.no_certificate")


async def test_who_is_blocked_gets_and_renews_nothing_until_it_is_unblocked(
    browser: Browser, page: str, site: FastAPI
) -> None:
    old = await device_of(browser, page)
    token = (await call(browser, "POST", f"{page}/tokens")).json()["token"]
    assert "Blocked" in (await browser.post(f"{page}/block", page)).text
    assert await refused(site, RENEWAL, renewal(*old)) == (403, "credential.blocked")
    enrolment = {"token": token, "request": csr()}
    assert await refused(site, ENROLMENT, enrolment) == (403, "credential.blocked")
    answer = await call(browser, "POST", f"{page}/certificates", {"request": csr()})
    assert (answer.status_code, answer.json()["code"]) == (409, "credential.blocked")
    assert (await call(browser, "GET", page)).json()["blocked_at"]
    assert (await call(browser, "DELETE", f"{page}/block")).status_code == 204
    assert (await send(site, RENEWAL, renewal(*old))).status_code == 201
    assert (await send(site, ENROLMENT, enrolment)).status_code == 201


async def test_a_deleted_client_app_leaves_no_power_to_the_next_of_its_name(
    browser: Browser, page: str, site: FastAPI
) -> None:
    old = await device_of(browser, page)
    token = (await call(browser, "POST", f"{page}/tokens")).json()["token"]
    client = page.removesuffix("/credentials")
    await browser.add(f"{client}/delete")
    assert await refused(site, RENEWAL, renewal(*old)) == (403, "credential.revoked")
    unknown = (401, "credential.token_unknown")
    assert await refused(site, ENROLMENT, {"token": token, "request": csr()}) == unknown
    await browser.add(f"{client.rpartition('/')[0]}/new", name="car_1")
    certificate, _ = await device_of(browser, page)
    assert identity_of(certificate).epoch == 2
    assert await refused(site, RENEWAL, renewal(*old)) == (403, "credential.revoked")


async def test_a_device_enrols_by_a_token_once(browser: Browser, page: str, site: FastAPI) -> None:
    shown = (await browser.post(f"{page}/token", page)).text
    found = re.search(r'id="token">(dtwin_enrol_[\w-]+)<', shown)
    assert found
    assert found[1] not in (await browser.get(page)).text
    key = ec.generate_private_key(ec.SECP256R1())
    answer = await send(site, ENROLMENT, {"token": found[1], "request": csr(key)})
    assert answer.status_code == 201, answer.text
    certificate = answer.json()["certificate"]
    assert identity_of(certificate) == Identity(Kind.CLIENT, name_of(page))
    unknown = (401, "credential.token_unknown")
    assert await refused(site, ENROLMENT, {"token": found[1], "request": csr()}) == unknown
    assert (await send(site, RENEWAL, renewal(certificate, key))).status_code == 201


async def test_a_token_survives_a_bad_request_but_no_revocation_and_no_hour(
    browser: Browser, page: str, site: FastAPI
) -> None:
    token = (await call(browser, "POST", f"{page}/tokens")).json()["token"]
    assert await refused(site, ENROLMENT, {"token": token, "request": "x"}) == (
        422,
        "credential.request_unreadable",
    )
    async with site.state.sessions() as session:
        kept = EnrolmentToken.token_hash == service.hash_of(token)
        await session.execute(update(EnrolmentToken).where(kept).values(expires_at=now()))
        await session.commit()
    body = {"token": token, "request": csr()}
    assert await refused(site, ENROLMENT, body) == (401, "credential.token_expired")
    other = (await call(browser, "POST", f"{page}/tokens")).json()["token"]
    assert (await call(browser, "POST", f"{page}/revocation", {})).status_code == 204
    body = {"token": other, "request": csr()}
    assert await refused(site, ENROLMENT, body) == (401, "credential.token_unknown")


async def test_of_two_that_come_at_the_same_time_with_one_proof_one_is_refused(
    browser: Browser, page: str, site: FastAPI
) -> None:
    body = renewal(*await device_of(browser, page))
    token = (await call(browser, "POST", f"{page}/tokens")).json()["token"]
    enrolment = {"token": token, "request": csr()}
    for path, what in ((RENEWAL, body), (ENROLMENT, enrolment)):
        answers = await asyncio.gather(*(send(site, path, what) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401], path


async def test_a_client_app_that_is_deleted_while_it_gets_certificates_keeps_none_that_counts(
    browser: Browser, page: str, site: FastAPI
) -> None:
    certificate, key = await device_of(browser, page)
    renewals = [send(site, RENEWAL, renewal(certificate, key)) for _ in range(6)]
    deletion = browser.add(f"{page.removesuffix('/credentials')}/delete")
    answers = await asyncio.gather(*renewals[:3], deletion, *renewals[3:])
    assert {answer.status_code for answer in answers} <= {200, 201, 403}
    async with site.state.sessions() as session:
        counting = await session.scalar(
            select(func.count())
            .select_from(IssuedCertificate)
            .where(IssuedCertificate.name == name_of(page), IssuedCertificate.revoked_at.is_(None))
        )
    assert counting == 0


async def test_neither_token_nor_key_is_in_the_database(browser: Browser, page: str, site: FastAPI) -> None:
    token = (await call(browser, "POST", f"{page}/tokens")).json()["token"]
    async with site.state.sessions() as session:
        found = await session.scalar(
            select(func.count()).select_from(EnrolmentToken).where(EnrolmentToken.token_hash == token)
        )
    assert found == 0


async def test_a_device_gone_wild_is_stopped(browser: Browser, page: str, site: FastAPI) -> None:
    certificate, key = await device_of(browser, page)
    row = {"kind": "client", "name": name_of(page), "epoch": 1, "issued_by": "t", "origin": "renewal"}
    times = {"not_before": now(), "not_after": now() + timedelta(days=1), "issued_at": now()}
    async with site.state.sessions() as session:
        session.add_all(
            IssuedCertificate(serial=f"{name_of(page)}{number}"[-40:], **row, **times)
            for number in range(register.MAX_COUNTING - 1)
        )
        await session.commit()
    assert await refused(site, RENEWAL, renewal(certificate, key)) == (409, "credential.too_many")


async def test_everybody_gets_the_certificate_of_the_authority(site: FastAPI, authority: Authority) -> None:
    async with await stranger(site) as anybody:
        answer = await anybody.get("/ca.pem")
        told = (await anybody.get("/api/v1/authority")).json()
    assert x509.load_pem_x509_certificate(answer.content) == authority.certificate
    assert told["fingerprint"] == fingerprint(authority.certificate)
    assert told["certificate"].encode() == answer.content


async def test_the_fingerprint_of_the_authority_is_on_the_page(
    browser: Browser, page: str, authority: Authority
) -> None:
    assert fingerprint(authority.certificate) in (await browser.get(page)).text


async def test_a_stream_app_gets_a_certificate_of_its_own_kind_and_loses_it_with_its_end(
    site: FastAPI, authority: Authority, word: Word
) -> None:
    app_id = f"cz.{word()}.Fleet.Car1.app_1"
    async with site.state.sessions() as session:
        made = await service.credentials_of_app(session, authority, app_id)
        await session.commit()
        assert identity_of(made.certificate) == Identity(Kind.APP, app_id)
        assert made.authority == authority.certificate_pem
        await service.end_app(session, app_id)
        await session.commit()
        rows = (
            await session.scalars(select(IssuedCertificate).where(IssuedCertificate.name == app_id))
        ).all()
        await session.refresh(rows[0])
        assert [(row.epoch, row.revoked_reason) for row in rows] == [(1, "stream app deleted")]
        again = await service.credentials_of_app(session, authority, app_id)
        await session.commit()
    assert identity_of(again.certificate) == Identity(Kind.APP, app_id, 2)


async def test_a_stream_app_that_never_had_a_certificate_ends_too(site: FastAPI, word: Word) -> None:
    async with site.state.sessions() as session:
        await service.end_app(session, f"cz.{word()}.Fleet.Car1.app_1")
        await session.commit()


@pytest.mark.parametrize(("days", "needs"), [(0, False), (4, False), (5, True), (8, True)])
def test_a_certificate_is_renewed_when_a_third_of_its_time_is_left(days: int, needs: bool) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    until = begin + service.APP_LIFETIME
    assert service.needs_renewal(until, service.APP_LIFETIME, begin + timedelta(days=days)) is needs


async def test_a_blocked_stream_app_gets_no_certificate(
    site: FastAPI, authority: Authority, word: Word
) -> None:
    app_id = f"cz.{word()}.Fleet.Car1.app_1"
    async with site.state.sessions() as session:
        session.add(Credential(kind="app", name=app_id, epoch=1, created_at=now(), blocked_at=now()))
        with pytest.raises(ConflictError, match="blocked"):
            await service.credentials_of_app(session, authority, app_id)


async def test_a_platform_without_an_authority_says_so(
    settings: PlatformSettings, new_browser: MakeBrowser, browser: Browser, page: str, site: FastAPI
) -> None:
    site.state.authority = None
    shown = await browser.get(page)
    assert "DTWIN_PKI__DIRECTORY" in shown.text
    assert "Download an archive" not in shown.text
    answer = await browser.post(f"{page}/archive", "/companies/new")
    assert answer.status_code == 409
    assert (await browser.get("/ca.pem")).status_code == 404


def test_a_wrong_passphrase_stops_the_start_and_is_named(settings: PlatformSettings) -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__PASSPHRASE"):
        create_app(replace(settings, pki_passphrase="another passphrase 0815"))
