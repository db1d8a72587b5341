"""Stream apps live within their contracts: created, started and kept running only as long as they hold."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.access.wanted import contract_share, flows
from platform_ui.contracts.models import Contract, ContractVersion
from platform_ui.contracts.views import in_force
from platform_ui.credentials.models import IssuedCertificate
from platform_ui.db import now
from platform_ui.pki.authority import Authority
from platform_ui.streams.models import StreamApp
from platform_ui.streams.permission import permissions
from platform_ui.streams.views import AppView
from tests.integration.platform_ui.agreements import agree, call, propose, revoke, sign, with_system
from tests.integration.platform_ui.doubles import Browser, MemoryRunner

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]
EVERYTHING = "SELECT * FROM *;"


async def with_app(giver: Browser, source: str, target: str, **fields: str) -> str:
    """Create and deploy an app; return its page."""
    form = {"name": "share", "target_system": target, "statement": EVERYTHING} | fields
    answer = await giver.add(f"/systems/{source}/apps/new", **form)
    page = f"/systems/{source}/apps/share"
    assert answer.url.path == page, answer.text
    await giver.post(f"{page}/deploy", page)
    return page


async def test_an_app_into_another_company_needs_a_contract_and_says_how_to_get_one(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    absent = f"at.{word()}.Some.Where"
    answers = []
    for name in (target, absent):
        body = {"name": "share", "target_system": name, "statement": EVERYTHING}
        answer = await call(giver, "POST", f"/systems/{source}/apps", body)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "contract.needed")
        assert f"/contracts/new?provider={source}&consumer={name}" in problem["hint"]
        answers.append(problem["detail"].replace(name, "X"))
    assert answers[0] == answers[1], "nobody learns which systems exist"
    page = await giver.add(
        f"/systems/{source}/apps/new", name="share", target_system=target, statement=EVERYTHING
    )
    assert "Request the contract" in page.text
    contract = await propose(giver, source, target)
    await sign(giver, contract, "provider")
    body["target_system"] = target
    assert (await call(giver, "POST", f"/systems/{source}/apps", body)).status_code == 409, "one side alone"
    await sign(taker, contract, "consumer")
    answer = await call(giver, "POST", f"/systems/{source}/apps", body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["contracts"] == [contract]


async def test_what_is_typed_tells_that_a_contract_is_missing(new_browser: MakeBrowser, word: Word) -> None:
    giver = new_browser()
    source = await with_system(giver, word)
    answer = await giver.post(
        f"/systems/{source}/apps/check",
        f"/systems/{source}/apps/new",
        statement=EVERYTHING,
        target_system=f"at.{word()}.Some.Where",
    )
    assert "The statement is understood." in answer.text
    assert "Request the contract" in answer.text


async def test_an_app_runs_with_the_terms_of_its_contract_and_stops_when_it_is_revoked(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    contract = await agree(giver, taker, source, target, predicate="result < 4", fields="road")
    page = await with_app(giver, source, target)
    app_id = f"{source}.share"
    terms = runner.specifications[app_id].contracts
    assert [(one.id, one.provider, one.predicate, one.fields) for one in terms] == [
        (contract, source, "result < 4", ("road",))
    ]
    assert "Contracts it lives by" in (await giver.get(page)).text
    site.state.enforcement.bell._rung.clear()
    await revoke(taker, contract, "consumer")
    assert site.state.enforcement.bell.is_rung, "it does not wait for its period"
    await site.state.enforcement.enforce()
    assert runner.statuses[app_id].desired == "stopped"
    text = (await giver.get(page)).text
    assert f'the contract <a href="/contracts/{contract}">' in text
    assert "request a contract" in text
    answer = await giver.post(f"{page}/deploy", page)
    assert answer.status_code == 409
    assert runner.statuses[app_id].desired == "stopped"
    again = await agree(giver, taker, source, target)
    assert runner.statuses[app_id].desired == "stopped", "a person starts it again"
    await giver.post(f"{page}/deploy", page)
    assert runner.statuses[app_id].desired == "running"
    assert [one.id for one in runner.specifications[app_id].contracts] == [again]


async def test_an_app_stops_when_the_end_of_its_contract_has_come(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    end = (now() + timedelta(hours=1)).isoformat()
    contract = await agree(giver, taker, source, target, ends_at=end)
    page = await with_app(giver, source, target)
    async with site.state.sessions() as session:
        over = update(ContractVersion).where(ContractVersion.contract_id == contract)
        await session.execute(over.values(ends_at=now() - timedelta(seconds=1)))
        await session.commit()
    await site.state.enforcement.enforce()
    assert runner.statuses[f"{source}.share"].desired == "stopped"
    assert (await giver.get(f"/api/v1{page}")).json()["stopped_by"] == "contract"


async def test_an_app_is_deployed_again_when_other_terms_are_in_force(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    contract = await agree(giver, taker, source, target)
    await with_app(giver, source, target)
    await site.state.enforcement.enforce()
    app_id, page = f"{source}.share", f"/contracts/{contract}"
    first = runner.specifications[app_id]
    await giver.post(f"{page}/change", f"{page}/change", purpose="p", predicate="result < 1", version="1")
    await sign(giver, contract, "provider", 2)
    await site.state.enforcement.enforce()
    assert runner.specifications[app_id] is first, "the old version holds until both have signed"
    await sign(taker, contract, "consumer", 2)
    await site.state.enforcement.enforce()
    assert [one.predicate for one in runner.specifications[app_id].contracts] == ["result < 1"]
    assert runner.statuses[app_id].desired == "running"
    second = runner.specifications[app_id]
    await site.state.enforcement.enforce()
    assert runner.specifications[app_id] is second, "nothing is restarted for nothing"


async def test_other_terms_reach_an_app_that_somebody_is_changing_just_then(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    contract = await agree(giver, taker, source, target)
    await with_app(giver, source, target)
    await site.state.enforcement.enforce()
    app_id, page = f"{source}.share", f"/contracts/{contract}"
    async with site.state.sessions() as session:
        key = {one.app_id: key for key, one in (await permissions(session)).items()}[app_id]
    first = runner.specifications[app_id]
    async with site.state.sessions() as session:
        await session.get_one(StreamApp, key, with_for_update=True)  # as who changes the statement does
        await giver.post(f"{page}/change", f"{page}/change", purpose="p", predicate="result < 1", version="1")
        await sign(giver, contract, "provider", 2)
        await sign(taker, contract, "consumer", 2)
        await asyncio.wait_for(site.state.enforcement.enforce(), 60)
        assert runner.specifications[app_id] is first
    runner.deploy(first)  # what that one began with
    await site.state.enforcement.enforce()
    assert [one.predicate for one in runner.specifications[app_id].contracts] == ["result < 1"]


async def test_an_app_that_was_stopped_meanwhile_is_not_deployed_again(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    contract = await agree(giver, taker, source, target)
    app_page = await with_app(giver, source, target)
    app_id, page = f"{source}.share", f"/contracts/{contract}"
    await giver.post(f"{page}/change", f"{page}/change", purpose="p", predicate="result < 1", version="1")
    await sign(giver, contract, "provider", 2)
    await sign(taker, contract, "consumer", 2)
    deploy = site.state.enforcement._deploy

    async def deploy_later(session: AsyncSession, view: AppView, *, is_ageing: bool) -> None:
        await taker.post(f"{app_page}/stop", app_page)
        await deploy(session, view, is_ageing=is_ageing)

    monkeypatch.setattr(site.state.enforcement, "_deploy", deploy_later)
    await site.state.enforcement.enforce()
    assert runner.statuses[app_id].desired == "stopped"


async def test_a_revocation_does_not_wait_for_somebody_who_deploys_by_the_contract(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    contract = await agree(giver, taker, source, target)
    async with site.state.sessions() as session:
        # What the database holds for a row that refers to the contract.
        await session.get_one(Contract, contract, with_for_update={"read": True, "key_share": True})
        assert await asyncio.wait_for(revoke(giver, contract, "provider"), 60) == 200
    assert (await giver.get(f"/api/v1/contracts/{contract}")).json()["state"] == "ended"


async def test_of_several_contracts_one_is_chosen_and_it_alone_counts(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    one = await agree(giver, taker, source, target, predicate="result < 1")
    two = await agree(giver, taker, source, target, predicate="result < 2")
    body: dict[str, object] = {"name": "share", "target_system": target, "statement": EVERYTHING}
    answer = await call(giver, "POST", f"/systems/{source}/apps", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "stream.contract_ambiguous")
    body["contracts"] = [two]
    answer = await call(giver, "POST", f"/systems/{source}/apps", body)
    assert answer.json()["contracts"] == [two]
    page = f"/systems/{source}/apps/share"
    await giver.post(f"{page}/deploy", page)
    await revoke(giver, one, "provider")
    await site.state.enforcement.enforce()
    assert runner.statuses[f"{source}.share"].desired == "running"
    await revoke(giver, two, "provider")
    await site.state.enforcement.enforce()
    assert runner.statuses[f"{source}.share"].desired == "stopped"


async def test_every_source_of_another_company_needs_a_contract_and_no_part_in_its_system(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    home, other = new_browser(), new_browser()
    own, foreign = await with_system(home, word), await with_system(other, word)
    target = f"{own.rpartition('.')[0]}.Roads"
    await home.add("/systems/new", company=".".join(own.split(".")[:2]), workcenter="Fleet", station="Roads")
    statement = f"SELECT l.result - r.result AS gap FROM {own} AS l JOIN {foreign} AS r WITHIN 1 s;"
    body = {"name": "share", "target_system": target, "statement": statement}
    answer = await call(home, "POST", f"/systems/{own}/apps", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "contract.needed")
    contract = await agree(other, home, foreign, target)
    await with_app(home, own, target, statement=statement)
    terms = runner.specifications[f"{own}.share"].contracts
    assert [(one.id, one.provider) for one in terms] == [(contract, foreign)], (
        "inside the company none is needed"
    )
    async with site.state.sessions() as session:
        found = {one.app_id: one for one in (await permissions(session)).values()}[f"{own}.share"]
    assert (found.sources, found.permitted) == ((own, foreign), True)
    await revoke(other, contract, "provider")
    async with site.state.sessions() as session:
        found = {one.app_id: one for one in (await permissions(session)).values()}[f"{own}.share"]
    assert (found.permitted, [lack.contract for lack in found.lacks]) == (False, [contract])
    await site.state.enforcement.enforce()
    assert runner.statuses[f"{own}.share"].desired == "stopped"


async def test_nobody_uses_a_contract_of_two_other_companies(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    home, giver, taker = new_browser(), new_browser(), new_browser()
    source, further, target = [await with_system(one, word) for one in (home, giver, taker)]
    await agree(home, taker, source, target)
    await agree(giver, taker, further, target)
    page = await with_app(home, source, target)
    statement = f"SELECT l.result - r.result AS gap FROM {source} AS l JOIN {further} AS r WITHIN 1 s;"
    answer = await home.post(f"{page}/statement", page, statement=statement)
    assert answer.status_code == 422
    assert f"you are no agent of {further}" in answer.text
    assert runner.specifications[f"{source}.share"].statement == EVERYTHING


async def test_a_statement_is_not_changed_to_what_no_contract_permits(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    await agree(giver, taker, source, target)
    page = await with_app(giver, source, target)
    further = f"{'.'.join(source.split('.')[:2])}.Some.Where"
    statement = f"SELECT l.result - r.result AS gap FROM {source} AS l JOIN {further} AS r WITHIN 1 s;"
    answer = await giver.post(f"{page}/statement", page, statement=statement)
    assert answer.status_code == 409
    assert f"No contract in force lets {target} have records of {further}." in answer.text
    assert runner.specifications[f"{source}.share"].statement == EVERYTHING


async def test_one_app_that_cannot_be_stopped_does_not_keep_others_running(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    contract = await agree(giver, taker, source, target)
    page = await with_app(giver, source, target, name="share")
    await giver.add(f"/systems/{source}/apps/new", name="zebra", target_system=target, statement=EVERYTHING)
    await giver.post(f"/systems/{source}/apps/zebra/deploy", page)
    await revoke(taker, contract, "consumer")
    stop = runner.stop

    def stop_some(app_id: str, /) -> None:
        if app_id == f"{source}.share":
            raise OSError("no space left")
        stop(app_id)

    monkeypatch.setattr(runner, "stop", stop_some)
    await site.state.enforcement.enforce()
    assert runner.statuses[f"{source}.zebra"].desired == "stopped"
    assert runner.statuses[f"{source}.share"].desired == "running"
    monkeypatch.undo()
    await site.state.enforcement.enforce()
    assert runner.statuses[f"{source}.share"].desired == "stopped"


class Rules:
    """The broker's access rules, in memory; notes whether the app ran already."""

    def __init__(self, runner: MemoryRunner) -> None:
        self.asked: list[tuple[tuple[str, ...], int]] = []
        self._runner = runner

    async def ensure(self, session: AsyncSession, identities: Collection[str], /) -> None:
        del session
        self.asked.append((tuple(identities), len(self._runner.statuses)))


async def test_an_app_gets_credentials_and_its_rights_before_it_starts_and_new_ones_before_they_end(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI, tmp_path: Path
) -> None:
    state, rules = site.state, Rules(runner)
    authority = Authority.create(tmp_path / "pki", "a passphrase for tests")
    state.stream_ports = replace(state.stream_ports, authority=authority, rules=rules)
    state.enforcement._ports = state.stream_ports
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    await agree(giver, taker, source, target)
    await with_app(giver, source, target)
    app_id = f"{source}.share"
    first = runner.credentials[app_id]
    assert first is not None
    assert rules.asked == [((f"User:app.{app_id}",), 0)]
    await state.enforcement.enforce()
    assert runner.credentials[app_id] is first
    async with state.sessions() as session:
        mine = update(IssuedCertificate).where(IssuedCertificate.name == app_id)
        old = now() - timedelta(days=6)
        await session.execute(mine.values(not_before=old, not_after=old + timedelta(days=7)))
        await session.commit()
    await state.enforcement.enforce()
    second = runner.credentials[app_id]
    assert second is not None
    assert second.certificate != first.certificate
    await state.enforcement.enforce()
    assert runner.credentials[app_id] is second


async def test_sensorthings_shares_what_a_contract_lets_leave_and_no_app_across_companies(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    giver, taker = new_browser(), new_browser()
    source, target = await with_system(giver, word), await with_system(taker, word)
    name = f"{source}.Main.Temperature"
    known = {name: 5, f"{source}.Main.Speed": 6}
    whole = await agree(giver, taker, source, target, starts_at="2026-01-01T00:00:00Z")
    part = await agree(giver, taker, source, target, datastreams=name, predicate="result < 4")
    other = await agree(giver, taker, source, target, datastreams=f"{source}.Main.Unknown")
    await giver.add(
        f"/systems/{source}/apps/new",
        name="share",
        target_system=target,
        statement=EVERYTHING,
        contracts=whole,
    )
    async with site.state.sessions() as session:
        shares = {one.terms.id: contract_share(one, known) for one in await in_force(session)}
        assert [flow for flow in await flows(session) if flow.source == source] == []
    one, two = shares[whole], shares[part]
    assert one is not None
    assert two is not None
    assert (one.system, one.datastreams, one.observations) == (target, (5, 6), True)
    assert one.since is not None
    assert one.since.isoformat() == "2026-01-01T00:00:00+00:00"
    assert (two.datastreams, two.observations, two.since) == ((5,), False, None)
    assert shares[other] is None
