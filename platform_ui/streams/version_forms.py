"""The forms of versions: a new one, going back to one, comparing two."""

from typing import Annotated

from pydantic import Field, StringConstraints

from platform_ui.fields import Form
from platform_ui.streams.forms import StatementForm
from platform_ui.streams.models import MAX_NOTE

MAX_NUMBER = 2_147_483_647

Note = Annotated[str, StringConstraints(max_length=MAX_NOTE)]
Number = Annotated[int, Field(ge=1, le=MAX_NUMBER)]


class VersionForm(StatementForm):
    """The next version of an app: its statement, its contracts, and what its author says about it."""

    note: Note = ""


class RollbackForm(Form):
    """Which version an app is to have again."""

    version: Number
