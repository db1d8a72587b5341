"""The tables of stream apps; no rules, no HTTP. Whether an app runs, the runner knows, not these tables.

Who stopped an app is kept here, because that side alone may start it again; the contracts by which it
receives from systems of other companies; and every statement that was ever saved for it.
"""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.clients.models import MAX_APP_NAME
from platform_ui.contracts.models import MAX_ID
from platform_ui.db import UUID_TYPE, Model

MAX_STATEMENT = 16384
MAX_APP_DESCRIPTION = 16384
MAX_NOTE = 500
SOURCE_SIDE = "source"
TARGET_SIDE = "target"
CONTRACT = "contract"  # what stopped an app that nobody did


class StreamApp(Model):
    """A statement that carries records from its source system to a target system.

    The statement is that of the version that the app runs, or would run if it were started.
    """

    __tablename__ = "stream_apps"
    __table_args__ = (
        UniqueConstraint("system_id", "name"),
        CheckConstraint("system_id <> target_system_id", name="target_differs"),
        CheckConstraint(
            f"stopped_by IN ('{SOURCE_SIDE}', '{TARGET_SIDE}', '{CONTRACT}')", name="stopped_by_a_side"
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    system_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("systems.id", ondelete="RESTRICT"))
    target_system_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("systems.id", ondelete="RESTRICT"), index=True
    )
    name: Mapped[str] = mapped_column(String(MAX_APP_NAME))
    statement: Mapped[str] = mapped_column(String(MAX_STATEMENT))
    version: Mapped[int] = mapped_column(default=1)
    description: Mapped[str] = mapped_column(String(MAX_APP_DESCRIPTION), default="")
    stopped_by: Mapped[str | None] = mapped_column(String(8), default=None)
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    changed_at: Mapped[datetime]


class StreamAppVersion(Model):
    """A statement as it was once saved, and the contracts that it was saved with; rows never change."""

    __tablename__ = "stream_app_versions"

    app_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("stream_apps.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    statement: Mapped[str] = mapped_column(String(MAX_STATEMENT))
    contracts: Mapped[list[str]] = mapped_column(JSONB)
    note: Mapped[str] = mapped_column(String(MAX_NOTE), default="")
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))


class StreamAppContract(Model):
    """The contract by which an app receives the records of one of its source systems."""

    __tablename__ = "stream_app_contracts"

    app_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("stream_apps.id", ondelete="CASCADE"), primary_key=True
    )
    provider_system_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("systems.id", ondelete="CASCADE"), primary_key=True
    )
    contract_id: Mapped[str] = mapped_column(
        String(MAX_ID), ForeignKey("contracts.id", ondelete="RESTRICT"), index=True
    )
