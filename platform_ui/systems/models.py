"""Tables of systems and their members; no rules, no HTTP."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from client.messaging.topics import SystemName
from platform_ui.companies.models import MAX_COMPANY_NAME, MAX_DESCRIPTION, MAX_ROLE
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


class SystemRole(StrEnum):
    """The part of a person in a system, the stronger first."""

    AGENT = "agent"
    VIEWER = "viewer"


class SystemMember(Model):
    """A person with a part in a system; each role is a class, so that a query of agents finds no viewer."""

    __tablename__ = "system_members"
    __table_args__ = (CheckConstraint("role IN ('agent', 'viewer')", name="role_known"),)

    system_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("systems.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(MAX_ROLE))
    added_at: Mapped[datetime]
    added_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))

    __mapper_args__ = {"polymorphic_on": "role"}  # noqa: RUF012 - SQLAlchemy's own form


class SystemAgent(SystemMember):
    """A person who may operate a system."""

    __mapper_args__ = {"polymorphic_identity": SystemRole.AGENT.value}  # noqa: RUF012 - as above


class SystemViewer(SystemMember):
    """A person who may see a system and its data, and change nothing."""

    __mapper_args__ = {"polymorphic_identity": SystemRole.VIEWER.value}  # noqa: RUF012 - as above


MEMBER_OF = {SystemRole.AGENT: SystemAgent, SystemRole.VIEWER: SystemViewer}
