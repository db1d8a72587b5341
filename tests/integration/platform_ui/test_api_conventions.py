"""What all operations of the API have in common: repeated requests, entity tags, rehearsals, problems."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, func, select, update

from platform_ui.accounts import limits
from platform_ui.accounts.models import Attempt
from platform_ui.audit.models import AuditEntry
from platform_ui.rest.idempotency import KEPT_FOR
from platform_ui.rest.models import IdempotentRequest
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser, MemoryRunner, MemoryTopics

pytestmark = pytest.mark.postgres
Word = Callable[[], str]


class Program:
    """Somebody's program: JSON and the token of its forms."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.token = ""

    async def start(self, name: str) -> "Program":
        await self.browser.sign_up(name)
        self.token = (await self.browser.get("/api/v1/session")).json()["csrf_token"]
        return self

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.browser.http.request(
            method, f"/api/v1{path}", json=body, headers={"X-CSRF-Token": self.token, **named}
        )


@pytest.fixture
async def program(new_browser: MakeBrowser, word: Word) -> Program:
    return await Program(new_browser()).start(word())


@pytest.fixture
async def company(program: Program, word: Word) -> str:
    answer = await program.ask("POST", "/companies", {"domain": "cz", "enterprise": word()})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["name"])


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def test_a_request_that_comes_again_is_done_once_and_answered_alike(
    program: Program, word: Word
) -> None:
    body, key = {"domain": "cz", "enterprise": word()}, word()
    first = await program.ask("POST", "/companies", body, Idempotency_Key=key)
    again = await program.ask("POST", "/companies", body, Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    without_key = await program.ask("POST", "/companies", body)
    assert code_of(without_key) == (409, "company.exists")


async def test_a_key_is_good_for_one_request_of_one_person(
    program: Program, new_browser: MakeBrowser, word: Word
) -> None:
    key = word()
    body = {"domain": "cz", "enterprise": word()}
    assert (await program.ask("POST", "/companies", body, Idempotency_Key=key)).status_code == 201
    other_body = {"domain": "cz", "enterprise": word()}
    reused = await program.ask("POST", "/companies", other_body, Idempotency_Key=key)
    assert code_of(reused) == (422, "idempotency.key_reused")
    somebody_else = await Program(new_browser()).start(word())
    theirs = await somebody_else.ask("POST", "/companies", other_body, Idempotency_Key=key)
    assert theirs.status_code == 201


async def test_a_refused_request_may_be_repeated_with_its_key(program: Program, word: Word) -> None:
    key, name = word(), word()
    refused = await program.ask("POST", "/companies", {"domain": "cz"}, Idempotency_Key=key)
    assert refused.status_code == 422
    mended = {"domain": "cz", "enterprise": name}
    assert (await program.ask("POST", "/companies", mended, Idempotency_Key=key)).status_code == 201


async def test_of_requests_at_the_same_moment_one_is_done(
    program: Program, site: FastAPI, word: Word
) -> None:
    body, key = {"domain": "cz", "enterprise": word()}, word()
    answers = await asyncio.gather(
        *(program.ask("POST", "/companies", body, Idempotency_Key=key) for _ in range(5))
    )
    done = [one for one in answers if one.status_code == 201]
    others = {code_of(one) for one in answers if one.status_code != 201}
    assert done, [one.text for one in answers]
    assert len([one for one in done if "idempotency-replayed" not in one.headers]) == 1
    assert others <= {(409, "idempotency.in_progress")}
    async with site.state.sessions() as session:
        name = f"cz.{body['enterprise']}"
        made = select(func.count()).where(
            AuditEntry.action == "company.created", AuditEntry.object_name == name
        )
        assert await session.scalar(made) == 1


async def test_a_key_is_forgotten_after_a_day(program: Program, site: FastAPI, word: Word) -> None:
    key = word()
    body = {"domain": "cz", "enterprise": word()}
    assert (await program.ask("POST", "/companies", body, Idempotency_Key=key)).status_code == 201
    async with site.state.sessions() as session:
        older = IdempotentRequest.begun_at - KEPT_FOR - timedelta(minutes=1)
        await session.execute(
            update(IdempotentRequest).where(IdempotentRequest.key == key).values(begun_at=older)
        )
        await session.commit()
    again = await program.ask("POST", "/companies", body, Idempotency_Key=key)
    assert code_of(again) == (409, "company.exists")


async def test_nobody_waits_for_another_who_is_forgetting_old_keys(
    program: Program, site: FastAPI, word: Word
) -> None:
    key = word()
    body = {"domain": "cz", "enterprise": word()}
    assert (await program.ask("POST", "/companies", body, Idempotency_Key=key)).status_code == 201
    async with site.state.sessions() as session:
        this = IdempotentRequest.key == key
        older = IdempotentRequest.begun_at - KEPT_FOR - timedelta(minutes=1)
        await session.execute(update(IdempotentRequest).where(this).values(begun_at=older))
        await session.commit()
        await session.execute(delete(IdempotentRequest).where(this))
        other = program.ask(
            "POST", "/companies", {"domain": "cz", "enterprise": word()}, Idempotency_Key=word()
        )
        assert (await asyncio.wait_for(other, 60)).status_code == 201
        await session.rollback()


@pytest.mark.parametrize("key", ["a b", "x" * 256, "t\tb"])
async def test_a_key_that_is_none_is_refused(program: Program, word: Word, key: str) -> None:
    body = {"domain": "cz", "enterprise": word()}
    answer = await program.ask("POST", "/companies", body, Idempotency_Key=key)
    assert code_of(answer) == (400, "idempotency.key_invalid")


async def test_an_answer_with_a_secret_is_never_kept(
    program: Program, company: str, site: FastAPI, word: Word
) -> None:
    invited, key = {"email": f"{word()}@example.com"}, word()
    path = f"/companies/{company}/members"
    first = await program.ask("POST", path, invited, Idempotency_Key=key)
    assert first.status_code == 201, first.text
    secret = first.json()["link"].rpartition("/")[2]
    again = await program.ask("POST", path, invited, Idempotency_Key=key)
    assert code_of(again) == (409, "idempotency.answer_not_kept")
    async with site.state.sessions() as session:
        row = (await session.scalars(select(IdempotentRequest).where(IdempotentRequest.key == key))).one()
        assert row.is_withheld
        assert row.body is None
        bodies = (await session.scalars(select(IdempotentRequest.body))).all()
        assert not any(secret.encode() in (body or b"") for body in bodies)


async def test_an_object_has_an_etag_and_is_not_sent_again(program: Program, company: str) -> None:
    first = await program.ask("GET", f"/companies/{company}")
    tag = first.headers["etag"]
    again = await program.ask("GET", f"/companies/{company}", If_None_Match=f'"other", W/{tag}')
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    changed = await program.ask("PATCH", f"/companies/{company}", {"description": "another"})
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] != tag
    third = await program.ask("GET", f"/companies/{company}", If_None_Match=tag)
    assert third.status_code == 200
    assert third.headers["etag"] == changed.headers["etag"]


async def test_a_change_of_what_has_changed_meanwhile_is_refused(program: Program, company: str) -> None:
    path = f"/companies/{company}"
    tag = (await program.ask("GET", path)).headers["etag"]
    mine = await program.ask("PATCH", path, {"description": "mine"}, If_Match=tag)
    assert mine.status_code == 200, mine.text
    late = await program.ask("PATCH", path, {"description": "late"}, If_Match=tag)
    assert code_of(late) == (412, "request.changed_meanwhile")
    assert (await program.ask("DELETE", path, If_Match=tag)).status_code == 412
    assert (await program.ask("GET", path)).json()["description"] == "mine"
    assert (await program.ask("DELETE", path, If_Match=mine.headers["etag"])).status_code == 204
    assert (await program.ask("DELETE", path, If_Match=tag)).status_code == 404


async def test_of_changes_at_the_same_moment_with_the_same_etag_one_is_made(
    program: Program, company: str
) -> None:
    path = f"/companies/{company}"
    tag = (await program.ask("GET", path)).headers["etag"]
    answers = await asyncio.gather(
        *(program.ask("PATCH", path, {"description": f"of {at}"}, If_Match=tag) for at in range(5))
    )
    assert sorted(one.status_code for one in answers) == [200, 412, 412, 412, 412]


async def test_any_state_will_do_where_the_object_is_there(program: Program, company: str) -> None:
    path = f"/companies/{company}"
    assert (await program.ask("PATCH", path, {"description": "a"}, If_Match="*")).status_code == 200
    assert (await program.ask("PATCH", path, {"description": "b"}, If_Match='W/"a"')).status_code == 412
    unseen = await program.ask("PATCH", "/companies/cz.nobodys", {"description": "c"}, If_Match="*")
    assert unseen.status_code == 404


async def test_what_is_only_tried_is_answered_as_if_it_were_done_and_not_done(
    program: Program, company: str, topics: MemoryTopics, site: FastAPI
) -> None:
    body = {"company": company, "workcenter": "Fleet", "station": "Car1"}
    tried = await program.ask("POST", "/systems?dry_run=true", body)
    assert tried.status_code == 201, tried.text
    assert tried.headers["dry-run"] == "true"
    assert tried.json()["name"] == f"{company}.Fleet.Car1"
    assert tried.json()["state"] == "active"
    assert topics.names == set()
    assert (await program.ask("GET", f"/systems/{company}.Fleet.Car1")).status_code == 404
    async with site.state.sessions() as session:
        told = select(AuditEntry).where(AuditEntry.object_name == f"{company}.Fleet.Car1")
        assert (await session.scalars(told)).all() == []
    done = await program.ask("POST", "/systems?dry_run=false", body)
    assert done.status_code == 201
    assert "dry-run" not in done.headers
    refused = await program.ask("POST", "/systems?dry_run=true", body)
    assert code_of(refused) == (409, "system.exists")
    gone = await program.ask("DELETE", f"/systems/{company}.Fleet.Car1?dry_run=true")
    assert gone.status_code == 204
    assert (await program.ask("GET", f"/systems/{company}.Fleet.Car1")).status_code == 200
    assert topics.names


async def test_a_trial_uses_no_key_and_looks_at_the_etag(program: Program, company: str, word: Word) -> None:
    body, key = {"domain": "cz", "enterprise": word()}, word()
    for _ in range(2):
        tried = await program.ask("POST", "/companies?dry_run=true", body, Idempotency_Key=key)
        assert (tried.status_code, "idempotency-replayed" in tried.headers) == (201, False)
    assert (await program.ask("POST", "/companies", body, Idempotency_Key=key)).status_code == 201
    path = f"/companies/{company}?dry_run=true"
    assert (await program.ask("PATCH", path, {"description": "x"}, If_Match='"old"')).status_code == 412


async def test_what_counts_attempts_or_gives_secrets_cannot_be_tried(program: Program, company: str) -> None:
    for path, body in (
        ("/session", {"email": "a@example.com", "password": "wrong"}),
        ("/tokens", {"email": "a@example.com", "password": "wrong"}),
        (f"/companies/{company}/members", {"email": "a@example.com"}),
        ("/invitations:accept", {"token": "a" * 43}),
    ):
        answer = await program.ask("POST", f"{path}?dry_run=true", body)
        assert code_of(answer) == (400, "request.not_rehearsed"), path
    odd = await program.ask("POST", "/companies?dry_run=perhaps", {})
    assert code_of(odd) == (400, "request.parameter_invalid")


async def test_a_wrong_token_counts_in_a_trial_too(site: FastAPI, new_browser: MakeBrowser) -> None:
    async def counted() -> int:
        async with site.state.sessions() as session:
            found = select(func.count()).where(Attempt.action == limits.TOKEN.action)
            return await session.scalar(found) or 0

    before = await counted()
    answer = await new_browser().http.post(
        "/api/v1/companies?dry_run=true", json={}, headers={"Authorization": "Bearer dtwin_pat_wrong"}
    )
    assert code_of(answer) == (401, "account.not_logged_in")
    assert await counted() == before + 1


async def test_an_app_that_is_deployed_as_a_trial_is_not_started(
    program: Program, company: str, runner: MemoryRunner
) -> None:
    source, target = (f"{company}.Fleet.{station}" for station in ("Car1", "Car2"))
    for station in ("Car1", "Car2"):
        system = {"company": company, "workcenter": "Fleet", "station": station}
        assert (await program.ask("POST", "/systems", system)).status_code == 201
    new = {"name": "cold", "target_system": target, "statement": "SELECT * FROM * WHERE result < 4;"}
    assert (await program.ask("POST", f"/systems/{source}/apps", new)).status_code == 201
    tried = await program.ask("POST", f"/systems/{source}/apps/cold:deploy?dry_run=true")
    assert tried.status_code == 202, tried.text
    assert runner.statuses == {}
    assert (await program.ask("POST", f"/systems/{source}/apps/cold:deploy")).status_code == 202
    assert list(runner.statuses) == [f"{source}.cold"]
    stopped = await program.ask("POST", f"/systems/{source}/apps/cold:stop?dry_run=true")
    assert stopped.status_code == 202, stopped.text
    assert runner.statuses[f"{source}.cold"].desired == "running"


async def test_faults_of_a_request_are_told_by_their_place(program: Program) -> None:
    body = await program.ask("POST", "/companies", {"domain": "toolong"})
    assert {one["pointer"] for one in body.json()["errors"]} == {"/domain", "/enterprise"}
    query = await program.ask("GET", "/companies?page_size=0")
    assert query.status_code == 422
    assert query.json()["errors"][0]["parameter"] == "page_size"
    broken = await program.browser.http.post(
        "/api/v1/companies",
        content=b"{",
        headers={"X-CSRF-Token": program.token, "Content-Type": "application/json"},
    )
    assert code_of(broken) == (422, "form.invalid")
    assert broken.json()["errors"][0]["pointer"] == ""
