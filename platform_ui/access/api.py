"""Tokens of client apps as JSON resources."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.access import service
from platform_ui.access.dependencies import Access
from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.rest.marks import answers_secret

router = APIRouter(tags=["clients"])


class TokenAnswer(BaseModel):
    """A token as it can be seen after it was shown once."""

    id: int
    label: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


class TokenList(BaseModel):
    """The tokens of a client app, the newest first."""

    items: list[TokenAnswer]


class NewToken(BaseModel):
    """A token, this once."""

    token: str


@router.get("/systems/{system}/clients/{name}/tokens", operation_id="list_client_tokens")
async def list_tokens(
    database: Database, user: LoggedIn, access: Access, system: str, name: str
) -> TokenList:
    """List the SensorThings tokens of a client app."""
    found = await service.list_tokens(database, user, system, name, access)
    return TokenList(
        items=[
            TokenAnswer(
                id=one.id, label=one.label, created=one.created, expires=one.expires, revoked=one.revoked
            )
            for one in found.tokens
        ]
    )


@router.post(
    "/systems/{system}/clients/{name}/tokens",
    status_code=HTTPStatus.CREATED,
    operation_id="create_client_token",
)
@answers_secret
async def create_token(
    response: Response, *, database: Database, user: LoggedIn, access: Access, system: str, name: str
) -> NewToken:
    """Make a SensorThings token of a client app; it can be read only now."""
    response.headers["Cache-Control"] = "no-store"
    return NewToken(token=await service.create_token(database, user, system, name, access))


@router.delete(
    "/systems/{system}/clients/{name}/tokens/{number}",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="revoke_client_token",
)
async def revoke_token(
    *, database: Database, user: LoggedIn, access: Access, system: str, name: str, number: int
) -> Response:
    """Revoke a SensorThings token of a client app."""
    await service.revoke_token(database, user, (system, name), number, access)
    return Response(status_code=HTTPStatus.NO_CONTENT)
