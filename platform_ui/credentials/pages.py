"""The page of a client app's credentials: get a certificate, see what was issued, take it back."""

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.browser import attachment
from platform_ui.credentials import service
from platform_ui.credentials.access import ClientTokens, CurrentIssuer, KnownAuthority, MaybeAuthority
from platform_ui.credentials.forms import MAX_PEM, RequestForm, RevocationForm
from platform_ui.db import Database, now
from platform_ui.errors import FormError, PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.pki.archive import MEDIA_TYPE, ClientBundle
from platform_ui.pki.authority import Authority
from platform_ui.pki.proofs import fingerprint
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False)
CERTIFICATE_TYPE = "application/x-pem-file"


@router.get("/ca.pem")
async def download_authority(authority: KnownAuthority) -> Response:
    """Give everybody the certificate of the authority: it is what they check ours with."""
    return attachment(authority.certificate_pem.encode(), "ca.pem", CERTIFICATE_TYPE)


@router.get("/systems/{system}/clients/{name}/credentials")
async def show_credentials(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    authority: MaybeAuthority,
    system: str,
    name: str,
) -> Response:
    """Show the certificates of a client app, and the ways to get one."""
    return await _show(page, database, user, (system, name), authority)


@router.post("/systems/{system}/clients/{name}/credentials/archive")
async def issue_archive(
    *,
    database: Database,
    user: LoggedIn,
    issuer: CurrentIssuer,
    tokens: ClientTokens,
    system: str,
    name: str,
) -> Response:
    """Make a key, a certificate and a token, and send all at once: the platform keeps no key."""
    issued = await service.issue(database, user, (system, name), issuer)
    return _archive(await service.with_token(database, user, (system, name), issued, tokens))


@router.post("/systems/{system}/clients/{name}/credentials/request")
async def sign_request(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    issuer: CurrentIssuer,
    tokens: ClientTokens,
    system: str,
    name: str,
) -> Response:
    """Sign a request that was pasted or uploaded; the key stays where it was made."""
    try:
        form = read_form(RequestForm, {"request": await _request_text(page)})
        issued = await service.issue(database, user, (system, name), issuer, form.request)
    except FormError as error:
        await database.rollback()
        await database.refresh(user)
        return await _show(page, database, user, (system, name), issuer.authority, error=error)
    return _archive(await service.with_token(database, user, (system, name), issued, tokens))


@router.post("/systems/{system}/clients/{name}/credentials/token")
async def create_token(
    page: CurrentPage, *, database: Database, user: LoggedIn, issuer: CurrentIssuer, system: str, name: str
) -> Response:
    """Make a one-time token for the device, and show it, this once."""
    token, until = await service.create_token(database, user, system, name)
    return await _show(page, database, user, (system, name), issuer.authority, token=token, token_until=until)


@router.post("/systems/{system}/clients/{name}/credentials/revoke")
async def revoke(page: CurrentPage, database: Database, user: LoggedIn, system: str, name: str) -> Response:
    """Take all certificates of the client app back."""
    form = read_form(RevocationForm, await page.form())
    await service.revoke(database, user, system, name, form.reason)
    return page.redirect(_address(system, name), f"All certificates of {name} are revoked.")


@router.post("/systems/{system}/clients/{name}/credentials/block")
async def block(page: CurrentPage, database: Database, user: LoggedIn, system: str, name: str) -> Response:
    """Let the client app do nothing until it is unblocked."""
    await service.set_blocked(database, user, system, name, is_blocked=True)
    return page.redirect(_address(system, name), f"{name} is blocked.")


@router.post("/systems/{system}/clients/{name}/credentials/unblock")
async def unblock(page: CurrentPage, database: Database, user: LoggedIn, system: str, name: str) -> Response:
    """Let the client app go on with the certificates it has."""
    await service.set_blocked(database, user, system, name, is_blocked=False)
    return page.redirect(_address(system, name), f"{name} is unblocked.")


def _address(system: str, name: str) -> str:
    return f"/systems/{system}/clients/{name}/credentials"


def _archive(bundle: ClientBundle) -> Response:
    return attachment(bundle.pack(now()), f"{bundle.folder}.tar.gz", MEDIA_TYPE)


async def _request_text(page: Page) -> str:
    """Return the uploaded file, or else the pasted text."""
    async with page.request.form() as fields:
        file, text = fields.get("file"), fields.get("request")
        if isinstance(file, UploadFile) and file.size:
            return (await file.read(MAX_PEM + 1)).decode("ascii", errors="replace")
        return text if isinstance(text, str) else ""


async def _show(
    page: Page,
    database: AsyncSession,
    user: User,
    client_name: tuple[str, str],
    authority: Authority | None,
    *,
    error: PlatformError | None = None,
    **shown: object,
) -> Response:
    found = await service.show_credentials(database, user, *client_name)
    context = {"token": "", "token_until": None} | shown
    return page.render(
        "credentials/show.html",
        status=status_of(error) if error else 200,
        found=found,
        present=now(),
        authority=fingerprint(authority.certificate) if authority else "",
        errors=error.fields if error else {},
        values={},
        **context,
    )
