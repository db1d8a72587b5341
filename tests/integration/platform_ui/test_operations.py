"""The platform looked at: its parts, what only operators see, and everybody's own certificates."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from platform_ui.accounts.models import User
from platform_ui.app import create_app
from platform_ui.audit.models import AuditEntry
from platform_ui.credentials import register
from platform_ui.credentials.models import IssuedCertificate
from platform_ui.db import now
from platform_ui.flows.figures import AppRate, FlowSnapshot, TopicRate
from platform_ui.operations.watch import Watch
from platform_ui.part_settings import PartSettings
from platform_ui.pki.authority import Authority
from platform_ui.pki.names import Identity, Kind
from platform_ui.settings import PlatformSettings
from setup.local.ports import any_free_port
from streamhub.engine.progress import AppProgress
from tests.integration.platform_ui.agreements import Word, call, with_system
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryRunner, MemoryTopics
from tests.unit.platform_ui.acls.memory import MemoryAcls

pytestmark = pytest.mark.postgres
THEIRS = "at.other.Lab.Box.theirs"
PASSPHRASE = "a passphrase of the tests 4711"


@pytest.fixture(scope="module")
def authority_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("operations")
    Authority.create(folder, PASSPHRASE)
    return folder


@pytest.fixture
async def site(
    settings: PlatformSettings, authority_folder: Path, topics: MemoryTopics, runner: MemoryRunner
) -> AsyncIterator[FastAPI]:
    """A site with an authority, and a broker whose access rules are in memory."""
    app = create_app(
        replace(settings, pki_directory=authority_folder, pki_passphrase=PASSPHRASE),
        topics=topics,
        runner=runner,
        metadata=MemoryMetadata(),
        acls=MemoryAcls(),
    )
    yield app
    await app.state.units.close()
    await app.state.gateway.close()
    await app.state.engine.dispose()


async def person(site: FastAPI, browser: Browser, word: Word, *, is_operator: bool = False) -> Browser:
    email = await browser.sign_up(word())
    async with site.state.sessions() as session:
        await session.execute(update(User).where(User.email == email).values(is_operator=is_operator))
        await session.commit()
    return browser


async def certify(site: FastAPI, kind: Kind, name: str, number: int = 1) -> None:
    """Issue certificates that end one day after the other."""
    authority: Authority = site.state.authority
    async with site.state.sessions() as session:
        credential = await register.hold(session, kind, name)
        for day in range(1, number + 1):
            issued = authority.issue(Identity(kind, name), lifetime=timedelta(days=day * 10))
            await register.write_down(
                session, credential, issued.certificate, issued_by="somebody", origin="csr"
            )
        await session.commit()


class Still:
    """Figures that stand still."""

    def __init__(self, snapshot: FlowSnapshot) -> None:
        self._snapshot = snapshot

    def snapshot(self) -> FlowSnapshot:
        return self._snapshot


async def levels(browser: Browser) -> dict[str, str]:
    answer = (await browser.get("/api/v1/platform")).json()
    return {part["part"]: part["level"] for part in answer["parts"]}


async def test_parts_that_are_away_are_named_first_with_how_to_mend_them(
    site: FastAPI, topics: MemoryTopics, runner: MemoryRunner, new_browser: MakeBrowser, word: Word
) -> None:
    operator = await person(site, new_browser(), word, is_operator=True)
    found = await levels(operator)
    assert (found["database"], found["runner"], found["authority"]) == ("ok", "ok", "ok")
    assert (found["sensorthings"], found["mail"]) == ("failed", "off")  # nobody has that name
    topics.fails = runner.fails = True
    site.state.watch = Watch(site.state)
    found = await levels(operator)
    assert (found["kafka"], found["runner"]) == ("failed", "failed")
    page = (await operator.get("/platform")).text
    assert "python -m streamhub runner" in page
    assert page.index("No runner looks after") < page.index("PostgreSQL answers")


async def test_parts_beside_the_platform_are_shown_where_there_are_some(
    site: FastAPI, new_browser: MakeBrowser, word: Word, tmp_path: Path
) -> None:
    operator, member = await person(site, new_browser(), word, is_operator=True), new_browser()
    await member.sign_up(word())
    beside = {"recorder", "elasticsearch_sink", "mqtt_bridge", "mqtt_broker"}
    assert not beside & set(await levels(operator)), "nobody told of them"
    file = tmp_path / "recorder.json"
    said_at = now() + timedelta(minutes=10)  # it stays alive for as long as the test takes
    file.write_text(AppProgress(pid=1, state="running", updated_at=said_at, lag=0).to_json())
    parts = PartSettings(
        recorder=file, bridge=tmp_path / "none", broker=f"mqtts://127.0.0.1:{any_free_port()}"
    )
    site.state.settings = replace(site.state.settings, parts=parts)
    site.state.watch = Watch(site.state)
    found = await levels(operator)
    assert {part: found[part] for part in beside & set(found)} == {
        "recorder": "ok",
        "mqtt_bridge": "failed",
        "mqtt_broker": "failed",
    }
    page = (await operator.get("/platform")).text
    assert "see that DTWIN_MQTT__URL names it" in page
    assert page.index("dtwin bridge mqtt run") < page.index("Since its start read: 0")
    seen = (await member.get("/platform")).text
    assert "MQTT bridge" in seen
    assert "dtwin bridge mqtt run" not in seen, "how to mend it is for operators"


async def test_a_part_keeps_since_when_it_is_as_it_is(
    site: FastAPI, runner: MemoryRunner, new_browser: MakeBrowser, word: Word
) -> None:
    hours = [0]
    start = now()
    watch = site.state.watch = Watch(
        site.state, clock=lambda: start + timedelta(hours=hours[0]), monotonic=lambda: hours[0] * 3600
    )

    async def since(part: str) -> timedelta:
        (found,) = (one for one in await watch.findings() if one.part == part)
        assert found.since is not None
        return found.since - start

    assert await since("runner") == timedelta(0)
    hours[0] = 1
    assert await since("runner") == timedelta(0)
    runner.fails = True
    hours[0] = 2
    assert await since("runner") == timedelta(hours=2)
    assert await since("database") == timedelta(0)


async def test_who_is_no_operator_sees_how_parts_are_and_figures_of_their_own_systems_only(
    site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    member, operator = new_browser(), await person(site, new_browser(), word, is_operator=True)
    system = await with_system(member, word)
    site.state.flows = Still(
        FlowSnapshot(
            at=now(),
            is_stale=False,
            apps={f"{system}.mine": AppRate("running", lag=3), THEIRS: AppRate("running", lag=9)},
            topics={
                f"{system}.int.dlq": TopicRate(last_hour=2),
                "at.other.Lab.Box.int.dlq": TopicRate(last_hour=5),
            },
        )
    )
    seen = (await member.get("/api/v1/platform")).json()
    assert seen["inside"] is None
    assert [lag["app_id"] for lag in seen["lags"]] == [f"{system}.mine"]
    assert [one["system"] for one in seen["refused"]] == [system]
    assert all(part["says"] == part["hint"] == part["version"] == "" for part in seen["parts"])
    page = (await member.get("/platform")).text
    assert "at.other" not in page
    assert "PostgreSQL answers" not in page
    whole = (await operator.get("/api/v1/platform")).json()
    assert THEIRS in [lag["app_id"] for lag in whole["lags"]]
    assert "at.other.Lab.Box.int.dlq" in whole["inside"]["topics"]["surplus"]
    assert whole["inside"]["database"]["size_bytes"] > 0
    assert (await member.post("/platform/rules", "/companies/new")).status_code == 403
    assert (await member.get("/api/v1/certificates/services")).status_code == 403


async def test_an_operator_sees_drift_and_mends_it(
    site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    operator, agent = await person(site, new_browser(), word, is_operator=True), new_browser()
    system = await with_system(agent, word)
    await agent.add(f"/systems/{system}/clients/new", name="car_1")
    await certify(site, Kind.CLIENT, f"{system}.car_1")
    before = (await operator.get("/api/v1/platform")).json()["inside"]["drift"]
    assert before["count"] > 0
    assert before["since"] is not None
    page = await operator.get("/platform")
    assert "Apply now" in page.text
    done = await operator.post("/platform/rules", "/platform")
    assert "Access rules are as registered" in done.text
    after = (await operator.get("/api/v1/platform")).json()["inside"]["drift"]
    assert (after["count"], after["since"]) == (0, None)
    again = await call(operator, "POST", "/platform/access-rules:apply")
    assert again.json() == {"made": 0, "removed": 0}
    async with site.state.sessions() as session:
        written = await session.scalars(
            select(AuditEntry.detail)
            .where(AuditEntry.action == "platform.rules_applied")
            .order_by(AuditEntry.id)
        )
        assert written.all()[-1] == {"made": "0", "removed": "0"}


async def test_what_works_in_the_background_says_how_it_goes(
    site: FastAPI, topics: MemoryTopics, new_browser: MakeBrowser, word: Word
) -> None:
    operator = await person(site, new_browser(), word, is_operator=True)
    site.state.enforcement.pulse.miss(RuntimeError("the folder is gone"))
    site.state.audit_keeper.pulse.beat()
    inside = (await operator.get("/api/v1/platform")).json()["inside"]
    found = {keeper["name"]: keeper for keeper in inside["keepers"]}
    assert found["Contracts of stream apps"]["is_failing"]
    assert found["Contracts of stream apps"]["error"] == "the folder is gone"
    assert not found["Audit log to its topics"]["is_failing"]
    assert "the folder is gone" in (await operator.get("/platform")).text


async def test_certificates_come_page_by_page_those_that_end_first_first(
    site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    agent = new_browser()
    system = await with_system(agent, word)
    await agent.add(f"/systems/{system}/clients/new", name="car_1")
    await certify(site, Kind.CLIENT, f"{system}.car_1", 5)
    path, token, ends = "/api/v1/certificates?page_size=2", "", []
    for _ in range(3):
        answer = (await agent.get(f"{path}&page_token={token}")).json()
        ends += [one["not_after"] for one in answer["items"]]
        token = answer["next_page_token"]
    assert token is None
    assert len(ends) == 5
    assert ends == sorted(ends)
    assert (await agent.get(f"{path}&page_token=elsewhere")).status_code == 400
    turned = (await agent.get(f"{path}&order_by=-name")).json()["items"]
    assert [one["not_after"] for one in turned] == ends[:-3:-1]
    weeks = (await agent.get("/api/v1/certificates/calendar")).json()["items"]
    assert [place for place, week in enumerate(weeks) if week["number"]] == [7]  # the newest ends in 50 days


async def test_certificates_are_chosen_by_what_became_of_them(
    site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    agent, stranger = new_browser(), await person(site, new_browser(), word)
    system = await with_system(agent, word)
    for name in ("car_1", "car_2"):
        await agent.add(f"/systems/{system}/clients/new", name=name)
        await certify(site, Kind.CLIENT, f"{system}.{name}", 2)
    async with site.state.sessions() as session:
        credential = await register.hold(session, Kind.CLIENT, f"{system}.car_2")
        await register.end_epoch(session, credential, "lost in the sea")
        await session.execute(
            update(IssuedCertificate)
            .where(
                IssuedCertificate.name == f"{system}.car_1",
                IssuedCertificate.not_after < now() + timedelta(days=15),
            )
            .values(not_before=now() - timedelta(days=9), not_after=now() - timedelta(days=1))
        )
        await session.commit()
    numbers = {}
    for show in ("counting", "ending", "ended", "revoked", "all"):
        answer = (await agent.get(f"/api/v1/certificates?show={show}")).json()
        numbers[show] = len(answer["items"])
    assert numbers == {"counting": 1, "ending": 0, "ended": 1, "revoked": 2, "all": 4}
    page = (await agent.get("/certificates?show=revoked")).text
    assert "lost in the sea" in page
    assert f"/systems/{system}/clients/car_2/credentials" in page
    assert (await agent.get("/certificates?q=nothing")).status_code == 200
    assert (await stranger.get("/api/v1/certificates?show=all")).json()["items"] == []
    assert system not in (await stranger.get("/certificates?show=all")).text


async def test_operators_see_the_certificates_of_services_besides(
    site: FastAPI, authority_folder: Path, new_browser: MakeBrowser, word: Word
) -> None:
    folder = authority_folder / "services" / "recorder"
    folder.mkdir(parents=True, exist_ok=True)
    issued = site.state.authority.issue(Identity(Kind.SERVICE, "recorder"), lifetime=timedelta(days=9))
    (folder / "certificate.pem").write_text(issued.certificate_pem, encoding="utf-8")
    operator = await person(site, new_browser(), word, is_operator=True)
    member = await person(site, new_browser(), word)
    (service,) = (await operator.get("/api/v1/certificates/services")).json()["items"]
    assert (service["name"], service["kind"], service["state"]) == ("recorder", "service", "active")
    assert "recorder" in (await operator.get("/certificates")).text
    assert "recorder" not in (await member.get("/certificates")).text


async def test_htmx_gets_only_what_changes(site: FastAPI, new_browser: MakeBrowser, word: Word) -> None:
    operator = await person(site, new_browser(), word, is_operator=True)
    for path, part in (("/platform", 'id="health"'), ("/certificates", 'id="list"')):
        answer: httpx2.Response = await operator.get(path, **{"HX-Request": "true"})
        assert part in answer.text
        assert "<html" not in answer.text
