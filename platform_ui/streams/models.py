"""The table of stream apps; no rules, no HTTP. Whether an app runs, the runner knows, not this table.

Who stopped an app is kept here, because that side alone may start it again.
"""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.clients.models import MAX_APP_NAME
from platform_ui.db import UUID_TYPE, Model

MAX_STATEMENT = 16384
MAX_APP_DESCRIPTION = 16384
SOURCE_SIDE = "source"
TARGET_SIDE = "target"


class StreamApp(Model):
    """A statement that carries records from its source system to a target system."""

    __tablename__ = "stream_apps"
    __table_args__ = (
        UniqueConstraint("system_id", "name"),
        CheckConstraint("system_id <> target_system_id", name="target_differs"),
        CheckConstraint(f"stopped_by IN ('{SOURCE_SIDE}', '{TARGET_SIDE}')", name="stopped_by_a_side"),
    )

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    system_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("systems.id", ondelete="RESTRICT"))
    target_system_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("systems.id", ondelete="RESTRICT"), index=True
    )
    name: Mapped[str] = mapped_column(String(MAX_APP_NAME))
    statement: Mapped[str] = mapped_column(String(MAX_STATEMENT))
    description: Mapped[str] = mapped_column(String(MAX_APP_DESCRIPTION), default="")
    stopped_by: Mapped[str | None] = mapped_column(String(6), default=None)
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    changed_at: Mapped[datetime]
