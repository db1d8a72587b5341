"""The session as a JSON resource: who am I, log in, log out."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts import service
from platform_ui.accounts.access import Visitor
from platform_ui.accounts.forms import LoginForm
from platform_ui.accounts.pages import address_of, start_session
from platform_ui.browser import browser_token, change_token, csrf_token
from platform_ui.db import Database

router = APIRouter(tags=["session"])


class SessionAnswer(BaseModel):
    """Who is logged in, and the token that every change must bring in the header X-CSRF-Token."""

    email: str | None
    csrf_token: str


@router.get("/session")
async def show_session(request: Request, visitor: Visitor) -> SessionAnswer:
    """Tell who is logged in."""
    return SessionAnswer(email=visitor.email if visitor else None, csrf_token=csrf_token(request))


@router.post("/session", status_code=HTTPStatus.CREATED)
async def create_session(request: Request, database: Database, form: LoginForm) -> SessionAnswer:
    """Log in; cookie and CSRF token are new."""
    user = await service.check_password(database, form, address_of(request))
    await start_session(request, database, user)
    return SessionAnswer(email=user.email, csrf_token=csrf_token(request))


@router.delete("/session", status_code=HTTPStatus.NO_CONTENT)
async def delete_session(request: Request, database: Database) -> Response:
    """Log out."""
    await service.close_session(database, browser_token(request))
    change_token(request, lasting=False)
    return Response(status_code=HTTPStatus.NO_CONTENT)
