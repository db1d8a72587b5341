"""Where a stream app is, in plain words: what is going on, why, and what to do; pure.

What lives here: the sentences. What does not: the state itself, which the runner tells, and what the page
around them looks like.

The runner's words are `starting running stopping stopped backing_off failed unknown`. Some of them hide
different situations: an app that runs may wait for Kafka, one that failed may have lost its contract. Here
each has a word of its own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from platform_ui.streams.runner_port import Progress, Status
from platform_ui.streams.views import AppView

SILENT_AFTER: Final = timedelta(seconds=10)
"""An app writes its figures every second."""
STUCK_AFTER: Final = timedelta(seconds=10)
_EXIT: Final = re.compile(r"^ended with exit code (?P<code>\d+)(?:: (?P<why>.*))?$", re.DOTALL)
_SIGNAL: Final = re.compile(r"^killed by signal (?P<number>\d+) \((?P<name>\w+)\)$")
_KILLED: Final = 9
_CRASHES: Final = frozenset({4, 6, 7, 8, 11})


@dataclass(frozen=True, slots=True)
class Situation:
    """Where an app is.

    Attributes:
        word: The state in a word or two.
        text: What is going on, as a sentence.
        cause: Why, in plain words; empty when that is plain.
        advice: What to do; empty when nothing is to be done.
        is_bad: Whether somebody should look.
        until: When something happens by itself, such as the next start.
        since: When it began, as far as that is known.
        raw: The cause as the runner wrote it, where the plain words leave something out.
    """

    word: str
    text: str
    cause: str = ""
    advice: str = ""
    is_bad: bool = False
    until: datetime | None = None
    since: datetime | None = None
    raw: str = ""


def situation_of(view: AppView, at: datetime) -> Situation:
    """Say where an app is.

    Args:
        view: The app, as somebody sees it.
        at: The present time.
    """
    status = view.status
    if status is None:
        return Situation(
            "not deployed", "It has not run yet.", advice=_who_starts(view, "Deploy it to let it run.")
        )
    known = _BY_STATE.get(status.state, _unknown)
    return known(view, status, at)


def _who_starts(view: AppView, otherwise: str) -> str:
    return f"Only agents of {view.waits_for} can start it." if view.waits_for else otherwise


def _unknown(_view: AppView, status: Status, _at: datetime) -> Situation:
    return Situation(
        "unknown",
        "Nobody looks after it: the runner of stream apps is away.",
        status.cause or "",
        "Start the runner. It takes over what still runs, and starts what should run.",
        is_bad=True,
    )


def _starting(_view: AppView, status: Status, _at: datetime) -> Situation:
    again = f" It is start {status.failures + 1} in a row." if status.failures else ""
    return Situation(
        "starting",
        f"Its process starts and joins its consumer group; that takes a few seconds.{again}",
        plain_cause(status.cause),
        since=status.started_at or status.asked_at,
        raw=status.cause or "",
    )


def _stopping(_view: AppView, status: Status, _at: datetime) -> Situation:
    if status.desired == "running":
        return Situation(
            "restarting",
            "It commits what it has done and leaves; then a new process goes on in the same place.",
            since=status.asked_at,
        )
    return Situation(
        "stopping",
        "It was asked to stop: it commits what it has done and leaves its consumer group.",
        since=status.asked_at,
    )


def _stopped(view: AppView, status: Status, _at: datetime) -> Situation:
    if view.was_ended:
        return Situation(
            "ended by contract",
            "A contract that it needs is not in force any more, so it may not run.",
            advice="Request a contract; when both sides have signed it, start the app again.",
            is_bad=True,
            since=status.ended_at,
        )
    who = {"source": f"an agent of {view.source}", "target": f"an agent of {view.target}"}
    return Situation(
        "stopped",
        f"It was stopped by {who.get(view.app.stopped_by or '', 'somebody')}. It keeps its place: when it is "
        "started it goes on where it was.",
        plain_cause(status.cause),
        _who_starts(view, "Start it when records should flow again."),
        since=status.ended_at or status.asked_at,
        raw=status.cause or "",
    )


def _backing_off(_view: AppView, status: Status, _at: datetime) -> Situation:
    times = "once" if status.failures <= 1 else f"{status.failures} times in a row"
    return Situation(
        "backing off",
        f"It ended {times}; the runner waits longer each time before it starts it again.",
        plain_cause(status.cause),
        advice_for(status.cause),
        is_bad=True,
        until=status.next_start_at,
        since=status.ended_at,
        raw=status.cause or "",
    )


def _failed(view: AppView, status: Status, _at: datetime) -> Situation:
    if view.permission.lacks or "contract" in (status.cause or "").lower():
        return Situation(
            "ended by contract",
            "A contract that it needs is not in force any more, so it has stopped.",
            plain_cause(status.cause),
            "Request a contract; when both sides have signed it, start the app again.",
            is_bad=True,
            since=status.ended_at,
            raw=status.cause or "",
        )
    gave_up = (status.cause or "").startswith("given up")
    return Situation(
        "failed",
        f"It ended {status.failures} times in a row, so the runner has given up."
        if gave_up
        else "It cannot run as it is, so the runner does not try again.",
        plain_cause(status.cause),
        advice_for(status.cause) or "Read the last lines of its log, mend the cause, then start it again.",
        is_bad=True,
        since=status.ended_at,
        raw=status.cause or "",
    )


def _running(_view: AppView, status: Status, at: datetime) -> Situation:
    progress = status.progress
    restarted = plain_cause(status.cause)
    since, raw = status.started_at, status.cause or ""
    if progress is None:
        return Situation("running", "It runs.", restarted, since=since, raw=raw)
    if progress.trouble:
        return Situation(
            "waiting for Kafka",
            "It runs, but Kafka does not do what it asks for. It tries again by itself and loses nothing.",
            progress.trouble,
            "If that lasts, check that the brokers are up.",
            is_bad=True,
            since=progress.last_progress,
        )
    if at - progress.updated_at > SILENT_AFTER:
        silent = (at - progress.updated_at).total_seconds()
        return Situation(
            "hung",
            f"It has not shown a sign of life for {silent:.0f} s.",
            advice="The runner ends a process that hangs and starts a new one: nothing is lost.",
            is_bad=True,
            since=progress.updated_at,
        )
    if _is_stuck(progress, at):
        return Situation(
            "stuck",
            f"{progress.lag} records wait, and it does not move.",
            advice="The runner ends a process that does not move and starts a new one: nothing is lost.",
            is_bad=True,
            since=progress.last_progress,
        )
    return Situation("running", _flow(progress), restarted, since=since, raw=raw)


def _is_stuck(progress: Progress, at: datetime) -> bool:
    moved = progress.last_progress
    return bool(progress.lag) and moved is not None and at - moved > STUCK_AFTER


def _flow(progress: Progress) -> str:
    if not progress.lag:
        return "It runs and has read everything there is."
    behind = f", {progress.lag_s:.0f} s behind" if progress.lag_s and progress.lag_s >= 1 else ""
    return f"It runs{behind}."


_BY_STATE: Final[dict[str, Callable[[AppView, Status, datetime], Situation]]] = {
    "starting": _starting,
    "running": _running,
    "stopping": _stopping,
    "stopped": _stopped,
    "backing_off": _backing_off,
    "failed": _failed,
}


def plain_cause(cause: str | None) -> str:
    """Say the runner's cause in plain words.

    Args:
        cause: As the runner wrote it.
    """
    if not cause:
        return ""
    text = cause.partition("the last one: ")[2] if cause.startswith("given up") else cause
    if found := _SIGNAL.match(text):
        return _signal_words(int(found["number"]), found["name"])
    if found := _EXIT.match(text):
        why = found["why"]
        return f"{why[:1].upper()}{why[1:]}" if why else f"It ended with exit code {found['code']}."
    if text.startswith(("no sign of life", "no progress", "its loop has not turned")):
        return f"It hung ({text}), so the runner ended it and started it anew."
    if text.startswith("ended, nobody knows how"):
        return "Its process ended while the runner was away, so nobody knows how."
    return f"{text[:1].upper()}{text[1:]}"


def _signal_words(number: int, name: str) -> str:
    if number == _KILLED:
        return f"Its process was killed ({name}): by somebody, or because the memory had run out."
    if number in _CRASHES:
        return f"Its process crashed ({name})."
    return f"Its process was ended from outside ({name})."


_ADVICE: Final = (
    ("does not exist", "Make the system whose topic is missing, or change the statement."),
    ("no Kafka broker answered", "Check that the brokers are up and can be reached from the runner."),
    ("may not", "Ask the “Why?” page what it may do, and look at its contracts and credentials."),
    ("authoriz", "Ask the “Why?” page what it may do, and look at its contracts and credentials."),
    ("certificate", "Look at its credentials: they may be blocked or expired."),
    ("SIGKILL", "Look at the memory of the machine, and at what the app remembers for its join."),
    ("exit code 2", "Correct the statement, or go back to a version that ran."),
)


def advice_for(cause: str | None) -> str:
    """Say what to do about a cause; nothing where nothing general is known."""
    return next((advice for sign, advice in _ADVICE if cause and sign in cause), "")
