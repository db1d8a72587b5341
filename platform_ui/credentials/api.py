"""Credentials as JSON resources: for people's programs, and for devices that renew or enrol by themselves."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.browser import attachment, proves_itself
from platform_ui.credentials import renewal, service
from platform_ui.credentials.access import ClientTokens, CurrentIssuer, KnownAuthority
from platform_ui.credentials.forms import EnrolmentForm, RenewalForm, RequestForm, RevocationForm
from platform_ui.credentials.models import IssuedCertificate
from platform_ui.credentials.renewal import NewCertificate
from platform_ui.db import Database, now
from platform_ui.pki.archive import MEDIA_TYPE
from platform_ui.pki.proofs import fingerprint
from platform_ui.rest.marks import answers_secret, never_rehearsed

router = APIRouter(tags=["credentials"])


class CertificateAnswer(BaseModel):
    """What is known of a certificate that was issued."""

    serial: str
    epoch: int
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    issued_by: str
    origin: str
    revoked_at: datetime | None
    revoked_reason: str

    @classmethod
    def of(cls, row: IssuedCertificate) -> "CertificateAnswer":
        """Return the public form of a row."""
        return cls.model_validate(row, from_attributes=True)


class CredentialsAnswer(BaseModel):
    """Who a client app is for Kafka, and its latest certificates, the newest first."""

    principal: str
    epoch: int
    blocked_at: datetime | None
    certificates: list[CertificateAnswer]


class SignedAnswer(BaseModel):
    """A certificate that was just signed, and what it is checked with, both PEM."""

    certificate: str
    ca: str
    not_after: datetime
    renew_after: datetime

    @classmethod
    def of(cls, new: NewCertificate) -> "SignedAnswer":
        """Return the answer to a device."""
        return cls(
            certificate=new.certificate_pem,
            ca=new.authority_pem,
            not_after=new.until,
            renew_after=new.renew_at,
        )


class TokenAnswer(BaseModel):
    """A one-time token, this once."""

    token: str
    expires_at: datetime


class AuthorityAnswer(BaseModel):
    """The certificate of the authority, PEM, and its SHA-256 fingerprint."""

    certificate: str
    fingerprint: str
    not_after: datetime


@router.get("/authority")
async def show_authority(authority: KnownAuthority) -> AuthorityAnswer:
    """Show the certificate authority; everybody may see it."""
    return AuthorityAnswer(
        certificate=authority.certificate_pem,
        fingerprint=fingerprint(authority.certificate),
        not_after=authority.certificate.not_valid_after_utc,
    )


@router.post("/credentials/renewal", status_code=HTTPStatus.CREATED, operation_id="renew_certificate")
@proves_itself
@never_rehearsed
async def renew(database: Database, issuer: CurrentIssuer, form: RenewalForm) -> SignedAnswer:
    """Renew the certificate of a device; its present certificate and a signature prove who it is."""
    return SignedAnswer.of(await renewal.renew(database, form, issuer, now()))


@router.post("/credentials/enrolment", status_code=HTTPStatus.CREATED, operation_id="enrol_client")
@proves_itself
@never_rehearsed
async def enrol(database: Database, issuer: CurrentIssuer, form: EnrolmentForm) -> SignedAnswer:
    """Give a device its first certificate; a one-time token proves that an agent wants it."""
    return SignedAnswer.of(await renewal.enrol(database, form, issuer, now()))


@router.get("/systems/{system}/clients/{name}/credentials", operation_id="show_client_credentials")
async def show_credentials(database: Database, user: LoggedIn, system: str, name: str) -> CredentialsAnswer:
    """Show who a client app is for Kafka, and its certificates."""
    found = await service.show_credentials(database, user, system, name)
    return CredentialsAnswer(
        principal=found.identity.principal,
        epoch=found.identity.epoch,
        blocked_at=found.credential.blocked_at if found.credential else None,
        certificates=[CertificateAnswer.of(row) for row in found.certificates],
    )


@router.post(
    "/systems/{system}/clients/{name}/credentials/archive",
    response_class=Response,
    operation_id="issue_client_archive",
)
@answers_secret
async def issue_archive(
    *,
    database: Database,
    user: LoggedIn,
    issuer: CurrentIssuer,
    tokens: ClientTokens,
    system: str,
    name: str,
) -> Response:
    """Make key, certificate and token; the answer, a tar.gz archive, is the only place where the key is."""
    issued = await service.issue(database, user, (system, name), issuer)
    bundle = await service.with_token(database, user, (system, name), issued, tokens)
    return attachment(bundle.pack(now()), f"{bundle.folder}.tar.gz", MEDIA_TYPE)


@router.post(
    "/systems/{system}/clients/{name}/credentials/certificates",
    status_code=HTTPStatus.CREATED,
    operation_id="sign_client_request",
)
@never_rehearsed
async def sign_request(
    *,
    database: Database,
    user: LoggedIn,
    issuer: CurrentIssuer,
    system: str,
    name: str,
    form: RequestForm,
) -> SignedAnswer:
    """Sign the key of a request; the subject that it asks for is not looked at."""
    issued = await service.issue(database, user, (system, name), issuer, form.request)
    return SignedAnswer.of(renewal.new_certificate(issued.certificate, issuer))


@router.post(
    "/systems/{system}/clients/{name}/credentials/tokens",
    status_code=HTTPStatus.CREATED,
    operation_id="create_enrolment_token",
)
@answers_secret
async def create_token(database: Database, user: LoggedIn, system: str, name: str) -> TokenAnswer:
    """Make a one-time token by which the device gets its first certificate; it can be read only now."""
    token, until = await service.create_token(database, user, system, name)
    return TokenAnswer(token=token, expires_at=until)


@router.post(
    "/systems/{system}/clients/{name}/credentials/revocation",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="revoke_client_credentials",
)
async def revoke(
    database: Database, user: LoggedIn, system: str, name: str, form: RevocationForm
) -> Response:
    """Take all certificates and tokens of a client app back; it may be given new ones."""
    await service.revoke(database, user, system, name, form.reason)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.put(
    "/systems/{system}/clients/{name}/credentials/block",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="block_client",
)
async def block(database: Database, user: LoggedIn, system: str, name: str) -> Response:
    """Let a client app do nothing until it is unblocked."""
    await service.set_blocked(database, user, system, name, is_blocked=True)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete(
    "/systems/{system}/clients/{name}/credentials/block",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="unblock_client",
)
async def unblock(database: Database, user: LoggedIn, system: str, name: str) -> Response:
    """Let a client app go on with the certificates it has."""
    await service.set_blocked(database, user, system, name, is_blocked=False)
    return Response(status_code=HTTPStatus.NO_CONTENT)
