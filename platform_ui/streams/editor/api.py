"""The stream app editor for programs: check a statement, try it, and the words that may stand in it."""

from typing import Annotated

from fastapi import APIRouter, Query

from platform_ui.accounts.access import LoggedIn
from platform_ui.contracts.access import Records, Units
from platform_ui.db import Database
from platform_ui.errors import FormError
from platform_ui.streams.access import Ports
from platform_ui.streams.editor.answers import CheckAnswer, TrialAnswer, WordsAnswer
from platform_ui.streams.editor.checking import judge
from platform_ui.streams.editor.reading import run_trial
from platform_ui.streams.editor.words import words_for
from platform_ui.streams.forms import CheckForm, TrialForm
from platform_ui.streams.statements import REFUSED
from platform_ui.systems import service as systems
from streamhub.errors import QueryError

router = APIRouter(tags=["stream apps"])


@router.post("/systems/{system}/apps:check", operation_id="check_app_statement")
async def check_app(
    database: Database, user: LoggedIn, ports: Ports, system: str, form: CheckForm
) -> CheckAnswer:
    """Check a statement: its faults with their places, what it would do, what it may; nothing is saved."""
    home = await systems.get_system(database, user, system)
    return CheckAnswer.of(await judge(database, user, home, form, ports.metadata))


@router.post("/systems/{system}/apps:preview", operation_id="preview_app_statement")
async def preview_app(
    *, database: Database, user: LoggedIn, records: Records, units: Units, system: str, form: TrialForm
) -> TrialAnswer:
    """Try a statement on the last records of its sources; nothing is saved."""
    home = await systems.get_system(database, user, system)
    name = home.name
    try:
        trial = await run_trial(database, user, home, form, records)
    except QueryError as error:
        raise FormError({"statement": error.render()}, code=REFUSED) from error
    await units.resolve(trial.datastreams, name)
    return TrialAnswer.of(trial, {one: units.known(one, name) or "" for one in trial.datastreams})


@router.get("/systems/{system}/apps:words", operation_id="list_app_words")
async def list_words(
    *,
    database: Database,
    user: LoggedIn,
    ports: Ports,
    system: str,
    source: Annotated[list[str] | None, Query(max_length=8)] = None,
) -> WordsAnswer:
    """List what may stand in a statement of an app of a system, with what you may see of further sources."""
    home = await systems.get_system(database, user, system)
    return WordsAnswer.of(await words_for(database, user, home, ports.metadata, source or ()))
