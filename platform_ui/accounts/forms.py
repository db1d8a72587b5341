"""The forms of accounts; their limits are those of the columns."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from platform_ui.accounts.models import MAX_EMAIL, MAX_PERSON_NAME, MAX_TOKEN_NAME, Scope
from platform_ui.accounts.passwords import MAX_PASSWORD, MIN_PASSWORD
from platform_ui.fields import Form, Secret

MAX_CODE = 40
MAX_TOKEN_DAYS = 366
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


def normal_email(text: str) -> str:
    """Return an e-mail address as it is stored: without surrounding blanks, in lower case.

    Raises:
        ValueError: the text is not an e-mail address.
    """
    address = text.strip().lower()
    if len(address) > MAX_EMAIL:
        raise ValueError(f"At most {MAX_EMAIL} characters; this has {len(address)}.")
    if not _EMAIL.fullmatch(address):
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
    str, StringConstraints(strip_whitespace=False, min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)
]


class NewPasswordForm(Form):
    """A new password, typed twice."""

    password: NewPassword
    confirm: Annotated[str, StringConstraints(strip_whitespace=False)] = ""

    @model_validator(mode="after")
    def _confirmed(self) -> Self:
        if self.password != self.confirm:
            raise PydanticCustomError("confirm", "The two passwords differ.")
        return self


class ChangePasswordForm(NewPasswordForm):
    """What a person gives to get another password."""

    old_password: Secret


class SignUpForm(NewPasswordForm):
    """What a person gives to get an account."""

    first_name: PersonName
    last_name: PersonName
    email: Email


class NameForm(Form):
    """What a person is called from now on; nothing for what stays as it is."""

    first_name: PersonName | None = None
    last_name: PersonName | None = None


class LoginForm(Form):
    """What a person gives to log in; the code of the second factor only where everything comes at once."""

    email: Email
    password: Secret
    code: Annotated[str, StringConstraints(max_length=MAX_CODE)] = ""


class CodeForm(Form):
    """A code of the authenticator app, or a recovery code."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=MAX_CODE)]


class EmailForm(Form):
    """The address of the account whose password is forgotten."""

    email: Email


class MemberForm(Form):
    """The address of a person, to give them a part in a company or a system."""

    email: Email


class TokenForm(Form):
    """What a person wants of a new API token."""

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=MAX_TOKEN_NAME), AfterValidator(_printable)
    ]
    scope: Scope = Scope.READ
    within: Annotated[str, StringConstraints(max_length=150, pattern=r"^[A-Za-z0-9.-]*$")] = ""
    days: Annotated[int, Field(ge=1, le=MAX_TOKEN_DAYS)] = 30
