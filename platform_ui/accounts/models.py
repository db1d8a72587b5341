"""Tables of people, their sessions and failed log-ins; no rules, no HTTP."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.db import UUID_TYPE, Model

MAX_EMAIL = 254  # RFC 5321, clause 4.5.3.1.3 "Path", without the angle brackets
MAX_PERSON_NAME = 50


class User(Model):
    """A person with an account; the e-mail address is kept in lower case."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email_lower"),)

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    email: Mapped[str] = mapped_column(String(MAX_EMAIL), unique=True)
    first_name: Mapped[str] = mapped_column(String(MAX_PERSON_NAME))
    last_name: Mapped[str] = mapped_column(String(MAX_PERSON_NAME))
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


class UserSession(Model):
    """A log-in in one browser; only the hash of its token is stored."""

    __tablename__ = "user_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class FailedLogin(Model):
    """One failed log-in, kept for the rate limit."""

    __tablename__ = "failed_logins"
    __table_args__ = (Index("ix_failed_logins_email_at", "email", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(String(MAX_EMAIL))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
