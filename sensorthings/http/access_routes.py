"""Administration of access over HTTP: `/access/v1/...`, for admins only.

What lives here: addresses, bodies, answers. What does not: what is kept (`sensorthings.access.registry`).

Every change is idempotent and gives the whole state, so that a platform which was away, or a service which
was, is brought up to date by sending everything again.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sensorthings.access import registry, shares
from sensorthings.access.authentication import Gate
from sensorthings.access.principals import ANYONE, Principal
from sensorthings.access.registry import Grant, PrincipalState
from sensorthings.database import Database
from sensorthings.errors import BodyError, ForbiddenError

PREFIX = "/access/v1"
_NO_STORE = {"Cache-Control": "no-store"}


class GrantBody(BaseModel):
    """A system that a principal reads, and may write."""

    model_config = ConfigDict(extra="forbid")

    system: str
    write: bool = False


class PrincipalBody(BaseModel):
    """The whole state of a principal."""

    model_config = ConfigDict(extra="forbid")

    is_admin: bool = False
    home: str | None = None
    grants: list[GrantBody] = Field(default_factory=list, max_length=10_000)
    certificate: str | None = Field(default=None, min_length=1, max_length=registry.MAX_NAME_CHARACTERS)


class TokenBody(BaseModel):
    """What to write on a new token."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(default="", max_length=200)
    expires: AwareDatetime | None = None


class ShareBody(BaseModel):
    """What a contract lets a system see: Datastreams, by id or full name, and which of their Observations."""

    model_config = ConfigDict(extra="forbid")

    system: str
    datastreams: list[int | str] = Field(max_length=10_000)
    observations: bool = True
    since: AwareDatetime | None = None


def make_access_router(database: Database, gate: Gate) -> APIRouter:
    """Make the routes of the administration."""
    admins = APIRouter(prefix=PREFIX, dependencies=[Depends(_admin_check(gate))])
    _add_principals(admins, database, gate)
    _add_tokens(admins, database, gate)
    _add_shares(admins, database, gate)
    router = APIRouter()
    router.include_router(admins)
    _add_myself(router, database, gate)
    return router


async def _asker(gate: Gate, request: Request) -> Principal:
    return await gate.authenticate(request.headers, request.scope)


def _admin_check(gate: Gate) -> Callable[[Request], Any]:
    async def check(request: Request) -> None:
        principal = await _asker(gate, request)
        # What strangers may do where the service is open must not outlive its being open.
        if not principal.is_admin or principal is ANYONE:
            raise ForbiddenError(
                "Only an admin may administer access.", "Send an admin's token, such as the platform's."
            )

    return check


def _add_myself(router: APIRouter, database: Database, gate: Gate) -> None:
    @router.get(f"{PREFIX}/me")
    async def show_myself(request: Request) -> dict[str, Any]:
        principal = await _asker(gate, request)
        async with database.reading() as session:
            names = await registry.system_names(session, principal.reads)
        return {
            "name": principal.name,
            "is_admin": principal.is_admin,
            "home": names.get(principal.home) if principal.home is not None else None,
            "grants": [{"system": names[one], "write": one in principal.writes} for one in principal.reads],
            "shared_datastreams": list(principal.shared),
        }


def _add_principals(router: APIRouter, database: Database, gate: Gate) -> None:
    @router.get("/principals")
    async def list_principals() -> dict[str, Any]:
        async with database.reading() as session:
            return {"principals": [asdict(one) for one in await registry.list_principals(session)]}

    @router.put("/principals/{name}")
    async def put_principal(name: str, body: PrincipalBody, response: Response) -> dict[str, Any]:
        state = PrincipalState(
            _checked_name(name),
            body.is_admin,
            body.home,
            tuple(Grant(one.system, one.write) for one in body.grants),
            body.certificate,
        )
        async with database.writing() as session:
            is_new = await registry.put_principal(session, state)
        gate.forget()
        response.status_code = 201 if is_new else 200
        return asdict(state)

    @router.delete("/principals/{name}", status_code=204)
    async def delete_principal(name: str) -> None:
        async with database.writing() as session:
            await registry.delete_principal(session, name)
        gate.forget()


def _add_tokens(router: APIRouter, database: Database, gate: Gate) -> None:
    @router.get("/principals/{name}/tokens")
    async def list_tokens(name: str) -> dict[str, Any]:
        async with database.reading() as session:
            return {"tokens": [asdict(one) for one in await registry.list_tokens(session, name)]}

    @router.post("/principals/{name}/tokens", status_code=201)
    async def create_token(name: str, response: Response, body: TokenBody | None = None) -> dict[str, Any]:
        wanted = body or TokenBody()
        async with database.writing() as session:
            number, secret = await registry.create_token(
                session, name, label=wanted.label, expires=wanted.expires
            )
        response.headers.update(_NO_STORE)
        return {"id": number, "token": secret, "label": wanted.label, "expires": wanted.expires}

    @router.delete("/principals/{name}/tokens", status_code=204)
    async def revoke_all_tokens(name: str) -> None:
        async with database.writing() as session:
            await registry.revoke_tokens(session, name)
        gate.forget()

    @router.delete("/principals/{name}/tokens/{number}", status_code=204)
    async def revoke_token(name: str, number: int) -> None:
        async with database.writing() as session:
            await registry.revoke_tokens(session, name, number)
        gate.forget()


def _add_shares(router: APIRouter, database: Database, gate: Gate) -> None:
    @router.get("/shares")
    async def list_shares() -> dict[str, Any]:
        async with database.reading() as session:
            return {"shares": [asdict(one) for one in await shares.list_shares(session)]}

    @router.put("/shares/{contract}")
    async def put_share(contract: str, body: ShareBody) -> dict[str, Any]:
        async with database.writing() as session:
            made = await shares.put_share(
                session,
                _checked_name(contract),
                body.system,
                tuple(body.datastreams),
                observations=body.observations,
                since=body.since,
            )
        gate.forget()
        return asdict(made)

    @router.delete("/shares/{contract}", status_code=204)
    async def delete_share(contract: str) -> None:
        async with database.writing() as session:
            await shares.delete_share(session, contract)
        gate.forget()


def _checked_name(name: str) -> str:
    if len(name) > registry.MAX_NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise BodyError(
            "access.name",
            f"a name has at most {registry.MAX_NAME_CHARACTERS} printable characters, no blanks around.",
        )
    return name
