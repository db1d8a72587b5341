"""Explanations on a real database: they agree with the rules, name the gap, and tell nobody about others."""

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from client.messaging.topics import SystemName, dead_letter_topic
from platform_ui import db
from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import SERVICES, Registry, compile_entries
from platform_ui.acls.entries import ALTER, GROUP, READ, TOPIC, TRANSACTIONAL_ID, WRITE
from platform_ui.acls.registry import read_registry
from platform_ui.db import create_engine, create_sessions
from platform_ui.demo import load_demo
from platform_ui.explain import kafka
from platform_ui.explain.asking import Knowledge, Question, answer
from platform_ui.explain.kafka import Action, KafkaQuestion
from platform_ui.explain.rulings import Answer, Ruling
from platform_ui.pki.names import Identity, Kind
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from setup.explain_commands import explain
from tests.integration.platform_ui.agreements import agree, propose, revoke, sign, with_system
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryRunner, MemoryTopics
from tests.integration.platform_ui.registered import Registrar
from tests.unit.platform_ui.acls.memory import may

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]

_OPERATIONS = {
    Action.PRODUCE: (TOPIC, (WRITE,)),
    Action.CONSUME: (TOPIC, (READ,)),
    Action.DESCRIBE: (TOPIC, (READ, WRITE, ALTER)),
    Action.JOIN_GROUP: (GROUP, (READ,)),
    Action.USE_TRANSACTIONAL_ID: (TRANSACTIONAL_ID, (WRITE,)),
}


async def _demo_registry(settings: PlatformSettings, url: str, principals: Principals) -> Registry:
    db.migrate(url)
    demo = replace(settings, mode=Mode.DEMO, database_url=url)
    await load_demo(demo, topics=MemoryTopics(), runner=MemoryRunner(), metadata=MemoryMetadata())
    engine = create_engine(url)
    try:
        async with create_sessions(engine)() as session:
            return await read_registry(session, principals)
    finally:
        await engine.dispose()


def _names(registry: Registry) -> Iterator[str]:
    for system in registry.systems:
        topics = SystemName.parse(system).topics
        yield from topics.all()
        yield dead_letter_topic(topics.external)
    for identity in _identities(registry):
        yield from (identity.name, f"{identity.name}.0", f"{identity.name}x")
        yield f"platform.apps.{identity.name}.state"
    yield from ("platform.recorder", "platform.outbox.state", "sensorthings-outbox-1", "unknown")


def _identities(registry: Registry) -> list[Identity]:
    found = [Identity(Kind.CLIENT, ".".join(one)) for one in registry.clients]
    found += [Identity(Kind.APP, app.app_id) for app in registry.apps]
    return [*found, *SERVICES]


@pytest.mark.parametrize("principals", Principals)
async def test_kafka_is_explained_as_the_rules_of_the_demo_have_it(
    settings: PlatformSettings, new_database: Callable[[str], str], principals: Principals
) -> None:
    registry = await _demo_registry(settings, new_database("explained"), principals)
    entries = compile_entries(registry)
    allowed = checked = 0
    for identity in [*_identities(registry), Identity(Kind.CLIENT, "cz.nobody.Fleet.Car1.car_1")]:
        own = [entry for entry in entries if entry.principal == identity.principal]
        for name in dict.fromkeys(_names(registry)):
            for action, (kind, operations) in _OPERATIONS.items():
                ruling = kafka.decide(registry, KafkaQuestion(identity, action, name))
                expected = any(may(own, identity.principal, one, kind, name) for one in operations)
                assert ruling.is_allowed == expected, "\n".join(ruling.lines())
                checked, allowed = checked + 1, allowed + expected
    assert checked > 1000
    assert allowed > (50 if principals is Principals.NAMES else 10)


async def _ask(site: FastAPI, who: str, action: str, resource: str, record: str = "") -> Ruling:
    """Ask as the operator does."""
    async with site.state.sessions() as session:
        knowledge = Knowledge(session, site.state.runner, Principals.NAMES)
        return await answer(Question(who, action, resource, record), knowledge)


async def test_each_step_on_the_way_of_a_record_is_the_one_that_is_named(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    provider, consumer = await with_system(giver, word), await with_system(taker, word)
    datastream = f"{provider}.Thermometer.temperature"

    async def ask(record: str = "") -> Ruling:
        return await _ask(site, consumer, "receive", datastream, record)

    ruling = await ask()
    assert ruling.missing == f"a contract from {provider} to {consumer}"
    assert ruling.address == f"/contracts/new?provider={provider}&consumer={consumer}"
    contract = await propose(taker, provider, consumer, predicate="result < 4")
    assert "is a draft" in (await ask()).missing
    await sign(taker, contract, "consumer")
    named = f"contract “Car1 → Car1: To know about ice” ({contract})"
    assert (await ask()).missing == f"{named} waits: it is not signed by {provider}"
    await sign(giver, contract, "provider")
    ruling = await ask()
    assert ruling.missing.startswith("a stream app of")
    assert "signed by" in ruling.clauses[0]
    fields = {"name": "share", "target_system": consumer, "statement": "SELECT * FROM * WHERE result > 1;"}
    await giver.add(f"/systems/{provider}/apps/new", **fields)
    page = f"/systems/{provider}/apps/share"
    assert (await ask()).missing == "share is not deployed"
    await giver.post(f"{page}/deploy", "/contracts/new")
    ruling = await ask('{"result": 3}')
    assert ruling.answer is Answer.ALLOWED, ruling.lines()
    assert f"{named}, version 1" in ruling.clauses[0]
    assert (
        await ask('{"result": 7}')
    ).missing == 'row predicate refuses: result < 4 is false for {"result": 7}'
    assert "the statement refuses" in (await ask('{"result": 0}')).missing
    await taker.post(f"{page}/stop", "/contracts/new")
    assert (await ask()).missing == f"share is stopped: an agent of {consumer} stopped it"
    await taker.post(f"{page}/deploy", "/contracts/new")
    await revoke(giver, contract, "provider")
    ruling = await ask()
    assert ruling.missing == f"a contract from {provider} to {consumer}"
    (ended,) = ruling.clauses
    assert ended.startswith(f"{named} has ended, revoked by ")
    assert ended.endswith(": over now")


async def test_a_contract_names_the_datastreams_that_it_is_about(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    provider, consumer = await with_system(giver, word), await with_system(taker, word)
    named = f"{provider}.Thermometer.temperature"
    await agree(giver, taker, provider, consumer, datastreams=named)
    fields = {"name": "share", "target_system": consumer, "statement": "SELECT * FROM *;"}
    await giver.add(f"/systems/{provider}/apps/new", **fields)
    await giver.post(f"/systems/{provider}/apps/share/deploy", "/contracts/new")
    assert (await _ask(site, consumer, "receive", named)).is_allowed
    other = await _ask(site, consumer, "receive", f"{provider}.Hygrometer.humidity")
    assert "does not name the Datastream" in other.missing
    app = f"app.{provider}.share"
    carried = await _ask(site, app, "consume", f"{provider}.int")
    assert carried.is_allowed
    assert "was created by" in carried.clauses[2]
    assert "version 1, signed by" in carried.clauses[3]


async def test_the_operator_learns_what_is_not_there(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    email = (await browser.get("/api/v1/session")).json()["email"]
    assert (await _ask(site, email, "operate system", system)).is_allowed
    stranger = await new_browser().sign_up(word())
    assert (await _ask(site, stranger, "operate system", system)).answer is Answer.REFUSED
    for who, action, resource in (
        (email, "operate system", "cz.nobody.Fleet.Car1"),
        ("nobody@example.com", "see system", system),
        (f"client.{system}.car_9", "produce", f"{system}.int"),
        ("cz.nobody.Fleet.Car1", "receive", f"{system}.Thermometer.temperature"),
        ("service.operator", "produce", f"{system}.int"),
    ):
        assert (await _ask(site, who, action, resource)).answer is Answer.UNKNOWN, who


async def test_every_refusal_of_an_object_leads_to_its_explanation(
    new_browser: MakeBrowser, word: Word
) -> None:
    agent, viewer, visitor = new_browser(), new_browser(), new_browser()
    system = await with_system(agent, word)
    email = await viewer.sign_up(word())
    await agent.add(f"/systems/{system}/members", email=email, role="viewer")
    refused = await viewer.get(f"/systems/{system}/clients/new")
    assert refused.status_code == 403
    link = re.search(r'href="(/explain\?asked=[^"]+)"', refused.text)
    assert link
    page = html.unescape((await viewer.get(html.unescape(link[1]))).text)
    assert f"{email} is viewer of {system}, given by" in page
    assert "only its agents may do this" in page
    problem = (await viewer.get(f"/api/v1/systems/{system}/clients/car_1")).json()
    assert problem["explain"] == f"/explain?asked=/api/v1/systems/{system}/clients/car_1"
    assert (await viewer.get(problem["explain"])).status_code == 200
    assert "explain" not in (await visitor.get(f"/api/v1/systems/{system}")).json()
    assert "/explain?asked=" not in (await viewer.get("/nothing")).text


async def test_what_is_foreign_is_explained_as_what_is_not_there(
    new_browser: MakeBrowser, word: Word
) -> None:
    owner, stranger = new_browser(), new_browser()
    system = await with_system(owner, word)
    await owner.add(f"/systems/{system}/clients/new", name="car_1")
    own = await with_system(stranger, word)
    unknown = f"cz.{word()}.Fleet.Car1"
    assert len(unknown) == len(system)
    contract = await propose(owner, system, own)
    pairs = [
        (f"asked=/systems/{system}", f"asked=/systems/{unknown}"),
        (f"asked=/systems/{system}/apps/share", f"asked=/systems/{unknown}/apps/share"),
        (f"asked=/companies/{system[:12]}", f"asked=/companies/{unknown[:12]}"),
        (f"asked=/contracts/{contract}", "asked=/contracts/c-aaaaaaaaaaaaaaaa"),
        (
            f"who=client.{system}.car_1&action=produce&resource={system}.int",
            f"who=client.{unknown}.car_1&action=produce&resource={unknown}.int",
        ),
        (
            f"who={system}&action=receive&resource={own}.Thing.Stream",
            f"who={unknown}&action=receive&resource={own}.Thing.Stream",
        ),
        (
            f"who={own}&action=receive&resource={system}.Thing.Stream",
            f"who={own}&action=receive&resource={unknown}.Thing.Stream",
        ),
    ]
    for foreign, missing in pairs:
        seen = await stranger.get(f"/explain?{foreign}")
        nothing = await stranger.get(f"/explain?{missing}")
        assert seen.status_code == nothing.status_code == 200, seen.text
        known = seen.text.replace(system, unknown).replace(system[:12], unknown[:12])
        assert known.replace(contract, "c-aaaaaaaaaaaaaaaa") == nothing.text, foreign
        assert "<strong>refused</strong>" in seen.text


async def test_nobody_may_ask_about_another_person(new_browser: MakeBrowser, word: Word) -> None:
    one, other = new_browser(), new_browser()
    system = await with_system(one, word)
    known, unknown = await other.sign_up(word()), f"{word()}@example.com"
    found = [
        (await one.get(f"/explain?who={email}&action=operate system&resource={system}"))
        .text.replace(email, "-")
        .replace(email.replace("@", "%40"), "-")
        for email in (known, unknown)
    ]
    assert found[0] == found[1]
    assert "you may ask about yourself" in found[0]


async def test_programs_ask_the_api_and_faults_are_named(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    asked = {"action": "operate system", "resource": system}
    document = (await browser.http.get("/api/v1/explain", params=asked)).json()
    assert document["answer"] == "allowed"
    assert "is agent of" in document["because"][0]
    for wrong, field in (
        ({"action": "operate galaxy"}, "action"),
        ({"who": "app.x", "action": "fly"}, "action"),
        (
            {"who": system, "action": "receive", "record": "[]", "resource": f"{system}.Thing.Stream"},
            "record",
        ),
        ({"who": system, "action": "receive"}, "resource"),
    ):
        answer_ = await browser.http.get("/api/v1/explain", params=asked | wrong)
        assert answer_.status_code == 422, answer_.text
        assert f"/{field}" in {one["pointer"] for one in answer_.json()["errors"]}
        page = await browser.http.get("/explain", params={"who": asked.get("who", "")} | asked | wrong)
        assert page.status_code == 422


@pytest.fixture
def registrar(platform_database: str) -> Iterator[Registrar]:
    made = Registrar(platform_database)
    yield made
    made.close()


def test_the_command_answers_with_its_exit_code(
    registrar: Registrar,
    word: Word,
    platform_database: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    system, other = f"cz.{word()}.Fleet.Car1", f"cz.{word()}.Fleet.Car1"
    for name in (system, other):
        registrar.system(name)
    registrar.client(system, "car_1")
    monkeypatch.setenv("DTWIN_PLATFORM__DATABASE_URL", platform_database)
    monkeypatch.setenv("DTWIN_RUNNER__DIRECTORY", str(tmp_path / "runner"))
    who = f"client.{system}.car_1"

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(explain, words)
        return result.exit_code, result.output

    status, text = run("--as", who, "produce", f"{system}.int")
    assert status == 0, text
    assert "because car_1 was registered by registrar@example.org on" in text
    assert run("--as", who, "produce", f"{other}.int")[0] == 4
    assert run("--as", f"client.{other}.car_1", "produce", f"{other}.int")[0] == 5
    assert run("--as", "registrar@example.org", "operate", "system", system)[0] == 4
    assert run("--as", "registrar@example.org", "operate", "galaxy", system)[0] == 2
    assert run("--as", who, "produce")[0] == 2
    status, text = run("--as", system, "receive", f"{other}.Thing.My stream", "-o", "json")
    assert status == 4, text
    assert json.loads(text)["missing"] == f"a contract from {other} to {system}"
    registrar.revoke(Kind.CLIENT, f"{system}.car_1")
    status, text = run("--as", who, "produce", f"{system}.int")
    assert status == 4, text
    assert "its certificates are revoked" in text
    monkeypatch.setenv("DTWIN_PLATFORM__DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert run("--as", who, "produce", f"{system}.int")[0] == 6
