"""Who may read a system's records, and the chain of clauses behind an answer, by pages and API."""

from collections.abc import Callable

import pytest

from platform_ui.acls.compiling import SERVICES
from tests.integration.platform_ui.agreements import (
    agree,
    call,
    propose,
    revoke,
    sign,
    two_sides,
    with_system,
)
from tests.integration.platform_ui.doubles import Browser

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]


async def readers(browser: Browser, resource: str) -> dict[str, dict[str, object]]:
    answer = await browser.get(f"/api/v1/explain/readers?resource={resource}")
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["items"]}


async def test_everybody_who_may_read_is_listed_with_the_clause_that_allows_it(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, viewer = new_browser(), new_browser(), new_browser()
    provider, consumer = await with_system(giver, word), await with_system(taker, word)
    seen_by = await viewer.sign_up(word())
    await giver.add(f"/systems/{provider}/members", email=seen_by, role="viewer")
    await giver.add(f"/systems/{provider}/clients/new", name="car_1")
    name = f"{provider}.Main.Temperature"
    contract = await agree(giver, taker, provider, consumer, datastreams=name, predicate="result < 4")
    fields = {"name": "share", "target_system": consumer, "statement": "SELECT * FROM *;"}
    await giver.add(f"/systems/{provider}/apps/new", **fields)
    found = await readers(giver, provider)
    client, app = f"User:client.{provider}.car_1", f"User:app.{provider}.share"
    assert set(found) >= {seen_by, client, app, consumer}
    assert set(found) >= {service.principal for service in SERVICES}, "the platform reads it too"
    assert found[consumer]["limits"] == "where result < 4; of 1 Datastreams"
    because = found[consumer]["because"]
    assert isinstance(because, list)
    assert because[0]["text"].startswith("contract “Car1 → Car1: ")
    assert f"({contract}), version 1, signed by " in because[0]["text"]
    assert because[0]["address"] == f"/contracts/{contract}"
    assert because[1]["address"] == f"/systems/{provider}/apps/share"
    assert consumer in await readers(viewer, name)
    assert consumer not in await readers(giver, f"{provider}.Main.Speed"), "the contract does not name it"
    page = (await giver.get(f"/explain/readers?resource={name}")).text
    assert f'href="/contracts/{contract}"' in page
    assert "where result &lt; 4" in page
    assert "service.recorder" in page
    await revoke(taker, contract, "consumer")
    assert consumer not in await readers(giver, provider)


async def test_who_does_not_see_a_system_learns_nothing_of_its_readers(
    new_browser: MakeBrowser, word: Word
) -> None:
    owner, stranger = new_browser(), new_browser()
    system = await with_system(owner, word)
    await stranger.sign_up(word())
    for path in ("/explain/readers", "/api/v1/explain/readers"):
        assert (await stranger.get(f"{path}?resource={system}")).status_code == 404
        assert (await owner.get(f"{path}?resource=nothing")).status_code == 422
    assert (await stranger.get(f"/explain/principals?who={system}")).text.strip() == ""


async def test_for_whom_one_may_ask_is_suggested_by_a_part_of_the_name(
    new_browser: MakeBrowser, word: Word
) -> None:
    owner = new_browser()
    system = await with_system(owner, word)
    await owner.add(f"/systems/{system}/clients/new", name="thermometer_7")
    items = (await owner.get("/api/v1/explain/principals?q=MOMETER")).json()["items"]
    assert items == [{"value": f"client.{system}.thermometer_7", "label": "client app"}]
    everything = (await owner.get("/api/v1/explain/principals")).json()["items"]
    assert {one["label"] for one in everything} == {"you", "client app", "system that receives"}
    assert f'value="client.{system}.thermometer_7"' in (await owner.get("/explain")).text


async def test_an_answer_is_a_chain_of_clauses_with_their_pages_or_a_button_to_what_is_missing(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    asked = f"who={consumer}&action=receive&resource={provider}.Main.Temperature"
    page = (await taker.get(f"/explain?{asked}")).text
    link = f'href="/contracts/new?provider={provider}&amp;consumer={consumer}"'
    assert f'<a class="button primary" {link}' in page
    contract = await propose(taker, provider, consumer)
    await sign(taker, contract, "consumer")
    answer = (await taker.get(f"/api/v1/explain?{asked}")).json()
    assert answer["address"] == f"/contracts/{contract}"
    clauses = (await call(giver, "GET", f"/explain?action=sign contract&resource={contract}")).json()[
        "clauses"
    ]
    assert [(one["kind"], one["address"]) for one in clauses] == [
        ("role", f"/systems/{provider}"),
        ("contract", f"/contracts/{contract}"),
    ]


async def test_the_giving_side_learns_why_the_other_receives_and_no_more(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, stranger = new_browser(), new_browser(), new_browser()
    provider, consumer = await with_system(giver, word), await with_system(taker, word)
    await stranger.sign_up(word())
    await taker.add(f"/systems/{consumer}/clients/new", name="secret_client")
    of_none = f"cz.{word()}.Fleet.Car1"

    async def ask(browser: Browser, who: str, record: str = "") -> dict[str, object]:
        resource = f"{provider}.Main.Temperature"
        fields = f"who={who}&action=receive&resource={resource}&record={record}"
        answer = await browser.get(f"/api/v1/explain?{fields}")
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    there, not_there = await ask(giver, consumer), await ask(giver, of_none)
    assert str(there).replace(consumer, of_none) == str(not_there), "nobody learns what systems there are"
    contract = await agree(giver, taker, provider, consumer, predicate="result < 4")
    fields = {"name": "share", "target_system": consumer, "statement": "SELECT * FROM *;"}
    await giver.add(f"/systems/{provider}/apps/new", **fields)
    await giver.post(f"/systems/{provider}/apps/share/deploy", "/contracts/new")
    seen = await ask(giver, consumer)
    assert seen["answer"] == "allowed"
    assert contract in str(seen["because"])
    assert seen == await ask(taker, consumer), "both sides are told the same"
    assert "secret_client" not in str(seen)
    assert (await ask(giver, consumer, '{"result": 7}'))["answer"] == "refused"
    assert (await ask(stranger, consumer))["address"] == ""
    suggested = (await giver.get(f"/api/v1/explain/principals?q={consumer}")).json()["items"]
    assert suggested == [{"value": consumer, "label": "system that receives"}]
    assert (await stranger.get(f"/api/v1/explain/principals?q={consumer}")).json()["items"] == []
