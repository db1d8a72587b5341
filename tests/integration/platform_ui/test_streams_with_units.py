"""Stream apps of several sources and with computed columns: the site on a real database and SensorThings."""

import html
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI

from client.metadata.entities import (
    Datastream,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)
from client.metadata.server import SensorThingsServer
from platform_ui.streams import service as streams
from tests.integration.platform_ui.doubles import Browser, MemoryRunner
from tests.integration.platform_ui.test_rules import MakeBrowser, Word, second_system, with_system


@pytest.fixture
def metadata(sensorthings_url: str) -> Iterator[SensorThingsServer]:
    server = SensorThingsServer(sensorthings_url, timeout_s=60, retry_s=1)
    yield server
    server.close()


def register(server: SensorThingsServer, system: str, **units: str) -> None:
    """Register the Datastreams of a device as its maker would, with the spellings that makers use."""
    thing = server.upsert(Thing(f"{system}.Mill", "A mill"))
    sensor = server.upsert(Sensor(f"{system}.sensor", "A sensor", "application/pdf", "https://example.com"))
    observed = server.upsert(ObservedProperty(f"{system}.property", "Anything", "https://example.com"))
    for name, unit in units.items():
        server.upsert(
            Datastream(
                f"{system}.Mill.{name}",
                name,
                ObservationType.MEASUREMENT,
                UnitOfMeasurement(unit, unit, "https://example.com"),
                thing,
                sensor,
                observed,
            )
        )


def join(system: str, columns: str, left: str, right: str, more: str = "") -> str:
    return (
        f"SELECT {columns}\nFROM {system} AS l JOIN {system} AS r WITHIN 1 s\n"
        f"WHERE l.name = '{system}.Mill.{left}' AND r.name = '{system}.Mill.{right}'{more};"
    )


async def create(browser: Browser, system: str, target: str, statement: str, name: str = "app") -> str:
    """Create an app by its form; return the page that follows."""
    answer = await browser.add(
        f"/systems/{system}/apps/new", name=name, target_system=target, statement=statement
    )
    assert answer.url.path == f"/systems/{system}/apps/{name}", answer.text
    return str(answer.url.path)


async def test_degrees_celsius_beside_kelvin_are_refused_with_the_place(
    new_browser: MakeBrowser, word: Word, metadata: SensorThingsServer
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    register(metadata, system, Oil="°C", Water="K")
    statement = join(system, "l.result - r.result AS gap UNIT 'K'", "Oil", "Water")
    answer = await browser.add(
        f"/systems/{system}/apps/new", name="app", target_system=target, statement=statement
    )
    assert answer.status_code == 422
    place = "line 1, column 19: l.result is in &#39;Cel&#39; (temperature), but r.result is in &#39;K&#39;"
    assert place in answer.text
    assert f"  {statement.splitlines()[0]}\n  {' ' * 18}^".replace("'", "&#39;") in answer.text
    assert (await browser.get(f"/systems/{system}/apps/app")).status_code == 404


async def test_a_conversion_makes_the_same_statement_right(
    new_browser: MakeBrowser, word: Word, metadata: SensorThingsServer
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    register(metadata, system, Oil="°C", Water="K")
    column = "convert(l.result, 'Cel', 'K') - r.result AS gap UNIT 'K'"
    await create(browser, system, target, join(system, column, "Oil", "Water"))


async def test_power_is_saved_deployed_and_registered_once_with_its_unit(
    new_browser: MakeBrowser,
    word: Word,
    metadata: SensorThingsServer,
    runner: MemoryRunner,
    site: FastAPI,
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    register(metadata, system, Speed="rpm", Torque="Nm")
    column = "2 * PI() / 60 * l.result * r.result AS power UNIT 'W'"
    page = await create(browser, system, target, join(system, column, "Speed", "Torque"))
    assert "not registered" in (await browser.get(page)).text
    await browser.post(f"{page}/deploy", page)
    first = runner.specifications[f"{system}.app"].datastreams
    name = f"{target}.app.power"
    assert list(first) == [name]
    found = metadata.datastream(name)
    assert found is not None
    assert found["@iot.id"] == first[name]
    assert found["unitOfMeasurement"] == {
        "name": "watt",
        "symbol": "W",
        "definition": "http://www.opengis.net/def/uom/UCUM/0/W",
    }
    shown = (await browser.get(page)).text
    assert f"<code>{name}</code></td><td>W</td>" in shown
    await browser.post(f"{page}/stop", page)
    await browser.post(f"{page}/deploy", page)
    assert runner.specifications[f"{system}.app"].datastreams == first
    registered = metadata.search("Datastreams", f"startswith(name,'{target}.')", select=("id", "name"))
    assert [datastream["name"] for datastream in registered] == [name]
    async with site.state.sessions() as session:
        assert f"{system}.app" not in await streams.reconcile(session, site.state.stream_ports)
        moved = replace(site.state.stream_ports, brokers="kafka.test:19092")
        assert f"{system}.app" in await streams.reconcile(session, moved)
    assert runner.specifications[f"{system}.app"].datastreams == first


async def test_the_distance_of_two_cars_is_deployed_before_any_car_has_registered(
    new_browser: MakeBrowser, word: Word, metadata: SensorThingsServer, runner: MemoryRunner
) -> None:
    browser = new_browser()
    first = await with_system(browser, word)
    second = await second_system(browser, first)
    target = await second_system(browser, first, "Roads")
    statement = (
        "SELECT distance_m(l.latitude, l.longitude, r.latitude, r.longitude) AS distance UNIT 'm' "
        f"FROM {first} AS l JOIN {second} AS r WITHIN 1 s;"
    )
    page = await create(browser, first, target, statement, "nearby")
    await browser.post(f"{page}/deploy", page)
    specification = runner.specifications[f"{first}.nearby"]
    assert list(specification.datastreams) == [f"{target}.nearby.distance"]
    assert specification.systems == (first, second)
    assert "<strong>Car2</strong>" in (await browser.get(page)).text.split("writes to")[0]
    found = metadata.datastream(f"{target}.nearby.distance")
    assert found is not None
    assert found["Thing"]["name"] == f"{target}.nearby"  # type: ignore[index]


async def test_a_computed_column_of_one_source_is_registered_for_every_thing_that_can_deliver(
    new_browser: MakeBrowser, word: Word, metadata: SensorThingsServer, runner: MemoryRunner
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    register(metadata, system, Speed="rpm", Torque="Nm")
    statement = f"SELECT result / 60 AS turns UNIT 'Hz' FROM {system} WHERE name LIKE '%.Speed';"
    page = await create(browser, system, target, statement)
    await browser.post(f"{page}/deploy", page)
    assert list(runner.specifications[f"{system}.app"].datastreams) == [f"{target}.Mill.turns"]


async def test_a_source_of_somebody_else_is_refused_as_if_it_were_not_there(
    new_browser: MakeBrowser, word: Word
) -> None:
    stranger, browser = new_browser(), new_browser()
    foreign = await with_system(stranger, word)
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    reasons = []
    for other in (foreign, "at.nobody.Is.Here"):
        answer = await browser.add(
            f"/systems/{system}/apps/new",
            name="app",
            target_system=target,
            statement=f"SELECT l.result - r.result AS gap\nFROM {system} AS l JOIN {other} AS r;",
        )
        assert answer.status_code == 409
        reasons.append(answer.text.count(f"No contract in force lets {target} have records of {other}."))
    assert reasons == [1, 1]


async def test_a_source_of_ones_own_company_is_refused_to_who_is_no_agent_of_it(
    new_browser: MakeBrowser, word: Word
) -> None:
    owner, colleague = new_browser(), new_browser()
    system = await with_system(owner, word)
    other, target = await second_system(owner, system), await second_system(owner, system, "Roads")
    email = await colleague.sign_up(word())
    await owner.add(f"/systems/{system}/members", email=email, role="agent")
    answer = await colleague.add(
        f"/systems/{system}/apps/new",
        name="app",
        target_system=target,
        statement=f"SELECT l.result - r.result AS gap\nFROM {system} AS l JOIN {other} AS r;",
    )
    assert answer.status_code == 422
    assert f"you are no agent of {other}: ask one of its agents to add you" in answer.text
    assert "line 2, column" in answer.text


async def test_the_system_of_the_app_must_be_one_of_the_sources(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    second, target = await second_system(browser, system), await second_system(browser, system, "Roads")
    statement = f"SELECT l.result - r.result AS gap FROM {second} AS l JOIN {second} AS r;"
    answer = await browser.add(
        f"/systems/{system}/apps/new", name="app", target_system=target, statement=statement
    )
    assert answer.status_code == 422
    assert f"No source is {system}" in answer.text


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT * FROM {0} AS l JOIN {0} AS r;", "makes no Datastream"),
        ("EXPLAIN SELECT * FROM {0};", "leave EXPLAIN out"),
        ("SELECT height AS h UNIT &#39;metres&#39; FROM {0};", "write &#39;m&#39;"),
    ],
)
async def test_what_can_be_tried_but_not_run_is_not_stored(
    new_browser: MakeBrowser, word: Word, statement: str, reason: str
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    answer = await browser.add(
        f"/systems/{system}/apps/new",
        name="app",
        target_system=target,
        statement=html.unescape(statement).format(system),
    )
    assert answer.status_code == 422
    assert reason in answer.text


async def test_what_is_typed_is_explained_or_refused_with_a_caret(
    new_browser: MakeBrowser, word: Word, metadata: SensorThingsServer
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    register(metadata, system, Speed="rpm", Torque="Nm")
    check, page = f"/systems/{system}/apps/check", f"/systems/{system}/apps/new"
    column = "2 * PI() / 60 * l.result * r.result AS power"
    good = await browser.post(check, page, statement=join(system, f"{column} UNIT 'W'", "Speed", "Torque"))
    assert "The statement is understood." in good.text
    assert f"l = {system}: topic {system}.int" in good.text
    assert "unit W" in good.text
    bad = await browser.post(check, page, statement=join(system, f"{column} UNIT 'm'", "Speed", "Torque"))
    assert "&#39;m&#39; is length" in bad.text
    assert "^" in bad.text
    assert "understood" not in bad.text


async def test_a_datastream_of_another_app_is_never_overwritten(
    new_browser: MakeBrowser, word: Word, metadata: SensorThingsServer, runner: MemoryRunner
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    register(metadata, target, power="W")
    statement = f"SELECT result AS power UNIT 'W' FROM {system} WHERE thing = 'Mill';"
    register(metadata, system, Power="W")
    page = await create(browser, system, target, statement)
    answer = await browser.post(f"{page}/deploy", page)
    assert answer.status_code == 409
    assert f"The Thing {target}.Mill is there already and belongs to another" in answer.text
    assert runner.specifications == {}
    found = metadata.datastream(f"{target}.Mill.power")
    assert found is not None
    assert found["description"] == "power"


async def test_a_statement_that_no_longer_fits_the_units_is_refused_at_deployment(
    new_browser: MakeBrowser, word: Word, metadata: SensorThingsServer, runner: MemoryRunner
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    register(metadata, system, Oil="°C", Water="°C")
    page = await create(
        browser, system, target, join(system, "l.result - r.result AS gap UNIT 'K'", "Oil", "Water")
    )
    register(metadata, system, Water="K")
    answer = await browser.post(f"{page}/deploy", page)
    assert answer.status_code == 422
    assert "line 1, column 19" in answer.text
    assert runner.specifications == {}


async def test_the_api_says_the_same_as_a_problem_document(
    new_browser: MakeBrowser, word: Word, metadata: SensorThingsServer
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    register(metadata, system, Speed="rpm", Torque="Nm")
    page = await browser.get(f"/systems/{system}/apps/new")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    answer = await browser.http.post(
        f"/api/v1/systems/{system}/apps",
        content=json.dumps(
            {
                "name": "app",
                "target_system": await second_system(browser, system),
                "statement": join(system, "l.result + r.result AS total", "Speed", "Torque"),
            }
        ),
        headers={"content-type": "application/json", "x-csrf-token": token},
    )
    assert answer.status_code == 422
    assert answer.json()["code"] == "stream.statement_refused"


class TestWithoutSensorThings:
    """The service is down; what does not need it goes on."""

    @pytest.fixture
    def metadata(self) -> Iterator[SensorThingsServer]:
        server = SensorThingsServer("127.0.0.1:9", timeout_s=1, retry_s=0)
        yield server
        server.close()

    async def test_saving_what_depends_on_units_is_refused_and_the_words_are_kept(
        self, new_browser: MakeBrowser, word: Word
    ) -> None:
        browser = new_browser()
        system = await with_system(browser, word)
        target = await second_system(browser, system)
        statement = join(system, "l.result - r.result AS gap", "Oil", "Water")
        answer = await browser.add(
            f"/systems/{system}/apps/new", name="app", target_system=target, statement=statement
        )
        assert answer.status_code == 503
        assert "SensorThings cannot be used" in answer.text
        assert "AS gap" in answer.text
        assert (await browser.get(f"/systems/{system}/apps/app")).status_code == 404

    async def test_a_filter_is_saved_changed_and_deployed_without_it(
        self, new_browser: MakeBrowser, word: Word, runner: MemoryRunner
    ) -> None:
        browser = new_browser()
        system = await with_system(browser, word)
        target = await second_system(browser, system)
        page = await create(browser, system, target, f"SELECT * FROM {system} WHERE result < 4;")
        await browser.post(f"{page}/deploy", page)
        assert runner.specifications[f"{system}.app"].datastreams == {}

    async def test_a_running_app_keeps_its_statement_when_its_new_outputs_cannot_be_registered(
        self, new_browser: MakeBrowser, word: Word, runner: MemoryRunner
    ) -> None:
        browser = new_browser()
        system = await with_system(browser, word)
        target = await second_system(browser, system)
        first = f"SELECT * FROM {system} WHERE result < 4;"
        page = await create(browser, system, target, first)
        await browser.post(f"{page}/deploy", page)
        answer = await browser.post(
            f"{page}/statement", page, statement=f"SELECT result AS copy UNIT 'm' FROM {system};"
        )
        assert answer.status_code == 503
        assert runner.specifications[f"{system}.app"].statement == first
        assert "stream changed" not in (await browser.get(page)).text
