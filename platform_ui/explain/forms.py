"""The fields of a question."""

from typing import Annotated

from pydantic import StringConstraints

from platform_ui.contracts.forms import MAX_DATASTREAM_NAME
from platform_ui.explain.asking import Question
from platform_ui.fields import Form

MAX_RECORD = 8192

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_DATASTREAM_NAME)]


class QuestionForm(Form):
    """May somebody do something?"""

    who: Text
    action: Text
    resource: Text
    record: Annotated[str, StringConstraints(max_length=MAX_RECORD)] = ""

    @property
    def question(self) -> Question:
        """The question as it is answered."""
        return Question(self.who, self.action, self.resource, self.record)
