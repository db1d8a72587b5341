"""The tables of the audit log: entries, seals on their chain, how far they were sent; rows are only added.

The database itself keeps that: triggers of the migration refuse to change or remove an entry or a seal, and
chain every entry when its transaction commits (see ``chain``).
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.db import Model

MAX_OBJECT_NAME = 150
HASH_LENGTH = 64
SIGNATURE_LENGTH = 128


class AuditEntry(Model):
    """One action of a person, a device or the platform on one object.

    Names are copied, and the person is no reference, so that an entry outlives both unchanged. The database
    itself counts entries in the order of their commits (`position`) and chains them by their hashes.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_object_at", "object_name", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    user_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    user_email: Mapped[str] = mapped_column(String(254))
    actor_kind: Mapped[str] = mapped_column(String(10), default="person", server_default="person")
    action: Mapped[str] = mapped_column(String(50))
    object_name: Mapped[str] = mapped_column(String(MAX_OBJECT_NAME))
    detail: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    address: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[uuid.UUID | None]
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    previous_hash: Mapped[str | None] = mapped_column(String(HASH_LENGTH))
    hash: Mapped[str | None] = mapped_column(String(HASH_LENGTH))


class AuditSeal(Model):
    """A signature on the head of the chain: up to it, nothing can be changed without the audit key."""

    __tablename__ = "audit_seals"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(HASH_LENGTH))
    at: Mapped[datetime]
    key_id: Mapped[str] = mapped_column(String(16))
    previous_signature: Mapped[str] = mapped_column(String(SIGNATURE_LENGTH))
    signature: Mapped[str] = mapped_column(String(SIGNATURE_LENGTH))


class AuditReader(Model):
    """How far somebody has read the log: the place of the next entry to send."""

    __tablename__ = "audit_readers"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
