"""What can go wrong in the platform, as a tree, and the one table that maps it to an HTTP status.

What lives here: the errors of the service layer and ``STATUS_OF``. What does not: how an error is shown
(``web`` renders pages, ``problems`` renders RFC 9457 documents).

```
DigitalTwinError
  PlatformError
    NotLoggedInError       nobody is logged in
    ProofError             a device did not prove who it is: certificate, signature, one-time token
    NotFoundError          unknown, or of somebody else: both look alike
    ForbiddenError         visible, but for others to do; a stale form, a missing CSRF token
      SecondFactorNeededError    a company asks for it
      ConfirmationNeededError    the log-in is too old for a sensitive change
      LogInRefusedError    a log-in by another service is not accepted
    ConflictError          the rule or the database says no: what to do first
      ContractNeededError  records would cross companies without a contract
    FormError              fields that cannot be accepted, with one message each
      InvalidRequestError  the same of a request of a program: each with the place where it stands
    RequestError           a header or parameter of the API that means nothing
    PreconditionError      the object is no longer as the sender saw it
    PageTokenError         the place in a list is not one that we gave
    TooManyAttemptsError   failed log-ins, codes, sign-ups
    LogInServiceError      the other service for log-ins does not answer as it should (retriable)
    BrokerError            Kafka did not do what was asked for (retriable)
      AuthorizerMissingError   it has no access rules at all
      BrokerRefusedError       it does not let the platform do it
    RunnerError            the runner of stream apps did not do what was asked for (retriable)
    MailError              the mail server did not take a mail (retriable)
    AuditBrokenError       the audit log is not as it was written
    SchemaRegistryError    the schema registry did not take a schema (retriable)
    MetadataError          SensorThings did not do what was asked for (retriable)
```
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar, Final

from client.errors import DigitalTwinError


class PlatformError(DigitalTwinError):
    """A request that the platform cannot fulfil.

    Attributes:
        code: stable, machine-readable word for the case.
        detail: what happened, for people.
        hint: what to do next; empty when the detail says it.
        fields: one message per form field, by field name.
    """

    default_code: ClassVar[str] = "platform.error"

    def __init__(
        self, detail: str, *, code: str | None = None, hint: str = "", fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.hint = hint
        self.fields: dict[str, str] = dict(fields or {})


class NotLoggedInError(PlatformError):
    """Nobody is logged in, or the session has ended."""

    default_code = "account.not_logged_in"

    def __init__(self, detail: str = "Log in first: this page needs an account.") -> None:
        super().__init__(detail)


class ProofError(PlatformError):
    """A device did not prove who it is: its certificate, signature or one-time token does not count."""

    default_code = "credential.not_proven"


class NotFoundError(PlatformError):
    """The object does not exist, or belongs to somebody else; the two are not told apart."""

    default_code = "platform.not_found"


class ForbiddenError(PlatformError):
    """The person may see this but not do it, or the request is not from our own page (CSRF)."""

    default_code = "platform.forbidden"


class LogInRefusedError(ForbiddenError):
    """A log-in by another service is not accepted: stale, not for us, or of somebody we do not let in."""

    default_code = "account.log_in_refused"


class SecondFactorNeededError(ForbiddenError):
    """A company of the person asks for a second factor, and they have none yet."""

    default_code = "account.second_factor_needed"

    def __init__(self) -> None:
        super().__init__(
            "A company that you work for asks its people for a second factor.",
            hint="Set it up on the page /account/second-factor.",
        )


class ConfirmationNeededError(ForbiddenError):
    """The person must prove again who they are before a sensitive change."""

    default_code = "account.confirmation_needed"

    def __init__(self) -> None:
        super().__init__(
            "Prove again that it is you: your log-in is some time ago.",
            hint="Do it on the page /account/confirm.",
        )


class ConflictError(PlatformError):
    """A rule or a constraint of the database refuses the change."""

    default_code = "platform.conflict"


class ContractNeededError(ConflictError):
    """Records would go from one company to another without a contract that is in force.

    Attributes:
        provider: full name of the system that would give.
        consumer: full name of the system that would receive.
    """

    default_code = "contract.needed"

    def __init__(self, provider: str, consumer: str) -> None:
        super().__init__(
            f"No contract in force lets {consumer} have records of {provider}.",
            hint=f"Request one at /contracts/new?provider={provider}&consumer={consumer} and let both sides "
            "sign it.",
            fields={"contracts": f"It needs a contract: {provider} gives, {consumer} receives."},
        )
        self.provider = provider
        self.consumer = consumer


WHOLE_FORM: Final = "form"
"""In the place of a field: what is wrong is not that of one field."""


class FormError(PlatformError):
    """One or more fields cannot be accepted, or the whole of them (``WHOLE_FORM``)."""

    default_code = "form.invalid"

    def __init__(self, fields: Mapping[str, str], *, code: str | None = None) -> None:
        listing = "; ".join(
            message if name == WHOLE_FORM else f"{name}: {message}" for name, message in fields.items()
        )
        super().__init__(listing or "The form cannot be accepted.", code=code, fields=fields)


class InvalidRequestError(FormError):
    """A request of a program does not hold what the operation takes.

    Attributes:
        faults: One for each place, with ``detail`` and ``pointer`` (into the body, RFC 6901) or
            ``parameter``; of a text in the language also ``line`` and ``column``.
    """

    def __init__(self, faults: Sequence[Mapping[str, str | int]]) -> None:
        places = {
            str(one.get("pointer", one.get("parameter", ""))).strip("/"): str(one["detail"]) for one in faults
        }
        super().__init__(places)
        self.faults = [dict(one) for one in faults]


class RequestError(PlatformError):
    """A header or parameter that all operations share cannot be understood, or means nothing here."""

    default_code = "request.refused"


class PreconditionError(PlatformError):
    """The object is no longer as whoever wants to change it saw it."""

    default_code = "request.changed_meanwhile"

    def __init__(self) -> None:
        super().__init__(
            "The object is no longer as you saw it: its ETag is another one.",
            hint="Read it again, look whether your change still fits, and repeat it with the new ETag.",
        )


class PageTokenError(PlatformError):
    """The token that says where a list goes on is not one that we gave for it."""

    default_code = "list.page_token"

    def __init__(self) -> None:
        super().__init__(
            "This page token is not one of this list.",
            hint="Ask for the first page without a token, and pass each next_page_token on as it is.",
        )


class TooManyAttemptsError(PlatformError):
    """Something was tried too often: passwords, codes, sign-ups, links.

    Attributes:
        retry_after_s: when to try again [s].
    """

    default_code = "account.too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        minutes = max(1, round(retry_after_s / 60))
        super().__init__(f"Too many attempts. Try again in {minutes} minutes.")
        self.retry_after_s = retry_after_s


class LogInServiceError(PlatformError):
    """The service by which people log in does not answer, or not as OpenID Connect wants it."""

    default_code = "account.log_in_service"
    retriable = True


class BrokerError(PlatformError):
    """Kafka did not create, remove or show a topic."""

    default_code = "broker.failed"
    retriable = True


class AuthorizerMissingError(BrokerError):
    """Kafka enforces no access rules: its brokers have no authorizer."""

    default_code = "broker.no_authorizer"
    retriable = False

    def __init__(self, bootstrap_servers: str) -> None:
        super().__init__(
            f"Kafka at {bootstrap_servers} enforces no access rules: everybody may read and write all of it.",
            hint="Set on every broker and controller, then restart them one by one: "
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer, "
            "allow.everyone.if.no.acl.found=false, and the brokers and the platform in super.users.",
        )


class BrokerRefusedError(BrokerError):
    """Kafka does not let the platform do what it needs to do."""

    default_code = "broker.refused"
    retriable = False


class RunnerError(PlatformError):
    """The runner of stream apps cannot be read or written."""

    default_code = "runner.failed"
    retriable = True


class MailError(PlatformError):
    """The mail server did not take a mail."""

    default_code = "mail.failed"
    retriable = True


class AuditBrokenError(PlatformError):
    """The audit log is not as it was written.

    Attributes:
        position: Where it stops being so: the first broken entry.
    """

    default_code = "audit.broken"

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"The audit log is broken at entry {position}: {reason}.")
        self.position = position


class SchemaRegistryError(PlatformError):
    """The schema registry does not answer, or does not take a schema."""

    default_code = "schema_registry.failed"
    retriable = True


class MetadataError(PlatformError):
    """The SensorThings service does not answer, or refuses."""

    default_code = "metadata.failed"
    retriable = True


STATUS_OF: Mapping[type[PlatformError], HTTPStatus] = {
    NotLoggedInError: HTTPStatus.UNAUTHORIZED,
    ProofError: HTTPStatus.UNAUTHORIZED,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    LogInRefusedError: HTTPStatus.FORBIDDEN,
    LogInServiceError: HTTPStatus.SERVICE_UNAVAILABLE,
    ConflictError: HTTPStatus.CONFLICT,
    ContractNeededError: HTTPStatus.CONFLICT,
    FormError: HTTPStatus.UNPROCESSABLE_ENTITY,
    RequestError: HTTPStatus.BAD_REQUEST,
    PreconditionError: HTTPStatus.PRECONDITION_FAILED,
    PageTokenError: HTTPStatus.BAD_REQUEST,
    TooManyAttemptsError: HTTPStatus.TOO_MANY_REQUESTS,
    BrokerError: HTTPStatus.SERVICE_UNAVAILABLE,
    RunnerError: HTTPStatus.SERVICE_UNAVAILABLE,
    MailError: HTTPStatus.SERVICE_UNAVAILABLE,
    AuditBrokenError: HTTPStatus.INTERNAL_SERVER_ERROR,
    MetadataError: HTTPStatus.SERVICE_UNAVAILABLE,
    SchemaRegistryError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: PlatformError) -> int:
    """Return the HTTP status of an error (500 for one that the table does not know).

    Source: RFC 9110, clause 15 "Status Codes".
    """
    for kind in type(error).__mro__:
        if issubclass(kind, PlatformError) and kind in STATUS_OF:
            return int(STATUS_OF[kind])
    return int(HTTPStatus.INTERNAL_SERVER_ERROR)
