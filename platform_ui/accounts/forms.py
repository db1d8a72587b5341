"""The forms of accounts; their limits are those of the columns."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from platform_ui.accounts.models import MAX_EMAIL, MAX_PERSON_NAME
from platform_ui.fields import Form, Secret

MIN_PASSWORD = 8  # NIST SP 800-63B, clause 3.1.1.2 "Password Verifiers", as the smallest with other means
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


def normal_email(text: str) -> str:
    """Return an e-mail address as it is stored: without surrounding blanks, in lower case.

    Raises:
        ValueError: the text is not an e-mail address.
    """
    address = text.strip().lower()
    if len(address) > MAX_EMAIL or not _EMAIL.fullmatch(address):
        raise ValueError("This is not an e-mail address; it looks like name@example.com.")
    return address


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Only characters that can be printed.")
    return text


Email = Annotated[str, AfterValidator(normal_email)]
PersonName = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_PERSON_NAME), AfterValidator(_printable)
]
NewPassword = Annotated[
    str, StringConstraints(strip_whitespace=False, min_length=MIN_PASSWORD, max_length=128)
]


class SignUpForm(Form):
    """What a person gives to get an account."""

    first_name: PersonName
    last_name: PersonName
    email: Email
    password: NewPassword
    confirm: Annotated[str, StringConstraints(strip_whitespace=False)] = ""

    @model_validator(mode="after")
    def _confirmed(self) -> Self:
        if self.password != self.confirm:
            raise PydanticCustomError("confirm", "The two passwords differ.")
        return self


class LoginForm(Form):
    """What a person gives to log in."""

    email: Email
    password: Secret


class MemberForm(Form):
    """The address of a registered person, to give them a part in a company or a system."""

    email: Email
