"""The pages of a person's own account: name, password, second factor, sessions, tokens of programs."""

import io
import uuid
from http import HTTPStatus
from typing import cast

import segno
from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from platform_ui.accounts import second_factor, service, sessions, tokens, totp
from platform_ui.accounts.access import AccountHolder, ConfirmedHolder, LoggedIn
from platform_ui.accounts.forms import (
    ChangePasswordForm,
    CodeForm,
    LoginForm,
    NameForm,
    TokenForm,
)
from platform_ui.accounts.models import Scope, User
from platform_ui.accounts.origin import origin_of
from platform_ui.accounts.pages import HOME, answer_too_many, at_field, following
from platform_ui.browser import browser_token, change_token
from platform_ui.db import Database, now
from platform_ui.errors import ConflictError, FormError, TooManyAttemptsError, status_of
from platform_ui.fields import read_form
from platform_ui.web import CurrentPage

router = APIRouter(prefix="/account", include_in_schema=False)

ISSUER = "Digital Twin Stack"
TROUBLES = (FormError, TooManyAttemptsError)


@router.get("")
async def show_account(page: CurrentPage, database: Database, user: AccountHolder) -> Response:
    """Show the account of the person: how they log in, and where they are logged in."""
    return page.render(
        "accounts/account.html",
        standing=await second_factor.standing_of(database, user),
        sessions=await sessions.list_sessions(database, user),
        present=page.request.state.log_in.session.id,
    )


@router.get("/confirm")
async def show_confirmation(page: CurrentPage, user: AccountHolder, next: str = HOME) -> Response:  # noqa: A002
    """Ask for the password again before a sensitive change."""
    del user
    return page.render("accounts/confirm.html", values={"next": following(next)}, errors={})


@router.post("/confirm")
async def confirm(page: CurrentPage, database: Database, user: AccountHolder) -> Response:
    """Note that the person has just proven who they are; the browser's token changes with it."""
    values = await page.form()
    target = following(values.get("next", HOME))
    try:
        form = read_form(LoginForm, values | {"email": user.email})
        await service.check_password(database, form, origin_of(page.request))
    except TROUBLES as error:
        errors = {"password": error.detail if isinstance(error, TooManyAttemptsError) else "This is not it."}
        response = page.render(
            "accounts/confirm.html", status=status_of(error), values={"next": target}, errors=errors
        )
        return answer_too_many(response, error)
    before = browser_token(page.request)
    await sessions.confirm_session(database, before, change_token(page.request, lasting=True))
    return page.redirect(target)


@router.get("/name")
async def show_name(page: CurrentPage, user: AccountHolder) -> Response:
    """Show the form of another name."""
    values = {"first_name": user.first_name, "last_name": user.last_name}
    return page.render("accounts/name.html", values=values, errors={})


@router.post("/name")
async def change_name(page: CurrentPage, database: Database, user: AccountHolder) -> Response:
    """Change what the person is called."""
    values = await page.form()
    try:
        await service.change_name(database, user, read_form(NameForm, values))
    except FormError as error:
        return page.render("accounts/name.html", status=status_of(error), values=values, errors=error.fields)
    return page.redirect("/account", f"You are {user.full_name} now.")


@router.get("/password")
async def show_password(page: CurrentPage, user: AccountHolder) -> Response:
    """Show the form of a new password."""
    del user
    return page.render("accounts/password.html", errors={})


@router.post("/password")
async def change_password(page: CurrentPage, database: Database, user: AccountHolder) -> Response:
    """Change the password; all other sessions end."""
    try:
        form = read_form(ChangePasswordForm, await page.form())
        token = browser_token(page.request)
        await service.change_password(database, user, form, token, origin_of(page.request))
    except TROUBLES as error:
        errors = at_field(error.fields) or {"old_password": error.detail}
        response = page.render("accounts/password.html", status=status_of(error), errors=errors)
        return answer_too_many(response, error)
    await sessions.confirm_session(database, token, change_token(page.request, lasting=True))
    return page.redirect("/account", "Your password is changed, and your other sessions have ended.")


@router.post("/sessions/end-others")
async def end_other_sessions(page: CurrentPage, database: Database, user: AccountHolder) -> Response:
    """End all sessions but this one."""
    await sessions.end_sessions(database, user, but_token=browser_token(page.request))
    await database.commit()
    return page.redirect("/account", "All your other sessions have ended.")


@router.post("/sessions/{session_id}/end")
async def end_session(
    page: CurrentPage, database: Database, user: AccountHolder, session_id: uuid.UUID
) -> Response:
    """End one session."""
    await sessions.end_session(database, user, session_id)
    return page.redirect("/account", "That session has ended.")


@router.get("/second-factor")
async def show_second_factor(page: CurrentPage, database: Database, user: AccountHolder) -> Response:
    """Show how it stands with the second factor, and teach what it is."""
    standing = await second_factor.standing_of(database, user)
    return page.render("accounts/second_factor.html", standing=standing, errors={})


@router.post("/second-factor")
async def begin_second_factor(page: CurrentPage, database: Database, user: ConfirmedHolder) -> Response:
    """Make a secret for the person's authenticator app."""
    await second_factor.begin(database, user)
    return page.redirect("/account/second-factor/app")


@router.get("/second-factor/app")
async def show_secret(page: CurrentPage, database: Database, user: ConfirmedHolder) -> Response:
    """Show the secret as a QR code and as text."""
    return await _secret_page(page, database, user)


@router.post("/second-factor/app")
async def confirm_second_factor(page: CurrentPage, database: Database, user: ConfirmedHolder) -> Response:
    """Turn the second factor on with a first code; show the recovery codes once."""
    try:
        code = read_form(CodeForm, await page.form()).code
        codes = await second_factor.confirm(database, user, code, origin_of(page.request))
    except TROUBLES as error:
        return await _secret_page(page, database, user, error)
    return page.render("accounts/recovery_codes.html", codes=codes)


@router.post("/second-factor/codes")
async def renew_codes(page: CurrentPage, database: Database, user: ConfirmedHolder) -> Response:
    """Replace the recovery codes; show the new ones once."""
    return page.render("accounts/recovery_codes.html", codes=await second_factor.renew_codes(database, user))


@router.post("/second-factor/off")
async def turn_off_second_factor(page: CurrentPage, database: Database, user: AccountHolder) -> Response:
    """Turn the second factor off, with the password and a code."""
    values = await page.form()
    try:
        form = read_form(LoginForm, values | {"email": user.email})
        await tokens.prove(database, form, origin_of(page.request))
    except TROUBLES as error:
        standing = await second_factor.standing_of(database, user)
        errors = {("password" if name == "form" else name): text for name, text in error.fields.items()}
        response = page.render(
            "accounts/second_factor.html",
            status=status_of(error),
            standing=standing,
            errors=errors or {"password": error.detail},
        )
        return answer_too_many(response, error)
    await second_factor.turn_off(database, user)
    before = browser_token(page.request)
    await sessions.confirm_session(database, before, change_token(page.request, lasting=True))
    return page.redirect("/account", "Your second factor is off.")


@router.get("/tokens")
async def show_tokens(page: CurrentPage, database: Database, user: LoggedIn) -> Response:
    """Show the tokens that the person made for programs."""
    return await _tokens_page(page, database, user)


@router.post("/tokens")
async def create_token(
    page: CurrentPage, database: Database, user: LoggedIn, _confirmed: ConfirmedHolder
) -> Response:
    """Make a token for a program; it is shown once."""
    values = await page.form()
    has_part = cast(tokens.PartRule, page.request.app.state.part_rule)
    try:
        token = await tokens.create_personal(database, user, read_form(TokenForm, values), has_part)
    except FormError as error:
        return await _tokens_page(page, database, user, values=values, error=error)
    return await _tokens_page(page, database, user, token=token)


@router.post("/tokens/{token_id}/revoke")
async def revoke_token(
    page: CurrentPage, database: Database, user: LoggedIn, token_id: uuid.UUID
) -> Response:
    """Revoke a token."""
    await tokens.revoke(database, user, token_id)
    return page.redirect("/account/tokens", "The token is revoked.")


async def _secret_page(
    page: CurrentPage,
    database: Database,
    user: User,
    error: FormError | TooManyAttemptsError | None = None,
) -> Response:
    secret = await second_factor.begun_secret(database, user)
    response = page.render(
        "accounts/enrol.html",
        status=status_of(error) if error else HTTPStatus.OK,
        drawing=_qr_code(totp.address_of(secret, user.email, ISSUER)),
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        errors=(dict(error.fields) or {"code": error.detail}) if error else {},
    )
    return answer_too_many(response, error)


def _qr_code(text: str) -> Markup:
    """Return a QR code as an element of the page: the policy allows no image from elsewhere."""
    drawing = io.BytesIO()
    segno.make(text, error="m").save(
        drawing, kind="svg", border=4, light="#fff", xmldecl=False, svgns=False, nl=False, omitsize=True
    )
    return Markup(drawing.getvalue().decode())  # noqa: S704 - drawn by us; the text is not in it


async def _tokens_page(
    page: CurrentPage,
    database: Database,
    user: User,
    *,
    values: dict[str, str] | None = None,
    error: FormError | ConflictError | None = None,
    token: str = "",
) -> Response:
    return page.render(
        "accounts/tokens.html",
        status=status_of(error) if error else HTTPStatus.OK,
        tokens=await tokens.list_personal(database, user),
        scopes=[scope.value for scope in Scope],
        values=values or {},
        errors=error.fields if error else {},
        token=token,
        present=now(),
    )
