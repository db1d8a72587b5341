"""Assets as JSON resources: Things, Datastreams, what can be drawn of them, whole instances files.

The entities themselves, with everything that the standard has, are at the SensorThings service; here is what
the pages show and do, under the same rules.
"""

import base64
import binascii
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.assets import service
from platform_ui.assets.access import CurrentDesk
from platform_ui.assets.comparing import Plan, State
from platform_ui.assets.files import FILE_NAME, InstancesRefusedError
from platform_ui.assets.forms import DatastreamChangeForm, DatastreamForm, ThingChangeForm, ThingForm
from platform_ui.assets.series import RangeForm, read_series
from platform_ui.assets.views import DatastreamView, ThingView, short_type
from platform_ui.browser import attachment
from platform_ui.db import now
from platform_ui.errors import PageTokenError
from platform_ui.fields import read_form
from platform_ui.rest.paging import PageQuery

router = APIRouter(prefix="/systems/{name}", tags=["assets"])

_INSTANCES_BODY = {
    "requestBody": {
        "required": True,
        "description": "An instances file, as clients register themselves with.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


class PlaceAnswer(BaseModel):
    """Where a Thing is; without coordinates where it is no point."""

    name: str
    latitude: float | None
    longitude: float | None


class ValueAnswer(BaseModel):
    """One result and when it was observed, as the service says it."""

    phenomenon_time: str
    result: object


class DatastreamAnswer(BaseModel):
    """One Datastream; `usual_interval_s` is null while too few values tell it."""

    id: int | str
    name: str
    thing: str
    description: str
    observed_property: str
    sensor: str
    unit: str
    observation_type: str
    last: ValueAnswer | None
    usual_interval_s: float | None
    is_stale: bool

    @classmethod
    def of(cls, view: DatastreamView) -> "DatastreamAnswer":
        """Return the public form of a Datastream."""
        last = view.last
        return cls(
            id=view.iot_id,
            name=view.name,
            thing=view.thing_name,
            description=str(view.document.get("description") or ""),
            observed_property=view.observed_property,
            sensor=view.sensor,
            unit=view.unit,
            observation_type=short_type(view.document.get("observationType")),
            last=ValueAnswer(phenomenon_time=last.raw_time, result=last.result) if last else None,
            usual_interval_s=view.usual_s,
            is_stale=view.is_stale,
        )


class ThingAnswer(BaseModel):
    """One Thing with its Datastreams, by name."""

    id: int | str
    name: str
    description: str
    properties: dict[str, object]
    place: PlaceAnswer | None
    datastreams: list[DatastreamAnswer]

    @classmethod
    def of(cls, view: ThingView) -> "ThingAnswer":
        """Return the public form of a Thing."""
        place = view.place
        return cls(
            id=view.iot_id,
            name=view.name,
            description=view.description,
            properties=dict(view.properties),
            place=PlaceAnswer(name=place.name, latitude=place.latitude, longitude=place.longitude)
            if place
            else None,
            datastreams=[DatastreamAnswer.of(one) for one in view.datastreams],
        )


class ThingList(BaseModel):
    """A page of Things, by name."""

    items: list[ThingAnswer]
    next_page_token: str | None


class RegisteredAnswer(BaseModel):
    """The full name of what was registered."""

    name: str


class PointAnswer(BaseModel):
    """One point: a result, or lowest, highest and mean of `count` results; seconds since 1970."""

    time: float
    value: float | None
    low: float | None
    high: float | None
    count: int


class SeriesAnswer(BaseModel):
    """Results over a time, oldest first; `bucket_s` is 0 when none were summed up."""

    start: datetime
    end: datetime
    bucket_s: int
    points: list[PointAnswer]


class FieldAnswer(BaseModel):
    """One attribute, before and after."""

    name: str
    before: str
    after: str


class ChangeAnswer(BaseModel):
    """What becomes of one entity: `new`, `changed` or `same`."""

    kind: str
    name: str
    state: State
    fields: list[FieldAnswer]


class AbsentAnswer(BaseModel):
    """Something in service that the file does not name; it stays."""

    kind: str
    name: str


class InstancesAnswer(BaseModel):
    """What an instances file changes; with `dry_run=true` what it would change."""

    new: int
    changed: int
    same: int
    changes: list[ChangeAnswer]
    absent: list[AbsentAnswer]

    @classmethod
    def of(cls, plan: Plan) -> "InstancesAnswer":
        """Return the public form of a plan."""
        return cls(
            new=len(plan.of(State.NEW)),
            changed=len(plan.of(State.CHANGED)),
            same=len(plan.of(State.SAME)),
            changes=[
                ChangeAnswer(
                    kind=change.kind,
                    name=change.name,
                    state=change.state,
                    fields=[
                        FieldAnswer(name=one.name, before=one.before, after=one.after)
                        for one in change.fields
                    ],
                )
                for change in plan.changes
            ],
            absent=[AbsentAnswer(kind=kind, name=name) for kind, name in plan.absent],
        )


@router.get("/things")
async def list_things(desk: CurrentDesk, page: PageQuery) -> ThingList:
    """List the Things of a system with their Datastreams and last values."""
    reader = await desk.look()
    found = await reader.things(q=page.q, after=_place(page.page_token), most=page.page_size)
    token = base64.urlsafe_b64encode(found.following.encode()).decode() if found.following else None
    return ThingList(items=[ThingAnswer.of(one) for one in found.things], next_page_token=token)


@router.post("/things", status_code=HTTPStatus.CREATED)
async def create_thing(desk: CurrentDesk, form: ThingForm) -> RegisteredAnswer:
    """Register a Thing."""
    reader = await desk.change()
    return RegisteredAnswer(name=(await service.create_thing(desk, reader, form)).name)


@router.get("/things/{thing}")
async def show_thing(desk: CurrentDesk, thing: str) -> ThingAnswer:
    """Show one Thing, by its id."""
    reader = await desk.look()
    return ThingAnswer.of(await reader.thing(thing))


@router.put("/things/{thing}", status_code=HTTPStatus.NO_CONTENT)
async def change_thing(desk: CurrentDesk, thing: str, form: ThingChangeForm) -> Response:
    """Change a Thing, by its id; where it was before stays in its history."""
    reader = await desk.change()
    await service.change_thing(desk, reader, await reader.thing(thing), form)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete("/things/{thing}", status_code=HTTPStatus.NO_CONTENT)
async def delete_thing(desk: CurrentDesk, thing: str) -> Response:
    """Delete a Thing, by its id, with its Datastreams and their Observations."""
    reader = await desk.change()
    await service.delete(desk, reader, await reader.thing(thing))
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/datastreams", status_code=HTTPStatus.CREATED)
async def create_datastream(desk: CurrentDesk, form: DatastreamForm) -> RegisteredAnswer:
    """Register a Datastream, and its Sensor and ObservedProperty where they are new."""
    reader = await desk.change()
    return RegisteredAnswer(name=await service.create_datastream(desk, reader, form))


@router.get("/datastreams/{datastream}")
async def show_datastream(desk: CurrentDesk, datastream: str) -> DatastreamAnswer:
    """Show one Datastream, by its id or its name."""
    reader = await desk.look()
    return DatastreamAnswer.of(await reader.datastream(datastream))


@router.put("/datastreams/{datastream}", status_code=HTTPStatus.NO_CONTENT)
async def change_datastream(desk: CurrentDesk, datastream: str, form: DatastreamChangeForm) -> Response:
    """Change what a Datastream means; its name and its Observations stay."""
    reader = await desk.change()
    await service.change_datastream(desk, reader, await reader.datastream(datastream, values=1), form)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete("/datastreams/{datastream}", status_code=HTTPStatus.NO_CONTENT)
async def delete_datastream(desk: CurrentDesk, datastream: str) -> Response:
    """Delete a Datastream with its Observations."""
    reader = await desk.change()
    await service.delete(desk, reader, await reader.datastream(datastream, values=1))
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _range(
    length: Annotated[str, Query(alias="range", description="1h, 6h, 24h, 7d, or custom.")] = "1h",
    start: Annotated[str, Query(description="Where a custom range begins (RFC 3339).")] = "",
    end: Annotated[str, Query(description="Where a custom range ends; now when left out.")] = "",
) -> RangeForm:
    return read_form(RangeForm, {"range": length, "start": start, "end": end})


@router.get("/datastreams/{datastream}/series")
async def show_series(
    desk: CurrentDesk, datastream: str, asked: Annotated[RangeForm, Depends(_range)]
) -> SeriesAnswer:
    """Show the results of a time, summed up where there are too many to draw."""
    reader = await desk.look()
    view = await reader.datastream(datastream, values=1)
    span = asked.span(now(), view.last.time if view.last else None)
    series = await read_series(reader, view, span)
    points = [
        PointAnswer(time=one.time, value=one.value, low=one.low, high=one.high, count=one.count)
        for one in series.points
    ]
    return SeriesAnswer(start=span.start, end=span.end, bucket_s=series.bucket_s, points=points)


@router.get("/instances", response_class=Response)
async def show_instances(desk: CurrentDesk) -> Response:
    """Give what a system has in service as an instances file."""
    reader = await desk.look()
    text = await service.download(reader)
    return attachment(text.encode(), f"{desk.system}.{FILE_NAME}", "application/json")


@router.post("/instances", openapi_extra=_INSTANCES_BODY)
async def apply_instances(request: Request, desk: CurrentDesk) -> InstancesAnswer:
    """Bring the system up to date with an instances file, whole or not at all; nothing is ever deleted."""
    body = await request.body()
    reader = await desk.change()
    plan = await service.plan_of(reader, _text(body))
    await service.apply_plan(desk, reader, plan)
    return InstancesAnswer.of(plan)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InstancesRefusedError(
            "", 1, f"the file is not UTF-8 text, from byte {error.start} on", "Save it as UTF-8."
        ) from None


def _place(token: str) -> str:
    """Read the name after which a page begins.

    Raises:
        PageTokenError: The token is none of ours.
    """
    try:
        return base64.urlsafe_b64decode(token.encode("ascii")).decode()
    except (ValueError, binascii.Error) as error:
        raise PageTokenError from error
