"""The stream app editor on a real database: what it says, who may see what, one screen to a running app."""

import json
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from fastapi import FastAPI

from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.metadata.entities import (
    Datastream,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)
from platform_ui.broker import KafkaTopics
from platform_ui.contracts import preview
from platform_ui.contracts.preview import KafkaRecords
from streamhub.preview import LastRecords
from tests.integration.platform_ui.agreements import agree, call, with_system
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryRunner
from tests.integration.platform_ui.test_rules import second_system
from tests.kafka_clients import connection

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]
EVERYTHING = "SELECT * FROM *;"


class SentRecords:
    """The last records of systems, as a test wants them; tells who was asked for."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {}
        self.asked: list[tuple[str, int]] = []

    def send(self, system: str, name: str, **value: object) -> None:
        line = {"topic": f"{system}.int", "key": f"{system}.{name}", "value": json.dumps(value)}
        self.lines.setdefault(system, []).append(json.dumps(line))

    def last(self, system: str, most: int, /) -> LastRecords:
        self.asked.append((system, most))
        lines = self.lines.get(system, [])[-most:]
        return LastRecords(lines, timestamps_ms=list(range(1, len(lines) + 1)))


@pytest.fixture
def records(site: FastAPI) -> SentRecords:
    sent = site.state.records = SentRecords()
    return sent


def register(metadata: MemoryMetadata, system: str, **units: str) -> None:
    """Register the Datastreams of a Thing named Mill."""
    thing = metadata.upsert(Thing(f"{system}.Mill", "A mill"))
    sensor = metadata.upsert(Sensor(f"{system}.sensor", "A sensor", "application/pdf", "https://example.com"))
    observed = metadata.upsert(ObservedProperty(f"{system}.property", "Anything", "https://example.com"))
    for name, unit in units.items():
        symbol = UnitOfMeasurement(unit, unit, "https://example.com")
        kind = ObservationType.MEASUREMENT
        full = f"{system}.Mill.{name}"
        metadata.upsert(Datastream(full, name, kind, symbol, thing, sensor, observed))


async def test_a_check_tells_a_program_the_place_of_a_fault_and_the_page_shows_it_too(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    statement = "SELECT *\n  FROM * WHERE result << 4;"
    answer = (await call(browser, "POST", f"/systems/{system}/apps:check", {"statement": statement})).json()
    (fault,) = answer["diagnostics"]
    place = [fault[one] for one in ("line", "column", "end_line", "end_column")]
    assert place == [2, 24, 2, 25]
    assert (answer["understood"], answer["plan"]) == (False, None)
    page, form = f"/systems/{system}/apps/check", f"/systems/{system}/apps/new"
    shown = await browser.post(page, form, statement=statement)
    assert 'data-line="2" data-column="24"' in shown.text
    browser.http.headers["accept"] = "application/json"
    token = (
        (await browser.get(form, accept="text/html")).text.split('name="csrf_token" value="')[1].split('"')[0]
    )
    both = (await browser.http.post(page, data={"csrf_token": token, "statement": statement})).json()
    assert both["diagnostics"] == answer["diagnostics"]
    assert "Go to line 2, column 24" in both["panel"]


async def test_a_source_of_somebody_else_is_a_fault_at_its_place(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    absent = f"at.{word()}.Some.Where"
    statement = f"SELECT l.result AS one UNIT 'm' FROM {system} AS l JOIN {absent} AS r WITHIN 1 s;"
    answer = (await call(browser, "POST", f"/systems/{system}/apps:check", {"statement": statement})).json()
    assert statement[answer["diagnostics"][0]["column"] - 1 :].startswith(absent)
    assert [(one["system"], one["allowed"]) for one in answer["rights"]] == [(system, True), (absent, False)]


async def test_rights_name_the_contract_or_the_form_that_asks_for_it(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    body = {
        "statement": f"SELECT * FROM * WHERE name = '{source}.Mill.Oil' AND result < 4;",
        "target_system": target,
    }
    rights = (await call(giver, "POST", f"/systems/{source}/apps:check", body)).json()["rights"]
    assert [(one["part"], one["allowed"]) for one in rights] == [("source", False), ("target", False)]
    form = await giver.get(rights[0]["request"])
    assert (form.status_code, f'value="{source}"' in form.text) == (200, True)
    assert "predicate=result+%3C+4" in rights[0]["request"]
    contract = await agree(giver, taker, source, target)
    rights = (await call(giver, "POST", f"/systems/{source}/apps:check", body)).json()["rights"]
    assert [(one["allowed"], one["contracts"]) for one in rights] == [(True, [contract]), (True, [])]


async def test_a_preview_counts_and_shows_real_records_and_saves_nothing(
    new_browser: MakeBrowser, word: Word, records: SentRecords, runner: MemoryRunner
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    for number in range(10):
        records.send(system, "Mill.Oil", phenomenonTime="2026-01-01T00:00:00Z", result=number, road="A1")
    body = {"statement": "SELECT * FROM * WHERE result < 4;", "last": 8}
    answer = (await call(browser, "POST", f"/systems/{system}/apps:preview", body)).json()
    assert [answer[one] for one in ("read", "matched", "dropped", "failed", "held_back")] == [8, 2, 6, 0, 0]
    assert answer["clauses"] == [{"text": "result < 4", "judged": 8, "refused": 6, "missing": 0}]
    assert answer["outputs"][0]["cells"] == ["3"]
    assert answer["outputs"][0]["more"] == {"road": "A1"}
    page = await browser.post(
        f"/systems/{system}/apps/preview", f"/systems/{system}/apps/new", statement=EVERYTHING, last="100"
    )
    assert "Mill.Oil" in page.text
    assert records.asked == [(system, 8), (system, 100)]
    assert (await call(browser, "GET", "/apps")).json()["items"] == []
    assert runner.specifications == {}


@pytest.mark.parametrize(
    ("statement", "last", "says"),
    [
        ("SELECT * FROM * WHERE result < ;", "100", "line 1, column 32"),
        (EVERYTHING, "10001", "At most 10000"),
        ("", "100", "Fill in this field."),
    ],
)
async def test_a_preview_that_cannot_be_made_says_why(
    new_browser: MakeBrowser, word: Word, statement: str, last: str, says: str
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    form = f"/systems/{system}/apps/new"
    answer = await browser.post(f"/systems/{system}/apps/preview", form, statement=statement, last=last)
    assert (answer.status_code, says in answer.text) == (200, True), answer.text
    body = {"statement": statement, "last": last}
    refused = await call(browser, "POST", f"/systems/{system}/apps:preview", body)
    assert refused.status_code == 422


async def test_a_preview_keeps_to_the_contract(
    new_browser: MakeBrowser, word: Word, records: SentRecords
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    await agree(giver, taker, source, target, predicate="result < 4", fields="road")
    for number in range(10):
        records.send(source, "Mill.Oil", result=number, road="A1", driver="Nia")
    body = {"statement": EVERYTHING, "target_system": target}
    answer = (await call(giver, "POST", f"/systems/{source}/apps:preview", body)).json()
    assert [answer[one] for one in ("read", "matched", "held_back")] == [10, 4, 6]
    assert "Nia" not in json.dumps(answer)
    body["statement"] = "SELECT * FROM * WHERE driver = 'Nia';"
    refused = await call(giver, "POST", f"/systems/{source}/apps:preview", body)
    assert (refused.status_code, "may not leave by contract" in refused.text) == (422, True)


async def test_records_of_somebody_else_are_seen_only_as_far_as_a_contract_gives_them(
    new_browser: MakeBrowser, word: Word, records: SentRecords
) -> None:
    giver, taker = new_browser(), new_browser()
    source, home = await with_system(giver, word), await with_system(taker, word)
    target = await second_system(taker, home)
    for number in range(10):
        records.send(source, "Mill.Oil", phenomenonTime=f"2026-01-01T00:00:0{number}Z", result=number)
        records.send(home, "Main.Oil", phenomenonTime=f"2026-01-01T00:00:0{number}Z", result=number)
    statement = f"SELECT l.result - r.result AS gap UNIT 'm' FROM {home} AS l JOIN {source} AS r WITHIN 0 s;"
    body = {"statement": statement, "target_system": target}
    refused = await call(taker, "POST", f"/systems/{home}/apps:preview", body)
    assert refused.status_code in {403, 422}
    assert records.asked == [], "nothing was read"
    await agree(giver, taker, source, target, predicate="result < 4")
    answer = (await call(taker, "POST", f"/systems/{home}/apps:preview", body)).json()
    assert [answer[one] for one in ("read", "pairs", "matched", "held_back")] == [14, 4, 4, 0]


async def test_the_words_are_those_that_the_person_may_see(
    new_browser: MakeBrowser, word: Word, metadata: MemoryMetadata
) -> None:
    browser, other = new_browser(), new_browser()
    system, foreign = await with_system(browser, word), await with_system(other, word)
    second = await second_system(browser, system)
    for one in (system, second, foreign):
        register(metadata, one, Oil="Cel")
    words = (await call(browser, "GET", f"/systems/{system}/apps:words")).json()
    assert words["systems"] == sorted([system, second])
    assert [one["name"] for one in words["datastreams"]] == [f"{system}.Mill.Oil"]
    assert words["datastreams"][0] | {"thing": "Mill", "unit": "Cel"} == words["datastreams"][0]
    assert {"round", "distance_m"} <= {one["name"] for one in words["functions"]}
    query = f"?source={second}&source={foreign}"
    words = (await call(browser, "GET", f"/systems/{system}/apps:words{query}")).json()
    assert {one["system"] for one in words["datastreams"]} == {system, second}
    assert foreign not in json.dumps(words)
    await agree(other, browser, foreign, system)
    words = (await call(browser, "GET", f"/systems/{system}/apps:words{query}")).json()
    assert {one["system"] for one in words["datastreams"]} == {system, second, foreign}


async def test_examples_have_the_real_names_and_lead_to_a_filled_form(
    new_browser: MakeBrowser, word: Word, metadata: MemoryMetadata
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    register(metadata, system, Oil="Cel", Water="Cel")
    page = (await browser.get(f"/systems/{system}/apps/new/examples")).text
    assert f"{system}.Mill.Oil" in page
    address = page.split('class="example" href="')[3].split('"')[0].replace("&amp;", "&")
    form = (await browser.get(address)).text
    assert f"{system}.Mill.Water&#39;;</textarea>" in form
    assert 'value="joined"' in form
    assert "gap in K" in form, "the plan is there without a script"


async def test_one_form_creates_and_deploys(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    page = f"/systems/{system}/apps/new"
    form = {"target_system": target, "statement": EVERYTHING}
    answer = await browser.add(page, name="share", deed="deploy", **form)
    assert answer.url.path == f"/systems/{system}/apps/share"
    assert "share is created and is being started." in answer.text
    assert runner.statuses[f"{system}.share"].desired == "running"
    await browser.add(page, name="other", deed="create", **form)
    assert f"{system}.other" not in runner.statuses
    runner.fails = True
    answer = await browser.add(page, name="third", deed="deploy", **form)
    runner.fails = False
    page = f"/systems/{system}/apps/third"
    assert (await browser.get(page)).status_code == 200, "it is created all the same"


async def test_without_a_script_the_form_checks_and_tries_and_keeps_what_was_typed(
    new_browser: MakeBrowser, word: Word, records: SentRecords
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    records.send(system, "Mill.Oil", phenomenonTime="2026-01-01T00:00:00Z", result=3)
    page = f"/systems/{system}/apps/new"
    form = {"name": "mine", "target_system": "", "statement": "SELECT * FROM * WHERE result < 4;"}
    checked = await browser.add(page, deed="check", **form)
    assert "Keeps those for which result &lt; 4." in checked.text
    tried = await browser.add(page, deed="preview", last="100", **form)
    for answer in (checked, tried):
        assert answer.status_code == 200
        assert "WHERE result &lt; 4;</textarea>" in answer.text
        assert 'value="mine"' in answer.text
    assert "Mill.Oil" in tried.text
    assert (await call(browser, "GET", "/apps")).json()["items"] == []


async def test_a_link_fills_the_form_in_and_chooses_the_source(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    query = "statement=SELECT+*+FROM+*+WHERE+result+%3C+4%3B&target_system=a.bb.cc.dd"
    page = await browser.get(f"/apps/new?source={system}&{query}")
    assert page.url.path == f"/systems/{system}/apps/new"
    assert "WHERE result &lt; 4;</textarea>" in page.text
    assert 'value="a.bb.cc.dd"' in page.text
    assert 'value="selected"' in page.text, "a name is suggested"
    chooser = await browser.get("/apps/new?source=a.bb.cc.dd")
    assert "You operate no system named a.bb.cc.dd." in chooser.text
    assert f'<option value="{system}">' in chooser.text


async def test_targets_are_partners_by_contract_and_own_systems(new_browser: MakeBrowser, word: Word) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    own = await second_system(giver, source)
    await agree(giver, taker, source, target)
    page = (await giver.get(f"/systems/{source}/apps/new")).text
    listed = page.split('<datalist id="targets">')[1].split("</datalist>")[0]
    assert listed == f'<option value="{target}"></option><option value="{own}"></option>'


@pytest.mark.kafka
async def test_a_preview_reads_a_real_broker(
    new_browser: MakeBrowser,
    word: Word,
    site: FastAPI,
    kafka_bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preview, "WAIT_S", 60.0)  # a person would get what has come until then
    browser = new_browser()
    system = await with_system(browser, word)
    security = KafkaSecurity.from_environment()
    topics = SystemName.parse(system).topics
    KafkaTopics(kafka_bootstrap, security).create(topics)
    site.state.records = KafkaRecords(kafka_bootstrap, security)
    producer = Producer(connection(kafka_bootstrap))
    for number in range(30):
        value = {"phenomenonTime": f"2026-01-01T00:00:{number:02}Z", "result": number}
        producer.produce(topics.internal, json.dumps(value).encode(), f"{system}.Mill.Oil".encode())
    assert producer.flush(60) == 0
    body = {"statement": "SELECT result * 2 AS twice UNIT 'm' FROM * WHERE result < 25;", "last": 20}
    answer = (await call(browser, "POST", f"/systems/{system}/apps:preview", body)).json()
    assert [answer[one] for one in ("read", "matched", "dropped", "complete")] == [20, 15, 5, True]
    assert answer["columns"] == [{"name": "twice", "unit": "m"}]
    assert answer["outputs"][0]["cells"] == ["48"]
