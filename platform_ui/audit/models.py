"""The table of what people did; rows are only added."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.db import Model


class AuditEntry(Model):
    """One action of one person on one object; names are copied, so that they outlive the object."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_object_at", "object_name", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    user_email: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(50))
    object_name: Mapped[str] = mapped_column(String(150))
    detail: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
