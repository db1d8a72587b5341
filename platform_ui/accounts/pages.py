"""The pages at the door: log in, second step, log out, sign up, forgotten passwords.

What lives here: what somebody needs who is not logged in. What does not: a person's own account
(``account_pages``).
"""

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.responses import Response

from platform_ui import mail
from platform_ui.accounts import limits, resets, second_factor, service, sessions
from platform_ui.accounts.access import Visitor
from platform_ui.accounts.forms import CodeForm, EmailForm, LoginForm, NewPasswordForm, SignUpForm
from platform_ui.accounts.models import User
from platform_ui.accounts.origin import origin_of
from platform_ui.audit import service as audit
from platform_ui.browser import browser_token, change_token
from platform_ui.db import Database
from platform_ui.errors import (
    ConflictError,
    FormError,
    MailError,
    NotFoundError,
    PlatformError,
    TooManyAttemptsError,
    status_of,
)
from platform_ui.fields import read_form
from platform_ui.settings import CurrentSettings, MailSettings, PlatformSettings
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False)

HOME = "/"
CODE_PAGE = "/login/code"


def following(path: str) -> str:
    """Return where to go after a log-in: a path of this site, never another site."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_local and path.isprintable() and "\\" not in path else HOME


def site_url(request: Request) -> str:
    """Return the address of the site as people outside use it, for links in mails."""
    settings: PlatformSettings = request.app.state.settings
    return settings.url or f"{request.url.scheme}://{request.url.netloc}"


async def start_session(
    request: Request, database: Database, user: User, *, has_given_code: bool = False
) -> bool:
    """Log a person in; the browser gets a new token, so nobody can have prepared it.

    Args:
        request: the one that logs in.
        database: the database.
        user: who has proven who they are, by password or by another service.
        has_given_code: whether they have proven their second factor as well.

    Returns: whether they are in; otherwise their second factor is asked for first, at `CODE_PAGE`.
    """
    needs_code = not has_given_code and await second_factor.is_on(database, user)
    await sessions.close_session(database, browser_token(request))
    if not needs_code:
        audit.record(database, user, "account.logged_in", user.email)
    token = change_token(request, lasting=True)
    await sessions.open_session(database, user, token, origin_of(request), waits_for_code=needs_code)
    request.state.user = None if needs_code else user
    return not needs_code


async def log_in_with(page: Page, database: Database, user: User, target: str = HOME) -> Response:
    """Log a person in who has proven who they are; lead them to the second step, or to where they wanted."""
    if await start_session(page.request, database, user):
        return page.redirect(following(target))
    return page.redirect(f"{CODE_PAGE}?next={following(target)}")


def answer_too_many(response: Response, error: PlatformError | None) -> Response:
    """Add to a page when to try again (RFC 9110, clause 10.2.3 "Retry-After")."""
    if isinstance(error, TooManyAttemptsError):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


@router.get("/login")
async def show_login(
    page: CurrentPage,
    database: Database,
    visitor: Visitor,
    next: str = HOME,  # noqa: A002 - the name in the address
) -> Response:
    """Show the log-in form."""
    if visitor:
        return page.redirect(following(next))
    if await sessions.find_session(database, browser_token(page.request), waits_for_code=True):
        return page.redirect(f"{CODE_PAGE}?next={following(next)}")
    return _login(page, {"next": following(next)})


@router.post("/login")
async def log_in(page: CurrentPage, database: Database) -> Response:
    """Log a person in."""
    values = await page.form()
    try:
        form = read_form(LoginForm, values)
        user = await service.check_password(database, form, origin_of(page.request))
    except (FormError, TooManyAttemptsError) as error:
        return _login(page, values, error)
    return await log_in_with(page, database, user, values.get("next", HOME))


@router.get("/login/code")
async def show_code(page: CurrentPage, database: Database, next: str = HOME) -> Response:  # noqa: A002
    """Ask for the second factor."""
    if await sessions.find_session(database, browser_token(page.request), waits_for_code=True) is None:
        return page.redirect("/login")
    return page.render("accounts/code.html", values={"next": following(next)}, errors={})


@router.post("/login/code")
async def check_code(page: CurrentPage, database: Database) -> Response:
    """Log a person in whose password was right."""
    request, values, origin = page.request, await page.form(), origin_of(page.request)
    waiting = await sessions.find_session(database, browser_token(request), waits_for_code=True)
    if waiting is None:
        return page.redirect("/login", "It took too long: log in again.")
    target = following(values.get("next", HOME))
    try:
        await second_factor.check(database, waiting.user, read_form(CodeForm, values).code, origin)
    except (FormError, TooManyAttemptsError) as error:
        errors = dict(error.fields) or {"code": error.detail}
        response = page.render(
            "accounts/code.html", status=status_of(error), values={"next": target}, errors=errors
        )
        return answer_too_many(response, error)
    await start_session(request, database, waiting.user, has_given_code=True)
    return page.redirect(target)


@router.post("/logout")
async def log_out(page: CurrentPage, database: Database) -> Response:
    """Log the browser out."""
    await sessions.close_session(database, browser_token(page.request))
    change_token(page.request, lasting=False)
    return page.redirect("/login")


@router.get("/signup")
async def show_sign_up(
    page: CurrentPage,
    visitor: Visitor,
    next: str = HOME,  # noqa: A002 - the name in the address
    email: str = "",
) -> Response:
    """Show the sign-up form."""
    if visitor:
        return page.redirect(HOME)
    values = {"next": following(next), "email": email}
    return page.render("accounts/signup.html", values=values, errors={})


@router.post("/signup")
async def sign_up(page: CurrentPage, database: Database) -> Response:
    """Create an account and log its owner in."""
    values = await page.form()
    try:
        user = await service.sign_up(database, read_form(SignUpForm, values), origin_of(page.request))
    except (FormError, ConflictError, TooManyAttemptsError) as error:
        kept = {name: text for name, text in values.items() if name not in {"password", "confirm"}}
        kept["next"] = following(values.get("next", HOME))
        errors = at_field(error.fields) or {"form": error.detail}
        response = page.render("accounts/signup.html", status=status_of(error), values=kept, errors=errors)
        return answer_too_many(response, error)
    await start_session(page.request, database, user)
    target = following(values.get("next", HOME))
    notice = f"Welcome, {user.first_name}." + (" Create your company to begin." if target == HOME else "")
    return page.redirect(target, notice)


@router.get("/forgot")
async def show_forgotten(page: CurrentPage, settings: CurrentSettings) -> Response:
    """Ask for the address of the account whose password is forgotten."""
    return page.render(
        "accounts/forgot.html", values={}, errors={}, has_mail=settings.mail is not None, is_sent=False
    )


@router.post("/forgot")
async def send_reset(
    page: CurrentPage, database: Database, settings: CurrentSettings, background: BackgroundTasks
) -> Response:
    """Send a link, if anybody has the address; the answer and its time do not tell."""
    values = await page.form()
    has_mail = settings.mail is not None
    try:
        email = read_form(EmailForm, values).email
        await limits.attempt(database, limits.RESET, email, origin_of(page.request))
    except (FormError, TooManyAttemptsError) as error:
        errors = dict(error.fields) or {"email": error.detail}
        status = status_of(error)
        response = page.render(
            "accounts/forgot.html",
            status=status,
            values=values,
            errors=errors,
            has_mail=has_mail,
            is_sent=False,
        )
        return answer_too_many(response, error)
    response = page.render("accounts/forgot.html", values={}, errors={}, has_mail=has_mail, is_sent=True)
    if settings.mail is not None:
        background.add_task(_mail_reset, page.request, settings.mail, email)
        response.background = background
    return response


async def _mail_reset(request: Request, settings: MailSettings, email: str) -> None:
    """Send the link after the answer, so that nobody can measure whether there was somebody to send it to."""
    async with request.app.state.sessions() as session:
        user = await service.find_by_email(session, email)
        if user is None or user.disabled_at is not None:
            return
        token = await resets.new_token(session, user, by_mail=True)
        text = (
            f"Hello {user.first_name},\n\nsomebody asked for a new password of your account at "
            f"{site_url(request)}.\nIf it was you, choose one within 30 minutes:\n\n"
            f"{site_url(request)}/reset/{token}\n\nIf not, there is nothing to do: your password stays.\n"
        )
        try:
            await mail.send(settings, user.email, "Choose a new password", text)
        except MailError:
            return  # it is in the log, and the person can ask again


@router.get("/reset/{token}")
async def show_reset(page: CurrentPage, database: Database, token: str) -> Response:
    """Ask for the new password."""
    await resets.find(database, token, origin_of(page.request))
    return page.render("accounts/reset.html", errors={})


@router.post("/reset/{token}")
async def reset(page: CurrentPage, database: Database, token: str) -> Response:
    """Store the new password; the person logs in with it, second factor included."""
    try:
        form = read_form(NewPasswordForm, await page.form())
        await resets.choose(database, token, form.password, origin_of(page.request))
    except NotFoundError:
        raise
    except PlatformError as error:
        errors = at_field(error.fields) or {"password": error.detail}
        response = page.render("accounts/reset.html", status=status_of(error), errors=errors)
        return answer_too_many(response, error)
    return page.redirect(
        "/login", "Your password is changed, and all your sessions have ended. Log in with it."
    )


def at_field(fields: dict[str, str]) -> dict[str, str]:
    """Put the message about the two passwords beside the second one."""
    return {("confirm" if name == "form" else name): text for name, text in fields.items()}


def _login(
    page: Page, values: dict[str, str], error: FormError | TooManyAttemptsError | None = None
) -> Response:
    kept = {"email": values.get("email", ""), "next": following(values.get("next", HOME))}
    errors = dict(error.fields) or {"form": error.detail} if error else {}
    status = status_of(error) if error else 200
    return answer_too_many(
        page.render("accounts/login.html", status=status, values=kept, errors=errors), error
    )
