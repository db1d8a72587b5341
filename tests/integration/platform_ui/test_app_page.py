"""The page of a stream app and its log: what it shows, who may press what, through pages and API."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI

from tests.integration.platform_ui.agreements import agree, call
from tests.integration.platform_ui.doubles import Browser, MemoryRunner
from tests.integration.platform_ui.test_app_versions import an_app
from tests.integration.platform_ui.test_rules import with_system

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]
LOG = [
    "--- started 2026-01-02T03:04:00.000+00:00",
    "2026-01-02 03:04:05,250 WARNING streamhub.engine.lane Kafka is away",
    "2026-01-02 03:05:00,000 ERROR streamhub.engine.lane <b>broken</b>",
    "--- ended 2026-01-02T03:05:01.500+00:00 killed by signal 9 (SIGKILL)",
]


async def test_the_page_says_why_an_app_is_down_and_when_it_starts_again(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    page, app_id = await an_app(browser, word)
    status = runner.statuses[app_id]
    status.state, status.failures, status.cause = "backing_off", 3, "killed by signal 9 (SIGKILL)"
    status.next_start_at = datetime.now(UTC) + timedelta(seconds=8)
    for shown in (await browser.get(page), await browser.get(f"{page}/state")):
        assert "It ended 3 times in a row" in shown.text
        assert "Its process was killed (SIGKILL)" in shown.text
        assert "Next start:" in shown.text
        assert "Start now" in shown.text
    answer = (await browser.get(f"/api/v1{page}")).json()
    assert (answer["state"], answer["cause"]) == ("backing_off", "killed by signal 9 (SIGKILL)")
    assert answer["next_start_at"] is not None


async def test_an_app_is_restarted_by_page_and_program_but_only_while_it_is_wanted(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    page, app_id = await an_app(browser, word)
    assert "is being restarted" in (await browser.post(f"{page}/restart", page)).text
    assert runner.statuses[app_id].state == "stopping"
    assert (await call(browser, "POST", f"{page}:restart")).status_code == 202
    await browser.post(f"{page}/stop", page)
    refused = await call(browser, "POST", f"{page}:restart")
    assert (refused.status_code, refused.json()["code"]) == (409, "stream.not_running")


async def test_the_other_side_sees_the_buttons_with_the_reason_why_they_are_not_theirs(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue, stefan = new_browser(), new_browser()
    source, target = await with_system(sue, word), await with_system(stefan, word)
    await agree(sue, stefan, source, target)
    fields = {"name": "share", "target_system": target, "statement": "SELECT * FROM *;"}
    await sue.add(f"/systems/{source}/apps/new", **fields)
    page = f"/systems/{source}/apps/share"
    shown = (await stefan.get(page)).text
    assert 'disabled aria-describedby="why-not-deploy"' in shown
    assert f"Only agents of {source} can start it." in shown
    assert "disabled aria-describedby" not in (await sue.get(page)).text
    assert f"{source}.int" in (await sue.get(page)).text, "what it may do on Kafka"


async def test_the_log_is_searched_and_saved_and_its_text_is_never_markup(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    page, app_id = await an_app(browser, word)
    runner.logs[app_id] = LOG
    whole = (await browser.get(f"{page}/log")).text
    assert "Kafka is away" in whole
    assert "&lt;b&gt;broken&lt;/b&gt;" in whole
    assert "killed by signal 9" in whole
    errors = (await browser.get(f"{page}/log?level=error")).text
    assert "Kafka is away" not in errors
    assert "broken" in errors
    assert "No line fits" in (await browser.get(f"{page}/log?q=nowhere")).text
    saved = await browser.get(f"{page}/log/download?q=kafka")
    assert saved.text == f"{LOG[1]}\n"
    assert f'filename="{app_id}.log"' in saved.headers["content-disposition"]


async def test_programs_read_the_log_by_text_level_and_time(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    page, app_id = await an_app(browser, word)
    runner.logs[app_id] = LOG
    address = f"/api/v1{page}/log"
    found = (await browser.get(f"{address}?level=WARNING&until=2026-01-02T03:05:00Z")).json()
    assert [line["text"] for line in found["items"]] == LOG[:2]
    assert (await browser.get(f"{address}?lines=1&q=streamhub")).json() == {
        "items": [{"text": LOG[2], "level": "ERROR", "at": "2026-01-02T03:05:00Z"}],
        "left_out": 1,
    }
    assert (await browser.get(f"{address}?level=LOUD")).status_code == 422


async def test_new_lines_come_by_themselves_from_where_the_page_ended(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    browser = new_browser()
    page, app_id = await an_app(browser, word)
    runner.logs[app_id] = LOG
    runner.on_read = site.state.tails.stop  # the stream would last for ever
    answer = await browser.get(f"{page}/log/live?cursor=2&level=error")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "id: 4\nevent: lines\n" in answer.text
    assert "Kafka is away" not in answer.text
    assert "broken" in answer.text


async def test_the_figures_of_the_last_minutes_are_told(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner, site: FastAPI
) -> None:
    browser = new_browser()
    page, app_id = await an_app(browser, word)
    assert (await browser.get(f"/api/v1{page}/figures")).json() == {"items": []}
    progress = runner.statuses[app_id].progress
    assert progress is not None
    for second in range(3):
        progress.lag, progress.updated_at = second, datetime.now(UTC) + timedelta(seconds=second)
        site.state.figures.note(runner.list())
    told = (await browser.get(f"/api/v1{page}/figures")).json()["items"]
    assert [sample["lag"] for sample in told] == [0, 1, 2]
    assert "<polyline" in (await browser.get(f"{page}/state")).text
