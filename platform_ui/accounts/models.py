"""Tables of people, their sessions, second factors, tokens and attempts; no rules, no HTTP.

Whatever opens a door (session, link, recovery code, token) is stored as a hash only.
"""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.db import UUID_TYPE, Model

MAX_EMAIL = 254  # RFC 5321, clause 4.5.3.1.3 "Path", without the angle brackets
MAX_PERSON_NAME = 50
MAX_ADDRESS = 64
MAX_AGENT = 200
MAX_TOKEN_NAME = 60
HASH_LENGTH = 64


class User(Model):
    """A person with an account; the e-mail address is kept in lower case.

    An operator runs the platform: they see how all of it is. They are no member of anything by that.
    """

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email_lower"),)

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    email: Mapped[str] = mapped_column(String(MAX_EMAIL), unique=True)
    first_name: Mapped[str] = mapped_column(String(MAX_PERSON_NAME))
    last_name: Mapped[str] = mapped_column(String(MAX_PERSON_NAME))
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    is_operator: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


class UserSession(Model):
    """A log-in in one browser; only the hash of its token is stored.

    A session that waits for the second factor is nobody's yet. It ends `idle_seconds` [s] after it was last
    used, and at `expires_at` in any case.
    """

    __tablename__ = "user_sessions"

    token_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, unique=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    last_seen_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    idle_seconds: Mapped[int]
    waits_for_code: Mapped[bool] = mapped_column(default=False)
    address: Mapped[str] = mapped_column(String(MAX_ADDRESS))
    agent: Mapped[str] = mapped_column(String(MAX_AGENT))


class Attempt(Model):
    """One attempt at something that could be guessed or abused, kept for the rate limits."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_action_subject_at", "action", "subject", "at"),
        Index("ix_attempts_action_address_at", "action", "address", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    action: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(MAX_EMAIL))
    address: Mapped[str] = mapped_column(String(MAX_ADDRESS))
    at: Mapped[datetime] = mapped_column(index=True)


class SecondFactor(Model):
    """The secret that a person shares with their authenticator app; counts once it is confirmed."""

    __tablename__ = "second_factors"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Model):
    """A code that stands in for the authenticator app once."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    used_at: Mapped[datetime | None]


class PasswordReset(Model):
    """A link by which a person chooses a new password once."""

    __tablename__ = "password_resets"

    token_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]
    by_mail: Mapped[bool]


class TokenKind(StrEnum):
    """What an API token is for."""

    PERSONAL = "personal"
    ACCESS = "access"
    REFRESH = "refresh"


class Scope(StrEnum):
    """What a program may do with a token."""

    READ = "read"
    WRITE = "write"


class ApiToken(Model):
    """A token of a program that acts for a person.

    Access and refresh tokens of one log-in are a family: a refresh token that comes a second time ends it.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint("kind IN ('personal', 'access', 'refresh')", name="kind_known"),
        CheckConstraint("scope IN ('read', 'write')", name="scope_known"),
    )

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), unique=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    scope: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(MAX_TOKEN_NAME))
    within: Mapped[str] = mapped_column(String(150))
    family: Mapped[uuid.UUID | None] = mapped_column(UUID_TYPE, index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    last_used_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]
