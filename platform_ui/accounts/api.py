"""Accounts as JSON resources: one's own name, the session of a browser, and the tokens of programs."""

import uuid
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts import service, sessions, tokens
from platform_ui.accounts.access import LoggedIn, Visitor
from platform_ui.accounts.forms import LoginForm, NameForm
from platform_ui.accounts.models import Scope, User
from platform_ui.accounts.origin import origin_of
from platform_ui.accounts.pages import start_session
from platform_ui.accounts.tokens import TokenPair
from platform_ui.browser import browser_token, change_token, csrf_token, proves_itself
from platform_ui.db import Database
from platform_ui.rest.marks import answers_secret, never_rehearsed

router = APIRouter()


class SessionAnswer(BaseModel):
    """Who is logged in, and the token that every change must bring in the header X-CSRF-Token."""

    email: str | None
    csrf_token: str


class AccountAnswer(BaseModel):
    """The account of the person."""

    email: str
    first_name: str
    last_name: str

    @classmethod
    def of(cls, user: User) -> "AccountAnswer":
        """Return the public form of an account."""
        return cls(email=user.email, first_name=user.first_name, last_name=user.last_name)


class ProgramLogin(LoginForm):
    """A password, a code where the account has a second factor, and what the program wants to do."""

    scope: Scope = Scope.READ


class RefreshRequest(BaseModel):
    """The refresh token of the last answer."""

    refresh_token: str


class TokenRequest(BaseModel):
    """A token of a program."""

    token: str


class TokenAnswer(BaseModel):
    """Tokens of a program.

    Source: RFC 6749, clause 5.1 "Successful Response".
    """

    access_token: str
    refresh_token: str
    scope: Scope
    expires_in: int
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word of the standard

    @classmethod
    def of(cls, pair: TokenPair) -> "TokenAnswer":
        """Return the public form of a pair of tokens."""
        return cls(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            scope=pair.scope,
            expires_in=pair.expires_in,
        )


class PersonalToken(BaseModel):
    """A token that somebody made by hand; the token itself is not stored."""

    id: uuid.UUID
    name: str
    scope: Scope
    within: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class TokenList(BaseModel):
    """The tokens of the person, the newest first."""

    items: list[PersonalToken]


@router.get("/session", tags=["session"])
async def show_session(request: Request, visitor: Visitor) -> SessionAnswer:
    """Tell who is logged in."""
    return SessionAnswer(email=visitor.email if visitor else None, csrf_token=csrf_token(request))


@router.post("/session", status_code=HTTPStatus.CREATED, tags=["session"])
@answers_secret
async def create_session(request: Request, database: Database, form: LoginForm) -> SessionAnswer:
    """Log in; cookie and CSRF token are new."""
    user = await tokens.prove(database, form, origin_of(request))
    await start_session(request, database, user, has_given_code=bool(form.code))
    return SessionAnswer(email=user.email, csrf_token=csrf_token(request))


@router.delete("/session", status_code=HTTPStatus.NO_CONTENT, tags=["session"])
@never_rehearsed
async def delete_session(request: Request, database: Database) -> Response:
    """Log out."""
    await sessions.close_session(database, browser_token(request))
    change_token(request, lasting=False)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/account", tags=["account"])
async def show_account(user: LoggedIn) -> AccountAnswer:
    """Show your own account."""
    return AccountAnswer.of(user)


@router.patch("/account", tags=["account"])
async def change_account(database: Database, user: LoggedIn, form: NameForm) -> AccountAnswer:
    """Change what you are called; what is left out stays."""
    await service.change_name(database, user, form)
    return AccountAnswer.of(user)


@router.post("/tokens", status_code=HTTPStatus.CREATED, tags=["tokens"])
@proves_itself
@answers_secret
async def create_tokens(request: Request, database: Database, form: ProgramLogin) -> TokenAnswer:
    """Get an access token of a quarter of an hour, and a refresh token, for a password."""
    return TokenAnswer.of(await tokens.log_in(database, form, form.scope, origin_of(request)))


@router.post("/tokens/refresh", status_code=HTTPStatus.CREATED, tags=["tokens"])
@proves_itself
@answers_secret
async def refresh_tokens(request: Request, database: Database, form: RefreshRequest) -> TokenAnswer:
    """Get new tokens for a refresh token, which counts once."""
    return TokenAnswer.of(await tokens.refresh(database, form.refresh_token, origin_of(request)))


@router.post("/tokens/revoke", status_code=HTTPStatus.NO_CONTENT, tags=["tokens"])
@proves_itself
@never_rehearsed
async def revoke_tokens(database: Database, form: TokenRequest) -> Response:
    """End what began with a password, by its access or refresh token (RFC 7009)."""
    await tokens.log_out(database, form.token)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/tokens", tags=["tokens"])
async def list_tokens(database: Database, user: LoggedIn) -> TokenList:
    """List the tokens that you made by hand."""
    rows = await tokens.list_personal(database, user)
    return TokenList(items=[PersonalToken.model_validate(row, from_attributes=True) for row in rows])


@router.delete("/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT, tags=["tokens"])
async def revoke_token(database: Database, user: LoggedIn, token_id: uuid.UUID) -> Response:
    """Revoke a token that you made by hand."""
    await tokens.revoke(database, user, token_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
