"""Tables of systems and their agents; no rules, no HTTP."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from client.messaging.topics import SystemName
from platform_ui.companies.models import MAX_COMPANY_NAME, MAX_DESCRIPTION
from platform_ui.db import UUID_TYPE, Model

MAX_WORKCENTER = 30
MAX_STATION = 20
MAX_SYSTEM_NAME = MAX_COMPANY_NAME + 1 + MAX_WORKCENTER + 1 + MAX_STATION

CREATING = "creating"  # the row is there, the topics are not verified yet
ACTIVE = "active"


class System(Model):
    """A system, named ``domain.enterprise.workcenter.station``; the name never changes."""

    __tablename__ = "systems"
    __table_args__ = (CheckConstraint("state IN ('creating', 'active')", name="state_known"),)

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    company_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("companies.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str] = mapped_column(String(MAX_SYSTEM_NAME), unique=True)
    state: Mapped[str] = mapped_column(String(10))
    description: Mapped[str] = mapped_column(String(MAX_DESCRIPTION), default="")
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))

    @property
    def system_name(self) -> SystemName:
        """The name in its four levels."""
        return SystemName.parse(self.name)

    @property
    def company_name(self) -> str:
        """The first two levels."""
        return self.system_name.company


class SystemAgent(Model):
    """A person who may operate a system."""

    __tablename__ = "system_agents"

    system_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("systems.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    added_at: Mapped[datetime]
    added_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
