"""The rules of companies, systems, client apps and stream apps, through pages and API, on a real database."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi import FastAPI

from platform_ui.streams import service as streams
from tests.integration.platform_ui.agreements import agree
from tests.integration.platform_ui.doubles import Browser, MemoryRunner, MemoryTopics

MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]


async def with_system(browser: Browser, word: Word, station: str = "Car1") -> str:
    """Sign up, create a company and a system; return the system's name."""
    await browser.sign_up(word())
    company = f"cz.{word()}"
    answer = await browser.add("/companies/new", domain="cz", enterprise=company[3:])
    assert answer.url.path == f"/companies/{company}", answer.text
    answer = await browser.add("/systems/new", company=company, workcenter="Fleet", station=station)
    assert answer.url.path == f"/systems/{company}.Fleet.{station}", answer.text
    return f"{company}.Fleet.{station}"


async def second_system(browser: Browser, system: str, station: str = "Car2") -> str:
    company = ".".join(system.split(".")[:2])
    await browser.add("/systems/new", company=company, workcenter="Fleet", station=station)
    return f"{company}.Fleet.{station}"


async def test_a_system_comes_with_its_four_topics_and_leaves_with_them(
    new_browser: MakeBrowser, word: Word, topics: MemoryTopics
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    assert topics.names == {f"{system}.{kind}" for kind in ("int", "ext", "log", "int.dlq")}
    answer = await browser.add(f"/systems/{system}/delete")
    assert answer.url.path == "/systems"
    assert topics.names == set()
    assert (await browser.get(f"/systems/{system}")).status_code == 404


async def test_the_name_of_a_deleted_company_falls_to_nobody_else(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, stranger = new_browser(), new_browser()
    await browser.sign_up(word())
    await stranger.sign_up(word())
    name = {"domain": "cz", "enterprise": word()}
    page = f"/companies/cz.{name['enterprise']}"
    await browser.add("/companies/new", **name)
    taken = await stranger.add("/companies/new", **name)
    await browser.add(f"{page}/delete")
    assert (await browser.get(page)).status_code == 404
    answer = await stranger.add("/companies/new", **name)
    assert answer.status_code == taken.status_code == 409, "its audit log and its records are still there"
    assert (await browser.add("/companies/new", **name)).url.path == page


async def test_a_broker_that_fails_leaves_no_half_made_system(
    new_browser: MakeBrowser, word: Word, topics: MemoryTopics
) -> None:
    browser = new_browser()
    first = await with_system(browser, word)
    company = ".".join(first.split(".")[:2])
    topics.fails = True
    fields = {"company": company, "workcenter": "Fleet", "station": "Car2", "description": "kept words"}
    answer = await browser.add("/systems/new", **fields)
    assert answer.status_code == 503
    assert "Kafka does not answer." in answer.text
    assert "kept words" in answer.text
    assert (await browser.get(f"/systems/{company}.Fleet.Car2")).status_code == 404
    topics.fails = False
    assert (await browser.add("/systems/new", **fields)).status_code == 200


async def test_a_deletion_that_fails_keeps_the_system_with_all_its_topics(
    new_browser: MakeBrowser, word: Word, topics: MemoryTopics
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    before = set(topics.names)
    topics.fails = True
    answer = await browser.add(f"/systems/{system}/delete")
    assert answer.status_code == 503
    assert topics.names == before
    assert (await browser.get(f"/systems/{system}")).status_code == 200


async def test_a_duplicate_is_refused_at_its_field_and_the_input_is_kept(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    company = ".".join(system.split(".")[:2])
    answer = await browser.add("/companies/new", domain="cz", enterprise=company[3:], description="my words")
    assert answer.status_code == 409
    assert f"{company} is taken" in answer.text
    assert "my words" in answer.text
    answer = await browser.add("/systems/new", company=company, workcenter="Fleet", station="Car1")
    assert answer.status_code == 409
    assert "choose another station" in answer.text


async def test_what_is_in_use_is_not_deleted_and_the_message_says_what_to_do(
    new_browser: MakeBrowser, word: Word, topics: MemoryTopics
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    company = ".".join(system.split(".")[:2])
    answer = await browser.add(f"/companies/{company}/delete")
    assert answer.status_code == 409
    assert "Delete its systems first" in answer.text
    await browser.add(f"/systems/{system}/clients/new", name="car_1")
    answer = await browser.add(f"/systems/{system}/delete")
    assert answer.status_code == 409
    assert "Delete its client apps and stream apps first" in answer.text
    assert f"{system}.int" in topics.names
    await browser.add(f"/systems/{system}/clients/car_1/delete")
    assert (await browser.add(f"/systems/{system}/delete")).url.path == "/systems"
    assert (await browser.add(f"/companies/{company}/delete")).url.path == "/companies"


async def test_a_target_of_somebody_elses_app_is_not_deleted(new_browser: MakeBrowser, word: Word) -> None:
    sue, stefan = new_browser(), new_browser()
    source, target = await with_system(sue, word), await with_system(stefan, word)
    await agree(sue, stefan, source, target)
    answer = await sue.add(
        f"/systems/{source}/apps/new", name="share", target_system=target, statement="SELECT * FROM *;"
    )
    assert answer.status_code == 200
    assert (await stefan.add(f"/systems/{target}/delete")).status_code == 409
    assert f"/systems/{source}/apps/share" in (await stefan.get(f"/systems/{target}")).text


async def test_an_agent_of_the_target_may_stop_an_app_and_start_what_they_stopped(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    sue, stefan = new_browser(), new_browser()
    source, target = await with_system(sue, word), await with_system(stefan, word)
    await agree(sue, stefan, source, target)
    app, fields = f"/systems/{source}/apps/share", {"target_system": target, "statement": "SELECT * FROM *;"}
    await sue.add(f"/systems/{source}/apps/new", name="share", **fields)
    assert (await stefan.post(f"{app}/deploy", app)).status_code == 409  # the source deploys it first
    await sue.post(f"{app}/deploy", app)
    assert (await stefan.post(f"{app}/stop", app)).status_code == 200
    assert runner.statuses[f"{source}.share"].desired == "stopped"
    assert (await sue.post(f"{app}/deploy", app)).status_code == 409  # whoever stopped it starts it
    assert f"Only agents of {target} can start it." in (await sue.get(app)).text
    await stefan.post(f"{app}/deploy", app)
    assert runner.statuses[f"{source}.share"].desired == "running"
    await sue.post(f"{app}/stop", app)
    assert (await stefan.post(f"{app}/deploy", app)).status_code == 409


async def test_an_agent_of_the_target_neither_changes_nor_deletes_an_app_nor_reads_its_log(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue, stefan = new_browser(), new_browser()
    source, target = await with_system(sue, word), await with_system(stefan, word)
    await agree(sue, stefan, source, target)
    app = f"/systems/{source}/apps/share"
    await sue.add(
        f"/systems/{source}/apps/new", name="share", target_system=target, statement="SELECT * FROM *;"
    )
    assert (await stefan.get(app)).status_code == 200
    for part in ("statement", "delete"):
        changed = await stefan.post(f"{app}/{part}", app, statement="SELECT * FROM * WHERE TRUE;")
        assert changed.status_code == 403
    for part in ("log", "delete"):
        assert (await stefan.get(f"{app}/{part}")).status_code == 403
    assert (await sue.get(app)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/companies/{company}",
        "/companies/{company}/delete",
        "/systems/{system}",
        "/systems/{system}/delete",
        "/systems/{system}/tail",
        "/systems/{system}/clients/new",
        "/systems/{system}/clients/car_1",
        "/systems/{system}/apps/new",
        "/systems/{system}/apps/share",
        "/systems/{system}/apps/share/state",
        "/systems/{system}/apps/share/log",
        "/api/v1/companies/{company}",
        "/api/v1/systems/{system}",
        "/api/v1/systems/{system}/clients/car_1",
        "/api/v1/systems/{system}/apps/share",
    ],
)
async def test_foreign_objects_look_as_if_they_were_not_there(
    new_browser: MakeBrowser, word: Word, path: str
) -> None:
    sue, stranger = new_browser(), new_browser()
    system = await with_system(sue, word)
    other = await second_system(sue, system)
    await sue.add(f"/systems/{system}/clients/new", name="car_1")
    statement = "SELECT * FROM *;"
    await sue.add(f"/systems/{system}/apps/new", name="share", target_system=other, statement=statement)
    await stranger.sign_up(word())
    address = path.format(system=system, company=".".join(system.split(".")[:2]))
    if not path.endswith("tail"):  # the owner's tail would not end
        assert (await sue.get(address)).status_code == 200
    assert (await stranger.get(address)).status_code == 404


async def test_members_are_added_by_address_and_the_last_one_stays(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue, peter = new_browser(), new_browser()
    system = await with_system(sue, word)
    page = f"/systems/{system}"
    email = await peter.sign_up(word())
    people = f"{page}/members"
    await sue.add(people, email=email.upper())
    assert (await peter.get(page)).status_code == 200
    assert (await sue.add(people, email=email)).status_code == 409
    assert (await sue.add(f"{page}/delete")).status_code == 409
    await peter.post(f"{people}/{email}/remove", people)
    assert (await peter.get(page)).status_code == 404
    own = (await sue.get("/api/v1/session")).json()["email"]
    answer = await sue.post(f"{people}/{own}/remove", "/companies/new")
    assert answer.status_code == 409
    assert "last agent" in answer.text


async def test_a_company_admin_sees_systems_listed_but_opens_only_those_they_operate(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue, anna = new_browser(), new_browser()
    system = await with_system(sue, word)
    company = ".".join(system.split(".")[:2])
    email = await anna.sign_up(word())
    await sue.post(
        f"/companies/{company}/members", f"/companies/{company}/members", email=email, role="admin"
    )
    assert "ask an agent to add you" in (await anna.get(f"/companies/{company}")).text
    assert (await anna.get(f"/systems/{system}")).status_code == 404


async def test_a_client_s_configuration_gives_addresses_without_a_scheme(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    await browser.add(f"/systems/{system}/clients/new", name="car_1")
    shown = (await browser.get(f"/api/v1/systems/{system}/clients/car_1")).json()["configuration"]
    assert shown == {
        "client_name": "car_1",
        "system": system,
        "gost_servers": "metadata.test:8084",
        "kafka_bootstrap_servers": "kafka.test:9092",
    }


async def test_a_refused_statement_shows_a_caret_and_is_kept(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    other = await second_system(browser, system)
    bad = "SELECT * FROM * WHERE result &lt; ;".replace("&lt;", "<")
    answer = await browser.add(
        f"/systems/{system}/apps/new", name="share", target_system=other, statement=bad
    )
    assert answer.status_code == 422
    assert "^" in answer.text
    assert "WHERE result &lt; ;</textarea>" in answer.text
    answer = await browser.add(
        f"/systems/{system}/apps/new", name="share", target_system=other, statement=f"SELECT * FROM {other};"
    )
    assert answer.status_code == 422
    assert f"this app reads {system}" in answer.text


async def test_a_client_app_and_a_stream_app_do_not_share_a_name(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser = new_browser()
    source = await with_system(browser, word)
    target = await second_system(browser, source)
    app = {"target_system": target, "statement": "SELECT * FROM *;"}
    await browser.add(f"/systems/{source}/clients/new", name="car_1")
    refused = await browser.add(f"/systems/{source}/apps/new", name="car_1", **app)
    assert refused.status_code == 409
    assert "The system has a client app named car_1" in refused.text
    await browser.add(f"/systems/{source}/apps/new", name="share", **app)
    refused = await browser.add(f"/systems/{source}/clients/new", name="share")
    assert refused.status_code == 409
    assert "The system has a stream app named share" in refused.text
    answer = await browser.add(f"/systems/{target}/clients/new", name="share")
    assert answer.status_code == 200, "in another system it is another name"


@pytest.mark.parametrize(("station", "message"), [("Car1", "another system"), ("Nowhere", "no system named")])
async def test_a_target_must_exist_and_be_another_system(
    new_browser: MakeBrowser, word: Word, station: str, message: str
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = f"{system.rpartition('.')[0]}.{station}"
    answer = await browser.add(
        f"/systems/{system}/apps/new", name="share", target_system=target, statement="SELECT * FROM *;"
    )
    assert answer.status_code == 422
    assert message in answer.text


async def test_an_app_is_deployed_changed_stopped_and_deleted(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    other = await second_system(browser, system)
    page = f"/systems/{system}/apps/share"
    first = "SELECT * FROM * WHERE result < 4;"
    await browser.add(f"/systems/{system}/apps/new", name="share", target_system=other, statement=first)
    assert "not deployed" in (await browser.get(page)).text
    await browser.post(f"{page}/deploy", page)
    specification = runner.specifications[f"{system}.share"]
    assert (specification.target_system, specification.statement) == (other, first)
    assert specification.bootstrap_servers == "kafka.test:9092"
    second = "SELECT * FROM * WHERE name LIKE '100%';"
    await browser.post(f"{page}/statement", page, statement=second)
    assert runner.specifications[f"{system}.share"].statement == second
    runner.logs[f"{system}.share"] = ["<b>line</b>"]
    assert "&lt;b&gt;line&lt;/b&gt;" in (await browser.get(f"{page}/log")).text
    assert (await browser.get(f"{page}/log/download")).text == "<b>line</b>\n"
    await browser.post(f"{page}/stop", page)
    assert runner.statuses[f"{system}.share"].desired == "stopped"
    answer = await browser.add(f"{page}/delete")
    assert answer.url.path == f"/systems/{system}"
    assert runner.statuses == {}
    assert "stream deleted" in answer.text


async def test_an_app_that_runs_learns_a_new_address_of_the_broker_and_a_stopped_one_stays(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    other = await second_system(browser, system)
    for name in ("runs", "rests"):
        fields = {"target_system": other, "statement": "SELECT * FROM *;"}
        await browser.add(f"/systems/{system}/apps/new", name=name, **fields)
        page = f"/systems/{system}/apps/{name}"
        await browser.post(f"{page}/deploy", page)
    await browser.post(f"{page}/stop", page)
    async with site.state.sessions() as session:
        ports = site.state.stream_ports
        assert await streams.reconcile(session, ports) == []
        moved = replace(ports, brokers="kafka.test:19092")
        assert await streams.reconcile(session, moved) == [f"{system}.runs"]
    assert runner.specifications[f"{system}.runs"].bootstrap_servers == "kafka.test:19092"
    assert runner.statuses[f"{system}.rests"].desired == "stopped"


async def test_a_runner_that_fails_changes_nothing_and_says_so(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    other = await second_system(browser, system)
    page = f"/systems/{system}/apps/share"
    statement = "SELECT * FROM *;"
    await browser.add(f"/systems/{system}/apps/new", name="share", target_system=other, statement=statement)
    await browser.post(f"{page}/deploy", page)
    runner.fails = True
    assert (
        await browser.post(f"{page}/statement", page, statement="SELECT * FROM * WHERE result < 1;")
    ).status_code == 503
    assert (await browser.add(f"{page}/delete")).status_code == 503
    shown = (await browser.get(f"/api/v1/systems/{system}/apps/share")).json()
    assert (shown["statement"], shown["state"], shown["forwarded"]) == (statement, "running", 4)
