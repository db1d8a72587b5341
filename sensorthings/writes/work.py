"""What one writing request carries along: its transaction, who asks, its time, what it does to extents.

What lives here: plain state. What does not: what is written (`writes.create`, `writes.change`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sensorthings.access.principals import Principal
from sensorthings.database import Session
from sensorthings.writes.extents import ExtentLedger
from sensorthings.writes.outbox_rows import OutboxRow
from sensorthings.writes.streams import Stream


class Rules(Protocol):
    """The settings that writes follow (`sensorthings.settings.Settings` has them)."""

    @property
    def strict_types(self) -> bool:
        """Whether a result has to fit the observationType of its Datastream."""

    @property
    def outbox(self) -> bool:
        """Whether new Observations are noted for Kafka."""


@dataclass(slots=True)
class Work:
    """One request that writes.

    Attributes:
        session: Open transaction.
        principal: Who asks.
        now: Time of the request, for everything it makes.
        rules: Settings.
        is_upsert: An entity with the natural key of a new one is changed instead.
        extents: What it does to Datastreams.
        streams: Datastreams looked up so far, by id.
        outgoing: Rows for the outbox.
    """

    session: Session
    principal: Principal
    now: datetime
    rules: Rules
    is_upsert: bool = False
    extents: ExtentLedger = field(default_factory=ExtentLedger)
    streams: dict[int, Stream] = field(default_factory=dict)
    outgoing: list[OutboxRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Made:
    """An entity that a request made, or found by its natural key.

    Attributes:
        identifier: Its id.
        system: Id of the system it belongs to; None for what is common.
        is_new: Whether it was made now.
    """

    identifier: int
    system: int | None
    is_new: bool = True
