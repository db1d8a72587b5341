"""A contract as a negotiation of two sides: whose turn, what differs, notes, declining, renewing, trying."""

import html
import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import update

from platform_ui.contracts.models import ContractVersion
from platform_ui.db import now
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
from tests.integration.platform_ui.test_offers import MemoryRecords

pytestmark = pytest.mark.postgres


async def test_both_sides_counter_each_other_until_both_have_signed_one_version(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await propose(taker, provider, consumer, predicate="result < 40", note="All of it, please.")
    page = f"/contracts/{contract}"
    assert ((await shown(taker, contract))["turn"], "Your turn" in (await taker.get(page)).text) == (
        "yours",
        True,
    )
    await sign(taker, contract, "consumer")
    assert "The other side's turn" in (await taker.get(page)).text
    assert "All of it, please." in (await giver.get(page)).text
    counter = {"purpose": "To know about ice.", "predicate": "result < 4", "version": "1"}
    await giver.post(f"{page}/change", f"{page}/change", note="Only the cold ones.", **counter)
    await sign(giver, contract, "provider", 2)
    text = (await taker.get(page)).text
    assert "Only the cold ones." in text
    assert "Your turn" in text
    assert "</span>result &lt; 40</del>" in text
    assert "</span>result &lt; 4</ins>" in text
    again = {"purpose": "To warn.", "predicate": "result < 4", "version": "2", "fields": "road"}
    await taker.post(f"{page}/change", f"{page}/change", **again)
    answer = await giver.get(f"/api/v1{page}/difference?older=1&newer=3")
    assert answer.json()["changes"] == [
        {"field": "purpose", "removed": ["To know about ice."], "added": ["To warn."], "kept": []},
        {"field": "predicate", "removed": ["result < 40"], "added": ["result < 4"], "kept": []},
        {"field": "fields", "removed": ["all"], "added": ["road"], "kept": []},
    ]
    compared = (await giver.get(f"{page}?older=2&newer=3")).text
    assert "</span>result &lt; 40</del>" not in compared
    assert (await giver.get(f"{page}?older=1&newer=9")).status_code == 404
    await sign(taker, contract, "consumer", 3)
    await sign(giver, contract, "provider", 3)
    events = (await taker.get(f"/api/v1{page}/events")).json()["items"]
    kinds = [one["kind"] for one in reversed(events)]
    assert kinds[:5] == ["requested", "signed", "countered", "signed", "countered"]
    assert sorted(kinds[5:]) == ["in force", "signed", "signed"]
    assert (await shown(giver, contract))["turn"] == "nobody"


async def test_a_contract_that_is_revoked_after_a_declined_version_shows_the_terms_that_held(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await agree(giver, taker, provider, consumer, purpose="What held.")
    page = f"/contracts/{contract}"
    await taker.post(f"{page}/change", f"{page}/change", purpose="What was declined.", version="1")
    await giver.post(f"{page}/decline", page, side="provider", reason="Not for that.")
    text = (await taker.get(page)).text
    assert "Not for that." in text, "a declined version tells why, though the contract lasts"
    assert "Version 2 declined for" in text
    await revoke(giver, contract, "provider")
    seen = await shown(taker, contract)
    assert (seen["shown"], seen["outcome"]) == (1, "revoked")
    text = (await taker.get(page)).text
    assert "Terms, version 1" in text
    assert "<dd>What held.</dd>" in text
    assert "<dd>What was declined.</dd>" not in text
    document = (await taker.get(f"/api/v1{page}/odcs")).text
    assert "What held." in document
    assert "What was declined." not in document


async def test_a_contract_that_ends_soon_is_renewed_with_the_same_terms_and_a_later_end(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    later = (now() + timedelta(days=300)).strftime("%Y-%m-%dT%H:%M:%SZ")
    contract = await agree(giver, taker, provider, consumer, ends_at=later, predicate="result < 4")
    page = f"/contracts/{contract}"
    assert (await shown(taker, contract))["expires_soon"] is False
    assert "Renew it now" in (await taker.get(page)).text
    soon = (now() + timedelta(days=3)).replace(microsecond=0)
    async with site.state.sessions() as session:
        version = update(ContractVersion).where(ContractVersion.contract_id == contract)
        begun = now() - timedelta(days=100)
        await session.execute(version.values(ends_at=soon, in_force_at=begun, written_at=begun))
        await session.commit()
    assert (await shown(taker, contract))["expires_soon"] is True
    assert "It ends soon: renew it" in (await taker.get(page)).text
    form = (await taker.get(f"{page}/change?renew=week")).text
    end = (soon + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f'value="{end}"' in form
    assert ">result &lt; 4</textarea>" in form, "the terms stay"
    fields = {"purpose": "To know about ice.", "predicate": "result < 4", "ends_at": end, "version": "1"}
    await taker.post(f"{page}/change", f"{page}/change", **fields)
    changes = (await giver.get(f"/api/v1{page}/difference")).json()
    assert [one["field"] for one in changes["changes"]] == ["ends_at"]
    await sign(taker, contract, "consumer", 2)
    await sign(giver, contract, "provider", 2)
    assert (await shown(giver, contract))["is_active"] is True


async def test_terms_are_checked_with_the_place_of_their_fault_and_tried_on_the_last_records(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    site.state.records = MemoryRecords()
    giver, stranger = new_browser(), new_browser()
    provider = await with_system(giver, word)
    await with_system(stranger, word)
    wrong = {"provider": provider, "predicate": "result <", "datastreams": ["at.bb.Cc.Dd.Main.X"]}
    faults = (await call(giver, "POST", "/contracts:check", wrong)).json()["faults"]
    assert [(one["field"], one["line"], one["column"]) for one in faults] == [
        ("datastreams", None, None),
        ("predicate", 1, 9),
    ]
    right = {"provider": provider, "predicate": "result < 4", "fields": ["road"]}
    assert (await call(giver, "POST", "/contracts:check", right)).json() == {"faults": []}
    found = (await call(giver, "POST", "/contracts:preview", right)).json()
    assert (found["is_masked"], found["leaving"], found["held_back"]) == (False, 2, 1)
    assert {one["result"] for one in found["records"]} == {"3.25", "2"}
    tried = await giver.post("/contracts/try", "/contracts/new", provider=provider, predicate="result < 4")
    assert "<strong>2 would leave</strong> by these terms" in tried.text
    refused = await giver.post("/contracts/try", "/contracts/new", provider=provider, predicate="result <")
    assert "^" in refused.text
    answer = await stranger.post("/contracts/try", "/contracts/new", provider=provider)
    assert answer.status_code == 404


async def test_the_form_of_a_new_contract_is_filled_in_by_its_address(
    new_browser: MakeBrowser, word: Word
) -> None:
    taker = new_browser()
    consumer = await with_system(taker, word)
    query = f"consumer={consumer}&provider=at.bb.Cc.Dd&datastreams=at.bb.Cc.Dd.Main.X&purpose=Ice"
    text = (await taker.get(f"/contracts/new?{query}")).text
    assert all(f">{word}</textarea>" in text for word in ("at.bb.Cc.Dd.Main.X", "Ice"))


async def test_a_contract_is_called_by_its_systems_and_its_purpose_wherever_it_is_met(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await propose(taker, provider, consumer, purpose="Car 1 warns <of> ice.")
    page, phrase = f"/contracts/{contract}", "Car1 → Car1: Car 1 warns <of> ice"
    draft = html.unescape((await taker.get(page)).text)
    assert "Give up the draft" in draft
    assert "Decline version" not in draft
    await sign(taker, contract, "consumer")
    for address in (page, f"{page}/change", "/dashboard", f"/find?q={contract}", "/find?q=warns+ice"):
        text = html.unescape((await giver.get(address)).text).replace("</strong>", "")
        assert phrase in text, address
        assert contract in text, address
    for address in ("/contracts", f"/systems/{consumer}?show=contracts", f"/contracts?q={contract}"):
        text = html.unescape((await taker.get(address)).text).replace("</strong>", "")
        assert re.search(f"{phrase} <small class=.contract-id.>{contract}</small>", text), address
        assert f'title="{provider} → {consumer}"' in text, address
    assert (await shown(giver, contract))["title"] == phrase

    await sign(giver, contract, "provider")
    change = {"purpose": "Something else.", "version": "1"}
    await taker.post(f"{page}/change", f"{page}/change", **change)
    assert (await shown(giver, contract))["title"] == phrase, "a proposal does not rename what holds"
    await sign(taker, contract, "consumer", 2)
    await sign(giver, contract, "provider", 2)
    assert (await shown(giver, contract))["title"] == "Car1 → Car1: Something else"


async def test_a_contract_leads_to_the_app_that_carries_it_and_once_ended_to_another_one_like_it(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    contract = await agree(giver, taker, provider, consumer, predicate="result < 4", fields="road")
    page = f"/contracts/{contract}"
    text = html.unescape((await giver.get(page)).text)
    app = f"/systems/{provider}/apps/new?target_system={consumer}"
    assert f'href="{app}"' in text
    assert f'value="{consumer}"' in (await giver.get(app)).text
    await revoke(giver, contract, "provider")
    again = re.search(r'href="(/contracts/new\?[^"]+)"', (await taker.get(page)).text)
    assert again
    form = (await taker.get(html.unescape(again[1]))).text
    for value in (provider, consumer, "To know about ice.", "result &lt; 4", "road"):
        assert value in form
