"""Live records on a real broker and a real database: looking back, following, and who may see what."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import TopicPartition
from fastapi import FastAPI
from starlette.requests import Request

from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from platform_ui.accounts import sessions as accounts
from platform_ui.broker import KafkaTopics
from platform_ui.browser import browser_token
from platform_ui.errors import BrokerError
from platform_ui.live import reading
from platform_ui.live.events import Watch, page_events, program_events
from platform_ui.live.following import MOST_OF_ONE, FollowHub
from platform_ui.live.forms import LiveForm, Tab, parse_begin
from platform_ui.live.reading import KafkaRecordLog
from platform_ui.live.scope import Scope, scope_of
from platform_ui.systems.models import SystemRole
from tests.integration.platform_ui.agreements import agree, revoke, with_system
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser
from tests.kafka_clients import connection

pytestmark = pytest.mark.postgres
Word = Callable[[], str]
TIMEOUT_S = 90.0


@dataclass
class Post:
    """Writes to the topics of systems."""

    bootstrap: str

    def make_topics(self, system: str) -> None:
        KafkaTopics(self.bootstrap, KafkaSecurity.from_environment()).create(SystemName.parse(system).topics)

    def send(
        self,
        system: str,
        *results: object,
        name: str = "Main.Speed",
        topic: str = "int",
        partition: int = 0,
        since: datetime | None = None,
        headers: tuple[tuple[str, str | bytes | None], ...] = (),
        **members: object,
    ) -> None:
        producer = Producer(connection(self.bootstrap, linger_ms=0))
        begin = since or datetime.now(UTC)
        for number, result in enumerate(results):
            moment = begin + timedelta(seconds=number)
            value = {"phenomenonTime": moment.isoformat(), "result": result, **members}
            producer.produce(
                Tab(topic).of(SystemName.parse(system).topics),
                result if isinstance(result, bytes) else json.dumps(value).encode(),
                f"{system}.{name}".encode(),
                partition,
                timestamp=int(moment.timestamp() * 1000),
                headers=list(headers),
            )
        assert producer.flush(60) == 0


@pytest.fixture
def post(kafka_bootstrap: str) -> Post:
    return Post(kafka_bootstrap)


@pytest.fixture
async def live_site(
    site: FastAPI, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FastAPI]:
    # A person gets what has come after five seconds; the tests want all of it, also of a busy broker.
    monkeypatch.setattr(reading, "WAIT_S", TIMEOUT_S)
    security = KafkaSecurity.from_environment()
    site.state.live_log = KafkaRecordLog(kafka_bootstrap, security)
    site.state.live_hub = FollowHub(kafka_bootstrap, security)
    yield site
    site.state.live_hub.stop()


@pytest.fixture
async def browser(live_site: FastAPI, new_browser: MakeBrowser) -> Browser:
    return new_browser()


@pytest.fixture
async def system(browser: Browser, word: Word, post: Post) -> str:
    name = await with_system(browser, word)
    post.make_topics(name)
    return name


async def ask(browser: Browser, system: str, **query: str) -> dict[str, Any]:
    answer = await browser.http.get(f"/api/v1/systems/{system}/records", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def results(found: dict[str, Any]) -> list[object]:
    return [one["result"] for one in found["items"]]


async def test_the_newest_records_that_match_are_given_with_how_far_was_looked(
    browser: Browser, system: str, post: Post
) -> None:
    post.send(system, *range(10), quality="ok", headers=(("dt-id", "01a2"), ("dt-app", f"{system}.share")))
    post.send(system, b"no JSON", since=datetime.now(UTC) + timedelta(minutes=1))
    found = await ask(browser, system, filter="result < 5 AND quality = 'ok'", limit="3")
    assert results(found) == [2, 3, 4]
    assert (found["read"], found["matched"], found["unusable"]) == (11, 5, 1)
    assert (found["is_whole"], found["is_cut"]) == (True, False)
    first = found["items"][0]
    assert (first["id"], first["app"], first["attributes"]) == ("01a2", f"{system}.share", {"quality": "ok"})
    newest = await ask(browser, system, limit="2")
    assert [one["reason"] for one in newest["items"]] == ["", "not JSON"]
    assert newest["is_whole"] is False, "there are older ones, which were not looked at"


async def test_from_a_time_records_come_forwards_and_the_answer_says_where_to_go_on(
    browser: Browser, system: str, post: Post
) -> None:
    begin = datetime.now(UTC) - timedelta(hours=2)
    post.send(system, *range(0, 10, 2), since=begin)
    post.send(system, *range(1, 10, 2), since=begin + timedelta(milliseconds=500), partition=1)
    since = (begin + timedelta(seconds=1)).isoformat()
    found = await ask(browser, system, **{"from": since, "limit": "3"})
    assert results(found) == [2, 3, 4]
    assert (found["is_cut"], found["is_whole"], found["read"]) == (True, False, 3)
    rest = await ask(browser, system, **{"from": found["positions"], "filter": "result <> 6"})
    assert results(rest) == [5, 7, 8, 9]
    assert rest["is_cut"] is False
    oldest = await ask(browser, system, **{"from": "earliest", "limit": "1"})
    assert (results(oldest), oldest["is_whole"]) == ([0], True)


async def test_a_bad_filter_is_refused_with_its_place(browser: Browser, system: str) -> None:
    for path in ("records", "records/tail", "records/export"):
        answer = await browser.http.get(
            f"/api/v1/systems/{system}/{path}", params={"filter": "thing = 'x' AND\nresult << 4"}
        )
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["code"] == "live.filter_refused"
        assert (problem["errors"][0]["line"], problem["errors"][0]["column"]) == (2, 9)
    page = await browser.http.get("/live", params={"system": system, "filter": "result << 4"})
    assert page.status_code == 422
    assert "line 1, column 9" in page.text
    checked = await browser.http.get(f"/live/{system}/check", params={"filter": "result < 4"})
    assert "This can be run" in checked.text


async def test_the_page_shows_records_without_a_script_and_links_to_more(
    browser: Browser, system: str, post: Post
) -> None:
    post.send(system, 1, 2, "<b>3</b>")
    page = (await browser.http.get("/live", params={"system": system, "filter": "name LIKE '%Speed'"})).text
    assert "&lt;b&gt;3&lt;/b&gt;" in page
    assert "<b>3" not in page
    assert f"/systems/{system}/apps/new?statement=SELECT" in page
    assert f'data-live="/live/{system}/events?' in page
    assert f"/live/{system}/export?" in page
    record = (await browser.get(f"/live/{system}/records/0:1")).text
    assert "&#34;result&#34;: 2" in record
    assert "/explain?who=" in record
    gone = await browser.get(f"/live/{system}/records/0:99")
    assert gone.status_code == 404
    system_page = (await browser.get(f"/systems/{system}")).text
    assert f"/live?system={system}" in system_page


async def test_dead_letters_come_with_the_reason_first(browser: Browser, system: str, post: Post) -> None:
    headers = (("dt-error", "record.not_json"), ("dt-error-detail", "line 1 column 1"))
    post.send(system, b"{", topic="dlq", headers=headers)
    page = (await browser.get(f"/live?system={system}&topic=dlq")).text
    assert "record.not_json: line 1 column 1" in page
    assert page.index("<th>Reason</th>") < page.index("<th>Thing</th>")


async def test_files_hold_what_the_filter_chooses(browser: Browser, system: str, post: Post) -> None:
    post.send(system, -1, 2, 30)
    answer = await browser.get(f"/live/{system}/export?filter=result+%3C+5&form=csv")
    assert f'filename="{system}.int-' in answer.headers["content-disposition"]
    assert [line.split(",")[3] for line in answer.text.splitlines()] == ["result", "-1", "2"]
    lines = (await browser.get(f"/api/v1/systems/{system}/records/export?form=jsonl")).text.splitlines()
    assert [json.loads(line)["result"] for line in lines] == [-1, 2, 30]


async def test_strangers_see_nothing_and_viewers_all_but_the_log(
    browser: Browser, system: str, new_browser: MakeBrowser, word: Word
) -> None:
    other = new_browser()
    email = await other.sign_up(word())
    paths = ("records", "records/tail", "records/0:0", "records/export")
    addresses = [f"/api/v1/systems/{system}/{path}" for path in paths] + [f"/live?system={system}"]
    assert {(await other.get(address)).status_code for address in addresses} == {404}
    unknown = await other.get("/live?system=cz.nobody.Fleet.Car1")
    assert unknown.status_code == 404
    await browser.post(f"/systems/{system}/members", f"/systems/{system}/members", email=email, role="viewer")
    assert (await other.get(f"/live?system={system}")).status_code == 200
    assert (await other.get(f"/api/v1/systems/{system}/records?topic=dlq")).status_code == 200
    assert (await other.get(f"/api/v1/systems/{system}/records?topic=log")).status_code == 403
    assert (await browser.get(f"/api/v1/systems/{system}/records?topic=log")).status_code == 200


async def test_by_a_contract_one_sees_what_it_lets_leave_and_nothing_else(
    browser: Browser, system: str, new_browser: MakeBrowser, word: Word, post: Post
) -> None:
    taker = new_browser()
    consumer = await with_system(taker, word)
    contract = await agree(browser, taker, system, consumer, predicate="result < 5", fields="quality")
    post.send(system, 1, 9, 2, quality="ok", driver="Evelyn", headers=(("dt-id", "01a2"), ("x-inner", "no")))
    found = await ask(taker, system)
    assert results(found) == [1, 2]
    assert found["read"] == 2, "not even how many there are besides"
    assert found["items"][0]["attributes"] == {"quality": "ok"}
    assert found["items"][0]["headers"] == {"dt-id": "01a2"}
    assert (await taker.get(f"/api/v1/systems/{system}/records/0:1")).status_code == 404
    assert (await taker.get(f"/api/v1/systems/{system}/records?topic=ext")).status_code == 403
    hidden = await taker.http.get(f"/api/v1/systems/{system}/records", params={"filter": "driver = 'Eve'"})
    assert (hidden.status_code, "may not leave" in hidden.text) == (422, True)
    page = (await taker.get(f"/live?system={system}")).text
    assert f'Car1 → Car1</strong>: To know about ice <small class="contract-id">{contract}' in page
    assert "Evelyn" not in page
    assert f"/live?system={system}" in (await taker.get("/live")).text
    assert await revoke(browser, contract, "provider") == 200
    assert (await taker.get(f"/api/v1/systems/{system}/records")).status_code == 404


def watch(site: FastAPI, browser: Browser, system: str, last: str = "", **fields: object) -> Watch:
    """Return somebody who follows, as their request would make them."""
    headers = [(b"host", b"site.test")] + ([(b"last-event-id", last.encode())] if last else [])
    request = Request({"type": "http", "headers": headers, "app": site})
    request.state.browser_token = browser.http.cookies["dtwin_session"]
    form = LiveForm.model_validate(fields)
    state, scope = site.state, Scope(system, SystemRole.AGENT)
    return Watch(request, state.live_hub, state.units, "somebody", scope, form)


@dataclass
class Event:
    """A server-sent event."""

    kind: str
    data: dict[str, Any]
    place: str = ""

    @classmethod
    def of(cls, text: str) -> "Event":
        parts = dict(line.split(": ", 1) for line in text.strip().split("\n"))
        return cls(parts["event"], json.loads(parts["data"]), parts.get("id", ""))


async def events_until(stream: AsyncIterator[str], is_last: Callable[[Event], bool]) -> list[Event]:
    found = []
    async with asyncio.timeout(TIMEOUT_S):
        async for text in stream:
            if not text.startswith(":"):
                found.append(Event.of(text))
                if is_last(found[-1]):
                    return found
    return found


async def test_a_program_goes_on_where_it_was_without_loss_or_repetition(
    live_site: FastAPI, browser: Browser, system: str, post: Post
) -> None:
    first = watch(live_site, browser, system, filter="result < 100")
    async with aclosing(program_events(first, first.begin(parse_begin("latest")))) as stream:
        (began,) = await events_until(stream, lambda event: event.kind == "position")
        assert began.place, "it can be resumed before the first record"
        post.send(system, 1, 500, 2)
        post.send(system, 3, partition=1)
        found = await events_until(stream, lambda event: event.kind == "record")
    assert found[-1].data["result"] in {1, 3}
    post.send(system, 4)
    second = watch(live_site, browser, system, found[-1].place, filter="result < 100")
    async with aclosing(program_events(second, second.begin(parse_begin("latest")))) as stream:
        missing = {1, 2, 3, 4} - {event.data.get("result") for event in found}

        def is_last(event: Event) -> bool:
            missing.discard(event.data.get("result", 0))
            return not missing

        rest = await events_until(stream, is_last)
    seen = [event.data["result"] for event in [*found, *rest] if event.kind == "record"]
    assert sorted(seen) == [1, 2, 3, 4]


async def test_records_that_kafka_removed_meanwhile_are_told_as_a_gap(
    live_site: FastAPI, browser: Browser, system: str, post: Post, kafka_bootstrap: str
) -> None:
    post.send(system, *range(5))
    admin = AdminClient(connection(kafka_bootstrap))
    (done,) = admin.delete_records([TopicPartition(f"{system}.int", 0, 3)]).values()
    done.result(60)
    resumed = watch(live_site, browser, system, "0:1,1:0,2:0")
    async with aclosing(program_events(resumed, resumed.begin(parse_begin("latest")))) as stream:
        found = await events_until(stream, lambda event: event.data.get("result") == 4)
    assert found[0].data == {"lost": 2}
    assert [event.data["result"] for event in found if event.kind == "record"] == [3, 4]


async def test_a_page_gets_rows_and_counts_and_ends_when_its_person_may_not_see_them(
    live_site: FastAPI, browser: Browser, system: str, post: Post
) -> None:
    follower = watch(live_site, browser, system, filter="result < 5")
    post.send(system, 1, 9)
    async with aclosing(
        page_events(follower, parse_begin("earliest"), lambda found: f"<{len(found)}>")
    ) as stream:
        found = await events_until(stream, lambda event: event.data.get("matched") == 1)
        assert (found[-1].data["rows"], found[-1].data["read"]) == ("<1>", 2)
        await browser.post("/logout", "/account")
        ended = await events_until(stream, lambda event: event.kind == "closed")
    assert ended[-1].kind == "closed"
    assert live_site.state.live_hub.followers == 0


async def test_a_contract_that_is_changed_or_revoked_ends_what_is_followed_by_it(
    live_site: FastAPI, browser: Browser, system: str, new_browser: MakeBrowser, word: Word
) -> None:
    taker = new_browser()
    consumer = await with_system(taker, word)
    contract = await agree(browser, taker, system, consumer)
    follower = watch(live_site, taker, system)
    async with live_site.state.sessions() as session:
        user = await accounts.user_of(session, browser_token(follower.request), touch=False)
        assert user is not None
        scope = await scope_of(session, user, system)
    held = Watch(follower.request, follower.hub, follower.units, user.email, scope, follower.form)
    assert await held.may_go_on()
    assert await revoke(browser, contract, "provider") == 200
    assert not await held.may_go_on()


async def test_a_position_that_is_none_is_refused(browser: Browser, system: str) -> None:
    answer = await browser.get(f"/api/v1/systems/{system}/records/tail", **{"Last-Event-ID": "yesterday"})
    assert (answer.status_code, answer.json()["code"]) == (400, "live.position")


async def test_no_more_follow_than_may(live_site: FastAPI, browser: Browser, system: str) -> None:
    live_site.state.live_hub._counts.update({f"person {number}": 8 for number in range(8)})
    answer = await browser.get(f"/api/v1/systems/{system}/records/tail")
    assert (answer.status_code, answer.json()["code"]) == (503, "live.too_many")


async def test_nobody_follows_so_much_that_others_cannot(
    live_site: FastAPI, browser: Browser, system: str
) -> None:
    hub = live_site.state.live_hub
    hub._counts["busy@example.com"] = MOST_OF_ONE
    with pytest.raises(BrokerError, match="of your pages and programs"):
        hub.require_room("busy@example.com")
    held = watch(live_site, browser, system)
    async with aclosing(held.batches(parse_begin("latest"), jumps=True)) as batches:
        await anext(batches)
        assert hub._counts[held.person] == 1
    assert held.person not in hub._counts, "who left is forgotten"


async def test_without_a_broker_the_page_says_so(site: FastAPI, new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    assert "runs without a broker" in (await browser.get(f"/live?system={system}")).text
    assert (await browser.get(f"/api/v1/systems/{system}/records")).status_code == 503
