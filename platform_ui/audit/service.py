"""Write down who did what, in the transaction that does it; read it back, newest first.

What lives here: making entries, and finding some of them. What does not: their chain (``chain``), files of
them (``exports``), and who may read which (the pages above).
"""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Connection, Select, and_, event, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from platform_ui.audit.models import MAX_OBJECT_NAME, AuditEntry
from platform_ui.audit.origin import current_origin
from platform_ui.changes import announce
from platform_ui.db import now

DEFAULT_LIMIT = 20
PERSON: Final = "person"
PLATFORM_NAME: Final = "platform"
SIDES: Final = ("provider", "consumer")
UNSHARED: Final = ("contract.drafted", "contract.changed")
"""What one side of a contract does before the other one is shown anything."""
HIDDEN: Final = "(not written down)"
_DEVICES: Final = ("client", "app", "service")
_SECRETS: Final = frozenset(
    {"password", "passphrase", "secret", "token", "hash", "digest", "code", "codes", "key"}
)
_BATCH: Final = 500


class Actor(Protocol):
    """Who acts: a user or a device, seen from here."""

    @property
    def id(self) -> uuid.UUID | None:
        """The identity of a user."""

    @property
    def email(self) -> str:
        """The e-mail address, or the name of a device: ``client.<name>``."""


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform itself, where nobody asked it to act."""

    id: None = None
    email: str = PLATFORM_NAME


PLATFORM: Final = Platform()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries somebody wants to see.

    Attributes:
        within: Name of a company or system: its entries, those of everything whose name begins with it, and
            of the contracts that it is a side of; None for all entries.
        object_name: Part of the object's name, in any case.
        person: Part of the name of who acted.
        action: How the action begins, for instance ``system.``.
        since: Not before this time, aware.
        until: Before this time, aware.
    """

    within: str | None = None
    object_name: str = ""
    person: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None


def record(
    session: AsyncSession,
    user: Actor,
    action: str,
    object_name: str,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    **detail: str,
) -> None:
    """Add an entry to the running transaction: it is kept exactly when the action is.

    Args:
        session: the session of the action.
        user: who acts.
        action: noun and verb, for instance ``system.created``.
        object_name: the dotted name of what is acted on.
        before: what of the object was changed or removed, as it was; what a name calls a secret is left out.
        after: the same, as it is now.
        detail: further facts, for instance the target of a stream app.
    """
    origin = current_origin()
    session.add(
        AuditEntry(
            at=now(),
            user_id=user.id,
            user_email=user.email,
            actor_kind=_kind_of(user),
            action=action,
            object_name=object_name[:MAX_OBJECT_NAME],  # an e-mail address may be longer
            detail=detail,
            before=None if before is None else _plain(before),
            after=None if after is None else _plain(after),
            address=origin.address,
            request_id=origin.request_id,
        )
    )


@event.listens_for(AuditEntry, "after_insert")
def _announce_with_entry(_: Mapper[AuditEntry], connection: Connection, _entry: AuditEntry) -> None:
    """Whatever is written down here may have to be brought elsewhere, by whichever process does that."""
    announce(connection)


def _kind_of(actor: Actor) -> str:
    if actor.id is not None:
        return PERSON
    kind = actor.email.partition(".")[0]
    return kind if kind in _DEVICES else PLATFORM_NAME


def _plain(facts: Mapping[str, object]) -> dict[str, Any]:
    return {
        name: HIDDEN if name.rpartition("_")[2].lower() in _SECRETS and value is not None else _value(value)
        for name, value in facts.items()
    }


def _value(value: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Give a value that every JSON writer writes alike: no fractions, no dates."""
    if value is None or isinstance(value, str | bool | int):
        return value.replace("\x00", "") if isinstance(value, str) else value  # PostgreSQL keeps no NUL
    if isinstance(value, Mapping):
        return _plain({str(name): one for name, one in value.items()})
    if isinstance(value, list | tuple | set | frozenset):
        return [
            _value(one) for one in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)
        ]
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _is_within(name: str) -> ColumnElement[bool]:
    below = AuditEntry.object_name.startswith(f"{name}.", autoescape=True)
    return or_(AuditEntry.object_name == name, below)


def _is_side(name: str) -> ColumnElement[bool]:
    """Tell whether a company or system is a side of the contract that an entry is about."""
    sides = [AuditEntry.detail[side].astext for side in SIDES]
    is_any = or_(*(or_(one == name, one.startswith(f"{name}.", autoescape=True)) for one in sides))
    return and_(AuditEntry.action.startswith("contract."), AuditEntry.action.not_in(UNSHARED), is_any)


async def entries_of(
    session: AsyncSession, object_name: str, *, limit: int = DEFAULT_LIMIT
) -> Sequence[AuditEntry]:
    """Return the latest entries of an object and of everything whose name begins with it, newest first."""
    statement = select(AuditEntry).where(_is_within(object_name))
    return (await session.scalars(statement.order_by(AuditEntry.id.desc()).limit(limit))).all()


async def last_actor(session: AsyncSession, action: str, object_name: str) -> uuid.UUID | None:
    """Return the person who was the last to do something to an object of a name, or nothing."""
    statement = select(AuditEntry.user_id).where(
        AuditEntry.action == action, AuditEntry.object_name == object_name
    )
    return await session.scalar(statement.order_by(AuditEntry.id.desc()).limit(1))


async def find(
    session: AsyncSession, wanted: Wanted, *, before: int | None = None, limit: int = DEFAULT_LIMIT
) -> Sequence[AuditEntry]:
    """Return entries, newest first.

    Args:
        session: the database.
        wanted: which ones.
        before: only those whose position is below this one: the last position of the page before.
        limit: how many at most.
    """
    statement = _select(wanted).order_by(AuditEntry.position.desc()).limit(limit)
    if before is not None:
        statement = statement.where(AuditEntry.position < before)
    return (await session.scalars(statement)).all()


async def stream(session: AsyncSession, wanted: Wanted) -> AsyncIterator[AuditEntry]:
    """Give entries one by one, oldest first, however many there are."""
    last = 0
    while True:
        statement = _select(wanted).where(AuditEntry.position > last).order_by(AuditEntry.position)
        batch = (await session.scalars(statement.limit(_BATCH))).all()
        for entry in batch:
            yield entry
            session.expunge(entry)
        if len(batch) < _BATCH:
            return
        last = batch[-1].position or 0


def _select(wanted: Wanted) -> Select[AuditEntry]:
    statement = select(AuditEntry).where(AuditEntry.position.is_not(None))
    if wanted.within is not None:
        statement = statement.where(or_(_is_within(wanted.within), _is_side(wanted.within)))
    if wanted.object_name:
        statement = statement.where(AuditEntry.object_name.icontains(wanted.object_name, autoescape=True))
    if wanted.person:
        statement = statement.where(AuditEntry.user_email.icontains(wanted.person, autoescape=True))
    if wanted.action:
        statement = statement.where(AuditEntry.action.startswith(wanted.action, autoescape=True))
    if wanted.since is not None:
        statement = statement.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(AuditEntry.at < wanted.until)
    return statement
