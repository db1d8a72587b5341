"""The pages of the stream app editor: the form of a new app, the check, the trial, the gallery.

What lives here: handlers. What does not: the page of an app that is there (``streams.pages``), which includes
the same editor by its template.
"""

import time
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import APIRouter
from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse, Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.browser import Notice, put_notice
from platform_ui.clients.models import ClientApp
from platform_ui.contracts.access import Records, Units
from platform_ui.contracts.preview import RecordReader
from platform_ui.db import Database
from platform_ui.errors import ContractNeededError, FormError, PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.problems import wants_problem
from platform_ui.streams import service
from platform_ui.streams.access import Ports, form_of
from platform_ui.streams.editor.answers import CheckAnswer
from platform_ui.streams.editor.checking import Verdict, judge
from platform_ui.streams.editor.examples import examples_for, suggest_name
from platform_ui.streams.editor.reading import run_trial
from platform_ui.streams.editor.trial import Trial
from platform_ui.streams.editor.words import datastreams_of, targets_for
from platform_ui.streams.forms import CheckForm, StreamAppForm, TrialForm
from platform_ui.streams.models import StreamApp
from platform_ui.streams.permission import AMBIGUOUS
from platform_ui.streams.ports import StreamPorts
from platform_ui.systems import service as systems
from platform_ui.systems.models import System
from platform_ui.systems.units import UnitDirectory
from platform_ui.web import CurrentPage, Page
from streamhub.errors import QueryError

router = APIRouter(include_in_schema=False)

DEPLOY, CHECK, PREVIEW = "deploy", "check", "preview"
SIZES = (100, 1_000, 10_000)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A trial as it is shown.

    Attributes:
        trial: What came of it; nothing when it could not be made.
        units: Units of the Datastreams that are shown, as far as they are known.
        message: Why it could not be made; with a caret where there is one.
        hint: What to do next; empty when the message says it.
        elapsed_s: How long it took [s].
        last: How many records of each source were asked for [1].
    """

    trial: Trial | None
    units: dict[str, str]
    message: str = ""
    hint: str = ""
    elapsed_s: float = 0.0
    last: int = 0


@router.get("/apps/new")
async def choose_source(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    source: str = "",
    statement: str = "",
    target_system: str = "",
) -> Response:
    """Ask which system the app reads; a link that names one leads on."""
    given = {"statement": statement, "target_system": target_system}
    filled = {name: text for name, text in given.items() if text}
    operated = await systems.list_systems(database, user)
    if source in {system.name for system in operated}:
        query = f"?{urlencode(filled)}" if filled else ""
        return page.redirect(f"/systems/{source}/apps/new{query}")
    errors = {"source": f"You operate no system named {source}."} if source else {}
    return page.render(
        "streams/source.html", systems=operated, values={"source": source}, filled=filled, errors=errors
    )


@router.get("/systems/{system}/apps/new")
async def show_form(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    ports: Ports,
    system: str,
    statement: str = "",
    target_system: str = "",
    name: str = "",
) -> Response:
    """Show the form of a new stream app; a link may fill it in."""
    home = await systems.get_system(database, user, system)
    text = statement or f"SELECT * FROM {home.name};"  # noqa: S608 - our own language, never SQL
    values = {"statement": text, "target_system": target_system, "name": name}
    return await _form(page, database, user, home, ports=ports, values=values)


async def _form(
    page: Page,
    session: AsyncSession,
    user: User,
    home: System,
    *,
    ports: StreamPorts,
    values: dict[str, str],
    error: PlatformError | None = None,
    attempt: Attempt | None = None,
) -> Response:
    targets = await targets_for(session, user, home)
    if not values.get("target_system") and error is None and len(targets) == 1:
        values = values | {"target_system": targets[0]}  # only this one can be meant
    text, target = values.get("statement", ""), values.get("target_system", "")
    is_ambiguous = error is not None and error.code == AMBIGUOUS
    shown = values | {"name": values.get("name") or suggest_name(text, await _taken(session, home))}
    return page.render(
        "streams/new.html",
        status=status_of(error) if error else HTTPStatus.OK,
        system=home,
        targets=targets,
        values=shown,
        errors=error.fields if error else {},
        error=error,
        lacking=error if isinstance(error, ContractNeededError) else None,
        choices=await service.choices_of(session, user, home.name, text, target) if is_ambiguous else {},
        verdict=await _verdict(session, user, home, values, ports),
        attempt=attempt,
        sizes=SIZES,
    )


async def _taken(session: AsyncSession, home: System) -> set[str]:
    """Return the names that stream apps and client apps of a system have."""
    names = union_all(
        select(StreamApp.name).where(StreamApp.system_id == home.id),
        select(ClientApp.name).where(ClientApp.system_id == home.id),
    )
    return set((await session.scalars(names)).all())


async def _verdict(
    session: AsyncSession, user: User, home: System, values: dict[str, str], ports: StreamPorts
) -> Verdict | None:
    try:
        form = read_form(CheckForm, values)
    except FormError:
        return None
    return await judge(session, user, home, form, ports.metadata)


@router.post("/systems/{system}/apps/new")
async def create_app(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    ports: Ports,
    records: Records,
    units: Units,
    system: str,
) -> Response:
    """Create a stream app and let it run if that is wished; without a script also check or try it."""
    values = await form_of(page)
    home = await systems.get_system(database, user, system)
    deed = values.get("deed", "")
    if deed == CHECK:
        return await _form(page, database, user, home, ports=ports, values=values)
    if deed == PREVIEW:
        attempt = await _attempt(database, user, home, values, (records, units))
        return await _form(page, database, user, home, ports=ports, values=values, attempt=attempt)
    try:
        app = await service.create_app(
            database, user, system, read_form(StreamAppForm, values), ports.metadata
        )
    except PlatformError as error:
        return await _form(page, database, user, home, ports=ports, values=values, error=error)
    address = f"/systems/{system}/apps/{app.name}"
    if deed != DEPLOY:
        return page.redirect(address, f"{app.name} is created. Deploy it to let it run.")
    return await _deploy(page, database, user, ports, address)


async def _deploy(
    page: Page, session: AsyncSession, user: User, ports: StreamPorts, address: str
) -> Response:
    """Deploy an app that was just created; when that fails, it stays and its page says why."""
    _, _, system, _, name = address.split("/")
    view = await service.get_app(session, user, system, name, ports.runner)
    try:
        await service.deploy_app(session, user, view, ports)
    except PlatformError as error:
        await session.rollback()
        response = page.redirect(address)
        text = f"{name} is created, but it could not be deployed: {error.detail} {error.hint}".strip()
        put_notice(page.request, response, Notice("error", text))
        return response
    return page.redirect(address, f"{name} is created and is being started.")


@router.post("/systems/{system}/apps/check")
async def check_statement(
    page: CurrentPage, database: Database, user: LoggedIn, ports: Ports, system: str
) -> Response:
    """Tell whether a statement would be accepted, and what it means, while it is being typed.

    The answer is a part of the page; for a script that asks for JSON it is the faults with their places, and
    that part beside them.
    """
    home = await systems.get_system(database, user, system)
    values = await page.form()
    verdict = await _verdict(database, user, home, values, ports)
    answer = page.render("streams/check.html", verdict=verdict)
    if not wants_problem(page.request) or "hx-request" in page.request.headers:
        return answer
    found = CheckAnswer.of(verdict or Verdict())
    return JSONResponse(found.model_dump() | {"panel": bytes(answer.body).decode()})


@router.post("/systems/{system}/apps/preview")
async def preview_statement(
    page: CurrentPage, *, database: Database, user: LoggedIn, records: Records, units: Units, system: str
) -> Response:
    """Try a statement on the last records of its sources; nothing is saved."""
    home = await systems.get_system(database, user, system)
    attempt = await _attempt(database, user, home, await form_of(page), (records, units))
    return page.render("streams/trial.html", attempt=attempt)


async def _attempt(
    session: AsyncSession,
    user: User,
    home: System,
    values: dict[str, str],
    ports: tuple[RecordReader, UnitDirectory],
) -> Attempt:
    records, units = ports
    began = time.monotonic()
    system = home.name
    try:
        form = read_form(TrialForm, values)
        trial = await run_trial(session, user, home, form, records)
    except QueryError as error:
        return Attempt(None, {}, error.render())
    except PlatformError as error:
        message = error.fields.get("statement") or error.fields.get("target_system") or error.detail
        return Attempt(None, {}, message, error.hint)
    await units.resolve(trial.datastreams, system)
    known = {name: units.known(name, system) or "" for name in trial.datastreams}
    return Attempt(trial, known, elapsed_s=time.monotonic() - began, last=form.last)


@router.get("/systems/{system}/apps/new/examples")
async def show_examples(
    page: CurrentPage, database: Database, user: LoggedIn, ports: Ports, system: str
) -> Response:
    """Show statements to begin with, with the real names of the system."""
    home = await systems.get_system(database, user, system)
    name = home.name
    await database.commit()  # SensorThings may take a while
    found = await datastreams_of(ports.metadata, name, user.email)
    examples = examples_for(name, found or [])
    addresses = {
        one.title: "?".join(
            (f"/systems/{name}/apps/new", urlencode({"statement": one.statement, "name": one.name}))
        )
        for one in examples
    }
    return page.render("streams/examples.html", examples=examples, addresses=addresses, is_known=bool(found))
