"""Tables of companies and their admins; no rules, no HTTP."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.db import UUID_TYPE, Model

MAX_DOMAIN = 5
MAX_ENTERPRISE = 15
MAX_COMPANY_NAME = MAX_DOMAIN + 1 + MAX_ENTERPRISE
MAX_DESCRIPTION = 1024


class Company(Model):
    """A company, named ``domain.enterprise``; the name never changes."""

    __tablename__ = "companies"

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_COMPANY_NAME), unique=True)
    description: Mapped[str] = mapped_column(String(MAX_DESCRIPTION), default="")
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))


class CompanyAdmin(Model):
    """A person who may change a company."""

    __tablename__ = "company_admins"

    company_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("companies.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    added_at: Mapped[datetime]
    added_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
