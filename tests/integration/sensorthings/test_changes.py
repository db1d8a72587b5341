"""The feed of changes: in order, each as far as its reader sees it, nothing noted when nobody follows."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx2
import psycopg
import pytest
from sqlalchemy import make_url

from sensorthings.changes.feed import forget_idle
from sensorthings.database import Database
from sensorthings.store.batches import NewObservation
from sensorthings.store.postgres import PostgresObservationStore
from tests.integration.sensorthings.samples import Api, Json, thing
from tests.sensorthings_service import running_service

ADMIN: Final = "admin-" + "a" * 40
Sql = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def database_url(new_database: Callable[[str], str]) -> str:
    return new_database("changes")


@pytest.fixture(scope="module")
def api(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    headers = {"authorization": f"Bearer {ADMIN}"}
    settings = {"anonymous": "none", "admin_token": ADMIN}
    folder = tmp_path_factory.mktemp("changes")
    with (
        running_service(database_url, folder, **settings) as url,
        httpx2.Client(timeout=30, headers=headers) as http,
    ):
        made = Api(http, f"{url}/v1.1")
        made.create("Things", thing())
        yield made


@pytest.fixture
def sql(database_url: str, api: Api) -> Iterator[Sql]:
    assert api.read("Things(1)/name")
    plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SET search_path = sensorthings")
        yield connection
        connection.execute("DELETE FROM change_reader")
        connection.execute("DELETE FROM change")


def feed(api: Api, after: str | None = None, name: str = "r", **options: Json) -> Json:
    answer = api.client.get(
        f"{api.root.removesuffix('/v1.1')}/changes/v1/readers/{name}",
        params=({} if after is None else {"after": after}) | options,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def count(sql: Sql) -> int:
    row = sql.execute("SELECT count(*) FROM change").fetchone()
    assert row is not None
    return int(row[0])


def in_database(url: str, act: Callable[[Database], Awaitable[int]]) -> int:
    async def run() -> int:
        database = Database(make_url(url))
        await database.open()
        try:
            return await act(database)
        finally:
            await database.close()

    return asyncio.run(run())


def test_nothing_is_noted_while_nobody_follows(api: Api, sql: Sql) -> None:
    api.create("Datastreams(1)/Observations", {"result": 1})
    api.change("Things(1)", {"description": "unheard"})

    assert count(sql) == 0


def test_a_reader_gets_what_comes_after_it_and_what_it_is_done_with_is_removed(api: Api, sql: Sql) -> None:
    first = feed(api)
    assert (first["is_new"], first["changes"]) == (True, [])
    api.change("Things(1)", {"description": "heard", "properties": {"a": 1}})

    second = feed(api, first["cursor"])
    again = feed(api, first["cursor"])
    resumed = feed(api)

    told = [{"set": "Things", "ids": [1], "properties": ["description", "properties"]}]
    assert second == again == resumed == {"cursor": second["cursor"], "is_new": False, "changes": told}
    assert count(sql) == 1
    assert feed(api, second["cursor"])["changes"] == []
    assert count(sql) == 0
    assert feed(api, first["cursor"])["changes"] == []


def test_a_change_that_changes_nothing_is_none(api: Api, sql: Sql) -> None:
    start = feed(api)["cursor"]
    name = api.read("Things(1)")["name"]

    api.change("Things(1)", {"name": name})

    assert feed(api, start)["changes"] == []
    assert count(sql) == 0


def test_a_change_of_a_transaction_that_ends_late_is_not_passed(
    api: Api, sql: Sql, database_url: str
) -> None:
    start = feed(api)["cursor"]
    plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as slow:
        slow.execute("UPDATE sensorthings.sensor SET description = 'late'")
        api.change("Things(1)", {"description": "early"})
        assert feed(api, start)["changes"] == []
        slow.commit()

    assert [one["set"] for one in feed(api, start)["changes"]] == ["Sensors", "Things"]


def test_a_reader_begins_when_nothing_that_began_before_it_is_open(
    api: Api, sql: Sql, database_url: str
) -> None:
    """Such a transaction notes nothing, so what it does has to be there when the reader looks around."""
    plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with ThreadPoolExecutor(1) as thread, psycopg.connect(plain) as slow:
        slow.execute("UPDATE sensorthings.thing SET description = 'unnoted'")
        begun = thread.submit(feed, api)
        with pytest.raises(TimeoutError):
            begun.result(timeout=0.6)
        slow.commit()
        answer = begun.result(timeout=60)

    assert (answer["is_new"], answer["changes"]) == (True, [])
    assert api.read("Things(1)")["description"] == "unnoted"


def test_a_reader_that_waits_is_answered_when_something_happens(api: Api, sql: Sql) -> None:
    start = feed(api)["cursor"]
    assert feed(api, start, wait_s=0.2)["changes"] == []

    sql.execute("UPDATE thing SET description = 'soon'")

    assert feed(api, start, wait_s=10)["changes"] != []


@pytest.mark.parametrize("dt_ids", [False, True])
def test_observations_stored_in_batches_are_told_once_each(
    api: Api, sql: Sql, database_url: str, dt_ids: bool
) -> None:
    start = feed(api)["cursor"]
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    first = {"result": 0, "phenomenonTime": moment.isoformat()}
    feature = api.create("Datastreams(1)/Observations", first)["@iot.id"]
    assert api.read(f"Observations({feature})/FeatureOfInterest")["@iot.id"] == 1
    batch = [
        NewObservation(1, 1, moment, moment, one, dt_id=UUID(int=one + 10**9) if dt_ids else None)
        for one in range(300)
    ]

    async def store(database: Database) -> int:
        stored = 0
        for _ in range(2 if dt_ids else 1):
            async with database.writing() as session:
                stored += (await PostgresObservationStore(database).append(session, batch)).stored
        return stored

    assert in_database(database_url, store) == 300
    told = [one for one in feed(api, start)["changes"] if one["set"] == "Observations"]
    assert [len(one["ids"]) for one in told] == [1, 300]
    assert sorted(told[1]["ids"]) == api_ids(sql, 300)


def api_ids(sql: Sql, number: int) -> list[int]:
    rows = sql.execute("SELECT id FROM observation ORDER BY id DESC LIMIT %s", (number,)).fetchall()
    return sorted(row[0] for row in rows)


def test_others_get_what_they_see_only(api: Api, sql: Sql) -> None:
    url = api.root.removesuffix("/v1.1")
    for name in ("aa.alpha.work.One", "bb.beta.work.Two"):
        body = {"home": name, "grants": [{"system": name, "write": True}]}
        api.client.put(f"{url}/access/v1/principals/{name}", json=body).raise_for_status()
    own = {"dtwin-act-as": "aa.alpha.work.One"}
    start = api.client.get(f"{url}/changes/v1/readers/r", headers=own).json()["cursor"]
    made = [
        api.send("POST", "Things", {"name": f"{one}.T", "description": "d"}, headers={"dtwin-act-as": one})
        for one in ("aa.alpha.work.One", "bb.beta.work.Two")
    ]

    seen = api.client.get(f"{url}/changes/v1/readers/r?after={start}", headers=own).json()["changes"]

    assert seen == [{"set": "Things", "ids": [made[0].json()["@iot.id"]]}]
    assert api.client.get(f"{url}/changes/v1/owners/1", headers=own).status_code == 403
    assert api.client.get(f"{url}/changes/v1/owners/1").json() == {"system": None}
    assert httpx2.get(f"{url}/changes/v1/readers/r", timeout=60).status_code == 401


def test_a_reader_learns_nothing_of_how_much_others_write(api: Api, sql: Sql) -> None:
    url = api.root.removesuffix("/v1.1")
    name = "cc.gamma.work.Three"
    body = {"home": name, "grants": [{"system": name, "write": True}]}
    api.client.put(f"{url}/access/v1/principals/{name}", json=body).raise_for_status()

    def look(**options: str) -> Json:
        own = {"dtwin-act-as": name}
        answer = api.client.get(f"{url}/changes/v1/readers/r", params=options, headers=own)
        return answer.json()

    start = look()["cursor"]
    before = look(after=start)
    many = "INSERT INTO change (entity, ids) SELECT 'thing', '{1}' FROM generate_series(1, 1200)"
    sql.execute("INSERT INTO system (name) VALUES ('dd.delta.work.Four')")
    sql.execute("INSERT INTO thing (name, description, system_id) SELECT 'x', 'x', max(id) FROM system")
    sql.execute(many.replace("'{1}'", "ARRAY[(SELECT max(id) FROM thing)]"))

    after = look(after=before["cursor"])

    assert after == before == {"cursor": start, "is_new": False, "changes": []}
    assert count(sql) > 0
    look(after=start)
    assert count(sql) == 0, "it was taken past all of it at once"


def test_changes_that_follow_from_hidden_observations_are_hidden(api: Api, sql: Sql) -> None:
    url = api.root.removesuffix("/v1.1")
    name = "ee.epsilon.work.Five"
    body = {"home": name, "grants": [{"system": name, "write": True}]}
    api.client.put(f"{url}/access/v1/principals/{name}", json=body).raise_for_status()
    sql.execute("INSERT INTO system (name) VALUES ('ff.zeta.work.Six')")
    shared = api.create("Things", thing() | {"name": "hidden"})["@iot.id"]
    stream = api.read(f"Things({shared})/Datastreams")["value"][0]["@iot.id"]
    sql.execute("UPDATE datastream SET system_id = (SELECT max(id) FROM system) WHERE id = %s", (stream,))
    share = {"system": name, "datastreams": [stream], "observations": False}
    api.client.put(f"{url}/access/v1/shares/hidden", json=share).raise_for_status()
    own = {"dtwin-act-as": name}
    readers = f"{url}/changes/v1/readers/r"
    start = api.client.get(readers, headers=own).json()["cursor"]

    api.create(f"Datastreams({stream})/Observations", {"result": 1})
    hidden = api.client.get(f"{readers}?after={start}", headers=own).json()["changes"]
    api.change(f"Datastreams({stream})", {"description": "told"})
    told = api.client.get(f"{readers}?after={start}", headers=own).json()["changes"]

    assert [one for one in hidden if one["set"] != "FeaturesOfInterest"] == []
    told = [one for one in told if one["set"] != "FeaturesOfInterest"]
    assert told == [{"set": "Datastreams", "ids": [stream], "properties": ["description"]}]


@pytest.mark.parametrize(
    "aged",
    [
        "UPDATE change_reader SET seen = now() - interval '2 days'",
        "UPDATE change SET made = now() - interval '2 days'",
        "UPDATE change_reader SET transaction = 4e18, next_transaction = 4e18",
    ],
    ids=["it does not ask", "it asks and is never done", "it is of another database's backup"],
)
def test_a_reader_that_does_not_go_on_is_forgotten_and_told_so(
    api: Api, sql: Sql, database_url: str, aged: str
) -> None:
    start = feed(api)["cursor"]
    api.change("Things(1)", {"description": f"waits for {aged}"})
    sql.execute(aged)

    async def forget(database: Database) -> int:
        async with database.writing() as session:
            return await forget_idle(session, 86_400)

    assert in_database(database_url, forget) == 1
    assert count(sql) == 0
    again = feed(api, start)
    assert again["is_new"] is True
    assert feed(api, start)["is_new"] is True, "until it shows that it has heard it"
    assert feed(api, feed(api)["cursor"])["is_new"] is False


def test_a_reader_restored_from_a_backup_begins_anew(api: Api, sql: Sql) -> None:
    start = feed(api)["cursor"]
    sql.execute("UPDATE change_reader SET transaction = 4e18, next_transaction = 4e18")

    begun = feed(api, start)

    assert begun["is_new"] is True
    api.change("Things(1)", {"description": "after the restore"})
    assert [one["set"] for one in feed(api, begun["cursor"])["changes"]] == ["Things"]


def test_a_reader_can_leave(api: Api, sql: Sql) -> None:
    feed(api)
    address = f"{api.root.removesuffix('/v1.1')}/changes/v1/readers/r"

    assert api.client.delete(address).status_code == 204
    assert api.client.delete(address).status_code == 404
    api.change("Things(1)", {"description": "unheard again"})
    assert count(sql) == 0


def test_readers_are_few_and_cursors_are_ours(api: Api, sql: Sql) -> None:
    for number in range(8):
        feed(api, name=f"r{number}")
    url = f"{api.root.removesuffix('/v1.1')}/changes/v1/readers"

    assert api.client.get(f"{url}/r8").status_code == 400
    assert api.client.get(f"{url}/r1?after=x").status_code == 400
    assert api.client.get(f"{url}/r1?after={'9' * 30}").status_code == 400
    assert api.client.delete(f"{url}/r%00").status_code == 400


def test_a_post_with_the_id_of_a_record_makes_one_observation(api: Api) -> None:
    stream = api.read("Things(1)/Datastreams")["value"][0]["@iot.id"]
    headers = {"dt-id": "0190a5d0-0000-7000-8000-0000000000bb"}
    bodies = [
        ("Observations", {"result": 1, "Datastream": {"@iot.id": stream}}),
        (f"Datastreams({stream})/Observations", {"result": 1}),
        (f"Datastreams({stream})/Observations", {"result": 2, "FeatureOfInterest": {"@iot.id": 1}}),
    ]

    answers = [api.send("POST", path, body, headers=headers) for path, body in bodies]

    assert [one.status_code for one in answers] == [201, 200, 200]
    assert len({one.headers["location"] for one in answers}) == 1
    assert answers[2].json()["result"] == 1
    assert api.refuse("POST", "Observations", bodies[0][1], headers={"dt-id": "1"})["code"] == "record.id"


def test_equal_posts_at_once_make_one_observation(api: Api) -> None:
    stream = api.read("Things(1)/Datastreams")["value"][0]["@iot.id"]
    headers = {"dt-id": "0190a5d0-0000-7000-8000-0000000000cc"}

    def post(_: int) -> httpx2.Response:
        return api.send("POST", f"Datastreams({stream})/Observations", {"result": 1}, headers=headers)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(post, range(24)))

    assert sorted({one.status_code for one in answers}) == [200, 201]
    assert len({one.headers["location"] for one in answers}) == 1


def test_the_id_of_a_record_counts_in_batches_and_for_its_datastream_only(api: Api) -> None:
    first, second = (
        api.read(f"Things({api.create('Things', thing())['@iot.id']})/Datastreams")["value"][0]["@iot.id"]
        for _ in range(2)
    )
    headers = {"dt-id": "0190a5d0-0000-7000-8000-0000000000dd"}
    parts = [
        {
            "id": str(number),
            "atomicityGroup": "g",
            "method": "post",
            "url": f"Datastreams({stream})/Observations",
            "headers": headers,
            "body": {"result": number},
        }
        for number, stream in enumerate((first, first, second))
    ]

    answers = api.send("POST", "$batch", {"requests": parts}).json()["responses"]

    assert [one["status"] for one in answers] == [201, 200, 201]
    assert [len(api.read(f"Datastreams({one})/Observations")["value"]) for one in (first, second)] == [1, 1]
