"""What a device does by itself: renew its certificate, and get its first one by a one-time token.

What lives here: what it has to prove, and in which order that is looked at. What does not: what people may do
(``service``). No session and no cookie counts here: a renewal is proven by the key of the present
certificate, an enrolment by a token that an agent has made.

Nothing is told about a credential before the proof: who it belongs to has to show that first.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.audit import service as audit
from platform_ui.credentials import register
from platform_ui.credentials.forms import EnrolmentForm, RenewalForm
from platform_ui.credentials.models import (
    ENROLMENT,
    RENEWAL,
    Credential,
    EnrolmentToken,
    IssuedCertificate,
    UsedProof,
)
from platform_ui.credentials.service import RENEWED_AT, Issuer, hash_of, signed
from platform_ui.errors import ForbiddenError, FormError, ProofError
from platform_ui.pki.authority import Authority, RequestRefusedError, read_request
from platform_ui.pki.names import Identity, Kind
from platform_ui.pki.proofs import is_signed, pem_of, renewal_text, serial_text

FRESHNESS: Final = timedelta(minutes=5)
_ANEW: Final = "Ask an agent of the system for a new certificate or a one-time token."


@dataclass(frozen=True, slots=True)
class Device:
    """A device that acts by itself, as the audit sees it."""

    identity: Identity

    @property
    def id(self) -> None:
        """It is no person."""
        return

    @property
    def email(self) -> str:
        """The name of its principal stands where people have their address."""
        return f"{self.identity.kind}.{self.identity.uid}"


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """What a device gets.

    Attributes:
        certificate_pem: Its new certificate.
        authority_pem: Certificate of the authority.
        until: When the new certificate ends.
        renew_at: When it should ask for the next one.
    """

    certificate_pem: str
    authority_pem: str
    until: datetime
    renew_at: datetime


async def renew(
    session: AsyncSession, form: RenewalForm, issuer: Issuer, present: datetime
) -> NewCertificate:
    """Renew the certificate of a client app; the epoch, and so the principal, stays.

    Args:
        session: the database.
        form: what the device sent.
        issuer: what the certificate is made with.
        present: the present time.

    Raises:
        FormError: certificate, time or request cannot be read, or the request's key is weak.
        ProofError: the certificate is not ours or has ended, the signature is wrong or old, or came before.
        ForbiddenError: it is revoked, blocked, or none of a client app.
    """
    certificate = _certificate(form.certificate)
    identity = _identity(certificate, issuer.authority, present)
    request = _request(form.request)
    text = renewal_text(form.time, request, certificate)
    if not is_signed(certificate, form.signature, text):
        raise ProofError(
            "The signature is not by the key of the certificate, or over another text.",
            code="credential.signature_wrong",
            hint="Sign the canonical text of the time, the request and the certificate that you send.",
        )
    _check_fresh(form.time, present)
    credential = await _entitled(session, identity, certificate)
    await _use_once(session, text, present)
    return await _sign(session, credential, form.request, issuer, RENEWAL)


async def enrol(
    session: AsyncSession, form: EnrolmentForm, issuer: Issuer, present: datetime
) -> NewCertificate:
    """Give a device its first certificate for a token, which counts no longer then.

    Args:
        session: the database.
        form: what the device sent.
        issuer: what the certificate is made with.
        present: the present time.

    Raises:
        ProofError: the token is unknown, was used, or has ended.
        ForbiddenError: the client app is blocked.
        FormError: the request cannot be read, is not signed by its own key, or its key is weak.
    """
    known = EnrolmentToken.token_hash == hash_of(form.token)
    token = (await session.scalars(select(EnrolmentToken).where(known))).one_or_none()
    if token is None:
        raise _unknown_token()
    credential = await register.hold(session, Kind(token.kind), token.name)
    # Held, so whoever came before has committed: a token that is used or revoked is gone by now.
    gone = await session.execute(delete(EnrolmentToken).where(known).returning(EnrolmentToken.epoch))
    if gone.scalar_one_or_none() != credential.epoch:
        raise _unknown_token()
    if token.expires_at <= present:
        raise ProofError(
            "The token has expired.",
            code="credential.token_expired",
            hint="Have an agent of the system make another one: it counts for an hour.",
        )
    _check_open(credential)
    return await _sign(session, credential, form.request, issuer, ENROLMENT)


def _unknown_token() -> ProofError:
    return ProofError(
        "The token is unknown, or was used before.", code="credential.token_unknown", hint=_ANEW
    )


def _certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise FormError(
            {"certificate": "This is no certificate in PEM form."}, code="credential.certificate_unreadable"
        ) from error


def _identity(certificate: x509.Certificate, authority: Authority, present: datetime) -> Identity:
    """Return whom a certificate names, when our authority has signed it and its time has not ended."""
    if not authority.has_signed(certificate):
        raise ProofError(
            "The certificate was not issued by this platform.",
            code="credential.foreign_certificate",
            hint="Send the certificate that this platform has given to the device.",
        )
    if not certificate.not_valid_before_utc <= present < certificate.not_valid_after_utc:
        raise ProofError(
            f"The certificate counted from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} to "
            f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC.",
            code="credential.expired",
            hint=_ANEW,
        )
    try:
        identity = Identity.of_subject(certificate.subject)
    except ValueError as error:
        raise _wrong_kind() from error
    if identity.kind is not Kind.CLIENT:
        raise _wrong_kind()
    return identity


def _wrong_kind() -> ForbiddenError:
    return ForbiddenError(
        "Only client apps renew their certificates here.",
        code="credential.wrong_kind",
        hint="The platform renews those of stream apps, `dtwin pki renew-services` those of services.",
    )


def _request(pem: str) -> x509.CertificateSigningRequest:
    try:
        return read_request(pem)
    except RequestRefusedError as error:
        raise FormError({"request": str(error)}, code=f"credential.request_{error.code}") from error


def _check_fresh(text: str, present: datetime) -> None:
    try:
        signed_at = datetime.fromisoformat(text)
    except ValueError:
        signed_at = None
    if signed_at is None or signed_at.tzinfo is None:
        raise FormError({"time": "Use RFC 3339 with an offset, for instance 2026-01-02T03:04:05Z."})
    if abs(present - signed_at) > FRESHNESS:
        raise ProofError(
            f"The signature is of {text}, but it is {present:%Y-%m-%dT%H:%M:%SZ} here.",
            code="credential.stale",
            hint="Set the clock of the device and sign anew: at most five minutes may lie between.",
        )


async def _entitled(session: AsyncSession, identity: Identity, certificate: x509.Certificate) -> Credential:
    """Return the credential of a proven certificate, held, when it is of the current epoch."""
    row = await session.get(IssuedCertificate, serial_text(certificate))
    if row is None or row.identity != identity:
        raise ForbiddenError(
            "This platform has no record of the certificate.", code="credential.unknown", hint=_ANEW
        )
    credential = await register.hold(session, identity.kind, identity.name)
    if identity.epoch != credential.epoch:
        raise ForbiddenError("The certificate is revoked.", code="credential.revoked", hint=_ANEW)
    _check_open(credential)
    return credential


def _check_open(credential: Credential) -> None:
    if credential.blocked_at is not None:
        raise ForbiddenError(
            f"{credential.name} is blocked.",
            code="credential.blocked",
            hint="Ask an agent of the system to unblock it.",
        )


async def _use_once(session: AsyncSession, text: bytes, present: datetime) -> None:
    """Refuse a text that came before; a signature is no measure, because many are right for one text."""
    await session.execute(delete(UsedProof).where(UsedProof.used_at < present - 3 * FRESHNESS))
    kept = await session.execute(
        insert(UsedProof)
        .values(digest=hashlib.sha256(text).hexdigest(), used_at=present)
        .on_conflict_do_nothing()
        .returning(UsedProof.digest)
    )
    if kept.scalar_one_or_none() is None:
        raise ProofError(
            "This renewal was asked for before.",
            code="credential.replayed",
            hint="Sign a new text: with the present time, and a new key.",
        )


async def _sign(
    session: AsyncSession, credential: Credential, request_pem: str, issuer: Issuer, origin: str
) -> NewCertificate:
    certificate = signed(issuer.authority, credential, request_pem, issuer.lifetime)
    device = Device(credential.identity)
    row = await register.write_down(session, credential, certificate, issued_by=device.email, origin=origin)
    action = "credential.renewed" if origin == RENEWAL else "credential.enrolled"
    audit.record(session, device, action, credential.name, serial=row.serial)
    await session.commit()
    return new_certificate(certificate, issuer)


def new_certificate(certificate: x509.Certificate, issuer: Issuer) -> NewCertificate:
    """Return what its holder needs to know of a certificate that was just signed."""
    until = certificate.not_valid_after_utc
    return NewCertificate(
        pem_of(certificate), issuer.authority.certificate_pem, until, until - issuer.lifetime * RENEWED_AT
    )
