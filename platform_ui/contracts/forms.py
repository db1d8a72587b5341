"""The forms of contracts; their limits are those of the columns."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator

from client.errors import InvalidNameError
from client.messaging.topics import SystemName
from platform_ui.contracts.models import MAX_PREDICATE, MAX_PURPOSE, MAX_REASON
from platform_ui.fields import Form
from platform_ui.systems.models import MAX_SYSTEM_NAME

MAX_DATASTREAMS = 500
MAX_FIELDS = 100
MAX_DATASTREAM_NAME = 512
FIELD_PATTERN = r"^[^\x00-\x1f\x7f,]*$"

Side = Literal["provider", "consumer"]


def _lines(value: object) -> object:
    """Read what a person writes into one field: one name a line."""
    return [line.strip() for line in value.splitlines() if line.strip()] if isinstance(value, str) else value


def _words(value: object) -> object:
    """Read what a person writes into one field: names between commas or on lines."""
    return _lines(value.replace(",", "\n")) if isinstance(value, str) else value


def _moment(value: object) -> object:
    """Read an empty field as no limit."""
    return None if isinstance(value, str) and not value.strip() else value


def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


SystemText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_SYSTEM_NAME)]
DatastreamName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_DATASTREAM_NAME)]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=FIELD_PATTERN)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=MAX_REASON)]
Note = Annotated[str, StringConstraints(max_length=MAX_REASON)]
DatastreamNames = Annotated[
    tuple[DatastreamName, ...],
    BeforeValidator(_lines),
    Field(max_length=MAX_DATASTREAMS),
    AfterValidator(_in_order),
]
FieldNames = Annotated[
    tuple[FieldName, ...], BeforeValidator(_words), Field(max_length=MAX_FIELDS), AfterValidator(_in_order)
]
PredicateText = Annotated[str, StringConstraints(max_length=MAX_PREDICATE)]


class OfferedForm(Form):
    """Which records may leave; without blanks around, without repetitions, in order."""

    datastreams: DatastreamNames = ()
    predicate: PredicateText = ""
    fields: FieldNames = ()


class TermsForm(OfferedForm):
    """What may leave, for what, and when."""

    purpose: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PURPOSE)]
    starts_at: Moment = None
    ends_at: Moment = None
    note: Note = ""

    @field_validator("starts_at", "ends_at", mode="after")
    @classmethod
    def _in_utc(cls, time: datetime | None) -> datetime | None:
        """A time without an offset is in UTC, as everywhere on the site; seconds are exact enough."""
        if time is None:
            return None
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)


class ContractForm(TermsForm):
    """What makes a contract."""

    provider: SystemText
    consumer: SystemText

    @field_validator("provider", "consumer", mode="after")
    @classmethod
    def _well_formed(cls, name: str) -> str:
        try:
            return str(SystemName.parse(name))
        except InvalidNameError as error:
            raise ValueError(str(error)) from error


class TrialForm(OfferedForm):
    """Which records may leave a system, while it is being written."""

    provider: SystemText


class ChangeForm(TermsForm):
    """Other terms, written while looking at a version."""

    version: int


class SignatureForm(Form):
    """A signature for one side over what was looked at."""

    side: Side
    version: int
    digest: Annotated[str, StringConstraints(max_length=64)] = ""


class EndForm(Form):
    """Why one side declines or revokes."""

    side: Side
    reason: Reason
