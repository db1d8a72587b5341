"""What a person sees of assets: Things, Datastreams, their last values and whether those are stale.

What lives here: pure values, made from the JSON of the SensorThings service. What does not: asking for it
(``reading``), comparing it with a file (``comparing``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final
from urllib.parse import quote

from client.errors import InvalidTimeError
from client.metadata.entities import OBSERVATION_TYPE_PREFIX, ObservationType
from client.metadata.times import parse_time
from client.metadata.wire import IOT_ID, JsonObject, observation_type

USUAL_INTERVALS: Final = 5
STALE_AT_LEAST: Final = timedelta(seconds=60)
MAX_RESULT: Final = 120  # characters of a result in a table


@dataclass(frozen=True, slots=True)
class Value:
    """One Observation as a line of a table.

    Attributes:
        time: When it happened; the end of an interval; None when the service's text is no time.
        raw_time: The time as the service says it.
        result: The result as it is in JSON.
    """

    time: datetime | None
    raw_time: str
    result: object

    @property
    def text(self) -> str:
        """The result for people, shortened."""
        return shown(self.result)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Thing is: a point, or some other GeoJSON whose coordinates no form can show.

    Attributes:
        name: Name of the Location.
        latitude: North of the equator [degrees]; None when it is no point.
        longitude: East of Greenwich [degrees]; None when it is no point.
    """

    name: str
    latitude: float | None = None
    longitude: float | None = None

    @property
    def text(self) -> str:
        """The coordinates for people, or the name of a place without."""
        if self.latitude is None or self.longitude is None:
            return self.name
        return f"{self.latitude:.5g}, {self.longitude:.5g}"


@dataclass(frozen=True, slots=True)
class DatastreamView:
    """A Datastream with its newest values.

    Attributes:
        iot_id: Its id in the service.
        name: Full name.
        system: Full name of its system.
        document: All that the service says of it; Thing, Sensor and ObservedProperty as far as asked for.
        values: Its newest Observations, newest first.
        now: When it was looked at.
    """

    iot_id: int | str
    name: str
    system: str
    document: Mapping[str, object]
    values: Sequence[Value]
    now: datetime

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"/systems/{self.system}/datastreams/{quote(str(self.iot_id), safe='')}"

    @property
    def local_name(self) -> str:
        """Its name without that of its Thing."""
        prefix = f"{self.thing_name}."
        return (
            self.name.removeprefix(prefix) if self.thing_name else self.name.removeprefix(f"{self.system}.")
        )

    @property
    def thing_name(self) -> str:
        """Full name of its Thing, as far as the Datastream's name or the service tells it."""
        told = _text(_part(self.document, "Thing").get("name"))
        levels = self.name.removeprefix(f"{self.system}.").split(".", 1)
        return told or (f"{self.system}.{levels[0]}" if len(levels) > 1 else "")

    @property
    def observed_property(self) -> str:
        """Name of what it observes, without the system's."""
        return _text(_part(self.document, "ObservedProperty").get("name")).removeprefix(f"{self.system}.")

    @property
    def sensor(self) -> str:
        """Name of what observes, without the system's."""
        return _text(_part(self.document, "Sensor").get("name")).removeprefix(f"{self.system}.")

    @property
    def place(self) -> Place | None:
        """Where its Thing is, as far as the service was asked for it."""
        return place_of(_part(self.document, "Thing").get("Locations"))

    @property
    def unit(self) -> str:
        """Symbol of its unit, or its name; empty for none."""
        unit = _part(self.document, "unitOfMeasurement")
        return _text(unit.get("symbol")) or _text(unit.get("name"))

    @property
    def kind(self) -> ObservationType:
        """What its results are."""
        return observation_type(self.document.get("observationType"))

    @property
    def is_drawn(self) -> bool:
        """Whether its results can be drawn as a line: numbers and truth values."""
        return self.kind is not ObservationType.CATEGORY_OBSERVATION

    @property
    def last(self) -> Value | None:
        """The newest value, if there is one."""
        return self.values[0] if self.values else None

    @property
    def usual_s(self) -> float | None:
        """The usual interval between values [s]; None when too few are there to say."""
        usual = usual_interval(self.values)
        return usual.total_seconds() if usual else None

    @property
    def is_stale(self) -> bool:
        """Whether its values have stopped."""
        return is_stale(self.values, self.now)


@dataclass(frozen=True, slots=True)
class ThingView:
    """A Thing with its Datastreams.

    Attributes:
        iot_id: Its id in the service.
        name: Full name.
        system: Full name of its system.
        description: What it is.
        properties: What its owner has added.
        place: Where it is now; None when nobody has said.
        datastreams: By name.
    """

    iot_id: int | str
    name: str
    system: str
    description: str
    properties: Mapping[str, object] = field(default_factory=dict)
    place: Place | None = None
    datastreams: Sequence[DatastreamView] = ()

    @property
    def url(self) -> str:
        """The address below which it is changed."""
        return f"/systems/{self.system}/things/{quote(str(self.iot_id), safe='')}"

    @property
    def local_name(self) -> str:
        """Its name without that of its system."""
        return self.name.removeprefix(f"{self.system}.")


def thing_view(document: JsonObject, system: str, now: datetime) -> ThingView:
    """Make a view of a Thing from its JSON."""
    found = document.get("Datastreams")
    return ThingView(
        iot_id=_id(document),
        name=_text(document.get("name")),
        system=system,
        description=_text(document.get("description")),
        properties=_part(document, "properties"),
        place=place_of(document.get("Locations")),
        datastreams=[datastream_view(one, system, now) for one in _members(found)],
    )


def datastream_view(document: JsonObject, system: str, now: datetime) -> DatastreamView:
    """Make a view of a Datastream from its JSON, with its newest Observations where they are expanded."""
    values = [value_of(one) for one in _members(document.get("Observations"))]
    return DatastreamView(
        _id(document), _text(document.get("name")), system, document, values, now.astimezone(UTC)
    )


def value_of(observation: JsonObject) -> Value:
    """Make a value from the JSON of an Observation; an interval counts by its end."""
    raw = _text(observation.get("phenomenonTime"))
    return Value(_moment(raw.rpartition("/")[2]), raw, observation.get("result"))


def place_of(locations: object) -> Place | None:
    """Return where a Thing is, from its expanded Locations: a point where there is one."""
    places = [_place(one) for one in _members(locations)]
    return next((place for place in places if place.latitude is not None), places[0] if places else None)


def usual_interval(values: Sequence[Value]) -> timedelta | None:
    """Return the median time between neighbouring values; None when fewer than two have a time.

    Args:
        values: Newest first.
    """
    times = [value.time for value in values if value.time is not None]
    steps = [later - earlier for later, earlier in pairwise(times)]
    return timedelta(seconds=median(step.total_seconds() for step in steps)) if steps else None


def is_stale(values: Sequence[Value], now: datetime) -> bool:
    """Return whether no value has come for longer than five usual intervals, and for a minute at least.

    A single value tells no interval, and nothing at all is no value that could be old: both are not stale.

    Args:
        values: Newest first.
        now: The present time.
    """
    usual = usual_interval(values)
    last = values[0].time if values else None
    if usual is None or last is None:
        return False
    return now - last > max(STALE_AT_LEAST, USUAL_INTERVALS * usual)


def shown(result: object) -> str:
    """Return a result for people, shortened."""
    if isinstance(result, float):
        return f"{result:.6g}"
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return text if len(text) <= MAX_RESULT else text[: MAX_RESULT - 1] + "…"


def short_type(uri: object) -> str:
    """Return the last part of an observationType, such as ``OM_Measurement``."""
    return _text(uri).removeprefix(OBSERVATION_TYPE_PREFIX)


def _place(location: JsonObject) -> Place:
    geometry = _part(location, "location")
    if geometry.get("type") == "Feature":
        geometry = _part(geometry, "geometry")
    coordinates = geometry.get("coordinates")
    name = _text(location.get("name"))
    if geometry.get("type") != "Point" or not isinstance(coordinates, list) or len(coordinates) < 2:  # noqa: PLR2004 - a pair
        return Place(name)
    longitude, latitude = coordinates[:2]
    if not isinstance(longitude, int | float) or not isinstance(latitude, int | float):
        return Place(name)
    return Place(name, float(latitude), float(longitude))


def _moment(text: str) -> datetime | None:
    try:
        return parse_time(text, now=lambda: datetime.now(UTC))
    except (InvalidTimeError, OverflowError):
        return None


def _members(value: object) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _part(document: Mapping[str, object], key: str) -> dict[str, object]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _id(document: JsonObject) -> int | str:
    value = document.get(IOT_ID)
    return value if isinstance(value, int | str) else ""
