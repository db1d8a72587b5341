"""Plans of tenants' reads stay those of an index: whatever is shared with them, and how much of it."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from sensorthings.access.principals import Principal
from sensorthings.database import Database
from sensorthings.http.paths import parse_path
from sensorthings.migrations import upgrade
from sensorthings.queries.entity_json import ReadContext
from sensorthings.queries.plans import Planner

pytestmark = pytest.mark.postgres

STREAMS, EACH = 40, 2500
FEW_PAGES = 500  # of 8 KiB; the table alone has three times as many
SINCE = datetime(2026, 2, 1, tzinfo=UTC)
FILL = f"""
INSERT INTO sensorthings.system (id, name) VALUES (1, 'a.b.c.d'), (2, 'e.f.g.h');
INSERT INTO sensorthings.thing (id, name, description, system_id) VALUES (1, 'T', 'd', 1), (2, 'U', 'd', 2);
INSERT INTO sensorthings.sensor (id, name, description, encoding_type, metadata)
    VALUES (1, 's', 'd', 'x', '1');
INSERT INTO sensorthings.observed_property (id, name, definition, description) VALUES (1, 'p', 'd', 'd');
INSERT INTO sensorthings.feature_of_interest (id, name, description, encoding_type, feature, system_id)
    SELECT one, 'f', 'd', 'x', '{{}}', 1 + one % 2 FROM generate_series(1, {STREAMS}) AS one;
INSERT INTO sensorthings.datastream (id, name, description, unit_of_measurement, observation_type, thing_id,
        sensor_id, observed_property_id, system_id)
    SELECT one, 'D' || one, 'd', '{{}}', 'x', 1 + one % 2, 1, 1, 1 + one % 2
    FROM generate_series(1, {STREAMS}) AS one;
SELECT sensorthings.make_observation_partition(month)
    FROM generate_series('2026-01-01Z'::timestamptz, '2026-04-01Z', '1 month') AS month;
INSERT INTO sensorthings.observation (datastream_id, feature_of_interest_id, phenomenon_start, phenomenon_end,
        result_number)
    SELECT stream, stream, at, at, 1 FROM generate_series(1, {STREAMS}) AS stream,
        generate_series(1, {EACH}) AS n,
        LATERAL (SELECT '2026-01-01Z'::timestamptz + n * interval '1 hour') AS t (at);
ANALYZE
"""
OWN = Principal("own", reads=(1,))
SHARED = Principal("shared", reads=(1,), shared=(1, 3, 5), observed=(1, 3, 5))
LIMITED = Principal(
    "limited", reads=(1,), shared=(1, 3, 5), observed=(3, 5), limited=(1, 3), since=((3, SINCE),)
)
TWIN = Principal("twin", reads=(1,), shared=(3, 5), observed=(3, 5))
CONSUMER = Principal("consumer", shared=(1, 3), observed=(3,), limited=(1, 3), since=((3, SINCE),))
CONSUMER_TWIN = Principal("consumer's twin", shared=(3,), observed=(3,))
each_read = pytest.mark.parametrize(
    ("path", "query"),
    [
        ("Observations", "$orderby=phenomenonTime desc&$top=100"),
        ("Datastreams(3)/Observations", "$orderby=phenomenonTime desc&$top=100"),
        ("Datastreams(2)/Observations", "$orderby=phenomenonTime desc&$top=100"),
        ("Datastreams", "$top=100"),
        ("Datastreams", "$expand=Observations($orderby=phenomenonTime desc;$top=1)"),
        ("FeaturesOfInterest", "$top=100"),
    ],
)


@pytest.fixture(scope="module")
def filled(new_database: Callable[[str], str]) -> str:
    url = new_database("plans")
    upgrade(make_url(url))

    async def fill() -> None:
        database = Database(make_url(url), pool_size=1)
        await database.open()
        async with database.reading() as session:
            for statement in FILL.split(";\n"):
                await session.connection.execute(statement.encode())
        await database.close()

    asyncio.run(fill())
    return url


async def explained(url: str, principal: Principal, path: str, query: str) -> tuple[str, int]:
    """Run a request's statement; return its plan, and the pages that it touched."""
    context = ReadContext("http://x/v1.1", 100, 1000, principal.sight)
    plan = Planner().read(parse_path(path), query, context)
    arguments = plan.statement.arguments(plan.values(principal.parameters()))
    database = Database(make_url(url), pool_size=1)
    await database.open()
    try:
        async with database.reading() as session:
            cursor = await session.connection.execute(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {plan.statement.sql}".encode(), arguments
            )
            row = await cursor.fetchone()
    finally:
        await database.close()
    assert row is not None
    found: Any = row[0] if isinstance(row[0], list) else json.loads(row[0])
    top = found[0]["Plan"]
    return json.dumps(found, indent=1), top["Shared Hit Blocks"] + top["Shared Read Blocks"]


@pytest.mark.parametrize("principal", [OWN, SHARED, LIMITED], ids=lambda one: one.name)
@each_read
async def test_a_tenants_read_touches_few_pages(
    filled: str, principal: Principal, path: str, query: str
) -> None:
    plan, pages = await explained(filled, principal, path, query)
    assert pages < FEW_PAGES, plan


@pytest.mark.parametrize(
    ("principal", "twin"), [(LIMITED, TWIN), (CONSUMER, CONSUMER_TWIN)], ids=lambda one: one.name
)
@each_read
async def test_a_limited_share_costs_hardly_more_pages_than_a_whole_one(
    filled: str, principal: Principal, twin: Principal, path: str, query: str
) -> None:
    plan, pages = await explained(filled, principal, path, query)
    _, of_twin = await explained(filled, twin, path, query)
    assert pages <= 1.1 * of_twin + 200, plan
