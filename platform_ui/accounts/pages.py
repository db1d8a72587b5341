"""The pages of accounts: sign up, log in, log out."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from platform_ui.accounts import service
from platform_ui.accounts.access import Visitor
from platform_ui.accounts.forms import LoginForm, SignUpForm
from platform_ui.accounts.models import User
from platform_ui.browser import browser_token, change_token
from platform_ui.db import Database
from platform_ui.errors import ConflictError, FormError, TooManyAttemptsError, status_of
from platform_ui.fields import read_form
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False)

HOME = "/"


def following(path: str) -> str:
    """Return where to go after a log-in: a path of this site, never another site."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_local and path.isprintable() and "\\" not in path else HOME


def address_of(request: Request) -> str:
    """Return the address a request comes from, as the server sees it."""
    return request.client.host if request.client else "unknown"


async def start_session(request: Request, database: Database, user: User) -> None:
    """Log a person in; the browser gets a new token, so nobody can have prepared it."""
    await service.close_session(database, browser_token(request))
    await service.open_session(database, user, change_token(request, lasting=True))
    request.state.user = user


@router.get("/login")
async def show_login(page: CurrentPage, visitor: Visitor, next: str = HOME) -> Response:  # noqa: A002
    """Show the log-in form."""
    if visitor:
        return page.redirect(following(next))
    return _login(page, {"next": following(next)})


@router.post("/login")
async def log_in(page: CurrentPage, database: Database) -> Response:
    """Log a person in."""
    values = await page.form()
    try:
        form = read_form(LoginForm, values)
        user = await service.check_password(database, form, address_of(page.request))
    except (FormError, TooManyAttemptsError) as error:
        return _login(page, values, error)
    await start_session(page.request, database, user)
    return page.redirect(following(values.get("next", HOME)))


@router.post("/logout")
async def log_out(page: CurrentPage, database: Database) -> Response:
    """Log the browser out."""
    await service.close_session(database, browser_token(page.request))
    change_token(page.request, lasting=False)
    return page.redirect("/login")


@router.get("/signup")
async def show_sign_up(page: CurrentPage, visitor: Visitor) -> Response:
    """Show the sign-up form."""
    if visitor:
        return page.redirect(HOME)
    return page.render("accounts/signup.html", values={}, errors={})


@router.post("/signup")
async def sign_up(page: CurrentPage, database: Database) -> Response:
    """Create an account and log its owner in."""
    values = await page.form()
    try:
        user = await service.sign_up(database, read_form(SignUpForm, values))
    except (FormError, ConflictError) as error:
        kept = {name: text for name, text in values.items() if name not in {"password", "confirm"}}
        errors = _at_field(error.fields)
        return page.render("accounts/signup.html", status=status_of(error), values=kept, errors=errors)
    await start_session(page.request, database, user)
    return page.redirect(HOME, f"Welcome, {user.first_name}. Create your company to begin.")


def _at_field(fields: dict[str, str]) -> dict[str, str]:
    """Put the message about the two passwords beside the second one."""
    return {("confirm" if name == "form" else name): text for name, text in fields.items()}


def _login(
    page: Page, values: dict[str, str], error: FormError | TooManyAttemptsError | None = None
) -> Response:
    kept = {"email": values.get("email", ""), "next": following(values.get("next", HOME))}
    errors = dict(error.fields) or {"form": error.detail} if error else {}
    status = status_of(error) if error else 200
    return page.render("accounts/login.html", status=status, values=kept, errors=errors)
