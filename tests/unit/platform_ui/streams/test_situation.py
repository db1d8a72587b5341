"""Where an app is, in words that a person can act on, and which buttons they have."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platform_ui.streams.detail.actions import actions_of, why_not_change
from platform_ui.streams.detail.situation import advice_for, plain_cause, situation_of
from platform_ui.streams.models import CONTRACT, SOURCE_SIDE, TARGET_SIDE, StreamApp
from platform_ui.streams.permission import AppPermission, Lack
from platform_ui.streams.views import AppView
from streamhub.engine.progress import AppProgress
from streamhub.runner import AppStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOURCE, TARGET = "cz.icecars.Fleet.Car1", "at.datahouse.Roads.Analytics"
BOTH = frozenset({SOURCE_SIDE, TARGET_SIDE})
OURS, THEIRS, NOBODYS = frozenset({SOURCE_SIDE}), frozenset({TARGET_SIDE}), frozenset[str]()


def progress(**figures: Any) -> AppProgress:  # noqa: ANN401 - whatever the dataclass takes
    known: dict[str, Any] = {"pid": 7, "state": "running", "updated_at": NOW, "last_progress": NOW}
    return AppProgress(**(known | figures))


def view(
    state: str | None = "running",
    *,
    sides: frozenset[str] = OURS,
    stopped_by: str | None = None,
    lacks: tuple[Lack, ...] = (),
    **status: Any,  # noqa: ANN401 - same
) -> AppView:
    fields: Mapping[str, Any] = {"desired": "stopped" if state == "stopped" else "running"} | status
    known = AppStatus(app_id=f"{SOURCE}.share", state=state, **fields) if state else None  # type: ignore[arg-type]
    app = StreamApp(id=uuid.UUID(int=1), name="share", statement="SELECT * FROM *;", stopped_by=stopped_by)
    permission = AppPermission(SOURCE, "share", (SOURCE,), TARGET, (), lacks)
    return AppView(app, permission, known, sides, sees_source=SOURCE_SIDE in sides)


def test_an_app_that_was_never_deployed_says_what_comes_next() -> None:
    found = situation_of(view(None), NOW)
    assert (found.word, found.advice, found.is_bad) == ("not deployed", "Deploy it to let it run.", False)
    assert situation_of(view(None, sides=THEIRS), NOW).advice == f"Only agents of {SOURCE} can start it."


def test_an_app_that_runs_says_whether_it_keeps_up() -> None:
    assert (
        situation_of(view(progress=progress(lag=0)), NOW).text == "It runs and has read everything there is."
    )
    assert situation_of(view(progress=progress(lag=9, lag_s=4.2)), NOW).text == "It runs, 4 s behind."


def test_an_app_that_waits_for_kafka_is_not_simply_running() -> None:
    found = situation_of(view(progress=progress(trouble="no broker answers")), NOW)
    assert (found.word, found.cause, found.is_bad) == ("waiting for Kafka", "no broker answers", True)


def test_an_app_without_a_sign_of_life_is_hung_and_one_that_does_not_move_is_stuck() -> None:
    old = NOW - timedelta(seconds=20)
    assert situation_of(view(progress=progress(updated_at=old)), NOW).word == "hung"
    stuck = situation_of(view(progress=progress(lag=5, last_progress=old)), NOW)
    assert (stuck.word, stuck.text) == ("stuck", "5 records wait, and it does not move.")
    assert situation_of(view(progress=progress(lag=0, last_progress=old)), NOW).word == "running", (
        "it may rest"
    )


def test_backing_off_says_how_often_it_ended_why_and_when_it_starts_again() -> None:
    due = NOW + timedelta(seconds=8)
    cause = "killed by signal 9 (SIGKILL)"
    found = situation_of(view("backing_off", failures=3, next_start_at=due, cause=cause), NOW)
    assert (found.word, found.until, found.is_bad) == ("backing off", due, True)
    assert "It ended 3 times in a row" in found.text
    assert found.cause.startswith("Its process was killed (SIGKILL)")
    assert found.raw == cause


def test_giving_up_and_a_wrong_statement_are_failures_with_different_words() -> None:
    given_up = view(
        "failed",
        failures=10,
        cause="given up after 10 ends in a row; the last one: ended with exit code 5: no",
    )
    assert "the runner has given up" in situation_of(given_up, NOW).text
    assert situation_of(given_up, NOW).cause == "No"
    wrong = situation_of(view("failed", failures=1, cause="ended with exit code 2: bad statement"), NOW)
    assert wrong.text == "It cannot run as it is, so the runner does not try again."
    assert wrong.advice == "Correct the statement, or go back to a version that ran."


def test_an_app_without_its_contract_is_ended_by_it_whoever_notices_first() -> None:
    lack = (Lack(SOURCE, "c-1"),)
    by_platform = view("stopped", stopped_by=CONTRACT, lacks=lack)
    by_itself = view("failed", lacks=lack, cause="contract c-1 has ended")
    assert {situation_of(one, NOW).word for one in (by_platform, by_itself)} == {"ended by contract"}


def test_a_stopped_app_says_which_side_stopped_it() -> None:
    found = situation_of(view("stopped", stopped_by=TARGET_SIDE), NOW)
    assert f"stopped by an agent of {TARGET}" in found.text
    assert found.advice == f"Only agents of {TARGET} can start it."


def test_a_wish_that_is_under_way_says_so() -> None:
    asked = NOW - timedelta(seconds=3)
    stopping = situation_of(view("stopping", desired="stopped", asked_at=asked), NOW)
    restarting = situation_of(view("stopping", desired="running", asked_at=asked), NOW)
    assert (stopping.word, stopping.since) == ("stopping", asked)
    assert (restarting.word, restarting.since) == ("restarting", asked)


def test_without_a_runner_nothing_is_known() -> None:
    found = situation_of(view("unknown", cause="no runner looks after it"), NOW)
    assert (found.word, found.is_bad) == ("unknown", True)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("ended with exit code 5: topic a.int does not exist", "Topic a.int does not exist"),
        ("ended with exit code 1", "It ended with exit code 1."),
        ("killed by signal 11 (SIGSEGV)", "Its process crashed (SIGSEGV)."),
        ("killed by signal 15 (SIGTERM)", "Its process was ended from outside (SIGTERM)."),
        (
            "no progress for 31 s while 5 records wait",
            "It hung (no progress for 31 s while 5 records wait), so",
        ),
        ("ended, nobody knows how: a former runner", "Its process ended while the runner was away"),
        ("the process could not be started: no memory", "The process could not be started: no memory"),
        (None, ""),
    ],
)
def test_causes_are_said_in_plain_words(cause: str | None, words: str) -> None:
    assert plain_cause(cause).startswith(words)


def test_general_advice_is_given_where_there_is_any() -> None:
    assert advice_for("the target topic a.ext does not exist").startswith("Make the system")
    assert advice_for("something new") == advice_for(None) == ""


def test_a_running_app_can_be_stopped_by_both_sides_and_restarted_by_its_own() -> None:
    assert [(one.name, one.refusal) for one in actions_of(view(sides=BOTH))] == [
        ("restart", ""),
        ("stop", ""),
    ]
    restart, stop = actions_of(view(sides=THEIRS))
    assert f"Only agents of {SOURCE}" in restart.refusal
    assert stop.refusal == ""


def test_a_viewer_sees_the_buttons_and_why_they_may_not_press_them() -> None:
    for one in (view(sides=NOBODYS), view("stopped", sides=NOBODYS, stopped_by=SOURCE_SIDE)):
        assert all(
            "You look at it as a viewer" in action.refusal or "Only agents" in action.refusal
            for action in actions_of(one)
        )
    assert why_not_change(view(sides=NOBODYS))
    assert why_not_change(view()) == ""


def test_an_app_that_lacks_a_contract_cannot_be_started() -> None:
    (start,) = actions_of(view("stopped", stopped_by=CONTRACT, lacks=(Lack(SOURCE, None),)))
    assert start.refusal == f"It needs a contract with {SOURCE} first."


def test_an_app_that_is_down_can_be_started_at_once() -> None:
    assert actions_of(view("backing_off"))[0].label == "Start now"
