"""Answers to "may they?" as JSON."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.explain import asking
from platform_ui.explain.access import knowledge_of
from platform_ui.explain.forms import QuestionForm
from platform_ui.explain.rulings import Ruling
from platform_ui.fields import read_form
from platform_ui.streams.access import Runner

router = APIRouter(tags=["explain"])


class RulingAnswer(BaseModel):
    """An answer with what it rests on; `address` is the page of the next step."""

    question: str
    answer: Literal["allowed", "refused", "unknown"]
    because: list[str]
    missing: str
    next: str
    address: str

    @classmethod
    def of(cls, ruling: Ruling) -> "RulingAnswer":
        """Return the public form of an answer."""
        return cls.model_validate(ruling.document())


@router.get("/explain")
async def explain(
    *,
    request: Request,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    action: str,
    resource: str,
    who: str = "",
    record: str = "",
) -> RulingAnswer:
    """Say whether somebody may do something, and why: you, or an app of a system that you operate."""
    asked = {"who": who or user.email, "action": action, "resource": resource, "record": record}
    knowledge = knowledge_of(request, database, runner, user)
    return RulingAnswer.of(await asking.answer(read_form(QuestionForm, asked).question, knowledge))
