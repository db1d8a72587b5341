"""A contract as a negotiation: what happened, whose turn it is, what differs, how long it lasts.

What lives here: what follows from a contract that was read (``views``). What does not: rules (``service``).
"""

import calendar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from platform_ui.contracts.models import (
    CONSUMER,
    DECLINED,
    DRAFT,
    ENDED,
    PROVIDER,
    SIDES,
    ContractVersion,
)
from platform_ui.contracts.terms import format_time
from platform_ui.contracts.views import ContractView
from platform_ui.db import now

_MONTHS_OF_A_YEAR: Final = 12


class Turn(StrEnum):
    """Who has to act, as the person sees it."""

    YOURS = "yours"
    THEIRS = "theirs"
    NOBODY = "nobody"


def turn_of(view: ContractView) -> Turn:
    """Return whose turn it is."""
    if view.to_sign:
        return Turn.YOURS
    return Turn.THEIRS if view.waits_for else Turn.NOBODY


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a contract.

    Attributes:
        at: When.
        kind: ``requested``, ``offered``, ``countered``, ``signed``, ``in force``, ``declined``, or its end.
        what: What, in words.
        who: An e-mail address; empty for what comes by itself.
        note: What who did it says about it.
        version: The version that it is about; nothing for the contract as a whole.
    """

    at: datetime
    kind: str
    what: str
    who: str
    note: str = ""
    version: int | None = None


def timeline(view: ContractView) -> list[Event]:
    """Return what happened to a contract, the newest first, out of its versions and signatures."""
    contract = view.contract
    systems = {PROVIDER: contract.provider, CONSUMER: contract.consumer}
    events = [_written(version, systems, view) for version in view.versions]
    events += [
        Event(one.signed_at, "signed", f"Version {one.number} signed for {systems[one.side]}", one.email)
        for one in view.signatures.values()
    ]
    for version in view.versions:
        events += _outcomes(version, systems)
    is_told = contract.outcome == DECLINED and view.newest.declined_at is not None
    if contract.ended_at is not None and not is_told:
        word = str(contract.outcome)
        what = (
            f"{word.capitalize()} for {systems[contract.ended_side]}"
            if contract.ended_side
            else word.capitalize()
        )
        events.append(Event(contract.ended_at, word, what, contract.ended_by or "", contract.reason))
    return sorted(events, key=lambda event: event.at, reverse=True)


def _written(version: ContractVersion, systems: dict[str, str], view: ContractView) -> Event:
    system, number = systems[version.side], version.number
    if number > 1:
        kind, what = "countered", f"Version {number} written for {system}"
    elif view.contract.begun_by == CONSUMER:
        kind, what = "requested", f"Requested for {system}"
    else:
        kind, what = "offered", f"Offered by {system}"
    return Event(version.written_at, kind, what, version.written_by, version.note, number)


def _outcomes(version: ContractVersion, systems: dict[str, str]) -> list[Event]:
    found = []
    if version.in_force_at is not None:
        what = f"Version {version.number} came into force"
        found.append(Event(version.in_force_at, "in force", what, "", version=version.number))
    if version.declined_at is not None:
        by = systems.get(version.declined_side or "", "")
        what = f"Version {version.number} declined for {by}"
        who, why = version.declined_by or "", version.decline_reason
        found.append(Event(version.declined_at, "declined", what, who, why, version.number))
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """One field of the terms, in two versions.

    Attributes:
        field: Its name in forms and in the API.
        label: What it is called on pages.
        removed: What the older one has alone.
        added: What the newer one has alone.
        kept: What both have; of lists only.
    """

    field: str
    label: str
    removed: tuple[str, ...]
    added: tuple[str, ...]
    kept: tuple[str, ...] = ()


_LABELS: Final = {
    "purpose": "Purpose",
    "datastreams": "Datastreams",
    "predicate": "Only where",
    "fields": "Attributes",
    "starts_at": "From",
    "ends_at": "Until",
}
_NONE: Final = {
    "purpose": "",
    "datastreams": "all of the system",
    "predicate": "no condition",
    "fields": "all",
    "starts_at": "no limit",
    "ends_at": "revoked",
}


def _parts(version: ContractVersion, field: str) -> tuple[str, ...]:
    value = getattr(version, field)
    if isinstance(value, datetime):
        return (format_time(value) or "",)
    found = tuple(value) if isinstance(value, list) else ((value,) if value else ())
    return found or (_NONE[field],)


def changes_between(older: ContractVersion, newer: ContractVersion) -> list[Change]:
    """Return the fields of the terms that differ, in the order in which pages show them."""
    found = []
    for field, label in _LABELS.items():
        before, after = _parts(older, field), _parts(newer, field)
        if before != after:
            kept = tuple(one for one in after if one in before)
            removed = tuple(one for one in before if one not in after)
            found.append(
                Change(field, label, removed, tuple(one for one in after if one not in before), kept)
            )
    return found


def compared_with(view: ContractView, version: ContractVersion) -> ContractVersion | None:
    """Return the version with which another one is compared: what it would replace, or what it answers.

    Args:
        view: The contract.
        version: What is looked at.
    """
    held = view.in_force
    if held is not None and held is not version:
        return held
    return next((one for one in view.versions if one.number < version.number), None)


class Duration(StrEnum):
    """How long a contract is to last."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    OPEN = "open"


DURATION_WORDS: Final = {
    Duration.WEEK: "1 week",
    Duration.MONTH: "1 month",
    Duration.YEAR: "1 year",
    Duration.OPEN: "open: until one side revokes it",
}


def end_of(duration: Duration, start: datetime) -> datetime | None:
    """Return when something ends that begins at a time; nothing for an open end.

    A month or a year later is the same day of the month, or its last one where it is shorter.
    """
    if duration is Duration.OPEN:
        return None
    if duration is Duration.WEEK:
        return start.fromtimestamp(start.timestamp() + 7 * 86_400, start.tzinfo)
    months = start.month - 1 + (1 if duration is Duration.MONTH else _MONTHS_OF_A_YEAR)
    year, month = start.year + months // _MONTHS_OF_A_YEAR, months % _MONTHS_OF_A_YEAR + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


def renewed_until(view: ContractView, duration: Duration) -> str:
    """Return the end that a renewal proposes, as forms hold it: counted from the present end, or from now."""
    held = view.in_force.ends_at if view.in_force is not None else None
    return format_time(end_of(duration, max(held, now()) if held is not None else now())) or ""


def may_renew(view: ContractView) -> bool:
    """Return whether the person may propose a later end now: it holds, has an end, and nothing else waits."""
    version = view.in_force
    return bool(view.sides and view.is_active and version is not None and version.ends_at and not view.open)


def states_of(view: ContractView) -> dict[str, str]:
    """Return for each side how it stands to the version that is shown: ``signed``, ``you`` or ``waits``."""
    version = view.shown
    found = {}
    for side in SIDES:
        if view.signature(version, side):
            found[side] = "signed"
        elif side in view.to_sign:
            found[side] = "you"
        else:
            found[side] = "none" if view.contract.state == ENDED or version is not view.open else "waits"
    return found


def is_sent(view: ContractView) -> bool:
    """Return whether the other side has seen anything of it."""
    return view.contract.state != DRAFT
