"""The life of a contract, by pages and API, on a real database: who sees, writes, signs and ends it."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import update

from platform_ui.accounts import service as accounts
from platform_ui.contracts import service, views
from platform_ui.contracts.forms import SignatureForm
from platform_ui.contracts.models import ContractVersion
from platform_ui.contracts.terms import digest_of
from platform_ui.db import now
from platform_ui.errors import ConflictError
from streamhub.preview import LastRecords
from tests.integration.platform_ui.agreements import (
    MakeBrowser,
    Word,
    agree,
    call,
    propose,
    revoke,
    shown,
    sign,
    two_sides,
    with_system,
)

pytestmark = pytest.mark.postgres


async def test_a_contract_lives_from_the_request_to_its_revocation_and_keeps_every_version(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await propose(taker, provider, consumer, predicate="result < 40")
    page = f"/contracts/{contract}"
    assert (await giver.get(page)).status_code == 404, "a draft is seen by who writes it alone"
    assert await sign(taker, contract, "consumer") == 200
    assert "Look at it and sign it" in (await giver.get(page)).text
    change = {"purpose": "Ice.", "predicate": "result < 4", "version": "1"}
    answer = await giver.post(f"{page}/change", f"{page}/change", **change)
    assert "Version 2 is written" in answer.text
    assert (await shown(giver, contract))["to_sign"] == ["provider"]
    assert (await shown(taker, contract))["to_sign"] == ["consumer"], "what was signed counts no more"
    assert await sign(giver, contract, "provider", 2) == 200
    assert (await shown(taker, contract))["state"] == "proposed"
    assert await sign(taker, contract, "consumer", 2) == 200
    assert (await shown(taker, contract))["state"] == "active"
    answer = await taker.post(f"{page}/change", f"{page}/change", purpose="Snow.", version="2")
    assert "In force: version 2" in answer.text
    assert "Proposed: version 3" in answer.text
    assert (await shown(taker, contract))["is_active"] is True
    await sign(taker, contract, "consumer", 3)
    await sign(giver, contract, "provider", 3)
    assert await revoke(giver, contract, "provider") == 200
    last = await shown(taker, contract)
    assert (last["state"], last["outcome"], last["reason"]) == ("ended", "revoked", "over now")
    versions = last["versions"]
    assert isinstance(versions, list)
    states = [(version["number"], version["state"], len(version["signatures"])) for version in versions]
    assert states == [(3, "ended", 2), (2, "superseded", 2), (1, "replaced", 1)]
    assert [version["predicate"] for version in versions] == ["", "result < 4", "result < 40"]
    assert await sign(taker, contract, "consumer", 3) == 409


async def test_a_signature_is_over_the_digest_of_the_canonical_terms(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await agree(giver, taker, provider, consumer)
    async with site.state.sessions() as session:
        user = await accounts.find_by_email(session, (await giver.get("/api/v1/session")).json()["email"])
        assert user is not None
        view = await views.get_contract(session, user, contract)
        version = view.newest
        assert {one.digest for one in view.signatures.values()} == {digest_of(view.contract, version)}
        assert [one.signed_at is not None for one in view.signatures.values()] == [True, True]
        assert {one.email for one in view.signatures.values()} >= {user.email}


async def test_terms_that_were_tampered_with_are_not_signed(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    _giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await propose(taker, provider, consumer, predicate="result < 4")
    async with site.state.sessions() as session:
        damaged = update(ContractVersion).where(ContractVersion.contract_id == contract)
        await session.execute(damaged.values(predicate="TRUE"))
        await session.commit()
    answer = await call(taker, "POST", f"/contracts/{contract}:sign", {"side": "consumer", "version": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "contract.damaged")


@pytest.mark.parametrize("path", ["", "/preview", "/change", "/odcs.yaml", "/odcs.json"])
async def test_a_contract_of_others_looks_as_if_it_were_not_there(
    new_browser: MakeBrowser, word: Word, path: str
) -> None:
    giver, taker, stranger = new_browser(), new_browser(), new_browser()
    provider, consumer = await with_system(giver, word), await with_system(taker, word)
    contract = await agree(giver, taker, provider, consumer)
    await with_system(stranger, word)
    real = await stranger.get(f"/contracts/{contract}{path}")
    absent = await stranger.get(f"/contracts/c-nothing{path}")
    assert (real.status_code, absent.status_code) == (404, 404)
    assert real.text.replace(contract, "c-nothing").count("c-nothing") == absent.text.count("c-nothing")
    for action in ("sign", "decline", "revoke"):
        body = {"side": "consumer", "version": 1, "reason": "mine"}
        assert (await call(stranger, "POST", f"/contracts/{contract}:{action}", body)).status_code == 404
    assert contract not in (await stranger.get("/contracts")).text


async def test_a_request_tells_nothing_about_which_systems_exist(
    new_browser: MakeBrowser, word: Word
) -> None:
    _giver, taker, provider, consumer = await two_sides(new_browser, word)
    answers = []
    for name in (provider, f"cz.{word()}.Fleet.Car1"):
        contract = await propose(taker, name, consumer)
        await sign(taker, contract, "consumer")
        answer = await taker.get(f"/contracts/{contract}")
        seen = await shown(taker, contract)
        answers.append((answer.status_code, seen["state"], seen["to_sign"], "not signed" in answer.text))
    assert answers[0] == answers[1] == (200, "proposed", [], True)


async def test_who_operates_neither_system_or_both_of_one_company_writes_no_contract(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    fields = {"purpose": "p", "provider": provider, "consumer": f"at.{word()}.Some.Where"}
    answer = await taker.add("/contracts/new", **fields)
    assert answer.status_code == 422
    assert "One of the two must be a system that you operate" in answer.text
    fields["consumer"] = f"{provider.rpartition('.')[0]}.Car2"
    answer = await giver.add("/contracts/new", **fields)
    assert answer.status_code == 422
    assert "inside one company no contract is needed" in answer.text
    assert (
        await taker.add("/contracts/new", purpose="p", provider="x y", consumer=consumer)
    ).status_code == 422


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("predicate", "result <", "^"),
        ("predicate", "TRUE; SELECT", "^"),
        ("datastreams", "cz.other.Fleet.Car1.Main.Speed", "belongs to"),
        ("ends_at", "2001-01-01T00:00:00Z", "over already"),
        ("purpose", "", "Fill in this field"),
    ],
)
async def test_terms_that_cannot_be_kept_are_refused_at_their_field(
    new_browser: MakeBrowser, word: Word, field: str, text: str, message: str
) -> None:
    taker = new_browser()
    consumer = await with_system(taker, word)
    fields = {"purpose": "p", "provider": f"at.{word()}.Some.Where", "consumer": consumer, field: text}
    answer = await taker.add("/contracts/new", **fields)
    assert answer.status_code == 422
    assert message in answer.text


async def test_a_person_of_both_sides_signs_for_each_of_them(new_browser: MakeBrowser, word: Word) -> None:
    both = new_browser()
    provider = await with_system(both, word)
    company = f"is.{word()}"
    await both.add("/companies/new", domain="is", enterprise=company[3:])
    await both.add("/systems/new", company=company, workcenter="Roads", station="East")
    contract = await propose(both, provider, f"{company}.Roads.East")
    assert (await shown(both, contract))["to_sign"] == ["provider", "consumer"]
    await sign(both, contract, "provider")
    assert (await shown(both, contract))["is_active"] is False
    await sign(both, contract, "consumer")
    assert (await shown(both, contract))["is_active"] is True


async def test_one_signs_for_ones_own_side_only(new_browser: MakeBrowser, word: Word) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await propose(taker, provider, consumer)
    assert await sign(taker, contract, "provider") == 403
    await sign(taker, contract, "consumer")
    assert await sign(giver, contract, "consumer") == 403


async def test_what_was_changed_meanwhile_is_not_signed(new_browser: MakeBrowser, word: Word) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await propose(taker, provider, consumer)
    await sign(taker, contract, "consumer")
    page = f"/contracts/{contract}"
    await taker.post(f"{page}/change", f"{page}/change", purpose="More.", version="1")
    answer = await call(giver, "POST", f"/contracts/{contract}:sign", {"side": "provider", "version": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "contract.changed")
    assert "Look at it again" in answer.json()["hint"]
    stale = await giver.post(f"{page}/change", f"{page}/change", purpose="Less.", version="1")
    assert stale.status_code == 409


async def test_two_who_sign_at_once_bring_it_into_force_and_nobody_signs_twice(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await propose(taker, provider, consumer)
    await sign(taker, contract, "consumer")
    page = f"/contracts/{contract}"
    await taker.post(f"{page}/change", f"{page}/change", purpose="More.", version="1")
    people = {
        side: (await browser.get("/api/v1/session")).json()["email"]
        for side, browser in (("provider", giver), ("consumer", taker))
    }

    async def sign_once(side: str) -> bool | str:
        async with site.state.sessions() as session:
            user = await accounts.find_by_email(session, people[side])
            assert user is not None
            form = SignatureForm(side=side, version=2)
            try:
                return await service.sign_contract(session, user, contract, form)
            except ConflictError as error:
                return error.code

    found = await asyncio.gather(*(sign_once(side) for side in ("provider", "consumer") * 2))
    assert sorted(map(str, found)) == sorted(["False", "True", *found_codes(found)])
    assert len(found_codes(found)) == 2
    assert (await shown(giver, contract))["is_active"] is True


def found_codes(found: list[bool | str]) -> list[str]:
    return [one for one in found if isinstance(one, str)]


async def test_a_contract_whose_end_has_come_is_not_in_force_at_once_and_then_ended(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    end = (now() + timedelta(hours=1)).isoformat()
    contract = await agree(giver, taker, provider, consumer, ends_at=end)
    async with site.state.sessions() as session:
        over = update(ContractVersion).where(ContractVersion.contract_id == contract)
        await session.execute(over.values(ends_at=now() - timedelta(seconds=1)))
        await session.commit()
    seen = await shown(giver, contract)
    assert (seen["is_active"], seen["state"]) == (False, "active")
    await site.state.enforcement.enforce()
    assert (await shown(giver, contract))["outcome"] == "expired"


async def test_a_request_is_declined_with_a_reason_and_a_draft_is_taken_back_unseen(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    sent, draft = await propose(taker, provider, consumer), await propose(taker, provider, consumer)
    await sign(taker, sent, "consumer")
    body = {"side": "provider", "reason": "too much"}
    assert (await call(giver, "POST", f"/contracts/{sent}:decline", body)).status_code == 200
    assert "too much" in (await taker.get(f"/contracts/{sent}")).text
    body["side"] = "consumer"
    assert (await call(taker, "POST", f"/contracts/{draft}:decline", body)).status_code == 200
    assert (await giver.get(f"/contracts/{draft}")).status_code == 404


async def test_a_system_with_a_contract_in_force_is_not_deleted_and_with_an_ended_one_is(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await agree(giver, taker, provider, consumer)
    assert (await giver.add(f"/systems/{provider}/delete")).status_code == 409
    await revoke(taker, contract, "consumer")
    assert (await giver.add(f"/systems/{provider}/delete")).url.path == "/systems"
    assert (await shown(taker, contract))["provider"] == provider


class MemoryRecords:
    """The last records of any system."""

    def last(self, system: str, most: int, /) -> LastRecords:
        del most
        line = '{"topic":"t","key":"%s.Main.%s","value":"%s"}'
        value = r"{\"phenomenonTime\":\"2026-01-01T00:00:00Z\",\"result\":%s,\"road\":\"A 4711\"}"
        return LastRecords(
            [
                line % (system, "Temperature", value % "3.25"),
                line % (system, "Temperature", value % "30"),
                line % (system, "Speed", value % "2"),
            ]
        )


async def test_the_provider_previews_in_full_and_the_consumer_masked_once_the_provider_agreed(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    site.state.records = MemoryRecords()
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    terms = {"datastreams": f"{provider}.Main.Temperature", "predicate": "result < 4"}
    contract = await propose(taker, provider, consumer, **terms)
    page = f"/contracts/{contract}/preview"
    assert (await taker.get(page)).status_code == 403, "else everybody could ask for anything"
    await sign(taker, contract, "consumer")
    assert (await taker.get(page)).status_code == 403
    full = (await giver.get(page)).text
    assert "<strong>1 would leave</strong>" in full
    assert "2 would be held back" in full
    assert "3.25" in full
    assert "A 4711" in full
    await sign(giver, contract, "provider")
    masked = (await taker.get(page)).text
    assert "<strong>1 would leave</strong>" in masked
    assert f"{provider}.Main.Temperature" in masked
    assert "2026-01-01T00:00:00Z" in masked
    assert "##.#" in masked
    assert "3.25" not in masked
    assert "4711" not in masked
    await revoke(giver, contract, "provider")
    assert (await taker.get(page)).status_code == 403, "nothing would leave, so there is nothing to see"
