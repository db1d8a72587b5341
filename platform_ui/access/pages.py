"""The page of a client app's tokens: list, create (shown once), revoke."""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.access import service
from platform_ui.access.dependencies import Access
from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/systems/{system}/clients/{name}/tokens")
async def show_tokens(
    page: CurrentPage, *, database: Database, user: LoggedIn, access: Access, system: str, name: str
) -> Response:
    """Show the tokens of a client app."""
    found = await service.list_tokens(database, user, system, name, access)
    return page.render("access/tokens.html", found=found, token="")


@router.post("/systems/{system}/clients/{name}/tokens")
async def create_token(
    page: CurrentPage, *, database: Database, user: LoggedIn, access: Access, system: str, name: str
) -> Response:
    """Make a token and show it, this once."""
    token = await service.create_token(database, user, system, name, access)
    found = await service.list_tokens(database, user, system, name, access)
    response = page.render("access/tokens.html", found=found, token=token)
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post("/systems/{system}/clients/{name}/tokens/{number}/revoke")
async def revoke_token(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    access: Access,
    system: str,
    name: str,
    number: int,
) -> Response:
    """Revoke a token."""
    await service.revoke_token(database, user, (system, name), number, access)
    return page.redirect(f"/systems/{system}/clients/{name}/tokens", f"Token {number} is revoked.")
