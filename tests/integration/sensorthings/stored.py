"""Rows that tests of the store need, made without the service."""

from sqlalchemy import insert

from sensorthings.database import Database
from sensorthings.model import tables

_NAMED = {"name": "n", "description": "d"}


async def new_stream(database: Database, **more: object) -> tuple[int, int]:
    """Make a Datastream with what it needs, and a feature; give their ids."""
    rows = {
        tables.thing: {},
        tables.sensor: {"encoding_type": "text/html", "metadata": "m"},
        tables.observed_property: {"definition": "x"},
    }
    async with database.writing() as session:
        made = {
            f"{table.name}_id": await session.scalar(
                insert(table).values(_NAMED | values).returning(table.c.id)
            )
            for table, values in rows.items()
        }
        values = _NAMED | made | {"unit_of_measurement": {}, "observation_type": "x"} | more
        stream = await session.scalar(
            insert(tables.datastream).values(values).returning(tables.datastream.c.id)
        )
    return int(stream), await new_feature(database)


async def new_feature(database: Database, **more: object) -> int:
    """Make a feature with an area; give its id."""
    table = tables.feature_of_interest
    area = {"west": 1.0, "south": 2.0, "east": 3.0, "north": 4.0}
    values = _NAMED | {"encoding_type": "application/geo+json", "feature": {}} | area | more
    async with database.writing() as session:
        return int(await session.scalar(insert(table).values(values).returning(table.c.id)))
