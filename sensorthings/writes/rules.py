"""What the standard has follow from a write: a Thing's history of places, and features made from places.

What lives here: HistoricalLocations after a move, FeaturesOfInterest made from a Location. What does not:
when these rules apply (`sensorthings.writes.create`, `sensorthings.writes.change`).

Source: OGC 18-088, clauses 8.2.2 (Location), 8.2.3 (HistoricalLocation), 8.2.8 (FeatureOfInterest) and 10.2.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    any_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from sensorthings.database import Session, prepare
from sensorthings.errors import BodyError
from sensorthings.model.areas import area_of
from sensorthings.model.entities import FEATURE_OF_INTEREST
from sensorthings.model.tables import (
    datastream,
    historical_location,
    historical_location_location,
    location,
    thing_location,
)
from sensorthings.writes.rows import insert_row

GEOJSON: Final = ("application/geo+json", "application/vnd.geo+json")
"""Names of GeoJSON: that of SensorThings 1.1, and that of 1.0."""


async def move_thing(session: Session, thing_id: int, location_ids: Sequence[int], time: datetime) -> None:
    """Make the Locations a Thing's current ones, and remember the move as a HistoricalLocation."""
    kept = await place_thing(session, thing_id, location_ids)
    history_id = await session.scalar(_REMEMBER, {"thing_id": thing_id, "time": time})
    await session.run(_REMEMBER_PLACES, {"history_id": history_id, "location_ids": kept})


async def place_thing(session: Session, thing_id: int, location_ids: Sequence[int]) -> list[int]:
    """Make the Locations a Thing's current ones, without history.

    Returns:
        Ids of the Locations, each once.

    Raises:
        BodyError: Two of them have the same encodingType, so they are not one place told in several ways.
    """
    rows = await session.rows(_ENCODINGS, {"location_ids": list(location_ids)})
    encodings: dict[int, str] = {row[0]: row[1] for row in rows}
    kept = [one for one in dict.fromkeys(location_ids) if one in encodings]
    twice = [name for name, number in Counter(encodings.values()).items() if number > 1]
    if twice:
        raise BodyError(
            "body.same_encoding",
            f"a Thing has one Location in each encodingType, these have {twice[0]} twice",
            hint="Describe one place in different encodings, or give the Thing one Location after the other.",
        )
    await session.run(_UNPLACE, {"thing_id": thing_id})
    await session.run(_PLACE, {"thing_id": thing_id, "location_ids": kept})
    return kept


async def places_of(session: Session, thing_id: int) -> list[int]:
    """List the ids of a Thing's current Locations."""
    return [row[0] for row in await session.rows(_PLACES_OF_THING, {"id": thing_id})]


async def places_beside(session: Session, thing_id: int, location_id: int) -> list[int]:
    """List the ids of a Thing's current Locations that have another encodingType than a further one."""
    known = [one for one in await places_of(session, thing_id) if one != location_id]
    rows = await session.rows(_ENCODINGS, {"location_ids": [*known, location_id]})
    encodings: dict[int, str] = {row[0]: row[1] for row in rows}
    return [one for one in known if encodings.get(one) != encodings.get(location_id)]


async def follow_history(session: Session, history_id: int) -> None:
    """Move the Thing of a HistoricalLocation made or changed by hand, when it is the latest one."""
    thing_id, time = await session.row(_MOVE, {"id": history_id}) or (None, None)
    if await session.row(_LATER, {"thing_id": thing_id, "time": time}) is not None:
        return
    location_ids = [row[0] for row in await session.rows(_PLACES_OF_MOVE, {"id": history_id})]
    if location_ids and thing_id is not None:
        await place_thing(session, thing_id, location_ids)


async def generated_feature(session: Session, datastream_id: int, place: str) -> int:
    """Give the feature made from the current Location of a Datastream's Thing; make it if need be.

    Raises:
        BodyError: There is no such Datastream, or its Thing has no Location.
    """
    found = await session.row(_LOCATION_OF_STREAM, {"id": datastream_id})
    if found is None:
        raise BodyError("body.link_missing", f"there is no Datastream {datastream_id}", place=place)
    location_id, feature_id = found
    if location_id is None:
        raise BodyError(
            "body.no_feature",
            f"the Thing of Datastream {datastream_id} has no Location to make a FeatureOfInterest of",
            place=place,
            hint="Give the Thing a Location, or the Observation a FeatureOfInterest.",
        )
    return int(feature_id) if feature_id is not None else await _make_feature(session, location_id)


async def _make_feature(session: Session, location_id: int) -> int:
    # Locked, so that two first Observations at once make one feature.
    found = await session.row(_LOCK_LOCATION, {"id": location_id})
    if found is None:
        raise BodyError("body.no_feature", "the Thing's Location was deleted just now", hint="Try again.")
    feature_id, system_id, name, description, encoding_type, feature = found
    if feature_id is not None:
        return int(feature_id)
    values = {
        "name": name,
        "description": description,
        "encoding_type": encoding_type,
        "feature": feature,
        "system_id": system_id,
        **feature_area(feature),
    }
    made = await insert_row(session, FEATURE_OF_INTEREST, values)
    await session.run(_KEEP_FEATURE, {"id": location_id, "feature_id": made})
    return made


def is_not_geojson() -> ColumnElement[int]:
    """Order Locations so that those in GeoJSON come first."""
    return case((location.c.encoding_type.in_([literal_column(f"'{one}'") for one in GEOJSON]), 0), else_=1)


def feature_area(feature: object) -> dict[str, float | None]:
    """Give the area columns of a feature [degrees]."""
    area = area_of(feature)
    return dict.fromkeys(("west", "south", "east", "north")) if area is None else area._asdict()


def _id(name: str = "id") -> Any:  # noqa: ANN401 - SQLAlchemy's own
    return bindparam(name, type_=BigInteger)


_LOCATIONS = bindparam("location_ids", type_=ARRAY(BigInteger))
_UNNESTED = func.unnest(_LOCATIONS).column_valued("location_id")
_TIME = bindparam("time", type_=DateTime(timezone=True))
_PAIRS = historical_location_location

_REMEMBER = prepare(
    insert(historical_location)
    .values(thing_id=_id("thing_id"), time=_TIME)
    .returning(historical_location.c.id)
)
_REMEMBER_PLACES = prepare(
    insert(_PAIRS).from_select(
        ["historical_location_id", "location_id"], select(_id("history_id"), _UNNESTED)
    )
)
_ENCODINGS = prepare(select(location.c.id, location.c.encoding_type).where(location.c.id == any_(_LOCATIONS)))
_UNPLACE = prepare(delete(thing_location).where(thing_location.c.thing_id == _id("thing_id")))
_PLACE = prepare(
    insert(thing_location).from_select(["thing_id", "location_id"], select(_id("thing_id"), _UNNESTED))
)
_MOVE = prepare(
    select(historical_location.c.thing_id, historical_location.c.time).where(
        historical_location.c.id == _id()
    )
)
_LATER = prepare(
    select(historical_location.c.id)
    .where(historical_location.c.thing_id == _id("thing_id"), historical_location.c.time > _TIME)
    .limit(literal_column("1"))
)
_PLACES_OF_MOVE = prepare(
    select(_PAIRS.c.location_id)
    .where(_PAIRS.c.historical_location_id == _id())
    .order_by(_PAIRS.c.location_id)
)
_PLACES_OF_THING = prepare(
    select(thing_location.c.location_id)
    .where(thing_location.c.thing_id == _id())
    .order_by(thing_location.c.location_id)
)
_LOCATION_OF_STREAM = prepare(
    select(location.c.id, location.c.generated_feature_id)
    .select_from(
        datastream.outerjoin(thing_location, thing_location.c.thing_id == datastream.c.thing_id).outerjoin(
            location, location.c.id == thing_location.c.location_id
        )
    )
    .where(datastream.c.id == _id())
    .order_by(
        is_not_geojson(),
        location.c.id,
    )
    .limit(literal_column("1"))
)
_LOCK_LOCATION = prepare(
    select(
        location.c.generated_feature_id,
        location.c.system_id,
        location.c.name,
        location.c.description,
        location.c.encoding_type,
        location.c.location,
    )
    .where(location.c.id == _id())
    .with_for_update(key_share=True)
)
_KEEP_FEATURE = prepare(
    update(location).where(location.c.id == _id()).values(generated_feature_id=_id("feature_id"))
)
