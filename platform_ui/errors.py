"""What can go wrong in the platform, as a tree, and the one table that maps it to an HTTP status.

What lives here: the errors of the service layer and ``STATUS_OF``. What does not: how an error is shown
(``web`` renders pages, ``problems`` renders RFC 9457 documents).

```
DigitalTwinError
  PlatformError
    NotLoggedInError       nobody is logged in
    NotFoundError          unknown, or of somebody else: both look alike
    ForbiddenError         visible, but for others to do; a stale form, a missing CSRF token
    ConflictError          the rule or the database says no: what to do first
    FormError              fields that cannot be accepted, with one message each
    TooManyAttemptsError   failed log-ins
    BrokerError            Kafka did not do what was asked for (retriable)
    RunnerError            the runner of stream apps did not do what was asked for (retriable)
    MetadataError          SensorThings did not do what was asked for (retriable)
```
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

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


class NotFoundError(PlatformError):
    """The object does not exist, or belongs to somebody else; the two are not told apart."""

    default_code = "platform.not_found"


class ForbiddenError(PlatformError):
    """The person may see this but not do it, or the request is not from our own page (CSRF)."""

    default_code = "platform.forbidden"


class ConflictError(PlatformError):
    """A rule or a constraint of the database refuses the change."""

    default_code = "platform.conflict"


class FormError(PlatformError):
    """One or more fields cannot be accepted."""

    default_code = "form.invalid"

    def __init__(self, fields: Mapping[str, str], *, code: str | None = None) -> None:
        listing = "; ".join(f"{name}: {message}" for name, message in fields.items())
        super().__init__(listing or "The form cannot be accepted.", code=code, fields=fields)


class TooManyAttemptsError(PlatformError):
    """Too many failed log-ins for this account.

    Attributes:
        retry_after_s: when to try again [s].
    """

    default_code = "account.too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        minutes = max(1, round(retry_after_s / 60))
        super().__init__(f"Too many failed log-ins. Try again in {minutes} minutes.")
        self.retry_after_s = retry_after_s


class BrokerError(PlatformError):
    """Kafka did not create, remove or show a topic."""

    default_code = "broker.failed"
    retriable = True


class RunnerError(PlatformError):
    """The runner of stream apps cannot be read or written."""

    default_code = "runner.failed"
    retriable = True


class MetadataError(PlatformError):
    """The SensorThings service does not answer, or refuses."""

    default_code = "metadata.failed"
    retriable = True


STATUS_OF: Mapping[type[PlatformError], HTTPStatus] = {
    NotLoggedInError: HTTPStatus.UNAUTHORIZED,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    ConflictError: HTTPStatus.CONFLICT,
    FormError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManyAttemptsError: HTTPStatus.TOO_MANY_REQUESTS,
    BrokerError: HTTPStatus.SERVICE_UNAVAILABLE,
    RunnerError: HTTPStatus.SERVICE_UNAVAILABLE,
    MetadataError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: PlatformError) -> int:
    """Return the HTTP status of an error (500 for one that the table does not know).

    Source: RFC 9110, clause 15 "Status Codes".
    """
    for kind in type(error).__mro__:
        if issubclass(kind, PlatformError) and kind in STATUS_OF:
            return int(STATUS_OF[kind])
    return int(HTTPStatus.INTERNAL_SERVER_ERROR)
