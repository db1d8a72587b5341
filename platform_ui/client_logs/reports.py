"""What a client app says about itself: from the records of a log topic to log lines and a state; pure.

What lives here: reading one record, choosing among many, and what follows about a client app. What does not:
Kafka (``reading``, ``live``), and what a client writes (``client.journal``). Records come from other people's
programs, so nothing about them is taken for granted.

The platform writes audit entries to the same topic. They are no reports of a client app, and viewers may not
read them: nobody gets them here.

A client app that runs says "alive" every 30 s unless its program set another time, so three times that
without a word is a silence.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final

from client.errors import InvalidTimeError
from client.metadata.times import parse_time
from platform_ui.audit.publisher import KEY
from platform_ui.systems.records import TopicRecord

SILENT_AFTER: Final = timedelta(seconds=90)
CLOCK_MAY_BE_OFF: Final = timedelta(minutes=2)
MINUTES_OF_DAYS: Final = 2 * 24 * 60
ALIVE: Final = "alive"
STOPPED: Final = "stopped"
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MAX_TEXT: Final = 2000
MAX_EXCEPTION: Final = 8000


class Kind(StrEnum):
    """What a report is about."""

    STATE = "state"
    LOG = "log"
    REGISTERED = "registered"
    AUDIT = "audit"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Report:
    """One record of a log topic.

    Attributes:
        position: ``<partition>:<offset>``.
        at: When the client says that it was; Kafka's time when it says nothing readable.
        got_at: Kafka's time of the record: the broker's where the topic is set so, otherwise the producer's.
        client: Name of the client app.
        kind: What it is about.
        level: ``DEBUG`` to ``CRITICAL`` of a log line, else empty.
        text: The message, or the state in words.
        state: The word of a state, else empty.
        exception: Traceback of a log line, or empty.
        datastreams: Full names of the Datastreams that it registered.
    """

    position: str
    at: datetime
    got_at: datetime
    client: str
    kind: Kind
    level: str
    text: str
    state: str = ""
    exception: str = ""
    datastreams: tuple[str, ...] = ()


def read_report(record: TopicRecord) -> Report:
    """Return what a record says; never fails, whatever the bytes are."""
    document = _document(record.value)
    name = (record.key or b"").decode("utf-8", "replace")[:100]
    position = f"{record.partition}:{record.offset}"
    at = _time(document.get("time"), record.at)
    kind = _kind(document, record.key)
    made = partial(Report, position, at, record.at, name, kind)
    if kind is Kind.STATE:
        state = _text(document.get("state"), 100)
        return made("", _state_text(state, document), state)
    if kind is Kind.REGISTERED:
        named = document.get("datastreams")
        names = tuple(one for one in named if isinstance(one, str)) if isinstance(named, list) else ()
        count = document.get("count")
        number = count if isinstance(count, int) else len(names)
        return made("", f"registered {number} Datastream{'s' if number != 1 else ''}", datastreams=names)
    if kind is Kind.LOG:
        level = _text(document.get("level"), 20).upper()
        exception = _text(document.get("exception"), MAX_EXCEPTION)
        return made(level, _text(document.get("message"), MAX_TEXT), exception=exception)
    return made("", (record.value or b"").decode("utf-8", "replace")[:MAX_TEXT])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reports somebody wants to see.

    Attributes:
        client: Name of a client app; empty for all.
        level: The least level of log lines; ``STATE`` for states only; empty for all but signs of life;
            ``ALL`` for these too.
        q: Part of the text, in any case.
        since: Not before this time, aware.
        until: Before this time, aware.
    """

    client: str = ""
    level: str = ""
    q: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, report: Report) -> bool:
        """Tell whether a report is wanted; an audit entry never is."""
        if report.kind is Kind.AUDIT:
            return False
        if self.client and report.client != self.client:
            return False
        if (self.since and report.at < self.since) or (self.until and report.at >= self.until):
            return False
        if self.q and self.q.lower() not in f"{report.text}\n{report.exception}".lower():
            return False
        return self._takes_level(report)

    def _takes_level(self, report: Report) -> bool:
        if self.level == "ALL":
            return True
        if self.level == "STATE":
            return report.kind in {Kind.STATE, Kind.REGISTERED} and report.state != ALIVE
        if self.level in LEVELS:
            return report.kind is Kind.LOG and _rank(report.level) >= _rank(self.level)
        return report.state != ALIVE


class Standing(StrEnum):
    """How a client app stands, as far as it tells."""

    CONNECTED = "connected"
    SILENT = "silent"
    STOPPED = "stopped"
    NEVER = "never heard"
    NOT_LATELY = "not heard lately"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class ClientState:
    """What follows from the reports of a client app.

    Attributes:
        standing: How it stands.
        last_heard: When it last said anything, by Kafka's time; never after now.
        since: Since when it stands so by the same time, as far as was looked back.
        states: Its states other than signs of life, the newest first.
        datastreams: Full names of what it has registered.
        looked_back_to: Time of the oldest record that was looked at; nothing when there was none.
        is_whole: Whether that is all that the topic holds.
        clock_off: How far the device's clock is ahead, below zero behind; nothing when not known to be off.
    """

    standing: Standing
    last_heard: datetime | None = None
    since: datetime | None = None
    states: tuple[Report, ...] = ()
    datastreams: frozenset[str] = field(default_factory=frozenset)
    looked_back_to: datetime | None = None
    is_whole: bool = False
    clock_off: timedelta | None = None

    @property
    def clock_words(self) -> str:
        """How the device's clock is off, in words; empty when it is not known to be."""
        if self.clock_off is None:
            return ""
        minutes = round(abs(self.clock_off) / timedelta(minutes=1))
        length = f"{minutes} min" if minutes < MINUTES_OF_DAYS else f"{abs(self.clock_off).days} days"
        return f"its clock is {length} {'ahead' if self.clock_off > timedelta() else 'behind'}"


def state_of(
    reports: Sequence[Report],
    client: str,
    present: datetime,
    *,
    is_whole: bool,
    looked_back_to: datetime | None,
) -> ClientState:
    """Return how a client app stands.

    Args:
        reports: what the log topic held, in the order in which Kafka got it.
        client: name of the client app.
        present: the present time.
        is_whole: whether that is all that the topic holds.
        looked_back_to: time of the oldest record that was looked at.
    """
    own = [report for report in reports if report.client == client]
    datastreams = frozenset(name for report in own for name in report.datastreams)
    if not own:
        standing = Standing.NEVER if is_whole else Standing.NOT_LATELY
        return ClientState(standing, looked_back_to=looked_back_to, is_whole=is_whole)
    last_heard = min(present, max(report.got_at for report in own))
    # Signs of life show that it runs; what it was before them is the state that counts.
    states = [report for report in own if report.kind is Kind.STATE and report.state != ALIVE]
    last_state = next((report.state for report in reversed(own) if report.kind is Kind.STATE), "")
    if last_state == STOPPED:
        standing, since = Standing.STOPPED, states[-1].got_at
    elif present - last_heard > SILENT_AFTER:
        standing, since = Standing.SILENT, last_heard
    else:
        standing, since = Standing.CONNECTED, states[-1].got_at if states else own[0].got_at
    return ClientState(
        standing,
        last_heard,
        min(present, since),
        tuple(reversed(states)),
        datastreams,
        looked_back_to,
        is_whole,
        _clock_off(own, present),
    )


def _clock_off(own: Sequence[Report], present: datetime) -> timedelta | None:
    """Return how far a device's clock is off, when it is more than `CLOCK_MAY_BE_OFF`.

    A time to come shows one that is ahead. One that is behind shows only where the broker sets the times, and
    only when every report is late: what waited on the device for the network is late by a right clock.
    """
    ahead = own[-1].at - min(own[-1].got_at, present)
    if own[-1].got_at > present:
        ahead = max(ahead, own[-1].got_at - present)
    if ahead > CLOCK_MAY_BE_OFF:
        return ahead
    behind = min(report.got_at - report.at for report in own)
    return -behind if behind > CLOCK_MAY_BE_OFF else None


def chosen(reports: Iterable[Report], wanted: Wanted) -> list[Report]:
    """Return the reports that are wanted, the newest first."""
    found = [report for report in reports if wanted.takes(report)]
    found.reverse()
    return found


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("INFO")


def _kind(document: dict[str, Any], key: bytes | None) -> Kind:
    if key == KEY and "audit" in document:
        return Kind.AUDIT
    known = document.get("type")
    known_kinds = {Kind.STATE.value, Kind.LOG.value, Kind.REGISTERED.value}
    return Kind(known) if isinstance(known, str) and known in known_kinds else Kind.OTHER


def _document(value: bytes | None) -> dict[str, Any]:
    try:
        document = json.loads(value or b"null")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: object, longest: int) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _state_text(state: str, document: dict[str, Any]) -> str:
    outage_s = document.get("outage_s")
    is_number = isinstance(outage_s, int | float) and not isinstance(outage_s, bool)
    return f"{state} after an outage of {outage_s} s" if is_number else state


def _time(value: object, otherwise: datetime) -> datetime:
    if not isinstance(value, str):
        return otherwise
    try:
        return parse_time(value, now=lambda: otherwise)
    except (InvalidTimeError, OverflowError):
        return otherwise
