"""Tables of log-ins by another service; no rules, no HTTP.

States and browsers are kept as hashes: whoever reads the table cannot finish somebody's log-in.
"""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.accounts.models import HASH_LENGTH, MAX_EMAIL
from platform_ui.db import Model

MAX_ISSUER = 512
MAX_SUBJECT = 255  # OpenID Connect Core 1.0, clause 2 "ID Token", sub
MAX_FOLLOWING = 2048


class OidcIdentity(Model):
    """Who a person is at another service."""

    __tablename__ = "oidc_identities"

    issuer: Mapped[str] = mapped_column(String(MAX_ISSUER), primary_key=True)
    subject: Mapped[str] = mapped_column(String(MAX_SUBJECT), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    linked_at: Mapped[datetime]


class OidcAttempt(Model):
    """A log-in that has begun in one browser; it is taken away when the browser comes back."""

    __tablename__ = "oidc_attempts"

    state_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), primary_key=True)
    browser_hash: Mapped[str] = mapped_column(String(HASH_LENGTH))
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    following: Mapped[str] = mapped_column(String(MAX_FOLLOWING))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class OidcOffer(Model):
    """An identity that waits in one browser for the password of the account that it shall be linked with."""

    __tablename__ = "oidc_offers"

    browser_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), primary_key=True)
    issuer: Mapped[str] = mapped_column(String(MAX_ISSUER))
    subject: Mapped[str] = mapped_column(String(MAX_SUBJECT))
    email: Mapped[str] = mapped_column(String(MAX_EMAIL))
    following: Mapped[str] = mapped_column(String(MAX_FOLLOWING))
    expires_at: Mapped[datetime] = mapped_column(index=True)
