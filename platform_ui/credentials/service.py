"""The rules of credentials: agents of a system give its client apps certificates, and take them back.

What lives here: what people may do, and what stream apps are given. What does not: what a device does by
itself (``renewal``), signing (``platform_ui.pki``). A private key that is made here is handed over in the
answer and forgotten.
"""

import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.audit import service as audit
from platform_ui.clients import service as clients
from platform_ui.clients.models import ClientApp
from platform_ui.clients.starter import starter_files
from platform_ui.credentials import register
from platform_ui.credentials.models import (
    ARCHIVE,
    CSR,
    PLATFORM,
    Credential,
    EnrolmentToken,
    IssuedCertificate,
)
from platform_ui.db import now
from platform_ui.errors import ConflictError, FormError, MetadataError, NotFoundError
from platform_ui.pki.archive import ClientBundle
from platform_ui.pki.authority import Authority, IssuedCredentials, RequestRefusedError
from platform_ui.pki.names import Identity, Kind
from platform_ui.pki.proofs import pem_of
from platform_ui.settings import PlatformSettings
from platform_ui.systems.models import System
from streamhub.runner.credentials import AppCredentials

_log = logging.getLogger(__name__)

APP_LIFETIME: Final = timedelta(days=7)
TOKEN_LIFETIME: Final = timedelta(hours=1)
TOKEN_PREFIX: Final = "dtwin_enrol_"  # noqa: S105 - no secret: it tells what a found text is
TokenMaker = Callable[[AsyncSession, User, str, str], Awaitable[str]]
RENEWED_AT: Final = 1 / 3
"""A certificate is renewed when this part of its time is left."""
_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Issuer:
    """What certificates are made with.

    Attributes:
        authority: What signs.
        settings: How long they count, and where client apps connect.
        platform_url: The address of the platform, where a device renews its certificate.
    """

    authority: Authority
    settings: PlatformSettings
    platform_url: str

    @property
    def lifetime(self) -> timedelta:
        """How long the certificate of a client app counts."""
        return timedelta(days=self.settings.client_certificate_days)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What there is of a client app's credentials.

    Attributes:
        client: The client app.
        system: Its system.
        identity: Who it is for Kafka from the next certificate on.
        credential: What is written down; nothing before the first certificate.
        certificates: The latest, newest first.
    """

    client: ClientApp
    system: System
    identity: Identity
    credential: Credential | None
    certificates: Sequence[IssuedCertificate]

    @property
    def is_blocked(self) -> bool:
        """Whether it may do nothing until it is unblocked."""
        return self.credential is not None and self.credential.blocked_at is not None


@dataclass(frozen=True, slots=True)
class IssuedBundle:
    """A certificate that was just issued, and all that goes with it."""

    certificate: x509.Certificate
    bundle: ClientBundle


async def show_credentials(
    session: AsyncSession, user: User, system_name: str, name: str
) -> ClientCredentials:
    """Return the credentials of a client app.

    Raises:
        NotFoundError: it is not there, or the person is no agent of its system.
    """
    client, system = await clients.get_client(session, user, system_name, name)
    full_name = f"{system.name}.{client.name}"
    credential = await register.find(session, Kind.CLIENT, full_name)
    if credential is None:
        return ClientCredentials(client, system, Identity(Kind.CLIENT, full_name), None, ())
    certificates = await register.certificates_of(session, credential)
    return ClientCredentials(client, system, credential.identity, credential, certificates)


async def issue(
    session: AsyncSession, user: User, client_name: tuple[str, str], issuer: Issuer, request_pem: str = ""
) -> IssuedBundle:
    """Give a client app a certificate.

    Args:
        session: the database.
        user: an agent of the system.
        client_name: the full name of the system, and the client app's name in it.
        issuer: what the certificate is made with.
        request_pem: a request whose key is signed, PKCS #10 as PEM (RFC 2986); its subject and extensions are
            ours. When left out, a key is made: it is in the answer and nowhere else.

    Raises:
        NotFoundError: it is not there, or the person is no agent of its system.
        ConflictError: it is blocked.
        FormError: the request cannot be read, is not signed by its own key, or the key is weak.
    """
    client, system, credential = await _held(session, user, client_name)
    if request_pem:
        certificate = signed(issuer.authority, credential, request_pem, issuer.lifetime)
        made = None
    else:
        made = issuer.authority.issue(credential.identity, lifetime=issuer.lifetime)
        certificate = made.certificate
    origin = CSR if made is None else ARCHIVE
    row = await register.write_down(session, credential, certificate, issued_by=user.email, origin=origin)
    audit.record(session, user, "credential.issued", credential.name, serial=row.serial, origin=origin)
    await session.commit()
    return IssuedBundle(certificate, _bundle(issuer, client, system, certificate, made))


async def with_token(
    session: AsyncSession,
    user: User,
    client_name: tuple[str, str],
    issued: IssuedBundle,
    make_token: TokenMaker | None,
) -> ClientBundle:
    """Return what was issued, with a token by which SensorThings knows the client app as well.

    Without SensorThings the certificate is good all the same: the token can be made later, on its own page.

    Args:
        session: the database.
        user: an agent of the system.
        client_name: the full name of the system, and the client app's name in it.
        issued: the certificate and what goes with it.
        make_token: makes a token of a client app; None where nobody administers SensorThings.
    """
    if make_token is None:
        return issued.bundle
    try:
        token = await make_token(session, user, *client_name)
    except MetadataError as error:
        _log.warning("the archive of %s has no token: %s", ".".join(client_name), error)
        return issued.bundle
    return replace(issued.bundle, sensorthings_token=token)


def signed(
    authority: Authority, credential: Credential, request_pem: str, lifetime: timedelta
) -> x509.Certificate:
    """Sign the key of a request for the current epoch of a credential.

    Raises:
        FormError: the request cannot be read, is not signed by its own key, or the key is weak.
    """
    try:
        return authority.sign_request(request_pem, credential.identity, lifetime)
    except RequestRefusedError as error:
        raise FormError({"request": str(error)}, code=f"credential.request_{error.code}") from error


async def create_token(
    session: AsyncSession, user: User, system_name: str, name: str
) -> tuple[str, datetime]:
    """Make a token with which a device gets its first certificate, once, within an hour.

    Returns:
        The token, which can be read only now, and when it ends.

    Raises:
        NotFoundError: it is not there, or the person is no agent of its system.
        ConflictError: it is blocked.
    """
    *_, credential = await _held(session, user, (system_name, name))
    token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    present = now()
    row = EnrolmentToken(
        token_hash=hash_of(token),
        kind=credential.kind,
        name=credential.name,
        epoch=credential.epoch,
        created_at=present,
        created_by=user.email,
        expires_at=present + TOKEN_LIFETIME,
    )
    session.add(row)
    audit.record(session, user, "credential.token_created", credential.name)
    await session.commit()
    return token, row.expires_at


def hash_of(token: str) -> str:
    """Return what is kept of a token (SHA-256: it is random, so nothing slower is needed)."""
    return hashlib.sha256(token.encode()).hexdigest()


async def revoke(session: AsyncSession, user: User, system_name: str, name: str, reason: str) -> None:
    """Take all certificates of a client app back, and all of its tokens; it may be given new ones.

    Raises:
        NotFoundError: it is not there, or the person is no agent of its system.
        ConflictError: it has none.
    """
    found = await show_credentials(session, user, system_name, name)
    if found.credential is None:
        raise ConflictError(
            f"{name} has no certificate that could be revoked.", code="credential.no_certificate"
        )
    credential = await register.hold(session, Kind.CLIENT, found.identity.name)
    await register.end_epoch(session, credential, reason or "revoked")
    audit.record(
        session, user, "credential.revoked", credential.name, reason=reason, epoch=str(credential.epoch)
    )
    await session.commit()


async def set_blocked(
    session: AsyncSession, user: User, system_name: str, name: str, *, is_blocked: bool
) -> None:
    """Let a client app do nothing until it is unblocked, or let it go on with the certificates it has.

    Raises:
        NotFoundError: it is not there, or the person is no agent of its system.
    """
    found = await show_credentials(session, user, system_name, name)
    credential = await register.hold(session, Kind.CLIENT, found.identity.name)
    if (credential.blocked_at is not None) != is_blocked:
        credential.blocked_at = now() if is_blocked else None
        action = "credential.blocked" if is_blocked else "credential.unblocked"
        audit.record(session, user, action, credential.name)
    await session.commit()


def needs_renewal(until: datetime | None, lifetime: timedelta, present: datetime) -> bool:
    """Tell whether a certificate has a third of its time left, or less, or is missing.

    Args:
        until: when the last one ends.
        lifetime: how long it counted when it was issued.
        present: the present time.
    """
    return until is None or until - present <= lifetime * RENEWED_AT


async def credentials_of_app(session: AsyncSession, authority: Authority, app_id: str) -> AppCredentials:
    """Make a key and a certificate for a stream app, within the running transaction.

    Its access rules follow from the certificate as it is written down, so they come with the caller's commit.

    Raises:
        ConflictError: it is blocked.
    """
    credential = await register.hold(session, Kind.APP, app_id)
    _check_open(credential)
    issued = authority.issue(credential.identity, lifetime=APP_LIFETIME)
    await register.write_down(session, credential, issued.certificate, issued_by="platform", origin=PLATFORM)
    return AppCredentials(authority.certificate_pem, issued.certificate_pem, issued.key_pem)


async def end_app(session: AsyncSession, app_id: str) -> None:
    """End the credential of a stream app that is deleted, within the running transaction."""
    await register.end_credential(session, Kind.APP, app_id, "stream app deleted")


async def _held(
    session: AsyncSession, user: User, client_name: tuple[str, str]
) -> tuple[ClientApp, System, Credential]:
    """Return a client app that stays, and its credential, which nobody else changes until the commit."""
    client, system = await clients.get_client(session, user, *client_name)
    # The client app first, as its deletion does: otherwise the two would wait for each other.
    stays = await session.scalar(
        select(ClientApp.id).where(ClientApp.id == client.id).with_for_update(read=True)
    )
    if stays is None:
        raise NotFoundError(f"{system.name} has no client app named {client.name}.", code="client.not_found")
    credential = await register.hold(session, Kind.CLIENT, f"{system.name}.{client.name}")
    _check_open(credential)
    return client, system, credential


def _check_open(credential: Credential) -> None:
    if credential.blocked_at is not None:
        raise ConflictError(
            f"{credential.name} is blocked.",
            code="credential.blocked",
            hint="Unblock it on the page of its credentials.",
        )


def _bundle(
    issuer: Issuer,
    client: ClientApp,
    system: System,
    certificate: x509.Certificate,
    made: IssuedCredentials | None,
) -> ClientBundle:
    return ClientBundle(
        authority_pem=issuer.authority.certificate_pem,
        certificate_pem=pem_of(certificate),
        key_pem=made.key_pem if made else "",
        configuration=asdict(clients.configuration_of(client, system, issuer.settings)),
        platform_url=issuer.platform_url,
        until=certificate.not_valid_after_utc,
        sensorthings_url=clients.sensorthings_url(client, issuer.settings),
        starter=starter_files(system.name, client.name),
    )
