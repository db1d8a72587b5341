"""Analytics as a JSON resource: the same numbers as on the page."""

import base64
import binascii
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from platform_ui.analytics.forms import AnalyticsForm
from platform_ui.analytics.service import Details, Figures, Report, analyse
from platform_ui.analytics.sums import Bucket, Cell, Sums
from platform_ui.assets.access import CurrentDesk
from platform_ui.assets.api import PlaceAnswer, ValueAnswer
from platform_ui.errors import PageTokenError
from streamhub.outputs import unit_text

router = APIRouter(prefix="/systems/{name}", tags=["analytics"])


class SumsAnswer(BaseModel):
    """Numbers, summed up."""

    count: int
    mean: float
    min: float
    max: float

    @classmethod
    def of(cls, sums: Sums) -> "SumsAnswer":
        """Return the public form of sums."""
        return cls(count=sums.count, mean=sums.mean, min=sums.low, max=sums.high)


class FiguresAnswer(BaseModel):
    """One Datastream over the time.

    `origin` is `own`, `contract` or `stream app`; `is_whole` tells whether the contract lets all of it go,
    `is_stored` whether it lets stored values be seen, `since` from which phenomenonTime on; `count` counts
    all results that are shared, `numbers` sums up those that are numbers.
    """

    id: int | str
    name: str
    thing: str
    system: str
    origin: str
    is_whole: bool
    is_stored: bool
    since: datetime | None
    unit: str
    unit_code: str
    observed_property: str
    count: int
    per_minute: float
    last: ValueAnswer | None
    numbers: SumsAnswer | None
    place: PlaceAnswer | None

    @classmethod
    def of(cls, one: Figures) -> "FiguresAnswer":
        """Return the public form of what is told of a Datastream."""
        view, last, place = one.view, one.view.last, one.view.place
        return cls(
            id=view.iot_id,
            name=view.name,
            thing=view.thing_name,
            system=view.system,
            origin=one.known.origin.kind,
            is_whole=one.known.origin.is_whole,
            is_stored=one.known.origin.is_stored,
            since=one.known.origin.since,
            unit=view.unit,
            unit_code=unit_text(view.document.get("unitOfMeasurement")) or "",
            observed_property=view.observed_property,
            count=one.known.count,
            per_minute=one.per_minute,
            last=ValueAnswer(phenomenon_time=last.raw_time, result=last.result) if last else None,
            numbers=SumsAnswer.of(one.sums) if one.sums else None,
            place=PlaceAnswer(name=place.name, latitude=place.latitude, longitude=place.longitude)
            if place
            else None,
        )


class BucketAnswer(SumsAnswer):
    """Numbers of a bucket of time; its end belongs to the next one."""

    start: datetime
    end: datetime

    @classmethod
    def at(cls, bucket: Bucket) -> "BucketAnswer":
        """Return the public form of a bucket."""
        return cls(start=bucket.start, end=bucket.end, **SumsAnswer.of(bucket.sums).model_dump())


class HourAnswer(SumsAnswer):
    """Numbers of one hour (0 to 23, UTC) of one day of the week (1, Monday, to 7)."""

    weekday: int
    hour: int

    @classmethod
    def at(cls, cell: Cell) -> "HourAnswer":
        """Return the public form of an hour."""
        return cls(weekday=cell.weekday, hour=cell.hour, **SumsAnswer.of(cell.sums).model_dump())


class DetailsAnswer(BaseModel):
    """What is drawn of one Datastream."""

    id: int | str
    name: str
    unit: str
    buckets: list[BucketAnswer]
    hours: list[HourAnswer]

    @classmethod
    def of(cls, one: Details) -> "DetailsAnswer":
        """Return the public form of what is drawn."""
        view = one.figures.view
        return cls(
            id=view.iot_id,
            name=view.name,
            unit=view.unit,
            buckets=[BucketAnswer.at(bucket) for bucket in one.buckets],
            hours=[HourAnswer.at(cell) for cell in one.cells],
        )


class AnalyticsAnswer(BaseModel):
    """What a system has measured and got over a time; `has_hours` is false over more than 92 days."""

    system: str
    start: datetime
    end: datetime
    bucket_s: int
    has_hours: bool
    datastreams: list[FiguresAnswer]
    shown: list[DetailsAnswer]
    next_page_token: str | None

    @classmethod
    def of(cls, report: Report) -> "AnalyticsAnswer":
        """Return the public form of a report."""
        following = report.following
        return cls(
            system=report.system,
            start=report.span.start,
            end=report.span.end,
            bucket_s=report.bucket_s,
            has_hours=report.has_hours,
            datastreams=[FiguresAnswer.of(one) for one in report.figures],
            shown=[DetailsAnswer.of(one) for one in report.shown],
            next_page_token=base64.urlsafe_b64encode(following.encode()).decode() if following else None,
        )


def _asked(
    *,
    length: Annotated[str, Query(alias="range", description="1h, 6h, 24h, 7d, or custom.")] = "24h",
    start: Annotated[str, Query(description="Where a custom range begins (RFC 3339).")] = "",
    end: Annotated[str, Query(description="Where a custom range ends; now when left out.")] = "",
    q: Annotated[str, Query(description="Part of a Datastream's name.")] = "",
    show: Annotated[str, Query(description="Ids of Datastreams to give in buckets and hours: 3,7")] = "",
    page_token: Annotated[str, Query(description="Where the next page begins.")] = "",
) -> AnalyticsForm:
    given = {"range": length, "start": start, "end": end, "q": q, "show": show, "after": _place(page_token)}
    return AnalyticsForm.read(QueryParams(given))


@router.get("/analytics")
async def show_analytics(
    desk: CurrentDesk, asked: Annotated[AnalyticsForm, Depends(_asked)]
) -> AnalyticsAnswer:
    """Show what a system has measured and got over a time, in numbers."""
    return AnalyticsAnswer.of(await analyse(desk, asked))


def _place(token: str) -> str:
    """Read the name after which a page begins.

    Raises:
        PageTokenError: The token is none of ours.
    """
    try:
        return base64.urlsafe_b64decode(token.encode("ascii")).decode()
    except (ValueError, binascii.Error) as error:
        raise PageTokenError from error
