"""Tables of contracts, their versions and signatures; no rules, no HTTP.

A contract keeps the names of its systems, so that it stays readable when one of them is gone. The systems
themselves are kept only as long as they are there; an active contract holds them.
"""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.db import Model
from platform_ui.systems.models import MAX_SYSTEM_NAME

MAX_ID = 20
MAX_PREDICATE = 8192
MAX_PURPOSE = 4096
MAX_REASON = 1024
MAX_EMAIL = 254
MAX_PERSON = 101
DIGEST_LENGTH = 64

PROVIDER = "provider"
CONSUMER = "consumer"
SIDES = (PROVIDER, CONSUMER)

DRAFT = "draft"  # seen by the side that writes it alone
PROPOSED = "proposed"  # at least one side has signed a version; the other one sees it
ACTIVE = "active"  # a version is in force
ENDED = "ended"

EXPIRED = "expired"
REVOKED = "revoked"
DECLINED = "declined"

OPEN = "open"  # waits for signatures
IN_FORCE = "in_force"
REPLACED = "replaced"  # changed before both had signed
SUPERSEDED = "superseded"  # was in force until the next version was


class Contract(Model):
    """What two systems agree on; its terms are those of its versions.

    Attributes:
        id: ``c-`` and 16 letters and digits: tells nothing about how many there are.
        provider_id: The system that gives; nothing when there is none of the name (any more).
        version: The newest version.
        begun_by: The side that began.
        outcome: Why it has ended.
        offer_id: The offer of the catalogue that it answers; kept when the offer is gone.
    """

    __tablename__ = "contracts"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'proposed', 'active', 'ended')", name="state_known"),
        CheckConstraint("begun_by IN ('provider', 'consumer')", name="begun_by_a_side"),
        CheckConstraint("(state = 'ended') = (outcome IS NOT NULL)", name="ended_with_outcome"),
        CheckConstraint("outcome IN ('expired', 'revoked', 'declined')", name="outcome_known"),
        # A system with an active contract is not deleted: its contract would lose it.
        CheckConstraint(
            "state <> 'active' OR (provider_id IS NOT NULL AND consumer_id IS NOT NULL)",
            name="active_with_both_systems",
        ),
    )

    id: Mapped[str] = mapped_column(String(MAX_ID), primary_key=True)
    provider_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("systems.id", ondelete="SET NULL"), index=True
    )
    consumer_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("systems.id", ondelete="SET NULL"), index=True
    )
    provider: Mapped[str] = mapped_column(String(MAX_SYSTEM_NAME))
    consumer: Mapped[str] = mapped_column(String(MAX_SYSTEM_NAME))
    begun_by: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8))
    version: Mapped[int]
    created_at: Mapped[datetime]
    outcome: Mapped[str | None] = mapped_column(String(8), default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_by: Mapped[str | None] = mapped_column(String(MAX_EMAIL), default=None)
    ended_side: Mapped[str | None] = mapped_column(String(8), default=None)
    reason: Mapped[str] = mapped_column(String(MAX_REASON), default="")
    offer_id: Mapped[str | None] = mapped_column(String(MAX_ID), default=None)

    def system_id(self, side: str) -> uuid.UUID | None:
        """Return the system of a side."""
        return self.provider_id if side == PROVIDER else self.consumer_id


class ContractVersion(Model):
    """The terms of a contract, as they were written at one time; never changed.

    Attributes:
        datastreams: Full names; empty for all of the provider.
        fields: Members of a value that may leave besides its times, result and Datastream; empty for all.
        state: What has become of it.
        digest: SHA-256 of its canonical JSON, which is what is signed.
        side: The side that wrote it.
        note: What that side says to the other one about it; no part of what is signed.
        decline_reason: Why it was declined, where it was.
    """

    __tablename__ = "contract_versions"
    __table_args__ = (
        CheckConstraint(
            "state IN ('open', 'in_force', 'replaced', 'superseded', 'declined', 'ended')", name="state_known"
        ),
        CheckConstraint("ends_at IS NULL OR starts_at IS NULL OR ends_at > starts_at", name="ends_later"),
        Index(
            "uq_contract_versions_open", "contract_id", unique=True, postgresql_where=text("state = 'open'")
        ),
        Index(
            "uq_contract_versions_in_force",
            "contract_id",
            unique=True,
            postgresql_where=text("state = 'in_force'"),
        ),
    )

    contract_id: Mapped[str] = mapped_column(ForeignKey("contracts.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    datastreams: Mapped[list[str]] = mapped_column(JSONB)
    predicate: Mapped[str] = mapped_column(String(MAX_PREDICATE))
    fields: Mapped[list[str]] = mapped_column(JSONB)
    purpose: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    side: Mapped[str] = mapped_column(String(8))
    written_by: Mapped[str] = mapped_column(String(MAX_EMAIL))
    written_at: Mapped[datetime]
    in_force_at: Mapped[datetime | None] = mapped_column(default=None)
    note: Mapped[str] = mapped_column(String(MAX_REASON), default="", server_default="")
    declined_at: Mapped[datetime | None] = mapped_column(default=None)
    declined_by: Mapped[str | None] = mapped_column(String(MAX_EMAIL), default=None)
    declined_side: Mapped[str | None] = mapped_column(String(8), default=None)
    decline_reason: Mapped[str] = mapped_column(String(MAX_REASON), default="", server_default="")


class ContractSignature(Model):
    """A person's signature for one side, over the digest of one version."""

    __tablename__ = "contract_signatures"
    __table_args__ = (
        ForeignKeyConstraint(
            ["contract_id", "number"],
            ["contract_versions.contract_id", "contract_versions.number"],
            ondelete="CASCADE",
        ),
        CheckConstraint("side IN ('provider', 'consumer')", name="side_known"),
    )

    contract_id: Mapped[str] = mapped_column(String(MAX_ID), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    side: Mapped[str] = mapped_column(String(8), primary_key=True)
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    email: Mapped[str] = mapped_column(String(MAX_EMAIL))
    full_name: Mapped[str] = mapped_column(String(MAX_PERSON))
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    signed_at: Mapped[datetime]
