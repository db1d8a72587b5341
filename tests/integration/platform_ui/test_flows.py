"""Home: the map of flows, what needs somebody, the first steps; and how they are measured."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer
from fastapi import FastAPI
from sqlalchemy import delete, update

from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName, SystemTopics
from platform_ui.broker import KafkaTopics
from platform_ui.contracts.offers.models import Offer
from platform_ui.credentials.models import Credential, IssuedCertificate
from platform_ui.errors import BrokerError
from platform_ui.flows.figures import FlowSnapshot
from platform_ui.flows.offsets import KafkaOffsets
from platform_ui.flows.sampler import FlowSampler
from platform_ui.systems.models import System
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser, MemoryRunner, MemoryStatus, MemoryTopics
from tests.integration.platform_ui.statements import counted
from tests.kafka_clients import connection

Word = Callable[[], str]
STATEMENT = "SELECT * FROM * WHERE result < 4;"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def tick(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class MemoryOffsets:
    """End offsets in memory; fails on demand."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.listings = 0
        self.fails = False

    def partitions(self) -> dict[str, int]:
        self.listings += 1
        self._try()
        return dict.fromkeys(self.counts, 1)

    def totals(self, partitions: Mapping[str, int]) -> dict[str, int]:
        self._try()
        return {name: self.counts[name] for name in partitions}

    def since(self, partitions: Mapping[str, int], totals: Mapping[str, int], at: datetime) -> dict[str, int]:
        del at
        return {name: totals[name] for name in partitions}

    def last_moved(self, partitions: Mapping[str, int]) -> dict[str, datetime]:
        return dict.fromkeys(partitions, NOON - timedelta(days=1))

    def _try(self) -> None:
        if self.fails:
            raise BrokerError("Kafka does not answer.")


async def new_company(browser: Browser, word: Word) -> str:
    enterprise = word()
    await browser.add("/companies/new", domain="cz", enterprise=enterprise)
    return f"cz.{enterprise}"


async def new_system(browser: Browser, company: str, station: str) -> str:
    answer = await browser.add("/systems/new", company=company, workcenter="Fleet", station=station)
    assert answer.status_code == 200
    return f"{company}.Fleet.{station}"


async def new_app(browser: Browser, source: str, target: str, name: str = "warn") -> None:
    answer = await browser.add(
        f"/systems/{source}/apps/new", name=name, target_system=target, statement=STATEMENT
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def owner(new_browser: MakeBrowser, word: Word) -> Browser:
    browser = new_browser()
    await browser.sign_up(word())
    return browser


@pytest.fixture
def clock_and_offsets(site: FastAPI, runner: MemoryRunner) -> tuple[Clock, MemoryOffsets]:
    clock, offsets = Clock(), MemoryOffsets()
    site.state.flows = FlowSampler(runner, offsets, clock=clock, monotonic=clock.monotonic)
    return clock, offsets


async def test_the_map_shows_systems_apps_and_what_flows_between(
    owner: Browser, word: Word, runner: MemoryRunner
) -> None:
    company = await new_company(owner, word)
    source, target = [await new_system(owner, company, station) for station in ("Car1", "Car2")]
    await new_app(owner, source, target)
    page = await owner.get("/dashboard")
    assert f'href="/systems/{source}/apps/warn"' in page.text
    assert f'href="/systems/{target}"' in page.text
    runner.statuses[f"{source}.warn"] = MemoryStatus(f"{source}.warn", state="failed", cause="no such field")
    page = await owner.get("/dashboard")
    assert "One thing needs somebody." in page.text
    assert "no such field" in page.text


async def test_htmx_gets_the_part_that_changes_and_nothing_else(owner: Browser, word: Word) -> None:
    company = await new_company(owner, word)
    await new_system(owner, company, "Car1")
    part = await owner.get("/dashboard", **{"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="flow-live"')
    assert "<html" not in part.text


async def test_nobody_sees_what_flows_elsewhere(
    owner: Browser, new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    company = await new_company(owner, word)
    source, target = [await new_system(owner, company, station) for station in ("Car1", "Car2")]
    await new_app(owner, source, target)
    stranger = new_browser()
    await stranger.sign_up(word())
    other = await new_system(stranger, await new_company(stranger, word), "Mill")
    answer = (await stranger.get(f"/api/v1/flows?company={company}")).json()
    assert answer["nodes"] == answer["edges"] == answer["lanes"] == []
    everything = await stranger.get("/api/v1/flows")
    assert company not in everything.text
    assert [node["id"] for node in everything.json()["nodes"]] == [other]
    assert company not in (await stranger.get("/dashboard")).text


async def test_the_queries_of_home_do_not_grow_with_what_there_is(
    owner: Browser, word: Word, site: FastAPI
) -> None:
    company = await new_company(owner, word)
    first = await new_system(owner, company, "S00")
    with counted(site) as few:
        await owner.get("/dashboard")
    for number in range(1, 8):
        system = await new_system(owner, company, f"S{number:02}")
        await owner.add(f"/systems/{system}/clients/new", name=f"client_{number}")
        await new_app(owner, first, system, f"app{number}")
    with counted(site) as many:
        page = await owner.get("/dashboard")
    assert page.text.count('class="flow-box flow-app') == 7
    assert len(many) == len(few)


async def test_a_half_made_system_is_told(owner: Browser, word: Word, site: FastAPI) -> None:
    system = await new_system(owner, await new_company(owner, word), "Car1")
    async with site.state.sessions() as session:
        change = {"state": "creating", "created_at": datetime.now(UTC) - timedelta(minutes=5)}
        await session.execute(update(System).where(System.name == system).values(change))
        await session.commit()
    (trouble,) = (await owner.get("/api/v1/flows")).json()["troubles"]
    assert (trouble["kind"], trouble["url"]) == ("system_half_made", f"/systems/{system}")


@pytest.mark.parametrize(("days", "told"), [(3, True), (30, False)])
async def test_a_certificate_near_its_end_is_told(
    owner: Browser, word: Word, site: FastAPI, days: int, told: bool
) -> None:
    system = await new_system(owner, await new_company(owner, word), "Car1")
    await owner.add(f"/systems/{system}/clients/new", name="car_1")
    present, name = datetime.now(UTC), f"{system}.car_1"
    async with site.state.sessions() as session:
        session.add(Credential(kind="client", name=name, epoch=1, created_at=present))
        await session.flush()
        session.add(
            IssuedCertificate(
                serial=secrets.token_hex(8),
                kind="client",
                name=name,
                epoch=1,
                not_before=present - timedelta(days=60),
                not_after=present + timedelta(days=days),
                issued_at=present,
                issued_by="somebody@example.com",
                origin="csr",
            )
        )
        await session.commit()
    troubles = (await owner.get("/api/v1/flows")).json()["troubles"]
    assert [trouble["kind"] for trouble in troubles] == (["certificate_ending"] if told else [])


async def test_a_newcomer_makes_company_systems_and_client_in_one_form(
    owner: Browser, word: Word, topics: MemoryTopics
) -> None:
    enterprise = word()
    assert 'action="/start"' in (await owner.get("/dashboard")).text
    fields = {"domain": "cz", "workcenter": "Lab", "station": "Device1", "client": "sensor_1"}
    page = await owner.post("/start", "/dashboard", enterprise=enterprise, receiver="Results", **fields)
    system = f"cz.{enterprise}.Lab.Device1"
    assert page.url.path == f"/systems/{system}/clients/sensor_1"
    assert {f"{system}.int", f"cz.{enterprise}.Lab.Results.ext"} <= topics.names
    home = await owner.get("/dashboard")
    assert "3 of 5 done" in home.text
    assert f'href="/systems/{system}/clients/sensor_1"' in home.text


async def test_pages_that_need_a_system_lead_a_newcomer_to_the_one_form_that_makes_it(
    owner: Browser, site: FastAPI
) -> None:
    async with site.state.sessions() as session:
        await session.execute(delete(Offer))  # what other tests have published
        await session.commit()
    lists = ("/clients", "/apps", "/contracts", "/catalogue", "/explain/readers")
    for path in ("/contracts/new", "/catalogue/new", "/apps/new", *lists):
        page = await owner.get(path)
        assert page.status_code == 200, path
        assert 'href="/start"' in page.text.partition("<main")[2], path


async def test_a_start_that_failed_half_way_goes_on_when_it_is_sent_again(
    owner: Browser, word: Word, topics: MemoryTopics
) -> None:
    fields = {"domain": "cz", "enterprise": word(), "workcenter": "Lab", "station": "Device1"}
    topics.fails = True
    refused = await owner.add("/start", client="sensor_1", **fields)
    assert refused.status_code == 503
    assert "Kafka does not answer" in refused.text
    topics.fails = False
    page = await owner.add("/start", client="sensor_1", **fields)
    assert page.url.path.endswith("/clients/sensor_1")


async def test_a_start_with_the_company_of_others_says_which_field_is_wrong(
    owner: Browser, new_browser: MakeBrowser, word: Word
) -> None:
    company = await new_company(owner, word)
    stranger = new_browser()
    await stranger.sign_up(word())
    fields = {"domain": "cz", "workcenter": "Lab", "station": "Device1", "client": "sensor_1"}
    answer = await stranger.add("/start", enterprise=company.removeprefix("cz."), **fields)
    assert answer.status_code == 409
    assert 'aria-invalid="true"' in answer.text


async def test_rates_follow_from_two_samples(
    owner: Browser, word: Word, site: FastAPI, clock_and_offsets: tuple[Clock, MemoryOffsets]
) -> None:
    clock, offsets = clock_and_offsets
    system = await new_system(owner, await new_company(owner, word), "Car1")
    offsets.counts = {f"{system}.int": 100, f"{system}.int.dlq": 2, f"{system}.ext": 0}
    await site.state.flows.sample()
    clock.tick(10)
    offsets.counts[f"{system}.int"] = 150
    snapshot: FlowSnapshot = await site.state.flows.sample()
    assert snapshot.topic(f"{system}.int").rate_per_s == 5
    assert snapshot.topic(f"{system}.int").last_moved == clock.time
    assert snapshot.topic(f"{system}.int.dlq").last_hour == 2
    assert snapshot.topic(f"{system}.int.dlq").last_moved == NOON - timedelta(days=1)
    assert snapshot.topic(f"{system}.ext").last_moved is None
    answer = (await owner.get("/api/v1/flows")).json()
    assert answer["nodes"][0]["own_per_s"] == 5
    assert {trouble["kind"] for trouble in answer["troubles"]} == {"dead_letters"}


async def test_figures_stay_with_their_age_while_the_broker_is_away(
    site: FastAPI, clock_and_offsets: tuple[Clock, MemoryOffsets]
) -> None:
    clock, offsets = clock_and_offsets
    offsets.counts = {"cz.cars.Fleet.Car1.int": 7}
    await site.state.flows.sample()
    offsets.fails = True
    clock.tick(100)
    snapshot: FlowSnapshot = await site.state.flows.sample()
    assert snapshot.at == NOON
    assert snapshot.is_stale
    assert snapshot.trouble == "Kafka does not answer."
    assert snapshot.topic("cz.cars.Fleet.Car1.int").total == 7
    offsets.fails = False
    assert not (await site.state.flows.sample()).is_stale


class AwayRunner(MemoryRunner):
    """A runner whose files cannot be read."""

    def list(self) -> Sequence[MemoryStatus]:
        raise OSError("no such folder")


async def test_figures_of_topics_go_on_while_the_runner_is_away() -> None:
    offsets = MemoryOffsets()
    offsets.counts = {"cz.cars.Fleet.Car1.int": 7}
    snapshot = await FlowSampler(AwayRunner(), offsets).sample()
    assert "runner" in snapshot.trouble
    assert snapshot.topic("cz.cars.Fleet.Car1.int").total == 7


async def test_topics_are_listed_rarely_and_at_once_after_a_change(
    site: FastAPI, clock_and_offsets: tuple[Clock, MemoryOffsets]
) -> None:
    clock, offsets = clock_and_offsets
    sampler: FlowSampler = site.state.flows
    for _ in range(3):
        await sampler.sample()
        clock.tick(3)
    assert offsets.listings == 1
    sampler.bell.ring()
    offsets.counts["cz.cars.Fleet.New.int"] = 0
    await sampler.sample()
    assert offsets.listings == 2
    assert "cz.cars.Fleet.New.int" in sampler.snapshot().topics


@pytest.fixture
def made(kafka_bootstrap: str, unique_system: Callable[[], str]) -> SystemTopics:
    topics = SystemName.parse(unique_system()).topics
    KafkaTopics(kafka_bootstrap, KafkaSecurity.from_environment()).create(topics)
    return topics


async def test_a_real_broker_tells_rates_totals_and_what_was_refused(
    kafka_bootstrap: str, made: SystemTopics
) -> None:
    clock = Clock()
    clock.time = datetime.now(UTC)
    security = KafkaSecurity.from_environment()
    # It counts what was refused on all topics that the tests have made.
    offsets = KafkaOffsets(kafka_bootstrap, security, request_timeout_s=120)
    sampler = FlowSampler(MemoryRunner(), offsets, clock=clock, monotonic=clock.monotonic)
    before = await sampler.sample()
    while before.topic(made.internal).total is None:  # a new topic is not known everywhere at once
        await asyncio.sleep(0.1)
        sampler.bell.ring()
        before = await sampler.sample()
    assert before.topic(made.internal).total == 0
    assert before.topic(made.internal).last_moved is None
    assert before.topic(made.dead_letters).last_hour == 0
    producer = Producer(connection(kafka_bootstrap))
    for number in range(60):
        producer.produce(made.internal, key=str(number), value=b"{}")
    assert await asyncio.to_thread(producer.flush, 60) == 0
    refusing = Producer({**connection(kafka_bootstrap), "transactional.id": made.dead_letters})
    await asyncio.to_thread(refusing.init_transactions, 60)
    for _ in range(2):  # each transaction leaves a marker, which takes an offset and is no record
        refusing.begin_transaction()
        refusing.produce(made.dead_letters, value=b"{}")
        await asyncio.to_thread(refusing.commit_transaction, 60)
    clock.tick(120)
    after = await sampler.sample()
    assert after.topic(made.internal).total == 60
    assert after.topic(made.internal).rate_per_s == 0.5
    assert after.topic(made.dead_letters).last_hour == 2
    fresh = FlowSampler(MemoryRunner(), offsets)
    moved = (await fresh.sample()).topic(made.internal).last_moved
    assert moved is not None
    assert abs(moved - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_broker_that_is_not_there_is_trouble_and_no_crash() -> None:
    sampler = FlowSampler(MemoryRunner(), KafkaOffsets("127.0.0.1:1", request_timeout_s=0.5))
    snapshot = await sampler.sample()
    assert snapshot.at is None
    assert "127.0.0.1:1" in snapshot.trouble
