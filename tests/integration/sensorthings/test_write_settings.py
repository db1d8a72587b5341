"""Writes that settings turn on: client ids, delete by filter, strict types, records for Kafka."""

from collections.abc import Callable, Iterator

import httpx2
import orjson
import psycopg
import pytest
from sqlalchemy import make_url

from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing
from tests.sensorthings_service import running_service

OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
NewDatabase = Callable[[str], str]


@pytest.fixture(scope="module")
def database(new_database: NewDatabase) -> str:
    return new_database("write_settings")


@pytest.fixture(scope="module")
def free(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A service that lets clients choose ids, delete by filter, and is strict about types."""
    settings = {"ids": "both", "filtered_delete": "true", "strict_types": "true", "outbox": "true"}
    with (
        running_service(database, tmp_path_factory.mktemp("free"), **settings) as address,
        httpx2.Client(timeout=30) as client,
    ):
        yield Api(client, f"{address}/v1.1")


@pytest.fixture
def stream(free: Api) -> str:
    made = free.create("Things", thing())
    found = free.read(f"Things({made['@iot.id']})/Datastreams")["value"][0]
    return f"Datastreams({found['@iot.id']})"


def _rows(database: str, statement: str) -> list[tuple[Json, ...]]:
    url = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_id_that_a_client_chose_is_kept_and_not_given_again(free: Api) -> None:
    body = {"name": "T", "description": "d"}

    chosen = free.create("Things", body | {"@iot.id": 5000})
    taken = free.refuse("POST", "Things", body | {"@iot.id": 5000})
    next_one = free.create("Things", body)
    lower = free.create("Things", body | {"@iot.id": 4000})
    after = free.create("Things", body)

    assert [one["@iot.id"] for one in (chosen, next_one, lower, after)] == [5000, 5001, 4000, 5002]
    assert (taken["status"], taken["code"]) == (409, "entity.id_taken")


def test_ids_of_observations_are_unique_over_all_months(free: Api, stream: str) -> None:
    def body(month: int) -> dict[str, Json]:
        return {"@iot.id": 70_000, "result": 1, "phenomenonTime": f"2020-{month:02}-01T00:00:00Z"}

    free.create(f"{stream}/Observations", body(1))

    assert free.refuse("POST", f"{stream}/Observations", body(2))["status"] == 409
    assert free.create(f"{stream}/Observations", {"result": 1})["@iot.id"] == 70_001


def test_inline_entities_can_have_chosen_ids(free: Api) -> None:
    place = location() | {"@iot.id": 6100}
    made = free.create("Things", thing(Locations=[place]) | {"@iot.id": 6000})

    assert free.read(f"Things({made['@iot.id']})/Locations")["value"][0]["@iot.id"] == 6100
    linked = free.create("Things", thing(Locations=[{"@iot.id": 6100}]))
    assert free.read(f"Things({linked['@iot.id']})/Locations")["value"][0]["@iot.id"] == 6100


@pytest.mark.parametrize("identifier", [0, -1, 2**53, 1.5, "a", None, True, [], 10**30])
def test_impossible_ids_are_refused(free: Api, identifier: Json) -> None:
    body = {"name": "T", "description": "d", "@iot.id": identifier}

    assert free.refuse("POST", "Things", body)["code"] == "body.id"


def test_ids_are_refused_where_the_server_chooses_them(api: Api) -> None:
    problem = api.refuse("POST", "Things", {"name": "T", "description": "d", "@iot.id": 5})

    assert (problem["code"], problem["pointer"]) == ("body.id_not_allowed", "/@iot.id")


def test_ids_are_asked_for_where_clients_choose_them(
    new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("client_ids")
    with (
        running_service(new_database("client_ids"), folder, ids="client") as address,
        httpx2.Client(timeout=30) as client,
    ):
        api = Api(client, f"{address}/v1.1")

        assert api.refuse("POST", "Things", {"name": "T", "description": "d"})["code"] == "body.id_missing"
        assert api.create("Things", {"@iot.id": 7, "name": "T", "description": "d"})["@iot.id"] == 7


def test_filter_deletes_what_it_finds_and_nothing_else(free: Api, stream: str) -> None:
    for day in range(1, 6):
        free.create(f"{stream}/Observations", {"result": day, "phenomenonTime": f"2020-01-0{day}T00:00:00Z"})

    answer = free.send("DELETE", f"{stream}/Observations?$filter=result le 2 or result eq 5")

    assert (answer.status_code, answer.json()) == (200, {"@iot.count": 3})
    assert [one["result"] for one in free.read(f"{stream}/Observations?$orderby=id")["value"]] == [3, 4]
    assert free.read(stream)["phenomenonTime"] == "2020-01-03T00:00:00Z/2020-01-04T00:00:00Z"


def test_filter_over_relations_deletes_with_what_follows(free: Api) -> None:
    made = free.create("Things", thing("doomed"))
    kept = free.create("Things", thing("kept"))

    answer = free.send("DELETE", "Datastreams?$filter=Thing/name eq 'doomed'")

    assert answer.json() == {"@iot.count": 1}
    assert free.read(f"Things({made['@iot.id']})/Datastreams")["value"] == []
    assert len(free.read(f"Things({kept['@iot.id']})/Datastreams")["value"]) == 1


def test_area_filter_deletes_too(free: Api) -> None:
    far = location("far", [100.0, 10.0])
    made = free.create("Locations", far)

    area = "geography'POLYGON((99 9,101 9,101 11,99 11,99 9))'"
    answer = free.send("DELETE", f"Locations?$filter=st_within(location,{area})")

    assert answer.json() == {"@iot.count": 1}
    assert free.refuse("GET", f"Locations({made['@iot.id']})")["status"] == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?$top=5", 400),
        ("?$filter=id gt 0&$top=1", 400),
        ("?$filter=nope eq 1", 400),
        ("?$filter=id gt", 400),
    ],
)
def test_deletion_of_a_set_needs_a_filter_and_only_that(free: Api, query: str, status: int) -> None:
    before = free.read("Things?$count=true&$top=0")

    assert free.refuse("DELETE", f"Things{query}")["status"] == status
    assert free.read("Things?$count=true&$top=0") == before


def test_filtered_deletion_is_off_by_default(api: Api) -> None:
    problem = api.refuse("DELETE", "Observations?$filter=id gt 0")

    assert problem["status"] == 405
    assert "filtered_delete" in problem["hint"]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("OM_Measurement", 1.5, "1.5"),
        ("OM_CountObservation", 2, 2.5),
        ("OM_TruthObservation", True, 1),
        ("OM_CategoryObservation", "red", 1),
    ],
)
def test_strict_types_hold_results_to_their_datastream(
    free: Api, name: str, right: Json, wrong: Json
) -> None:
    made = free.create("Things", thing(Datastreams=[datastream(observationType=OM + name)]))
    path = free.read(f"Things({made['@iot.id']})/Datastreams")["value"][0]["@iot.selfLink"]

    posted = [free.create(f"{path}/Observations", {"result": right}) for _ in range(2)]

    refusals = [
        free.refuse("POST", f"{path}/Observations", {"result": wrong}),
        free.refuse("PATCH", f"Observations({posted[0]['@iot.id']})", {"result": wrong}),
        free.refuse("POST", f"{path}/Observations?upsert=true", {"result": wrong}),
    ]
    assert {(one["code"], one["pointer"]) for one in refusals} == {("body.result_type", "/result")}


def test_observation_of_a_system_is_noted_for_kafka_once(free: Api, database: str) -> None:
    system = "at.records.work.Station"
    _rows(database, f"INSERT INTO sensorthings.system (name) VALUES ('{system}') RETURNING id")
    made = free.create("Things", thing(f"{system}.car_1", Datastreams=[datastream("Speed")]))
    path = free.read(f"Things({made['@iot.id']})/Datastreams")["value"][0]["@iot.selfLink"]
    number = int(path.rsplit("(", 1)[1].removesuffix(")"))
    body = {"result": 21.5, "phenomenonTime": "2026-01-02T03:04:05Z", "parameters": {"a": 1}}

    first = free.create(f"{path}/Observations", body)  # makes the feature, several statements
    second = free.create(f"{path}/Observations", body | {"result": None})  # one statement

    statement = (
        "SELECT waiting.topic, waiting.key, waiting.value FROM sensorthings.observation AS made"
        " JOIN sensorthings.outbox AS waiting ON waiting.dt_id = made.dt_id"
        f" WHERE made.id IN ({first['@iot.id']}, {second['@iot.id']}) ORDER BY made.id"
    )
    records = [(topic, key, orjson.loads(value)) for topic, key, value in _rows(database, statement)]
    value = {
        "phenomenonTime": "2026-01-02T03:04:05.000000Z",
        "resultTime": None,
        "result": 21.5,
        "Datastream": {"@iot.id": number},
        "parameters": {"a": 1},
    }
    key = f"{system}.car_1.Speed"
    assert records == [(f"{system}.int", key, value), (f"{system}.int", key, value | {"result": None})]


def test_observation_without_a_system_is_not_noted(free: Api, database: str, stream: str) -> None:
    def waiting() -> Json:
        return _rows(database, "SELECT count(*) FROM sensorthings.outbox")[0][0]

    before = waiting()
    free.create(f"{stream}/Observations", {"result": 1})
    free.create(f"{stream}/Observations", {"result": 2})

    assert waiting() == before


def test_filter_of_a_strict_service_is_held_to_the_observation_type(free: Api, stream: str) -> None:
    free.create(f"{stream}/Observations", {"result": 4.5})

    assert free.found(f"{stream}/Observations", "result gt 3 and resultTime eq null") == [4.5]
    assert free.found("Observations", "result gt '4'")  # of Datastreams of every type
    told = free.refuse("GET", f"{stream}/Observations?$filter=result gt '3'")
    assert (told["status"], told["code"]) == (400, "query.type")
