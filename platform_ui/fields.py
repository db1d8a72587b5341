"""Forms as pydantic models: reading them, and messages that a person understands.

What lives here: what the forms of all domains share. What does not: the fields of any form.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from platform_ui.errors import WHOLE_FORM, FormError

_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
LEVEL_PATTERN = r"^[A-Za-z0-9-]*$"
APP_NAME_PATTERN = r"^[A-Za-z0-9_-]*$"
STREAM_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"  # also a folder and a consumer group

FormType = TypeVar("FormType", bound="Form")


class Form(BaseModel):
    """A form; surrounding blanks are dropped, unknown fields (such as the CSRF token) are left aside."""

    model_config = ConfigDict(str_strip_whitespace=True, extra="ignore", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        """Refuse what no database can keep: the character NUL, and halves of surrogate pairs."""
        if isinstance(value, str) and _UNKEEPABLE.search(value):
            raise PydanticCustomError("unkeepable", "There is a character in it that cannot be kept.")
        return value


Secret = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=128)]


def read_form(kind: type[FormType], values: Mapping[str, object]) -> FormType:
    """Check a form as it was sent.

    Raises:
        FormError: at least one field cannot be accepted; one message per field.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise FormError(messages(error)) from None


def messages(error: ValidationError) -> dict[str, str]:
    """Return one message per field, the first one where there are several."""
    found: dict[str, str] = {}
    for fault in error.errors():
        name = str(fault["loc"][0]) if fault["loc"] else WHOLE_FORM
        found.setdefault(name, explain(fault))
    return found


def explain(fault: Mapping[str, Any]) -> str:
    """Return what a person should do about one fault that pydantic found."""
    context, message = fault.get("ctx", {}), str(fault["msg"])
    minimum = context.get("min_length")
    sentences = {
        "missing": "Fill in this field.",
        "string_type": "This must be text.",
        "string_too_short": "Fill in this field." if minimum == 1 else f"At least {minimum} characters.",
        "string_too_long": _too_long(fault.get("input"), context.get("max_length", 0)),
        "string_pattern_mismatch": _allowed(str(context.get("pattern", ""))),
        "less_than_equal": f"At most {context.get('le')}.",
        "less_than": f"Less than {context.get('lt')}.",
        "greater_than_equal": f"At least {context.get('ge')}.",
        "greater_than": f"More than {context.get('gt')}.",
        "int_parsing": "This must be a whole number.",
        "float_parsing": "This must be a number.",
        "date_from_datetime_parsing": "This must be a day, such as 2026-01-31.",
        "date_parsing": "This must be a day, such as 2026-01-31.",
        "datetime_from_date_parsing": "This must be a time, such as 2026-01-31T12:00:00Z.",
        "datetime_parsing": "This must be a time, such as 2026-01-31T12:00:00Z.",
    }
    return sentences.get(str(fault["type"]), message.removeprefix("Value error, "))


def _too_long(text: object, most: int) -> str:
    if not isinstance(text, str):
        return f"At most {most} characters."
    stripped = text.strip()  # most forms drop surrounding blanks before they count
    return f"At most {most} characters; this has {len(stripped if len(stripped) > most else text)}."


def _allowed(pattern: str) -> str:
    if pattern == LEVEL_PATTERN:
        return "Only letters A to Z, digits and hyphens."
    if pattern == APP_NAME_PATTERN:
        return "Only letters A to Z, digits, hyphens and underscores."
    if pattern == STREAM_NAME_PATTERN:
        return "Only letters A to Z, digits, hyphens and underscores, beginning with a letter or digit."
    return f"This must match {pattern}."
