"""The forms of stream apps; their limits are those of the columns."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from platform_ui.clients.models import MAX_APP_NAME
from platform_ui.contracts.models import MAX_ID
from platform_ui.fields import STREAM_NAME_PATTERN, Form
from platform_ui.streams.models import MAX_APP_DESCRIPTION, MAX_STATEMENT
from platform_ui.systems.models import MAX_SYSTEM_NAME

StreamName = Annotated[
    str, StringConstraints(min_length=2, max_length=MAX_APP_NAME, pattern=STREAM_NAME_PATTERN)
]
Statement = Annotated[str, StringConstraints(min_length=1, max_length=MAX_STATEMENT)]
TargetName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_SYSTEM_NAME)]
AppDescription = Annotated[str, StringConstraints(max_length=MAX_APP_DESCRIPTION)]
MAX_CONTRACTS = 20
MAX_TRIED = 10_000


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


ContractIds = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID)], ...],
    BeforeValidator(_words),
    Field(max_length=MAX_CONTRACTS),
]


class StreamAppForm(Form):
    """What makes a stream app of a source system."""

    name: StreamName
    target_system: TargetName
    statement: Statement
    description: AppDescription = ""
    contracts: ContractIds = ()


class StatementForm(Form):
    """The statement of an app that is there already, and the contracts by which it receives."""

    statement: Statement
    contracts: ContractIds = ()


class CheckForm(Form):
    """A statement while it is being typed, with the target as far as it is known."""

    statement: Statement
    target_system: str = ""


class TrialForm(CheckForm):
    """A statement to try on the last records of its sources, at most so many of each [1]."""

    last: Annotated[int, Field(ge=1, le=MAX_TRIED)] = 1_000
    contracts: ContractIds = ()
