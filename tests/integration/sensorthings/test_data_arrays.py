"""CreateObservations over HTTP."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import orjson
import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import make_url

from sensorthings.access.principals import ANYONE, Principal
from sensorthings.database import Database
from sensorthings.errors import ForbiddenError
from sensorthings.http.data_arrays import create_observations
from sensorthings.http.messages import Request
from sensorthings.http.service import StandardService
from sensorthings.migrations import upgrade
from sensorthings.model import tables
from sensorthings.queries.plans import Planner
from sensorthings.settings import Settings
from sensorthings.spatial.engine import SpatialEngine
from sensorthings.store.partitions import ensure_partitions
from sensorthings.writes.bodies import LARGEST_CHOSEN_ID
from tests.integration.sensorthings.samples import Api, Json, thing
from tests.integration.sensorthings.stored import new_feature, new_stream
from tests.sensorthings_service import running_service

NewThing = Callable[..., tuple[str, str]]


def number_of(path: str) -> int:
    return int(path.partition("(")[2].rstrip(")"))


def array(stream: str, components: list[str], *rows: Sequence[Json], kind: str = "Datastream") -> Json:
    return {
        kind: {"@iot.id": number_of(stream)},
        "components": components,
        "dataArray": [list(row) for row in rows],
    }


def results(api: Api, stream: str) -> list[Json]:
    return [one["result"] for one in api.read(f"{stream}/Observations?$orderby=phenomenonTime,id")["value"]]


def test_rows_are_stored_in_order_and_answered_by_links(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    rows = [[f"2026-03-01T00:00:{at:02}Z", at / 4] for at in range(20)]
    links = api.create("CreateObservations", [array(stream, ["phenomenonTime", "result"], *rows)])
    assert len(links) == 20
    for at in (0, 19):
        one = api.read(links[at])
        assert one["result"] == at / 4
        assert one["phenomenonTime"] == rows[at][0]
        assert one["resultTime"] is None
    assert results(api, stream) == [at / 4 for at in range(20)]


def test_a_refused_row_is_told_by_error_and_the_others_stay(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    answer = api.send(
        "POST",
        "CreateObservations",
        [
            array(
                stream,
                ["result", "phenomenonTime", "FeatureOfInterest/id"],
                [1, "2026-03-01T00:00:00Z", None],
                [2, "yesterday", None],
                [3, "2026-03-01T00:00:02Z"],
                [4, 5, None],
                [5, "2026-03-01T00:00:04Z", 2**62],
                ["\0", "2026-03-01T00:00:05Z", None],
                [7, "2026-03-01T00:00:06+02:00", None],
            ),
            array("Datastreams(9223372036854775807)", ["result"], [1], [2]),
        ],
    )
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert [one == "error" for one in told] == [False, True, True, True, True, True, False, True, True]
    assert answer.headers["DTwin-Refused-Rows"] == "7"
    assert results(api, stream) == [7, 1]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [1],
        [{"components": ["result"], "dataArray": [[1]]}],
        [{"Datastream": {"@iot.id": "x"}, "components": ["result"], "dataArray": [[1]]}],
        [
            {
                "Datastream": {"@iot.id": 1},
                "MultiDatastream": {"@iot.id": 1},
                "components": [],
                "dataArray": [],
            }
        ],
        [{"Datastream": {"@iot.id": 1}, "components": ["results"], "dataArray": [[1]]}],
        [{"Datastream": {"@iot.id": 1}, "components": ["result", "result"], "dataArray": [[1, 1]]}],
        [{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime"], "dataArray": [[1]]}],
        [{"Datastream": {"@iot.id": 1}, "components": "result", "dataArray": [[1]]}],
        [{"Datastream": {"@iot.id": 1}, "components": ["result"], "dataArray": {}}],
        [{"Datastream": {"@iot.id": 1}, "components": ["result"]}],
    ],
)
def test_a_body_of_another_form_is_refused_as_a_whole(api: Api, body: Json) -> None:
    assert api.refuse("POST", "CreateObservations", body)["status"] == 400


def test_all_components_are_stored(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    feature = api.create(
        "FeaturesOfInterest",
        {"name": "f", "description": "f", "encodingType": "application/geo+json", "feature": {}},
    )["@iot.id"]
    components = [
        "FeatureOfInterest/id",
        "parameters",
        "validTime",
        "resultQuality",
        "resultTime",
        "result",
        "phenomenonTime",
    ]
    period = "2026-03-01T00:00:00Z/2026-03-01T01:00:00Z"
    row = [feature, {"a": "\\t"}, period, ["good"], "2026-03-01T02:00:00Z", {"x": None}, period]
    (link,) = api.create("CreateObservations", [array(stream, components, row)])
    one = api.read(f"{link}?$expand=FeatureOfInterest($select=id)")
    assert one["FeatureOfInterest"]["@iot.id"] == feature
    assert [one[name] for name in components[1:]] == row[1:]
    extents = api.read(stream)
    assert extents["phenomenonTime"] == period
    assert extents["resultTime"].startswith("2026-03-01T02:00:00Z")


def test_results_of_a_multidatastream_have_its_number_of_parts(api: Api, new_thing: NewThing) -> None:
    path, stream = new_thing()
    unit = {"name": "u", "symbol": "u", "definition": None}
    kind = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
    sensor = {"name": "S", "description": "s", "encodingType": "text/html", "metadata": "m"}
    observed = {"name": "P", "definition": "http://x.org/p", "description": "p"}
    made = api.create(
        f"{path}/MultiDatastreams",
        {
            "name": "m",
            "description": "m",
            "unitOfMeasurements": [unit, unit],
            "multiObservationDataTypes": [kind, kind],
            "Sensor": sensor,
            "ObservedProperties": [observed, observed | {"name": "Q"}],
        },
    )
    multi = f"MultiDatastreams({made['@iot.id']})"
    rows: list[Json] = [[[1, 2]], [[1]], [1], [[3, None]]]
    told = api.create(
        "CreateObservations",
        [
            array(multi, ["result"], *rows, kind="MultiDatastream"),
            # Each of the two names leads to its own kind only.
            array(multi, ["result"], [[1, 2]]),
            array(stream, ["result"], [1], kind="MultiDatastream"),
        ],
    )
    assert [one == "error" for one in told] == [False, True, True, False, True, True]
    assert [one["result"] for one in api.read(f"{multi}/Observations?$orderby=id")["value"]] == [
        [1, 2],
        [3, None],
    ]
    assert api.read(f"{told[0]}/MultiDatastream")["@iot.id"] == made["@iot.id"]


def test_one_feature_is_made_of_the_place_and_used_again(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    first = api.create("CreateObservations", [array(stream, ["result"], [1], [2])])
    again = api.create("CreateObservations", [array(stream, ["result"], [3])])
    features = {api.read(f"{link}/FeatureOfInterest")["@iot.id"] for link in first + again}
    assert len(features) == 1
    assert api.read(stream)["observedArea"] is not None


def test_rows_of_a_thing_without_a_place_need_a_feature(api: Api, new_thing: NewThing) -> None:
    _, placed = new_thing()
    _, stream = new_thing(Locations=[])
    (link,) = api.create("CreateObservations", [array(placed, ["result"], [1])])
    feature = api.read(f"{link}/FeatureOfInterest")["@iot.id"]
    components = ["FeatureOfInterest/id", "result"]
    told = api.create("CreateObservations", [array(stream, components, [None, 1], [feature, 2])])
    assert [one == "error" for one in told] == [True, False]


def test_rows_without_a_time_are_of_now(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    before = datetime.now(UTC)
    links = api.create("CreateObservations", [array(stream, ["result", "phenomenonTime"], [1, None])])
    found = datetime.fromisoformat(api.read(links[0])["phenomenonTime"])
    assert before - timedelta(seconds=1) <= found <= datetime.now(UTC) + timedelta(seconds=1)


def test_an_empty_request_makes_nothing(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    assert api.create("CreateObservations", []) == []
    assert api.create("CreateObservations", [array(stream, ["result"])]) == []


@pytest.mark.slow
def test_a_hundred_thousand_rows_in_one_request_stay_within_bounds(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    with running_service(new_database("array"), tmp_path) as url, httpx2.Client(timeout=120) as client:
        api = Api(client, f"{url}/v1.1")
        made = api.create("Things", thing())
        streams = api.read(f"Things({made['@iot.id']})/Datastreams")["value"]
        stream = f"Datastreams({streams[0]['@iot.id']})"
        port = int(url.rpartition(":")[2])
        (server,) = [
            one
            for one in psutil.Process().children(recursive=True)
            if any(each.laddr.port == port and each.status == "LISTEN" for each in one.net_connections())
        ]
        before = server.memory_info().rss
        start = datetime(2026, 1, 31, 12, tzinfo=UTC)
        rows = [[(start + timedelta(seconds=at)).isoformat(), at / 8] for at in range(100_000)]
        links = api.create("CreateObservations", [array(stream, ["phenomenonTime", "result"], *rows)])
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
        peak = 1024 * int(status.partition("VmHWM:")[2].split()[0])
        assert peak - before < 300 * 2**20
        assert len(set(links)) == 100_000
        days = api.read(f"{stream}/Observations?bucket=P1D&aggregate=count,sum")["value"]
        assert sum(one["count"] for one in days) == 100_000
        assert sum(one["sum"] for one in days) == sum(range(100_000)) / 8
        last = api.read(links[-1])
        assert (last["result"], last["phenomenonTime"]) == (99_999 / 8, "2026-02-01T15:46:39Z")


SYSTEM = "at.arrays.Work.Station"


@pytest.fixture
async def service(new_database: Callable[[str], str]) -> AsyncIterator[StandardService]:
    """The service in this process, with a system (1) and a foreign one (2), strict, with client ids."""
    url = new_database("tenants")
    upgrade(make_url(url))
    settings = Settings(database_url=SecretStr(url), ids="both", strict_types=True, outbox=True, pool_size=3)
    database = Database(settings.database, pool_size=3)
    await database.open()
    async with database.writing() as session:
        await session.run(insert(tables.system).values([{"name": SYSTEM}, {"name": f"{SYSTEM}2"}]))
    yield StandardService(database, settings, Planner(), SpatialEngine(database))
    await database.close()


async def send(service: StandardService, principal: Principal, *groups: Json) -> list[str]:
    body = orjson.dumps(list(groups))
    request = Request("POST", "CreateObservations", "", {}, body, "http://x/v1.1", "v1.1", principal)
    answer = await create_observations(service, request, None)
    assert answer.status == 201
    told: list[str] = orjson.loads(answer.body)
    return told


OWNER = Principal("owner", home=1, reads=(1,), writes=(1,))
OTHER = Principal("other", home=2, reads=(1, 2), writes=(2,))


async def test_only_datastreams_and_features_that_may_be_changed_are_linked(service: StandardService) -> None:
    own, feature = await new_stream(service.database, system_id=1)
    foreign, foreign_feature = await new_stream(service.database, system_id=2)
    common, _ = await new_stream(service.database)
    async with service.database.writing() as session:
        for one, system in ((feature, 1), (foreign_feature, 2)):
            table = tables.feature_of_interest
            await session.run(update(table).where(table.c.id == one).values(system_id=system))
    common_feature = await new_feature(service.database)
    components = ["FeatureOfInterest/id", "result"]
    told = await send(
        service,
        OTHER,
        array(f"D({own})", components, [feature, 1], [foreign_feature, 1]),
        array(f"D({foreign})", components, [feature, 2], [foreign_feature, 3], [common_feature, 4]),
        array(f"D({common})", components, [foreign_feature, 5]),
    )
    assert [one == "error" for one in told] == [True, True, True, False, False, True]
    with pytest.raises(ForbiddenError):
        await send(service, Principal("reader", reads=(1,)), array(f"D({own})", components, [feature, 1]))


async def test_types_are_checked_where_the_setting_says_so(service: StandardService) -> None:
    kind = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
    stream, feature = await new_stream(service.database, system_id=1, observation_type=kind)
    rows: list[Json] = [[feature, 1.5], [feature, "warm"], [feature, True], [feature, None]]
    told = await send(service, OWNER, array(f"D({stream})", ["FeatureOfInterest/id", "result"], *rows))
    assert [one == "error" for one in told] == [False, True, True, False]


async def test_clients_choose_ids_where_the_setting_says_so(service: StandardService) -> None:
    stream, feature = await new_stream(service.database, system_id=1)
    rows: list[Json] = [
        [500, feature, 1],
        [None, feature, 2],
        [500, feature, 3],
        ["x", feature, 4],
        [2**50, feature, 5],
    ]
    group = array(f"D({stream})", ["id", "FeatureOfInterest/id", "result"], *rows)
    told = await send(service, OWNER, group)
    assert told[0] == "http://x/v1.1/Observations(500)"
    assert [one == "error" for one in told] == [False, False, True, True, False]
    again = await send(service, OWNER, group)
    assert [one == "error" for one in again] == [True, False, True, True, True]
    # What the server chooses afterwards never meets what a client has chosen.
    more = array(f"D({stream})", ["FeatureOfInterest/id", "result"], *([feature, at] for at in range(600)))
    ids = told + again + await send(service, OWNER, more)
    made = [one for one in ids if one != "error"]
    assert len(set(made)) == len(made) == 604


async def test_inside_a_transaction_everything_goes_with_it(service: StandardService) -> None:
    stream, feature = await new_stream(service.database, system_id=1)
    rows = [[feature, f"{year}-06-01T00:00:00Z", year] for year in range(2060, 2064)]
    body = orjson.dumps([array(f"D({stream})", ["FeatureOfInterest/id", "phenomenonTime", "result"], *rows)])
    request = Request("POST", "CreateObservations", "", {}, body, "http://x/v1.1", "v1.1", OWNER)
    count = select(func.count()).where(tables.observation.c.datastream_id == stream)
    await ensure_partitions(
        service.database, (datetime(year, 6, 1, tzinfo=UTC) for year in range(2060, 2064))
    )

    async def fail() -> None:
        async with service.database.writing() as session:
            answer = await create_observations(service, request, session)
            assert len(orjson.loads(answer.body)) == await session.scalar(count) == 4
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await fail()
    async with service.database.writing() as session:
        assert await session.scalar(count) == 0
        await create_observations(service, request, session)
    async with service.database.reading() as session:
        assert await session.scalar(count) == 4


async def test_rows_are_noted_for_kafka_with_the_ids_of_their_records(service: StandardService) -> None:
    name = f"{SYSTEM}.Thing.Speed"
    stream, feature = await new_stream(service.database, system_id=1, name=name)
    common, _ = await new_stream(service.database)
    components = ["FeatureOfInterest/id", "phenomenonTime", "result"]
    rows = [[feature, f"2026-03-01T00:00:{at:02}Z", at] for at in range(20)]
    told = await send(
        service,
        ANYONE,
        array(f"D({stream})", components, *rows),
        array(f"D({common})", components, *rows),
    )
    assert "error" not in told
    table = tables.observation
    async with service.database.reading() as session:
        noted = await session.rows(select(tables.outbox).order_by(tables.outbox.c.id))
        dt_ids = select(table.c.dt_id).where(table.c.datastream_id == stream).order_by(table.c.id)
        stored = [row[0] for row in await session.rows(dt_ids)]
    assert [row[1] for row in noted] == [f"{SYSTEM}.int"] * 20
    assert {row[2] for row in noted} == {name}
    assert [orjson.loads(row[3])["result"] for row in noted] == list(range(20))
    assert [row[4] for row in noted] == stored


async def test_the_largest_id_of_a_client_leaves_ids_to_the_server(service: StandardService) -> None:
    stream, feature = await new_stream(service.database, system_id=1)
    columns = ["id", "FeatureOfInterest/id", "result"]
    rows: list[Json] = [[one, feature, 1] for one in (2**63 - 1, LARGEST_CHOSEN_ID, 0, -1)]
    told = await send(service, OWNER, array(f"D({stream})", columns, *rows))
    assert told == ["error", f"http://x/v1.1/Observations({LARGEST_CHOSEN_ID})", "error", "error"]
    assert await send(service, OWNER, array(f"D({stream})", columns, [None, feature, 2])) != ["error"]
