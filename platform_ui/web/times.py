"""Times as people read them: in the zone that they chose, with the exact time at hand.

What lives here: the filters ``when``, ``ago``, ``iso`` and ``written`` of the templates. What does not: which
zone (``look``), and times of records on the wire (``client.metadata.times``).
"""

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from client.errors import InvalidTimeError
from client.metadata.times import parse_time
from platform_ui.web.look import CURRENT, UTC_ZONE

NEVER: Final = "never"
MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86400


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def format_iso(time: datetime | None) -> str:
    """Return a time for attributes and programs, in UTC; an empty text for none.

    Source: RFC 3339, clause 5.6 "Internet Date/Time Format".
    """
    if time is None:
        return ""
    return _aware(time).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def when_text(time: datetime | None) -> str:
    """Return a time in the person's zone, to the second and with the zone's short name."""
    if time is None:
        return NEVER
    return _aware(time).astimezone(CURRENT.get().zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def ago_text(time: datetime | None, now: datetime) -> str:
    """Return how long ago a time is, or how long it is until then, in the largest unit that is not zero.

    What lies less than a minute ahead counts as now: clocks of two machines differ.
    """
    if time is None:
        return NEVER
    seconds = int((now - _aware(time)).total_seconds())
    if seconds <= -MINUTE_S:
        return f"in {_duration(-seconds)}"
    return f"{_duration(max(0, seconds))} ago"


def _duration(seconds: int) -> str:
    for size, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def format_when(time: datetime | None) -> str:
    """Return the element of a time; its title says it in UTC where another zone is shown."""
    if time is None:
        return NEVER
    title = ago_text(time, datetime.now(UTC))
    if CURRENT.get().zone_name != UTC_ZONE:
        title = f"{_aware(time).astimezone(UTC):%Y-%m-%d %H:%M:%S UTC} · {title}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(format_iso(time), title, when_text(time))


def format_ago(time: datetime | None) -> str:
    """Return the element that says how long ago a time is; its title says when that was.

    A script of ours keeps it true while the page is open.
    """
    if time is None:
        return NEVER
    text = ago_text(time, datetime.now(UTC))
    return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        format_iso(time), when_text(time), text
    )


def format_written(text: str) -> str:
    """Return the element of a record's time, to the millisecond, by the text that the record holds.

    What is no single time, such as an interval, is shown as it stands.
    """
    try:
        time = parse_time(text, now=lambda: datetime.now(UTC))
        local = time.astimezone(CURRENT.get().zone)
    except (InvalidTimeError, OverflowError):
        return text
    shown = f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(format_iso(time), text, shown)
