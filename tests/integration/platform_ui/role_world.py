"""One company with everything in it, and somebody of each role: made once, through the pages of the site.

What lives here: the objects, who is who, and what stands for each parameter of an address. What does not: who
may do what (``route_rules``).
"""

import asyncio
import base64
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from sqlalchemy import select

from platform_ui.accounts import resets
from platform_ui.accounts.models import ApiToken, TokenKind, User, UserSession
from platform_ui.app import create_app
from platform_ui.companies.models import Invitation
from platform_ui.pki.proofs import renewal_text
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.agreements import agree, propose, sign
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryRunner, MemoryTopics
from tests.integration.platform_ui.route_rules import Role
from tests.integration.platform_ui.route_table import Served

PASSWORD = "a long password"
APP, CLIENT = "share", "car_1"
_SECRETS = re.compile(r"dtwin_pat_[\w-]{40,}")


@dataclass(frozen=True)
class World:
    """What there is, and who is who.

    Attributes:
        values: what stands for each name in braces, in addresses and fields.
        headers: what everybody sends.
        emails: addresses of the people.
        key: private key of the device, PEM.
    """

    values: dict[str, str]
    headers: dict[Role, dict[str, str]]
    emails: dict[Role, str]
    key: str

    def address(self, route: Served) -> str:
        """Return where a route is asked."""
        queries = {
            "/api/v1/explain": "?action=see system&resource=none",
            "/api/v1/explain/readers": f"?resource={self.values['system']}",
        }
        return route.address(**self._parameters(route.path)) + queries.get(route.path, "")

    def _parameters(self, path: str) -> dict[str, str]:
        values = self.values
        name, place = values["system"], "system"
        if "companies/" in path:
            name, place = values["company"], "company"
        elif "/clients/" in path:
            name = CLIENT
        elif "/apps/" in path:
            name = APP
        waits = "sign" in path or "decline" in path
        return values | {
            "name": name,
            "email": values[f"{place}_person"],
            "invitation": values[f"{place}_invitation"],
            "contract": values["waiting" if waits else "held"],
            "position": "0:0",
            "token": values["invitation_token" if "/invitations/" in path else "reset_token"],
        }

    def proof(self, role: Role) -> dict[str, str]:
        """Return what a device would send now; everybody else makes it up."""
        device = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(device, hashes.SHA256())
        moment = datetime.now(UTC).isoformat()
        certificate = x509.load_pem_x509_certificate(self.values["certificate"].encode())
        key = serialization.load_pem_private_key(self.key.encode(), None) if role is Role.DEVICE else device
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signed = key.sign(renewal_text(moment, request, certificate), ec.ECDSA(hashes.SHA256()))
        return {
            "request": request.public_bytes(serialization.Encoding.PEM).decode(),
            "time": moment,
            "signature": base64.b64encode(signed).decode(),
            "enrolment": self.values["enrolment_token"] if role is Role.DEVICE else "a" * 43,
        }


def new_site(settings: PlatformSettings) -> FastAPI:
    """Put a site together on doubles."""
    return create_app(settings, topics=MemoryTopics(), runner=MemoryRunner(), metadata=MemoryMetadata())


async def close_site(app: FastAPI) -> None:
    """Let go of everything that a site holds."""
    await app.state.units.close()
    await app.state.gateway.close()
    await app.state.engine.dispose()


class _Maker:
    """Makes the world step by step."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.browsers: dict[str, Browser] = {}
        self.emails: dict[str, str] = {}

    async def person(self, name: str) -> Browser:
        browser = Browser(httpx2.ASGITransport(app=self.app, raise_app_exceptions=False))
        self.browsers[name] = browser
        self.emails[name] = await browser.sign_up(_word())
        return browser

    async def system(self, name: str, station: str = "Car1", company: str = "") -> str:
        browser = self.browsers[name]
        if not company:
            company = f"cz.{_word()}"
            await browser.add("/companies/new", domain="cz", enterprise=company[3:])
        answer = await browser.add("/systems/new", company=company, workcenter="Fleet", station=station)
        assert answer.url.path == f"/systems/{company}.Fleet.{station}", answer.text
        return f"{company}.Fleet.{station}"

    async def headers(self, name: str) -> dict[str, str]:
        browser = self.browsers[name]
        token = (await browser.get("/api/v1/session")).json()["csrf_token"]
        cookie = browser.http.cookies["dtwin_session"]
        return {"cookie": f"dtwin_session={cookie}", "x-csrf-token": token}

    async def token(self, name: str, **fields: str) -> dict[str, str]:
        answer = await self.browsers[name].add("/account/tokens", name="a program", **fields)
        found = _SECRETS.search(answer.text)
        assert found, answer.text
        return {"authorization": f"Bearer {found[0]}"}


def _word() -> str:
    return f"t{secrets.token_hex(4)}"


def make_world(settings: PlatformSettings) -> World:
    """Fill a database through the pages of a site."""
    return asyncio.run(_make(settings))


async def _make(settings: PlatformSettings) -> World:
    maker = _Maker(new_site(settings))
    try:
        return await _fill(maker)
    finally:
        for browser in maker.browsers.values():
            await browser.http.aclose()
        await close_site(maker.app)


async def _fill(maker: _Maker) -> World:
    for name in ("founder", "other", "stranger", *(role.name for role in _PEOPLE)):
        await maker.person(name)
    founder, browsers, emails = maker.browsers["founder"], maker.browsers, maker.emails
    system = await maker.system("founder")
    company = ".".join(system.split(".")[:2])
    neighbour = await maker.system("founder", "Car2", company)
    await maker.system("FOREIGN")
    partner = await maker.system("PARTNER")
    parts = {"OWNER": "owner", "ADMIN": "admin", "MEMBER": "member", "REMOVED": "admin", "other": "member"}
    for name, part in parts.items():
        await founder.add(f"/companies/{company}/members", email=emails[name], role=part)
    for name, part in {"AGENT": "agent", "VIEWER": "viewer", "REMOVED": "agent", "other": "viewer"}.items():
        await founder.add(f"/systems/{system}/members", email=emails[name], role=part)
    await founder.add(f"/systems/{neighbour}/members", email=emails["AGENT"], role="agent")
    page = f"/companies/{company}/members"
    await founder.post(f"{page}/{emails['REMOVED']}/remove", page)
    values = {
        "company": company,
        "system": system,
        "neighbour": neighbour,
        "partner": partner,
        "unused": _word(),
        "unused_email": f"{_word()}@example.com",
        "agent_email": emails["AGENT"],
        "stranger_email": emails["stranger"],
        "company_person": emails["other"],
        "system_person": emails["other"],
        "number": "1",
        "thing": "1",
        "datastream": "1",
        "table": "datastreams",
        "kind": "json",
        "path": "Things",
    }
    agent, other_side = browsers["AGENT"], browsers["PARTNER"]
    values["held"] = await agree(agent, other_side, system, partner, predicate="result < 4")
    values["waiting"] = await propose(other_side, system, partner, fields="quality")
    assert await sign(other_side, values["waiting"], "consumer") == 200
    offered = await agent.add("/catalogue/new", system=system, title="An offer")
    values["offer"] = offered.url.path.removeprefix("/catalogue/")
    await agent.post(f"/catalogue/{values['offer']}/publish", f"/catalogue/{values['offer']}")
    await agent.add(f"/systems/{system}/clients/new", name=CLIENT)
    answer = await agent.add(
        f"/systems/{system}/apps/new", name=APP, target_system=partner, statement="SELECT * FROM *;"
    )
    assert answer.url.path == f"/systems/{system}/apps/{APP}", answer.text
    key, values["certificate"], values["enrolment_token"] = await _device(maker, system)
    values |= await _links(maker, company, system)
    logged_in = {"email": emails["AGENT"], "password": PASSWORD}
    pair = await agent.http.post("/api/v1/tokens", json=logged_in)
    values["refresh"] = str(pair.json()["refresh_token"])
    headers = {role: await maker.headers(role.name) for role in _PEOPLE}
    headers |= await _programs(maker, neighbour)
    values |= await _rows(maker, company, system)
    return World(values, headers, {role: emails[role.name] for role in _PEOPLE}, key)


_PEOPLE = (
    Role.FOREIGN,
    Role.OWNER,
    Role.ADMIN,
    Role.MEMBER,
    Role.AGENT,
    Role.VIEWER,
    Role.PARTNER,
    Role.REMOVED,
)


async def _device(maker: _Maker, system: str) -> tuple[str, str, str]:
    agent = maker.browsers["AGENT"]
    base = f"/api/v1/systems/{system}/clients/{CLIENT}/credentials"
    headers = await maker.headers("AGENT")
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    text = request.public_bytes(serialization.Encoding.PEM).decode()
    signed = await agent.http.post(f"{base}/certificates", json={"request": text}, headers=headers)
    token = await agent.http.post(f"{base}/tokens", headers=headers)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret.decode(), str(signed.json()["certificate"]), str(token.json()["token"])


async def _links(maker: _Maker, company: str, system: str) -> dict[str, str]:
    found = {}
    for place, name in (("companies", company), ("systems", system)):
        page = f"/{place}/{name}/members"
        answer = await maker.browsers["founder"].add(page, email=f"{_word()}@example.com")
        link = re.search(r"/invitations/([\w-]{40,})", answer.text)
        assert link, answer.text
        found["invitation_token"] = link[1]
    return found


async def _programs(maker: _Maker, elsewhere: str) -> dict[Role, dict[str, str]]:
    visitor = Browser(httpx2.ASGITransport(app=maker.app, raise_app_exceptions=False))
    maker.browsers["visitor"] = visitor
    await visitor.get("/login")
    return {
        Role.VISITOR: await maker.headers("visitor"),
        Role.DEVICE: {},
        Role.READING_TOKEN: await maker.token("AGENT", scope="read"),
        Role.WRITING_TOKEN: await maker.token("AGENT", scope="write"),
        Role.TOKEN_ELSEWHERE: await maker.token("AGENT", scope="write", within=elsewhere),
    }


async def _rows(maker: _Maker, company: str, system: str) -> dict[str, str]:
    """Return what only the database tells, and a link to a new password."""
    async with maker.app.state.sessions() as session:
        agent = (await session.scalars(select(User).where(User.email == maker.emails["AGENT"]))).one()
        invited = (await session.scalars(select(Invitation).order_by(Invitation.created_at))).all()
        into_company = [one for one in invited if one.company_id is not None][-1]
        into_system = [one for one in invited if one.system_id is not None][-1]
        log_in = (await session.scalars(select(UserSession).where(UserSession.user_id == agent.id))).first()
        token = (
            await session.scalars(
                select(ApiToken).where(ApiToken.user_id == agent.id, ApiToken.kind == TokenKind.PERSONAL)
            )
        ).first()
        other = (await session.scalars(select(User).where(User.email == maker.emails["other"]))).one()
        return {
            "company_invitation": str(into_company.id),
            "system_invitation": str(into_system.id),
            "session_id": str(log_in.id),
            "token_id": str(token.id),
            "reset_token": await resets.new_token(session, other, by_mail=False),
        }
