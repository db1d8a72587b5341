"""The forms of offers and of requests that answer them; their limits are those of the columns."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, field_validator

from platform_ui.contracts.forms import Note, OfferedForm, SystemText
from platform_ui.contracts.models import MAX_PURPOSE
from platform_ui.contracts.negotiation import Duration
from platform_ui.contracts.offers.models import COMPANIES, MAX_TEXT, MAX_TITLE
from platform_ui.fields import Form

MAX_PURPOSES = 10
MAX_COMPANIES = 100
COMPANY_PATTERN = r"^[a-z]{2,63}\.[A-Za-z0-9-]{1,63}$"


def _lines(value: object) -> object:
    return [line.strip() for line in value.splitlines() if line.strip()] if isinstance(value, str) else value


CompanyName = Annotated[str, StringConstraints(pattern=COMPANY_PATTERN)]
Purpose = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LongText = Annotated[str, StringConstraints(max_length=MAX_TEXT)]


class OfferForm(OfferedForm):
    """What others may ask for, and who finds it."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TITLE)]
    description: LongText = ""
    purposes: Annotated[tuple[Purpose, ...], BeforeValidator(_lines), Field(max_length=MAX_PURPOSES)] = ()
    terms: LongText = ""
    visibility: Literal["everybody", "companies"] = "everybody"
    companies: Annotated[
        tuple[CompanyName, ...],
        BeforeValidator(_lines),
        Field(max_length=MAX_COMPANIES, validate_default=True),
    ] = ()

    @field_validator("companies", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        """Say which name is none; the pattern alone would not tell."""
        names = _lines(value)
        for name in names if isinstance(names, list | tuple) else ():
            if isinstance(name, str) and name.count(".") != 1:
                raise ValueError(f"{name[:80]!r} is no company: write one a line, such as at.datahouse.")
        return names

    @field_validator("companies", mode="after")
    @classmethod
    def _named_where_needed(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("visibility") == COMPANIES and not names:
            raise ValueError("Name at least one company.")
        return names


class NewOfferForm(OfferForm):
    """What makes an offer."""

    system: SystemText


class RequestForm(Form):
    """A request for what an offer describes."""

    consumer: SystemText
    purpose: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PURPOSE)]
    duration: Duration = Duration.YEAR
    note: Note = ""
