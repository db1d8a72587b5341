"""The standard's rules about places: where a Thing is, its history, and the feature an Observation is about.

What lives here: HistoricalLocations made on each move, FeaturesOfInterest made from Locations once and
reused. What does not: which request calls for them.

Source: OGC 18-088, clauses 8.2.3 (HistoricalLocation) and 8.2.8 (FeatureOfInterest), 10.2.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, Select, case, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sensorthings.errors import BodyError
from sensorthings.model.areas import area_of
from sensorthings.model.tables import (
    datastream,
    feature_of_interest,
    historical_location,
    historical_location_location,
    location,
    thing_location,
)

_GEOJSON = ("application/geo+json", "application/vnd.geo+json")


async def move_thing(
    connection: AsyncConnection, thing_id: int, location_ids: Sequence[int], time: datetime
) -> None:
    """Make the Locations a Thing's current ones, and remember the move as a HistoricalLocation."""
    await place_thing(connection, thing_id, location_ids)
    made = insert(historical_location).values(thing_id=thing_id, time=time)
    history_id = (await connection.execute(made.returning(historical_location.c.id))).scalar_one()
    await connection.execute(
        insert(historical_location_location),
        [{"historical_location_id": history_id, "location_id": one} for one in dict.fromkeys(location_ids)],
    )


async def place_thing(connection: AsyncConnection, thing_id: int, location_ids: Sequence[int]) -> None:
    """Make the Locations a Thing's current ones, without history."""
    await connection.execute(delete(thing_location).where(thing_location.c.thing_id == thing_id))
    await connection.execute(
        insert(thing_location),
        [{"thing_id": thing_id, "location_id": one} for one in dict.fromkeys(location_ids)],
    )


async def follow_history(connection: AsyncConnection, history_id: int) -> None:
    """Move the Thing of a HistoricalLocation made by hand, when it is the latest one."""
    own = select(historical_location).where(historical_location.c.id == history_id)
    made = (await connection.execute(own)).one()
    later = (
        select(historical_location.c.id)
        .where(historical_location.c.thing_id == made.thing_id, historical_location.c.time > made.time)
        .limit(1)
    )
    if (await connection.execute(later)).first() is not None:
        return
    pairs = historical_location_location
    there = select(pairs.c.location_id).where(pairs.c.historical_location_id == history_id)
    location_ids = (await connection.execute(there)).scalars().all()
    if location_ids:
        await place_thing(connection, made.thing_id, location_ids)


async def generated_feature(connection: AsyncConnection, datastream_id: int, place: str) -> int:
    """Give the feature made from the current Location of a Datastream's Thing; make it if need be.

    Raises:
        BodyError: There is no such Datastream, or its Thing has no Location.
    """
    found = (await connection.execute(_location_of(datastream_id))).first()
    if found is None:
        raise BodyError("body.link_missing", f"there is no Datastream {datastream_id}", place=place)
    if found.id is None:
        raise BodyError(
            "body.no_feature",
            f"the Thing of Datastream {datastream_id} has no Location to make a FeatureOfInterest of",
            place=place,
            hint="Give the Thing a Location, or the Observation a FeatureOfInterest.",
        )
    if found.generated_feature_id is not None:
        return int(found.generated_feature_id)
    return await _make_feature(connection, found.id)


def _location_of(datastream_id: int) -> Select[int | None, int | None]:
    joined = datastream.outerjoin(
        thing_location, thing_location.c.thing_id == datastream.c.thing_id
    ).outerjoin(location, location.c.id == thing_location.c.location_id)
    is_geojson = case((location.c.encoding_type.in_(_GEOJSON), 0), else_=1)
    return (
        select(location.c.id, location.c.generated_feature_id)
        .select_from(joined)
        .where(datastream.c.id == datastream_id)
        .order_by(is_geojson, location.c.id)
        .limit(1)
    )


async def _make_feature(connection: AsyncConnection, location_id: int) -> int:
    # Locked, so that two first Observations at once make one feature.
    locked = select(location).where(location.c.id == location_id).with_for_update()
    found: Row[tuple[object, ...]] = (await connection.execute(locked)).one()
    if found.generated_feature_id is not None:
        return int(found.generated_feature_id)
    made = insert(feature_of_interest).values(
        name=found.name,
        description=found.description,
        encoding_type=found.encoding_type,
        feature=found.location,
        **feature_area(found.location),
    )
    feature_id = int((await connection.execute(made.returning(feature_of_interest.c.id))).scalar_one())
    await connection.execute(
        update(location).where(location.c.id == location_id).values(generated_feature_id=feature_id)
    )
    return feature_id


def feature_area(feature: object) -> dict[str, float | None]:
    """Give the area columns of a feature [degrees]."""
    area = area_of(feature)
    return dict.fromkeys(("west", "south", "east", "north")) if area is None else area._asdict()
