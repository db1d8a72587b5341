"""The forms of stream apps; their limits are those of the columns."""

from typing import Annotated

from pydantic import StringConstraints

from platform_ui.clients.models import MAX_APP_NAME
from platform_ui.fields import STREAM_NAME_PATTERN, Form
from platform_ui.streams.models import MAX_APP_DESCRIPTION, MAX_STATEMENT
from platform_ui.systems.models import MAX_SYSTEM_NAME

StreamName = Annotated[
    str, StringConstraints(min_length=2, max_length=MAX_APP_NAME, pattern=STREAM_NAME_PATTERN)
]
Statement = Annotated[str, StringConstraints(min_length=1, max_length=MAX_STATEMENT)]
TargetName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_SYSTEM_NAME)]
AppDescription = Annotated[str, StringConstraints(max_length=MAX_APP_DESCRIPTION)]


class StreamAppForm(Form):
    """What makes a stream app of a source system."""

    name: StreamName
    target_system: TargetName
    statement: Statement
    description: AppDescription = ""


class StatementForm(Form):
    """The statement of an app that is there already."""

    statement: Statement
