"""The analytics of one system: every number that the page, the files and the API show.

What lives here: which numbers there are and how they belong together. What does not: asking for them
(``reading``), adding them up (``sums``), writing them (``pages``, ``api``, ``tables``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from platform_ui.analytics.forms import AnalyticsForm
from platform_ui.analytics.reading import PAGE, Known, SumReader
from platform_ui.analytics.scope import scope_of
from platform_ui.analytics.sums import Bucket, Cell, Sums, by_datastream, by_hour
from platform_ui.assets.reading import AssetReader
from platform_ui.assets.series import Span
from platform_ui.assets.service import Desk
from platform_ui.assets.views import DatastreamView, Place, value_of
from platform_ui.db import now
from platform_ui.errors import FormError
from platform_ui.systems import service as systems

MOST_BUCKETS: Final = 96
"""So many buckets cover the time that is looked at, at most [1]."""
LONGEST_HOURS: Final = timedelta(days=92)
"""Over a longer time, hours of the day are not told: there would be too many to add up."""
_FIRST: Final = 4
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_AROUND: Final = timedelta(days=1)
_NEW: Final = timedelta(hours=2)
_LATELY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is told of one Datastream.

    Attributes:
        known: The Datastream, its newest value and how many results there are.
        sums: Of its numbers; None where it has none in the time.
        minutes: Length of the time [min].
    """

    known: Known
    sums: Sums | None
    minutes: float

    @property
    def view(self) -> DatastreamView:
        """The Datastream."""
        return self.known.view

    @property
    def per_minute(self) -> float:
        """How many results came per minute, over the whole time [1/min]."""
        return self.known.count / self.minutes


@dataclass(frozen=True, slots=True)
class Details:
    """What is drawn of one Datastream.

    Attributes:
        figures: Its sums over the time.
        buckets: Its numbers by buckets of time, oldest first; only those that have any.
        cells: Its numbers by hour and day of the week, only those that have any.
    """

    figures: Figures
    buckets: Sequence[Bucket]
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Report:
    """The analytics of a system over a time.

    Attributes:
        system: Full name of the system.
        span: The time.
        bucket_s: Length of a bucket [s].
        has_hours: Whether hours of the day are told; not over too long a time.
        figures: One for each Datastream of this page, by name.
        following: Name after which the next page begins; empty on the last one.
        shown: What is drawn.
    """

    system: str
    span: Span
    bucket_s: int
    has_hours: bool
    figures: Sequence[Figures] = ()
    following: str = ""
    shown: Sequence[Details] = field(default_factory=tuple)

    @property
    def count(self) -> int:
        """How many results there are in all."""
        return sum(one.known.count for one in self.figures)

    @property
    def bucket_words(self) -> str:
        """How long a bucket is, in the largest unit that fits."""
        return next(f"{self.bucket_s // size} {unit}" for size, unit in _UNITS if self.bucket_s % size == 0)

    @property
    def shown_ids(self) -> tuple[str, ...]:
        """Ids of what is drawn."""
        return tuple(str(one.figures.view.iot_id) for one in self.shown)

    @property
    def things_with_places(self) -> dict[str, Place]:
        """Where Things are, by their full name; those of which nobody has said it are left out."""
        views = [one.view for one in self.figures]
        return {view.thing_name: place for view in views if (place := view.place) is not None}

    @property
    def is_new(self) -> bool:
        """Whether all there is came in the last two hours, some of it in the last: a day would hide it."""
        begins = [time for one in self.figures if (time := _begin_of(one.known)) is not None]
        ends = [time for one in self.figures if (time := _last_of(one.known)) is not None]
        end = self.span.end
        return bool(begins and ends) and min(begins) >= end - _NEW and max(ends) >= end - _LATELY

    @property
    def nearest(self) -> Span | None:
        """A time around the newest result there is, for who looks at a time without any; None for none."""
        times = [_end_of(one.known) for one in self.figures]
        newest = max((time for time in times if time is not None), default=None)
        try:
            return None if newest is None else Span(newest - _AROUND, newest + timedelta(seconds=1))
        except OverflowError:  # the first or the last day of all: somebody's mark for "no time"
            return None


async def analyse(desk: Desk, asked: AnalyticsForm) -> Report:
    """Return the analytics of a system.

    Raises:
        NotFoundError: There is no such system, or the person has no part in it.
        FormError: A Datastream is to be drawn that is not on this page.
        MetadataError: The service does not answer.
    """
    system = await systems.see_system(desk.session, desk.user, desk.system)
    scope = await scope_of(desk.session, desk.user, system)
    reader: AssetReader = await desk.look()
    span = asked.span(now())
    sums = SumReader(reader, scope, span)
    listed = await sums.datastreams(asked.q, asked.after)
    page = listed[:PAGE]
    totals = by_datastream(await sums.totals([one for one in page if one.count]))
    minutes = (span.end - span.start).total_seconds() / 60
    figures = [Figures(one, totals.get(one.view.iot_id), minutes) for one in page]
    chosen = _chosen(asked, figures)
    bucket_s = span.bucket_for(MOST_BUCKETS)
    has_hours = span.end - span.start <= LONGEST_HOURS
    buckets, hours = await sums.details([one.known for one in chosen], bucket_s, has_hours=has_hours)
    return Report(
        system=desk.system,
        span=span,
        bucket_s=bucket_s,
        has_hours=has_hours,
        figures=figures,
        following=page[-1].view.name if len(listed) > PAGE else "",
        shown=[Details(one, _of(one, buckets), by_hour(_of(one, hours))) for one in chosen],
    )


def _chosen(asked: AnalyticsForm, figures: Sequence[Figures]) -> list[Figures]:
    """Return what is drawn: what was asked for, else the first ones that have numbers.

    Raises:
        FormError: Something was asked for that is not on the page.
    """
    if not asked.show:
        return [one for one in figures if one.sums is not None][:_FIRST]
    known = {str(one.view.iot_id): one for one in figures}
    missing = [one for one in asked.show if one not in known]
    if missing:
        raise FormError({"show": f"{', '.join(missing)}: no such Datastream is listed here."})
    return [known[one] for one in asked.show]


def _of(figures: Figures, buckets: Sequence[Bucket]) -> list[Bucket]:
    return [one for one in buckets if one.datastream == figures.view.iot_id]


def _last_of(known: Known) -> datetime | None:
    """Return the time of the newest result of the time that is looked at."""
    return known.view.last.time if known.view.last is not None else None


def _begin_of(known: Known) -> datetime | None:
    """Return the time of the oldest result of all times that is shared, as the service keeps it."""
    begin = str(known.view.document.get("phenomenonTime")).partition("/")[0]
    time, since = value_of({"phenomenonTime": begin}).time, known.origin.since
    return time if time is None or since is None else max(time, since)


def _end_of(known: Known) -> datetime | None:
    """Return the time of the newest result of all times that is shared, as the service keeps it."""
    end = value_of({"phenomenonTime": known.view.document.get("phenomenonTime")}).time
    since = known.origin.since
    return None if end is None or (since is not None and end < since) else end
