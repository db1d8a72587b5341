"""The audit log on a real database: its chain, its seals, who reads it, and how it reaches the log topics."""

import asyncio
import csv
import io
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from typer.testing import CliRunner

from platform_ui import db
from platform_ui.__main__ import command as platform_command
from platform_ui.audit import exports, sealing, service
from platform_ui.audit.keeper import AuditKeeper
from platform_ui.audit.keys import make_key, public_text
from platform_ui.audit.publisher import LogRecord, TopicAwaitedError, publish
from platform_ui.audit.service import PLATFORM, Wanted
from platform_ui.db import Sessions
from platform_ui.errors import AuditBrokenError, BrokerError
from tests.integration.platform_ui.doubles import Browser

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]
KEY = Ed25519PrivateKey.generate()
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SYSTEM = "cz.icecars.Fleet.Car1"


@pytest.fixture(scope="module")
def template(new_database: Callable[[str], str]) -> str:
    url = new_database("audit")
    db.migrate(url)
    return url


@pytest.fixture
async def sessions(template: str) -> AsyncIterator[Sessions]:
    """An empty log."""
    engine = db.create_engine(template)
    async with engine.begin() as connection:
        await connection.execute(text("SET session_replication_role = replica"))
        await connection.execute(text("TRUNCATE audit_entries, audit_seals RESTART IDENTITY"))
        await connection.execute(text("UPDATE audit_readers SET position = 0"))
        await connection.execute(text("SET session_replication_role = DEFAULT"))
    yield db.create_sessions(engine)
    await engine.dispose()


async def add(sessions: Sessions, count: int, *, object_name: str = SYSTEM, **more: Any) -> None:  # noqa: ANN401 - as record
    for number in range(count):
        async with sessions() as session:
            service.record(session, PLATFORM, "system.changed", object_name, number=str(number), **more)
            await session.commit()


async def tamper(sessions: Sessions, *statements: str) -> None:
    """Change rows as somebody with all rights in the database can."""
    async with sessions() as session:
        await session.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            await session.execute(text(statement))
        await session.execute(text("SET session_replication_role = DEFAULT"))
        await session.commit()


async def checked(sessions: Sessions) -> int:
    async with sessions() as session:
        return (await sealing.check_log(session, KEY.public_key())).entries


async def sealed(sessions: Sessions) -> None:
    async with sessions() as session:
        await sealing.seal(session, KEY, NOON)
        await session.commit()


async def test_entries_are_chained_as_their_transactions_commit(sessions: Sessions) -> None:
    facts = {
        "text": 'quote " backslash \\ tab \t ümlaut 🚗 \x7f \u2028',
        "n": 3,
        "none": None,
        "deep": {"b": [1, True]},
    }
    await add(sessions, 3, before=facts, after={"text": ""})
    assert await checked(sessions) == 3
    async with sessions() as session:
        entries = list(await service.find(session, Wanted()))
    assert [one.position for one in entries] == [3, 2, 1]
    assert entries[0].before == facts
    assert entries[2].previous_hash == "0" * 64


async def test_transactions_at_the_same_time_make_one_chain(sessions: Sessions) -> None:
    await asyncio.gather(*(add(sessions, 5) for _ in range(8)))
    assert await checked(sessions) == 40


async def test_an_action_that_is_taken_back_leaves_no_gap(sessions: Sessions) -> None:
    await add(sessions, 1)
    async with sessions() as session:
        service.record(session, PLATFORM, "system.changed", SYSTEM)
        await session.flush()
        await session.rollback()
    await add(sessions, 1)
    assert await checked(sessions) == 2


async def test_writers_of_the_log_cannot_wait_for_each_other_crosswise(sessions: Sessions) -> None:
    """Both write the log first and then want what the other one holds; only that may wait."""
    await add(sessions, 1)

    async def work(first: int, second: int) -> None:
        async with sessions() as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": first})
            service.record(session, PLATFORM, "system.changed", SYSTEM)
            await session.flush()
            await asyncio.sleep(0.1)
            await session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": second})
            await session.commit()

    await asyncio.wait_for(asyncio.gather(work(71, 72), work(73, 72)), 60)
    assert await checked(sessions) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET action = 'x'",
        "UPDATE audit_entries SET hash = repeat('a', 64)",
        "UPDATE audit_entries SET position = NULL, hash = NULL",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "UPDATE audit_seals SET at = now()",
        "DELETE FROM audit_seals",
        "TRUNCATE audit_seals",
    ],
)
async def test_the_database_refuses_to_change_the_log(sessions: Sessions, statement: str) -> None:
    await add(sessions, 2)
    await sealed(sessions)
    async with sessions() as session:
        with pytest.raises(DBAPIError, match="only added to"):
            await session.execute(text(statement))
    assert await checked(sessions) == 2


async def test_an_entry_cannot_choose_its_place(sessions: Sessions) -> None:
    async with sessions() as session:
        await session.execute(
            text(
                "INSERT INTO audit_entries (at, user_email, action, object_name, detail, position, hash)"
                " VALUES (now(), 'x', 'y', 'z', '{}', 7, 'h')"
            )
        )
        await session.commit()
    assert await checked(sessions) == 1


@pytest.mark.parametrize(
    ("statements", "broken"),
    [
        (["UPDATE audit_entries SET user_email = 'nobody' WHERE position = 3"], 3),
        (["UPDATE audit_entries SET at = at + interval '1 us' WHERE position = 2"], 2),
        (["UPDATE audit_entries SET detail = '{}' WHERE position = 4"], 4),
        (["UPDATE audit_entries SET after = '{}' WHERE position = 1"], 1),
        (["DELETE FROM audit_entries WHERE position = 2"], 2),
        (["DELETE FROM audit_entries WHERE position = 5"], 5),
        (["DELETE FROM audit_entries"], 1),
        (
            [
                "UPDATE audit_entries SET position = 99 WHERE position = 2",
                "UPDATE audit_entries SET position = 2 WHERE position = 3",
                "UPDATE audit_entries SET position = 3 WHERE position = 99",
            ],
            2,
        ),
        (
            [
                """INSERT INTO audit_entries (at, user_email, action, object_name, detail)
                VALUES (now(), 'x', 'y', 'z', '{}')"""
            ],
            6,
        ),
        (
            [
                "UPDATE audit_entries SET position = position + 100 WHERE position > 2",
                "UPDATE audit_entries SET position = position - 99 WHERE position > 100",
                """INSERT INTO audit_entries (at, user_email, action, object_name, detail, position,
                previous_hash, hash) SELECT at, user_email, action, object_name, detail, 3, hash, hash
                FROM audit_entries WHERE position = 2""",
            ],
            3,
        ),
        (
            [
                "UPDATE audit_entries SET action = 'x' WHERE position = 5",
                "UPDATE audit_entries SET hash = audit_hash(audit_entries) WHERE position = 5",
            ],
            5,
        ),
        (["UPDATE audit_seals SET hash = repeat('a', 64)"], 2),
        (["DELETE FROM audit_seals WHERE position = 2"], 5),
    ],
    ids=[
        "changed person",
        "changed time",
        "changed detail",
        "added fact",
        "removed",
        "removed the last",
        "removed all",
        "moved",
        "added beside",
        "added between",
        "changed with its hash",
        "changed seal",
        "removed seal",
    ],
)
async def test_whatever_is_changed_behind_the_triggers_is_found(
    sessions: Sessions, statements: Sequence[str], broken: int
) -> None:
    await add(sessions, 2)
    await sealed(sessions)
    await add(sessions, 3)
    await sealed(sessions)
    assert await checked(sessions) == 5
    await tamper(sessions, *statements)
    with pytest.raises(AuditBrokenError) as caught:
        await checked(sessions)
    assert caught.value.position == broken


def relinked(n: int) -> list[str]:
    """Make the hashes of an entry anew, as everything in it is now."""
    before = f"(SELECT hash FROM audit_entries WHERE position = {n - 1})"
    return [
        f"UPDATE audit_entries SET previous_hash = {before} WHERE position = {n}",
        f"UPDATE audit_entries SET hash = audit_hash(audit_entries) WHERE position = {n}",
    ]


async def test_a_chain_that_was_made_anew_does_not_fit_its_seal(sessions: Sessions) -> None:
    await add(sessions, 4)
    await sealed(sessions)
    await tamper(
        sessions,
        "UPDATE audit_entries SET action = 'x' WHERE position = 2",
        *(statement for n in (2, 3, 4) for statement in relinked(n)),
    )
    with pytest.raises(AuditBrokenError, match="sealed") as caught:
        await checked(sessions)
    assert caught.value.position == 4


async def test_the_head_is_sealed_once_a_day(sessions: Sessions) -> None:
    times = iter([NOON, NOON + timedelta(hours=11), NOON + timedelta(hours=13), NOON + timedelta(days=3)])
    now = [NOON]
    keeper = AuditKeeper(sessions, MemorySink(), KEY, clock=lambda: now[0])
    await add(sessions, 1)
    found = []
    for now[0] in times:
        found.append(await keeper.seal_daily())
        await add(sessions, 1)
    assert found == [True, False, True, True]
    assert await checked(sessions) == 5


async def test_rows_of_an_older_version_get_their_places(new_database: Callable[[str], str]) -> None:
    url = new_database("audit_before")
    config = Config()
    config.set_main_option("script_location", str(Path(db.__file__).parent / "migrations"))
    config.attributes["url"] = url
    await asyncio.to_thread(command.upgrade, config, "0004")
    engine = create_engine(url)
    with engine.begin() as connection:
        for number in range(3):
            connection.execute(
                text(
                    "INSERT INTO audit_entries (at, user_email, action, object_name, detail)"
                    " VALUES (now() - :age, 'a@b.c', 'system.created', 'a.b.c.d', '{\"n\": \"1\"}')"
                ),
                {"age": timedelta(days=number)},
            )
    engine.dispose()
    await asyncio.to_thread(command.upgrade, config, "head")
    opened = db.create_engine(url)
    made = db.create_sessions(opened)
    assert await checked(made) == 3
    sink = MemorySink()
    assert await publish(made, sink) == 0
    await opened.dispose()


class MemorySink:
    """Log topics in memory; fails on demand."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.fails = False

    def send(self, records: Sequence[LogRecord]) -> None:
        self.records += records
        if self.fails:
            raise BrokerError("Kafka does not answer.")

    def close(self) -> None:
        pass


async def test_entries_about_a_system_are_sent_once_and_in_order(sessions: Sessions) -> None:
    sink = MemorySink()
    await add(sessions, 3)
    await add(sessions, 1, object_name="cz.icecars")
    assert await publish(sessions, sink, batch=2) == 2
    assert await publish(sessions, sink, batch=10) == 2
    assert await publish(sessions, sink) == 0
    assert [record.topic for record in sink.records] == [f"{SYSTEM}.log"] * 3
    values = [json.loads(record.value) for record in sink.records]
    assert [one["audit"]["position"] for one in values] == [1, 2, 3]


async def test_entries_before_one_whose_topic_is_waited_for_are_sent(sessions: Sessions) -> None:
    class WaitingSink(MemorySink):
        def send(self, records: Sequence[LogRecord]) -> None:
            for record in records:
                if not record.topic.startswith(SYSTEM):
                    raise TopicAwaitedError(record)
            super().send(records)

    sink = WaitingSink()
    await add(sessions, 2)
    await add(sessions, 1, object_name="cz.icecars.Fleet.New")
    await add(sessions, 1)
    assert await publish(sessions, sink) == 2
    assert len(sink.records) == 2
    with pytest.raises(TopicAwaitedError):
        await publish(sessions, sink)
    assert await publish(sessions, MemorySink()) == 2, "none is left out"


async def test_after_a_crash_records_come_again_with_the_same_ids(sessions: Sessions) -> None:
    sink = MemorySink()
    await add(sessions, 2)
    sink.fails = True
    with pytest.raises(BrokerError):
        await publish(sessions, sink)
    sink.fails = False
    await publish(sessions, sink)
    ids = [record.record_id for record in sink.records]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


async def test_two_processes_do_not_send_at_the_same_time(sessions: Sessions) -> None:
    await add(sessions, 2)
    async with sessions() as session, session.begin():
        await session.execute(text("SELECT * FROM audit_readers FOR UPDATE"))
        assert await publish(sessions, MemorySink()) == 0
    assert await publish(sessions, MemorySink()) == 2


async def company_of(browser: Browser, word: Word) -> tuple[str, str, str]:
    email = await browser.sign_up(word())
    company = f"cz.{word()}"
    await browser.add("/companies/new", domain="cz", enterprise=company[3:])
    await browser.add("/systems/new", company=company, workcenter="Fleet", station="Car1")
    return email, company, f"{company}.Fleet.Car1"


async def test_owners_read_the_log_of_their_company_and_agents_that_of_their_system(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, other = new_browser(), new_browser()
    email, company, system = await company_of(browser, word)
    await company_of(other, word)
    for path in (f"/companies/{company}/audit", f"/systems/{system}/audit"):
        page = await browser.get(path)
        assert page.status_code == 200, page.text
        assert email in page.text
        assert "system created" in page.text
        for ending in ("", ".csv", ".jsonl"):
            assert (await other.get(f"{path}{ending}")).status_code == 404
        for ending in ("", "/export"):
            assert (await other.get(f"/api/v1{path}{ending}")).status_code == 404
            assert (await browser.get(f"/api/v1{path}{ending}")).status_code == 200
    assert "company created" not in (await browser.get(f"/systems/{system}/audit")).text


async def test_entries_name_the_address_and_the_request(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    _, company, _ = await company_of(browser, word)
    entries = (await browser.get(f"/api/v1/companies/{company}/audit")).json()["items"]
    assert all(one["address"] for one in entries)
    assert len({one["request_id"] for one in entries}) == 2
    answer = await browser.get("/dashboard", **{"X-Request-ID": "mine"})
    assert len(answer.headers["X-Request-ID"]) == 36


async def test_filters_and_pages_of_the_log(new_browser: MakeBrowser, word: Word, site: FastAPI) -> None:
    browser = new_browser()
    email, company, system = await company_of(browser, word)
    async with site.state.sessions() as session:
        for number in range(60):
            service.record(session, PLATFORM, "system.tested", system, number=str(number))
        await session.commit()
    path = f"/api/v1/companies/{company}/audit"
    first = (await browser.get(path)).json()
    rest = (await browser.get(f"{path}?before={first['next_page_token']}")).json()
    assert (len(first["items"]), len(rest["items"]), rest["next_page_token"]) == (50, 12, None)
    assert not {one["position"] for one in first["items"]} & {one["position"] for one in rest["items"]}
    today = datetime.now(UTC).date()
    counts = {
        "person=PLATFORM&action=system.t": 50,
        f"person={email}": 2,
        "action=company.": 1,
        "object=fleet.car1&action=system.created": 1,
        "object=%25": 0,
        f"since={today + timedelta(days=2)}": 0,
        f"until={today - timedelta(days=2)}": 0,
        f"since={today - timedelta(days=1)}&until={today + timedelta(days=1)}&person={email}": 2,
    }
    for query, count in counts.items():
        assert len((await browser.get(f"{path}?{query}")).json()["items"]) == count, query
    assert (await browser.get(f"{path}?since=yesterday")).status_code == 422
    assert (await browser.get(f"{path}?before=0")).status_code == 422
    page = await browser.get(f"/companies/{company}/audit?action=system.tested")
    assert "Older entries" in page.text
    assert "No entry fits" in (await browser.get(f"/companies/{company}/audit?person=nobody")).text
    assert (await browser.get(f"/companies/{company}/audit?since=x")).status_code == 200


async def test_exports_hold_no_formula_and_can_be_checked(
    new_browser: MakeBrowser, word: Word, site: FastAPI, tmp_path: Path
) -> None:
    browser = new_browser()
    _, company, system = await company_of(browser, word)
    async with site.state.sessions() as session:
        service.record(session, PLATFORM, "=cmd|' /C calc'!A0", system, note='=HYPERLINK("http://x.org")')
        await session.commit()
    answer = await browser.get(f"/companies/{company}/audit.csv")
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="audit-{company}-')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 3
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert rows[-1]["action"].startswith("'=cmd")
    lines = await browser.get(f"/companies/{company}/audit.jsonl")
    file = tmp_path / "export.jsonl"
    file.write_text(lines.text, encoding="utf-8")
    check, is_whole = exports.check_file(file, None)
    assert (check.entries, is_whole) == (3, False)
    file.write_text(lines.text.replace("calc", "clac"), encoding="utf-8")
    with pytest.raises(AuditBrokenError):
        exports.check_file(file, None)


@contextmanager
def changed(file: Path, old: str, new: str) -> Any:  # noqa: ANN401 - a context
    before = file.read_text(encoding="utf-8")
    assert old in before
    file.write_text(before.replace(old, new, 1), encoding="utf-8")
    yield
    file.write_text(before, encoding="utf-8")


async def test_the_command_line_checks_and_exports_the_whole_log(
    sessions: Sessions, template: str, tmp_path: Path
) -> None:
    key_file, public, file = tmp_path / "audit.pem", tmp_path / "audit.pub", tmp_path / "log.jsonl"
    public.write_text(public_text(make_key(key_file).public_key()))
    assert key_file.stat().st_mode & 0o777 == 0o600
    environment = {"DTWIN_PLATFORM__DATABASE_URL": template}

    async def run(*words: str) -> tuple[int, str]:
        runner = CliRunner()
        result = await asyncio.to_thread(runner.invoke, platform_command, list(words), env=environment)
        return result.exit_code, result.output

    await add(sessions, 3)
    assert await run("verify-audit") == (0, "3 entries are as they were written, not sealed yet\n")
    assert (await run("export-audit", str(file), "--key", str(key_file)))[0] == 0
    checking = ("verify-audit", "--key", str(public))
    assert await run(*checking) == (0, "3 entries are as they were written, sealed up to 3\n")
    assert (await run(*checking, "--export", str(file)))[0] == 0
    assert (await run("export-audit", str(file)))[0] == 1  # it is not written over
    with changed(file, '"number":"1"', '"number":"7"'):
        status, output = await run(*checking, "--export", str(file))
        assert (status, "broken at entry 2" in output) == (3, True)
    first_line = file.read_text(encoding="utf-8").splitlines(keepends=True)[0]
    with changed(file, first_line, ""):
        assert (await run(*checking, "--export", str(file)))[0] == 3
    await tamper(sessions, "DELETE FROM audit_entries WHERE position = 3")
    status, output = await run(*checking)
    assert (status, "broken at entry 3" in output) == (3, True)
    other = tmp_path / "other.pem"
    make_key(other)
    assert (await run("verify-audit", "--key", str(other)))[0] == 3
    assert (await run("verify-audit", "--key", str(tmp_path / "none")))[0] == 2


async def test_removing_a_person_changes_no_entry(sessions: Sessions) -> None:
    async with sessions() as session:
        identifier = await insert_person(session)
        await session.execute(
            text(
                "INSERT INTO audit_entries (at, user_id, user_email, action, object_name, detail)"
                f" VALUES (now(), '{identifier}', 'x@y.z', 'account.created', 'x@y.z', '{{}}')"
            )
        )
        await session.commit()
        await session.execute(text(f"DELETE FROM users WHERE id = '{identifier}'"))
        await session.commit()
        entries = await service.find(session, Wanted(person="x@y.z"))
    assert [str(one.user_id) for one in entries] == [identifier]
    assert await checked(sessions) == 1


async def insert_person(session: AsyncSession) -> str:
    found = await session.execute(
        text(
            "INSERT INTO users (id, email, first_name, last_name, password_hash, created_at)"
            " VALUES (gen_random_uuid(), :email, 'X', 'Y', '', now()) RETURNING id"
        ),
        {"email": f"{secrets.token_hex(4)}@y.z"},
    )
    return str(found.scalar_one())
