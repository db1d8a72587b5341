"""A Datastream's results over a time, few enough to be drawn: as they are, or summed up by the service.

What lives here: ranges of time, the choice of a bucket, points. What does not: the picture (a script), the
page (``datastream_pages``). However much is stored, at most two requests are sent and ``MAX_POINTS`` points
come back: raw results while they fit, else lowest, highest and mean of each bucket, from the service.
"""

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, model_validator

from client.metadata.times import format_time
from client.metadata.wire import DATASTREAMS, JsonObject
from platform_ui.assets.reading import AssetReader, key
from platform_ui.assets.views import DatastreamView, Value, value_of
from platform_ui.errors import FormError
from platform_ui.fields import Form

MAX_POINTS: Final = 800
MAX_EXPORTED: Final = 50_000
EXPORT_PAGE: Final = 1000
CUSTOM: Final = "custom"
RANGES: Final = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
RANGE_WORDS: Final = {"1h": "1 hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days"}
DEFAULT_RANGE: Final = "1h"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_BUCKETS_S: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(size * _MINUTE_S for size in (1, 2, 5, 10, 15, 30)),
    *(size * _HOUR_S for size in (1, 2, 3, 6, 12)),
    _DAY_S,
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def _known_range(text: str) -> str:
    if text not in RANGES and text != CUSTOM:
        raise ValueError(f"Choose one of {', '.join(RANGES)} or {CUSTOM}.")
    return text


def _in_utc(value: object) -> object:
    """Read a time as browsers send it, without a zone: it is UTC."""
    if value == "":
        return None
    if isinstance(value, str) and len(value) in {16, 19, 23} and "T" in value and not value.endswith("Z"):
        return f"{value}Z"
    return value


Moment = Annotated[AwareDatetime | None, BeforeValidator(_in_utc)]


class RangeForm(Form):
    """Which time is looked at.

    Attributes:
        range: ``1h``, ``6h``, ``24h`` or ``7d`` until now, or ``custom``.
        start: Where a custom range begins; UTC when it has no zone.
        end: Where a custom range ends; now when left out.
    """

    range: Annotated[str, AfterValidator(_known_range)] = DEFAULT_RANGE
    start: Moment = None
    end: Moment = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.range != CUSTOM:
            return self
        if self.start is None:
            raise ValueError("A custom range needs a start.")
        if self.end is not None and self.end <= self.start:
            raise ValueError("The end of a range comes after its start.")
        try:
            self.span(self.start)
        except OverflowError:
            raise ValueError("A range lies within the years 1 to 9999 (UTC).") from None
        return self

    def span(self, now: datetime, last: datetime | None = None) -> "Span":
        """Return the time that is looked at.

        Args:
            now: The present time.
            last: Time of the newest value; a forecast's is later than now, and shown as well.
        """
        if self.range == CUSTOM and self.start is not None:
            end = self.end or max(now, self.start + timedelta(seconds=1))
            return Span(self.start.astimezone(UTC), end.astimezone(UTC))
        end = max(now, last) if last is not None else now
        return Span(now - RANGES.get(self.range, RANGES[DEFAULT_RANGE]), end)


@dataclass(frozen=True, slots=True)
class Span:
    """A time, from a moment to another one, both inclusive."""

    start: datetime
    end: datetime

    @property
    def condition(self) -> str:
        """What stands in ``$filter``."""
        return f"phenomenonTime ge {format_time(self.start)} and phenomenonTime le {format_time(self.end)}"

    @property
    def bucket_s(self) -> int:
        """The shortest usual bucket of which at most ``MAX_POINTS`` cover the time [s]."""
        return self.bucket_for(MAX_POINTS)

    def bucket_for(self, most: int) -> int:
        """Return the shortest usual bucket of which at most so many cover the time [s]."""
        length = (self.end - self.start).total_seconds()
        fitting = (size for size in _BUCKETS_S if length / size <= most - 1)
        return next(fitting, _DAY_S * (int(length / _DAY_S / (most - 1)) + 1))


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a picture.

    Attributes:
        time: When; the middle of a bucket [s since 1970].
        value: The number, or the mean of a bucket; None for what is no number.
        low: The lowest number of the bucket.
        high: The highest number of the bucket.
        count: How many numbers the point stands for.
    """

    time: float
    value: float | None
    low: float | None
    high: float | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Series:
    """Results over a time, oldest first.

    Attributes:
        span: The time that was asked for.
        bucket_s: Length of a bucket [s]; 0 when the results are as they were sent.
        points: At most ``MAX_POINTS``.
    """

    span: Span
    bucket_s: int
    points: list[Point]


async def read_series(reader: AssetReader, datastream: DatastreamView, span: Span) -> Series:
    """Return what can be drawn of a Datastream.

    Raises:
        MetadataError: The service does not answer.
    """
    values = await reader.values(datastream.iot_id, span.condition, MAX_POINTS + 1)
    if len(values) <= MAX_POINTS:
        return Series(span, 0, [point for value in reversed(values) if (point := _raw(value)) is not None])
    bucket_s = span.bucket_s
    document = await reader.document(
        f"{DATASTREAMS}({key(datastream.iot_id)})/Observations",
        {
            "$filter": span.condition,
            "bucket": f"PT{bucket_s}S",
            "aggregate": "count,min,max,avg",
            "$top": str(MAX_POINTS),
        },
    )
    found = document.get("value")
    buckets = found if isinstance(found, list) else []
    return Series(span, bucket_s, [point for one in buckets if (point := _summed(one, bucket_s)) is not None])


async def export(reader: AssetReader, datastream: DatastreamView, span: Span) -> str:
    """Return the results of a time as CSV (RFC 4180), oldest first.

    Raises:
        FormError: There are more than ``MAX_EXPORTED``.
        MetadataError: The service does not answer.
    """
    path = f"{DATASTREAMS}({key(datastream.iot_id)})/Observations"
    if await reader.count(path, span.condition) > MAX_EXPORTED:
        raise FormError(
            {"range": f"More than {MAX_EXPORTED:,} results are in this time: choose a shorter one."},
            code="asset.too_many_results",
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["phenomenonTime", "result", "unit", "datastream"])
    unit, name = spreadsheet_cell(datastream.unit), spreadsheet_cell(datastream.name)
    values = [value_of(one) for one in await reader.all_values(datastream.iot_id, span.condition)]
    writer.writerows([value.raw_time, spreadsheet_cell(value.result), unit, name] for value in values)
    return text.getvalue()


def spreadsheet_cell(value: object) -> object:
    """Return a value for a spreadsheet, which must not take a text for a formula."""
    if value is None or isinstance(value, int | float):
        return json.dumps(value) if isinstance(value, bool) else value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _raw(value: Value) -> Point | None:
    if value.time is None:
        return None
    number = float(value.result) if isinstance(value.result, int | float) else None
    return Point(value.time.timestamp(), number, number, number)


def _summed(bucket: JsonObject, bucket_s: int) -> Point | None:
    start = value_of({"phenomenonTime": str(bucket.get("phenomenonTime")).partition("/")[0]}).time
    if start is None:
        return None
    low, high, mean, count = (bucket.get(name) for name in ("min", "max", "avg", "count"))
    return Point(
        start.timestamp() + bucket_s / 2,
        _number(mean),
        _number(low),
        _number(high),
        count if isinstance(count, int) else 1,
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
