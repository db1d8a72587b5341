"""Asking the SensorThings service for sums, in the name of one person.

What lives here: the questions, and what they are answered with. What does not: whose Datastreams are asked
for (``scope``), what becomes of the sums (``service``). However many Datastreams there are, a page takes one
question for them with their newest values and places, one for all sums over the time, and one each for the
buckets and the hours of those that are drawn; one more where contracts share some from a moment within the
time on.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from client.errors import InvalidTimeError
from client.metadata.times import format_time, parse_time
from client.metadata.wire import DATASTREAMS, IOT_ID, JsonObject
from platform_ui.analytics.scope import Origin, Scope
from platform_ui.analytics.sums import Bucket, Sums
from platform_ui.assets.reading import AssetReader, key, literal
from platform_ui.assets.series import Span
from platform_ui.assets.views import DatastreamView, datastream_view
from platform_ui.db import now
from platform_ui.errors import MetadataError

PAGE: Final = 100
"""So many Datastreams are listed at a time [1]."""
_LONGEST: Final = "P36500D"  # one bucket from 1970 to 2069; what lies outside comes in buckets of its own
_HOUR: Final = "PT1H"
_ROWS: Final = "10000"
_COUNT_KEY: Final = "Observations@iot.count"
_NEWEST: Final = "$top=1;$count=true;$orderby=phenomenonTime desc;$select=phenomenonTime,result"


@dataclass(frozen=True, slots=True)
class Known:
    """A Datastream of a system, with what was found of the time that is looked at.

    Attributes:
        view: The Datastream with its newest value of that time.
        origin: By what the system has it.
        count: How many results there are, numbers or not.
    """

    view: DatastreamView
    origin: Origin
    count: int


class SumReader:
    """Asks for the Datastreams of one system, and for sums over them.

    Args:
        reader: The way to the service for one person.
        scope: Which Datastreams the system has.
        span: The time that is looked at.
    """

    def __init__(self, reader: AssetReader, scope: Scope, span: Span) -> None:
        self._reader = reader
        self._scope = scope
        self._span = span

    async def datastreams(self, q: str = "", after: str = "", most: int = PAGE) -> list[Known]:
        """Return Datastreams by name, one more than ``most`` where there are more.

        Args:
            q: Part of a name; empty for all.
            after: Name after which the list begins.
            most: So many are wanted.

        Raises:
            MetadataError: The service does not answer.
        """
        found: list[Known] = []
        while True:
            documents = await self._page(q, after, most + 1)
            found += await self._known(documents)
            if len(documents) <= most or len(found) > most:
                return found[: most + 1]
            after = str(documents[-1].get("name"))

    async def totals(self, wanted: Sequence[Known]) -> list[Bucket]:
        """Return the sums of the numbers of some Datastreams over the time, as far as they are shared.

        Raises:
            MetadataError: The service does not answer.
        """
        return await self._buckets(wanted, _LONGEST)

    async def details(
        self, wanted: Sequence[Known], bucket_s: int, *, has_hours: bool
    ) -> tuple[list[Bucket], list[Bucket]]:
        """Return the numbers of some Datastreams by buckets of a length [s], and by hours.

        Raises:
            MetadataError: The service does not answer.
        """
        by_hour = wanted if has_hours else ()
        buckets, hours = await asyncio.gather(
            self._buckets(wanted, f"PT{bucket_s}S"), self._buckets(by_hour, _HOUR)
        )
        return buckets, hours

    async def _page(self, q: str, after: str, most: int) -> list[JsonObject]:
        conditions = [self._scope.condition]
        if q:
            conditions.append(f"substringof({literal(q.lower())},tolower(name))")
        if after:
            conditions.append(f"name gt {literal(after)}")
        return await self._datastreams(
            {
                "$filter": " and ".join(conditions),
                "$orderby": "name",
                "$top": str(most),
                "$expand": "Thing($expand=Locations($select=name,location)),ObservedProperty($select=name),"
                f"Observations({_NEWEST};$filter={self._span.condition})",
            }
        )

    async def _datastreams(self, options: Mapping[str, str]) -> list[JsonObject]:
        document = await self._reader.document(DATASTREAMS, options)
        found = document.get("value")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    async def _known(self, documents: Sequence[JsonObject]) -> list[Known]:
        origins = self._scope.origins(str(one.get("name")) for one in documents)
        mine = [
            (one, origin) for one in documents if (origin := origins.get(str(one.get("name")))) is not None
        ]
        present, shared = now(), await self._from_their_start(mine)
        found = []
        for one, origin in mine:
            document = _without_results(one) if not origin.is_stored else one | shared.get(_id_of(one), {})
            view = datastream_view(document, origin.system, present)
            found.append(Known(view, origin, _whole(document.get(_COUNT_KEY))))
        return found

    async def _from_their_start(
        self, mine: Sequence[tuple[JsonObject, Origin]]
    ) -> Mapping[int | str, JsonObject]:
        """Return newest values and counts anew where results before a moment within the time are not shared.

        The first question cannot know them: it asks for all Datastreams before it knows which there are.
        """
        late = {
            _id_of(one): origin.since
            for one, origin in mine
            if origin.is_stored and self._begins_within(origin) and one.get(_COUNT_KEY)
        }
        if not late:
            return {}
        found = await self._datastreams(
            {
                "$filter": f"id in ({_ids(late)})",
                "$top": str(len(late)),
                "$select": "id",
                "$expand": f"Observations({_NEWEST};$filter={self._span.condition} and {_shared(late)})",
            }
        )
        return {_id_of(one): one for one in found}

    def _begins_within(self, origin: Origin) -> bool:
        return origin.since is not None and origin.since > self._span.start

    # Numbers too large to be added up have no sum, and are left out.
    async def _buckets(self, wanted: Sequence[Known], bucket: str) -> list[Bucket]:
        starts = {
            one.view.iot_id: one.origin.since if self._begins_within(one.origin) else None
            for one in wanted
            if one.origin.is_stored
        }
        if not starts:
            return []
        found = await self._reader.all_documents(
            "Observations",
            {
                "$filter": f"{self._span.condition} and {_shared(starts)}",
                "bucket": bucket,
                "aggregate": "count,sum,min,max",
                "$top": _ROWS,
            },
        )
        return [_bucket(one) for one in found if one.get("sum", 0) is not None]


def _shared(starts: Mapping[int | str, datetime | None]) -> str:
    """Return what stands in ``$filter`` on Observations: of which Datastreams, and from when on each."""
    groups: dict[datetime | None, list[int | str]] = defaultdict(list)
    for iot_id, since in starts.items():
        groups[since].append(iot_id)
    parts = []
    for since, ids in groups.items():
        begin = f" and phenomenonTime ge {format_time(since)}" if since is not None else ""
        parts.append(f"(Datastream/id in ({_ids(ids)}){begin})")
    return f"({' or '.join(parts)})"


def _ids(ids: Iterable[int | str]) -> str:
    return ",".join(key(one) for one in ids)


def _without_results(document: JsonObject) -> JsonObject:
    """Return a Datastream of which no stored result is shared, nor when there were any."""
    return document | {"Observations": [], _COUNT_KEY: 0, "phenomenonTime": None}


def _bucket(document: JsonObject) -> Bucket:
    """Read a bucket of the service.

    Raises:
        MetadataError: It is none.
    """
    try:
        start, _, end = str(document["phenomenonTime"]).partition("/")
        numbers = (_number(document[name]) for name in ("sum", "min", "max"))
        sums = Sums(_whole(document["count"]), *numbers)
        datastream = document["Datastream"]
        iot_id = _id_of(datastream if isinstance(datastream, dict) else {})
        return Bucket(iot_id, parse_time(start, now=now), parse_time(end, now=now), sums)
    except (KeyError, TypeError, ValueError, InvalidTimeError) as error:
        raise MetadataError("The SensorThings service answers with something else than buckets.") from error


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _id_of(document: JsonObject) -> int | str:
    """Return the id of an entity.

    Raises:
        MetadataError: It has none.
    """
    found = document.get(IOT_ID)
    if not isinstance(found, int | str):
        raise MetadataError("The SensorThings service answers with something else than entities.")
    return found
