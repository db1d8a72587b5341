"""Answers to "may they?" as JSON."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.explain import asking
from platform_ui.explain.access import knowledge_of
from platform_ui.explain.forms import QuestionForm
from platform_ui.explain.readers import Readers, readers_of, suggest
from platform_ui.explain.rulings import Clause, Ruling
from platform_ui.fields import read_form
from platform_ui.streams.access import Runner

router = APIRouter(tags=["explain"])


class ClauseAnswer(BaseModel):
    """What an answer rests on; `address` is the page of what it names, empty for none."""

    text: str
    kind: str
    address: str

    @classmethod
    def of(cls, clause: Clause) -> "ClauseAnswer":
        """Return the public form of a clause."""
        return cls(text=str(clause), kind=clause.kind, address=clause.address)


class RulingAnswer(BaseModel):
    """An answer with what it rests on; `address` is the page of the next step."""

    question: str
    answer: Literal["allowed", "refused", "unknown"]
    because: list[str]
    clauses: list[ClauseAnswer]
    missing: str
    next: str
    address: str

    @classmethod
    def of(cls, ruling: Ruling) -> "RulingAnswer":
        """Return the public form of an answer."""
        clauses = [ClauseAnswer.of(one) for one in ruling.chain]
        return cls.model_validate({**ruling.document(), "clauses": clauses})


class ReaderAnswer(BaseModel):
    """Somebody who may read, why, and what of the records; empty limits for all."""

    kind: str
    name: str
    because: list[ClauseAnswer]
    limits: str


class ReadersAnswer(BaseModel):
    """Everybody who may read the records of a system, or one Datastream."""

    system: str
    datastream: str
    items: list[ReaderAnswer]

    @classmethod
    def of(cls, found: Readers) -> "ReadersAnswer":
        """Return the public form of a list of readers."""
        items = [
            ReaderAnswer(
                kind=one.kind.value,
                name=one.name,
                because=[ClauseAnswer.of(clause) for clause in one.because],
                limits=one.limits,
            )
            for one in found.items
        ]
        return cls(system=found.system, datastream=found.datastream, items=items)


class SuggestionAnswer(BaseModel):
    """Somebody for whom you may ask."""

    value: str
    label: str


class SuggestionList(BaseModel):
    """For whom you may ask, at most twenty of each kind."""

    items: list[SuggestionAnswer]


@router.get("/explain/readers")
async def explain_readers(
    *, database: Database, user: LoggedIn, runner: Runner, resource: str
) -> ReadersAnswer:
    """List who may read a system's records or a Datastream that you see, and which clause allows each."""
    return ReadersAnswer.of(await readers_of(database, user, resource, runner))


@router.get("/explain/principals")
async def explain_principals(
    database: Database, user: LoggedIn, q: Annotated[str, Query(max_length=200)] = ""
) -> SuggestionList:
    """List for whom you may ask: you, client and stream apps that you operate, systems that you see."""
    found = await suggest(database, user, q)
    return SuggestionList(items=[SuggestionAnswer(value=one.value, label=one.label) for one in found])


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
