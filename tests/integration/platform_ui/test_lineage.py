"""Lineage on a real database: who sees what of it, as of when, and in how many questions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from platform_ui.client_logs.reading import Lookback, RememberingReader
from platform_ui.systems.records import TopicRecord
from tests.integration.platform_ui.agreements import agree, revoke, with_system
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser, MemoryRunner, MemoryStatus
from tests.integration.platform_ui.statements import counted

Word = Callable[[], str]
EVERY_FORM = (
    "/lineage",
    "/lineage?view=table&records=yes",
    "/lineage?level=company",
    "/lineage?level=datastream&records=yes",
    "/api/v1/lineage?records=true",
    "/api/v1/lineage?level=company",
    "/api/v1/lineage?level=datastream&records=true",
    "/api/v1/lineage/openlineage",
)


class MemoryTopicReader:
    """Ends of topics in memory."""

    def __init__(self) -> None:
        self.records: dict[str, list[TopicRecord]] = {}
        self.asked: list[str] = []

    def last(self, topic: str, most: int, /) -> Lookback:
        self.asked.append(topic)
        return Lookback(tuple(self.records.get(topic, ())[-most:]))


@pytest.fixture
def reader(site: FastAPI) -> MemoryTopicReader:
    memory = MemoryTopicReader()
    site.state.client_topics = RememberingReader(memory)
    return memory


def received(system: str, name: str, app: str, contract: str, origin: str) -> TopicRecord:
    headers = {"dt-app": app, "dt-contract": contract, "dt-origin": f"{origin}.int/0/1"}
    at = int((datetime.now(UTC) + timedelta(minutes=1)).timestamp() * 1000)
    sent = tuple((key, value.encode()) for key, value in headers.items())
    return TopicRecord(f"{system}.ext", 0, 1, at, name.encode(), b"{}", sent)


async def second_system(browser: Browser, system: str, station: str) -> str:
    company, workcenter = system.rsplit(".", 2)[0], system.split(".")[2]
    answer = await browser.add("/systems/new", company=company, workcenter=workcenter, station=station)
    assert answer.status_code == 200, answer.text
    return f"{company}.{workcenter}.{station}"


async def new_app(browser: Browser, source: str, target: str, name: str, statement: str) -> None:
    answer = await browser.add(
        f"/systems/{source}/apps/new", name=name, target_system=target, statement=statement
    )
    assert answer.url.path == f"/systems/{source}/apps/{name}", answer.text


async def both_sides(new_browser: MakeBrowser, word: Word) -> tuple[Browser, Browser, str, str, str]:
    """Let a company share one Datastream with another; it keeps more to itself."""
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word, "Lab")
    contract = await agree(giver, taker, source, target, datastreams=f"{source}.Motor.Speed")
    vault = await second_system(giver, source, "Vault")
    inner = f"SELECT * FROM * WHERE name = '{source}.Motor.Secret' AND innermost < 4;"
    await new_app(giver, source, vault, "keepsake", inner)
    shared = f"SELECT * FROM * WHERE name IN ('{source}.Motor.Speed', '{source}.Motor.Secret');"
    await new_app(giver, source, target, "share", shared)
    return giver, taker, source, target, contract


async def edges(browser: Browser, query: str) -> dict[tuple[str, str], list[str]]:
    answer = await browser.get(f"/api/v1/lineage{query}")
    assert answer.status_code == 200, answer.text
    return {(edge["start"], edge["end"]): edge["truths"] for edge in answer.json()["edges"]}


async def test_across_a_contract_only_the_system_and_what_is_shared_can_be_seen(
    new_browser: MakeBrowser, word: Word, reader: MemoryTopicReader
) -> None:
    _, taker, source, target, contract = await both_sides(new_browser, word)
    record = received(target, f"{source}.Motor.Speed", f"{source}.share", contract, source)
    reader.records[f"{target}.ext"] = [record]
    for path in EVERY_FORM:
        answer = await taker.get(path)
        assert answer.status_code == 200, path
        for word_of_others in ("Vault", "keepsake", "Secret", "innermost", "IN ("):
            assert word_of_others not in answer.text, (path, word_of_others)
    shown = await edges(taker, "?level=datastream&records=true")
    speed = f"{source}.Motor.Speed"
    assert shown[speed, f"{speed}@{target}"] == ["declared", "permitted", "observed"]
    assert set(reader.asked) == {f"{target}.ext"}


async def test_a_stranger_finds_nothing_of_others(
    new_browser: MakeBrowser, word: Word, reader: MemoryTopicReader
) -> None:
    _, _, source, target, contract = await both_sides(new_browser, word)
    stranger = new_browser()
    await with_system(stranger, word)
    for path in EVERY_FORM:
        text = (await stranger.get(path)).text
        assert not {one for one in (source, target, contract, "keepsake", "Vault") if one in text}, path
    for focus in (source, f"{source}.share", f"{source}.Motor.Speed", source.rsplit(".", 2)[0], "nonsense"):
        for path in ("/lineage", "/api/v1/lineage", "/api/v1/lineage/openlineage"):
            assert (await stranger.get(f"{path}?focus={quote(focus)}")).status_code == 404, (path, focus)
    assert reader.asked == []


async def test_the_far_side_of_a_contract_can_be_looked_at_but_not_beyond(
    new_browser: MakeBrowser, word: Word
) -> None:
    _, taker, source, target, _ = await both_sides(new_browser, word)
    assert set(await edges(taker, f"?focus={source}")) == {
        (source, f"{source}.share"),
        (f"{source}.share", target),
    }
    assert (await taker.get(f"/lineage?focus={source}.Motor.Speed")).status_code == 200
    for hidden in (f"{source}.Motor.Secret", f"{source}.keepsake", source.rsplit(".", 1)[0] + ".Vault"):
        assert (await taker.get(f"/lineage?focus={hidden}")).status_code == 404, hidden


async def test_each_truth_can_be_looked_at_alone(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    giver, _, source, target, _ = await both_sides(new_browser, word)
    runner.statuses[f"{source}.share"] = MemoryStatus(f"{source}.share")
    way = (source, f"{source}.share")
    assert (await edges(giver, f"?focus={source}"))[way] == ["declared", "permitted", "observed"]
    assert (await edges(giver, f"?focus={target}&show=observed")) == {
        way: ["observed"],
        (f"{source}.share", target): ["observed"],
    }
    page = await giver.get("/lineage?show=declared,permitted")
    assert 'lineage-permitted" transform' in page.text
    assert 'lineage-observed" transform' not in page.text
    both = await giver.get("/lineage?show=declared&show=permitted")
    assert 'value="observed" checked' not in both.text


async def test_differences_are_told_first_with_where_to_mend_them(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, reader: MemoryTopicReader
) -> None:
    giver, taker, source, target, contract = await both_sides(new_browser, word)
    assert await revoke(taker, contract, "consumer") == 200
    runner.statuses[f"{source}.share"] = MemoryStatus(f"{source}.share")
    record = received(target, f"{source}.Motor.Speed", f"{source}.share", contract, source)
    reader.records[f"{target}.ext"] = [record]
    found = (await giver.get(f"/api/v1/lineage?focus={target}")).json()["differences"]
    assert [one["kind"] for one in found] == ["observed_not_permitted", "declared_not_permitted"]
    page = (await taker.get(f"/lineage?focus={target}&records=yes")).text
    assert "by contract" in page
    assert "after it had ended" in page
    assert page.index("Where the truths differ") < page.index("Map of lineage")
    assert f'href="/contracts/{contract}"' in page


async def test_details_come_as_a_part_and_as_a_page(new_browser: MakeBrowser, word: Word) -> None:
    giver, _, source, target, contract = await both_sides(new_browser, word)
    address = f"/lineage?pick={quote(f'{source}.share>{target}')}"
    whole = (await giver.get(address)).text
    part = (
        await giver.http.get(address, headers={"hx-request": "true", "hx-target": "lineage-details"})
    ).text
    assert "<html" in whole
    assert "<html" not in part
    for text in (whole, part):
        assert "Why this line is there" in text
        assert f"lets share write {target}.ext" in text
    reading = f"/lineage?pick={quote(f'{source}>{source}.share')}"
    assert f"({contract}), version 1, lets {target} have it." in (await giver.get(reading)).text


async def test_one_can_look_back_to_before_a_contract_and_an_app(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, _, source, target, contract = await both_sides(new_browser, word)
    facts = (await giver.get(f"/lineage?focus={source}")).text
    assert f"({contract}) came into force" in facts
    assert "version 1 of share was saved" in facts
    before = quote((datetime.now(UTC) - timedelta(days=1)).isoformat())
    assert await edges(giver, f"?at={before}") == {}
    page = (await giver.get(f"/lineage?at={before}")).text
    assert "This is how it was declared and permitted" in page
    held = f"SELECT * FROM * WHERE name = '{source}.Motor.Speed' AND result < 9;"
    app = f"/systems/{source}/apps/share"
    answer = await giver.post(f"{app}/statement", app, statement=held)
    assert answer.status_code == 200, answer.text
    second = await edges(giver, f"?focus={source}.share&level=datastream")
    moments = sorted(_moments(await giver.get("/lineage"), "version 1 of share"))
    first = await edges(giver, f"?focus={source}.share&level=datastream&at={quote(moments[0])}")
    assert len(first) == 2
    assert len(second) == 1
    assert all("observed" not in truths for truths in first.values())
    assert {end for _, end in first} >= {f"{source}.Motor.Speed@{target}"}


def _moments(page: object, text: str) -> list[str]:
    lines = [line for line in str(getattr(page, "text", "")).splitlines() if text in line]
    return [part.split('"')[0] for line in lines for part in line.split('<option value="') if text in part]


async def test_openlineage_documents_are_of_what_is_around_the_focus(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, _, source, target, _ = await both_sides(new_browser, word)
    answer = await giver.get(f"/api/v1/lineage/openlineage?focus={target}")
    jobs = [one["job"]["name"] for one in answer.json() if "job" in one]
    assert jobs == [f"{source}.share"]
    everything = await giver.get("/api/v1/lineage/openlineage")
    assert len([one for one in everything.json() if "job" in one]) == 2


async def test_how_many_questions_are_asked_does_not_depend_on_how_much_there_is(
    site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    giver, _, source, _, _ = await both_sides(new_browser, word)

    async def questions(path: str) -> int:
        with counted(site) as sent:
            assert (await giver.get(path)).status_code == 200
        return len(sent)

    paths = (
        "/lineage",
        f"/lineage?focus={source}",
        "/lineage?at=2026-01-01T00:00:00Z",
        "/api/v1/lineage/openlineage",
    )
    few = [await questions(path) for path in paths]
    for number in range(3):
        more = await second_system(giver, source, f"More{number}")
        await new_app(giver, source, more, f"more{number}", "SELECT * FROM *;")
    assert [await questions(path) for path in paths] == few


async def test_a_newcomer_learns_what_lineage_begins_with(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    everything, own = (
        (await browser.get("/lineage")).text,
        (await browser.get(f"/lineage?focus={system}")).text,
    )
    assert "Lineage shows where records come from" in everything
    assert "No stream app and no contract joins it" in own


async def test_systems_apps_and_contracts_lead_to_their_lineage(new_browser: MakeBrowser, word: Word) -> None:
    giver, _, source, _, contract = await both_sides(new_browser, word)
    for page, focus in (
        (f"/systems/{source}", source),
        (f"/systems/{source}/apps/share", f"{source}.share"),
        (f"/contracts/{contract}", source),
    ):
        assert f'href="/lineage?focus={focus}"' in (await giver.get(page)).text, page


@pytest.mark.parametrize(
    "query",
    [
        "at=0001-01-01T00:00:00%2B14:00",
        "at=yesterday&depth=99&level=planet&direction=sideways&show=nothing",
        "pick=nothing&view=cake&records=maybe",
        "at=9999-12-31T23:59:59-12:00&depth=-1",
    ],
)
async def test_an_address_that_says_nonsense_shows_what_is_usual(
    new_browser: MakeBrowser, word: Word, query: str
) -> None:
    browser = new_browser()
    await browser.sign_up(word())
    answer = await browser.get(f"/lineage?{query}")
    assert answer.status_code == 200
    assert 'name="show" value="observed" checked' in answer.text
    assert (await browser.get(f"/api/v1/lineage?{query}")).status_code in {200, 422}
