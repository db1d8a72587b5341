"""Tables of companies, their limits, members and invitations; no rules, no HTTP."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Double, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.accounts.models import HASH_LENGTH, MAX_EMAIL
from platform_ui.db import UUID_TYPE, Model

MAX_DOMAIN = 5
MAX_ENTERPRISE = 15
MAX_COMPANY_NAME = MAX_DOMAIN + 1 + MAX_ENTERPRISE
MAX_DESCRIPTION = 1024
MAX_ROLE = 10


class Role(StrEnum):
    """The part of a person in a company, the strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"

    def includes(self, other: "Role") -> bool:
        """Return whether who has this role may do what the other one may."""
        order = list(Role)
        return order.index(self) <= order.index(other)


class Company(Model):
    """A company, named ``domain.enterprise``; the name never changes."""

    __tablename__ = "companies"

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_COMPANY_NAME), unique=True)
    description: Mapped[str] = mapped_column(String(MAX_DESCRIPTION), default="")
    requires_second_factor: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))


class CompanyLimits(Model):
    """What an operator lets the stream apps of a company take; nothing where it is as for all companies."""

    __tablename__ = "company_limits"
    __table_args__ = (CheckConstraint("max_apps >= 0 AND memory_mb > 0 AND cpus > 0", name="above_nothing"),)

    company_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("companies.id", ondelete="CASCADE"), primary_key=True
    )
    max_apps: Mapped[int | None]
    memory_mb: Mapped[int | None]
    cpus: Mapped[float | None] = mapped_column(Double)
    changed_at: Mapped[datetime]
    changed_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))


class CompanyMember(Model):
    """A person with a part in a company."""

    __tablename__ = "company_members"
    __table_args__ = (CheckConstraint("role IN ('owner', 'admin', 'member')", name="role_known"),)

    company_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("companies.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(MAX_ROLE))
    added_at: Mapped[datetime]
    added_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))


class Invitation(Model):
    """A link that gives whoever owns an e-mail address a part in a company or a system, once."""

    __tablename__ = "invitations"
    __table_args__ = (
        CheckConstraint("(company_id IS NULL) <> (system_id IS NULL)", name="into_one"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), unique=True)
    email: Mapped[str] = mapped_column(String(MAX_EMAIL), index=True)
    company_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("companies.id", ondelete="CASCADE"), index=True
    )
    system_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("systems.id", ondelete="CASCADE"), index=True
    )
    role: Mapped[str] = mapped_column(String(MAX_ROLE))
    by_mail: Mapped[bool]
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    expires_at: Mapped[datetime]
