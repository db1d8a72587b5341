"""The page that says why somebody may do something, or what is missing."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.errors import FormError, status_of
from platform_ui.explain import asking, people
from platform_ui.explain.access import knowledge_of
from platform_ui.explain.asking import Question
from platform_ui.explain.forms import QuestionForm
from platform_ui.explain.kafka import Action
from platform_ui.explain.readers import readers_of, suggest
from platform_ui.explain.refused import questions_of
from platform_ui.fields import read_form
from platform_ui.rest.paging import PageRequest
from platform_ui.streams.access import Runner
from platform_ui.systems.listing import page_of_systems
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)

MAX_PART: Final = 200
ACTIONS: Final = {
    "On the platform": tuple(f"{verb} {thing}" for verb, thing in people.RULES),
    "At Kafka": tuple(Action),
    "By contract": (asking.RECEIVE,),
}


@router.get("/explain")
async def show_explanation(page: CurrentPage, database: Database, user: LoggedIn, runner: Runner) -> Response:
    """Answer a question, or all that explain why an address was refused; show the form for another one.

    The address that was refused comes as ``asked``; a question as ``who``, ``action``, ``resource`` and
    ``record``.
    """
    values = dict(page.request.query_params)
    knowledge = knowledge_of(page.request, database, runner, user)
    questions = [Question(user.email, *one) for one in questions_of(values.get("asked", ""))]
    errors: dict[str, str] = {}
    rulings = []
    status = 200
    try:
        if values.get("resource"):
            questions = [read_form(QuestionForm, {"who": user.email} | values).question]
        rulings = [await asking.answer(question, knowledge) for question in questions]
    except FormError as error:
        errors, status = error.fields, status_of(error)
    return page.render(
        "explain/show.html",
        status=status,
        asked=values.get("asked", ""),
        rulings=rulings,
        values={"who": user.email} | values,
        errors=errors,
        actions=ACTIONS,
        suggestions=await suggest(database, user, ""),
    )


@router.get("/explain/principals")
async def show_principals(page: CurrentPage, database: Database, user: LoggedIn, who: str = "") -> Response:
    """Show for whom one may ask, by a part of the name: what the field of the question offers."""
    return page.render("explain/principals.html", suggestions=await suggest(database, user, who[:MAX_PART]))


@router.get("/explain/readers")
async def show_readers(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, resource: str = ""
) -> Response:
    """Show who may read a system's records or a Datastream, each with what allows it."""
    errors: dict[str, str] = {}
    found = None
    status = 200
    if resource:
        try:
            found = await readers_of(database, user, resource.strip(), runner)
        except FormError as error:
            errors, status = error.fields, status_of(error)
    return page.render(
        "explain/readers.html",
        status=status,
        found=found,
        values={"resource": resource},
        errors=errors,
        systems=(await page_of_systems(database, user, PageRequest())).items,
    )
