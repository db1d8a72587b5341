"""The pages of a system's Things: the list, their forms, and instances files with a look before saving."""

import json
from http import HTTPStatus

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response

from platform_ui.assets import service, writing
from platform_ui.assets.access import CurrentDesk
from platform_ui.assets.comparing import State
from platform_ui.assets.files import FILE_NAME, MAX_CHARACTERS
from platform_ui.assets.forms import ThingChangeForm, ThingForm
from platform_ui.assets.reading import ThingPage
from platform_ui.assets.views import ThingView
from platform_ui.browser import attachment
from platform_ui.errors import FormError, MetadataError, PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.systems import service as systems
from platform_ui.systems.models import SystemRole
from platform_ui.web import CurrentPage, Page

router = APIRouter(prefix="/systems/{name}", include_in_schema=False)

MAX_SEARCH = 200


@router.get("/things")
async def show_things(
    page: CurrentPage,
    desk: CurrentDesk,
    q: str = "",
    after: str = "",
) -> Response:
    """Show the Things of a system with their Datastreams and last values; htmx asks again for these."""
    system = await systems.see_system(desk.session, desk.user, desk.system)
    is_agent = await systems.role_in(desk.session, desk.user, system) is SystemRole.AGENT
    reader = await desk.look()
    error: PlatformError | None = None
    found = ThingPage([], "")
    q, after = q.strip()[:MAX_SEARCH].replace("\x00", ""), after.replace("\x00", "")
    try:
        found = await reader.things(q=q, after=after)
    except MetadataError as failure:
        error = failure
    template = "assets/list.html" if "hx-request" in page.request.headers else "assets/things.html"
    return page.render(
        template,
        status=status_of(error) if error else HTTPStatus.OK,
        system=desk.system,
        found=found,
        is_agent=is_agent,
        q=q,
        after=after,
        error=error,
    )


@router.get("/things/new")
async def show_new_thing(page: CurrentPage, desk: CurrentDesk) -> Response:
    """Show the form of a new Thing."""
    await systems.get_system(desk.session, desk.user, desk.system)
    return page.render("assets/thing.html", system=desk.system, thing=None, values={}, errors={}, error=None)


@router.post("/things/new")
async def create_thing(page: CurrentPage, desk: CurrentDesk) -> Response:
    """Register a Thing."""
    values = await page.form()
    reader = await desk.change()
    try:
        thing = await service.create_thing(desk, reader, read_form(ThingForm, values))
    except PlatformError as error:
        return _thing_form(page, desk.system, None, values, error)
    return page.redirect(f"/systems/{desk.system}/things", f"{thing.local_name} is registered.")


@router.get("/things/{thing}/edit")
async def show_thing(page: CurrentPage, desk: CurrentDesk, thing: str) -> Response:
    """Show the form of a Thing."""
    reader = await desk.change()
    found = await reader.thing(thing)
    place = found.place
    values = {
        "description": found.description,
        "properties": as_text(found.properties),
        "latitude": _degrees(place.latitude if place else None),
        "longitude": _degrees(place.longitude if place else None),
    }
    return page.render(
        "assets/thing.html", system=desk.system, thing=found, values=values, errors={}, error=None
    )


@router.post("/things/{thing}/edit")
async def change_thing(page: CurrentPage, desk: CurrentDesk, thing: str) -> Response:
    """Change a Thing."""
    values = await page.form()
    reader = await desk.change()
    found = await reader.thing(thing)
    try:
        await service.change_thing(desk, reader, found, read_form(ThingChangeForm, values))
    except PlatformError as error:
        return _thing_form(page, desk.system, found, values, error)
    return page.redirect(f"/systems/{desk.system}/things", f"{found.local_name} is saved.")


@router.get("/things/{thing}/delete")
async def show_deletion(page: CurrentPage, desk: CurrentDesk, thing: str) -> Response:
    """Ask before a Thing is deleted; what would be lost is counted."""
    reader = await desk.change()
    found = await reader.thing(thing)
    lost = await writing.count_lost(reader, found)
    return page.render("assets/delete_thing.html", system=desk.system, thing=found, lost=lost, error=None)


@router.post("/things/{thing}/delete")
async def delete_thing(page: CurrentPage, desk: CurrentDesk, thing: str) -> Response:
    """Delete a Thing with everything that hangs on it."""
    reader = await desk.change()
    found = await reader.thing(thing)
    await service.delete(desk, reader, found)
    return page.redirect(f"/systems/{desk.system}/things", f"{found.local_name} is deleted.")


@router.get("/instances.json")
async def download_instances(desk: CurrentDesk) -> Response:
    """Give what is in service as an instances file."""
    reader = await desk.look()
    text = await service.download(reader)
    return attachment(text.encode(), f"{desk.system}.{FILE_NAME}", "application/json")


@router.get("/instances")
async def show_upload(page: CurrentPage, desk: CurrentDesk) -> Response:
    """Show where an instances file is uploaded."""
    await systems.get_system(desk.session, desk.user, desk.system)
    return page.render("assets/instances.html", system=desk.system, plan=None, text="", error=None)


@router.post("/instances")
async def preview_instances(page: CurrentPage, desk: CurrentDesk) -> Response:
    """Show what a file would change; nothing is written."""
    text = await _sent_text(page)
    reader = await desk.change()
    try:
        plan = await service.plan_of(reader, text)
    except PlatformError as error:
        return _refused(page, desk.system, text, error)
    return page.render(
        "assets/instances.html", system=desk.system, plan=plan, text=text, error=None, states=State
    )


@router.post("/instances/save")
async def apply_instances(page: CurrentPage, desk: CurrentDesk) -> Response:
    """Bring about what was shown; when it has become something else meanwhile, that is shown first."""
    values = await page.form()
    text = values.get("text", "")
    reader = await desk.change()
    try:
        plan = await service.plan_of(reader, text)
        if plan.fingerprint != values.get("fingerprint"):
            return page.render(
                "assets/instances.html",
                status=HTTPStatus.CONFLICT,
                system=desk.system,
                plan=plan,
                text=text,
                error=_changed_meanwhile(),
                states=State,
            )
        await service.apply_plan(desk, reader, plan)
    except PlatformError as error:
        return _refused(page, desk.system, text, error)
    new, changed = len(plan.of(State.NEW)), len(plan.of(State.CHANGED))
    return page.redirect(f"/systems/{desk.system}/things", f"Saved: {new} new, {changed} changed.")


def as_text(properties: object) -> str:
    """Return properties as they stand in a form: JSON, or nothing."""
    return json.dumps(properties, indent=2, ensure_ascii=False) if properties else ""


def _changed_meanwhile() -> PlatformError:
    return PlatformError(
        "What is in service has changed since you looked.",
        code="instances.changed_meanwhile",
        hint="Nothing was saved. Look again, then save.",
    )


def _degrees(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _thing_form(
    page: Page, system: str, thing: ThingView | None, values: dict[str, str], error: PlatformError
) -> Response:
    return page.render(
        "assets/thing.html",
        status=status_of(error),
        system=system,
        thing=thing,
        values=values,
        errors=error.fields,
        error=None if set(error.fields) & {*ThingForm.model_fields, "form"} else error,
    )


def _refused(page: Page, system: str, text: str, error: PlatformError) -> Response:
    return page.render(
        "assets/instances.html", status=status_of(error), system=system, plan=None, text=text, error=error
    )


async def _sent_text(page: Page) -> str:
    """Return the uploaded file, or else the pasted text.

    Raises:
        FormError: It is no UTF-8 text, or too large.
    """
    async with page.request.form(max_part_size=MAX_CHARACTERS * 4) as fields:
        file, text = fields.get("file"), fields.get("text")
        if not isinstance(file, UploadFile) or not file.size:
            return text if isinstance(text, str) else ""
        try:
            return (await file.read()).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FormError({"file": f"The file is not UTF-8 text, from byte {error.start} on."}) from None
