"""Tables of credentials and of what was issued for them; no rules, no HTTP, and never a private key.

A credential is who somebody is; its certificates are what they show. All certificates of one epoch are the
same principal for Kafka; a revocation begins the next epoch.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.db import Model
from platform_ui.pki.names import Identity, Kind

MAX_NAME = 134
MAX_EMAIL = 254
MAX_REASON = 200
KINDS = "kind IN ('client', 'app', 'service')"

ARCHIVE = "archive"  # key made by the platform, handed over once
CSR = "csr"  # key made by the holder, request brought by a person
ENROLMENT = "enrolment"  # key made by the device, which showed a one-time token
RENEWAL = "renewal"  # key made by the device, which showed its certificate
PLATFORM = "platform"  # for a stream app that the platform deploys


class Credential(Model):
    """Who a client or stream app is for Kafka; the row is there from the first certificate on and stays."""

    __tablename__ = "credentials"
    __table_args__ = (
        CheckConstraint(KINDS, name="kind_known"),
        CheckConstraint("epoch >= 1", name="epoch_counts"),
    )

    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME), primary_key=True)
    epoch: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    blocked_at: Mapped[datetime | None]

    @property
    def identity(self) -> Identity:
        """The principal of the current epoch."""
        return Identity(Kind(self.kind), self.name, self.epoch)


class IssuedCertificate(Model):
    """A certificate that our authority has signed; the serial number is lower-case hexadecimal."""

    __tablename__ = "certificates"
    __table_args__ = (
        ForeignKeyConstraint(["kind", "name"], ["credentials.kind", "credentials.name"], ondelete="CASCADE"),
        CheckConstraint(
            "origin IN ('archive', 'csr', 'enrolment', 'renewal', 'platform')", name="origin_known"
        ),
        Index("ix_certificates_kind_name_not_after", "kind", "name", "not_after"),
    )

    serial: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    epoch: Mapped[int]
    not_before: Mapped[datetime]
    not_after: Mapped[datetime]
    issued_at: Mapped[datetime]
    issued_by: Mapped[str] = mapped_column(String(MAX_EMAIL))  # an e-mail address, or a principal's name
    origin: Mapped[str] = mapped_column(String(10))
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str] = mapped_column(String(MAX_REASON), default="")

    @property
    def identity(self) -> Identity:
        """The principal that it shows."""
        return Identity(Kind(self.kind), self.name, self.epoch)


class EnrolmentToken(Model):
    """Lets a device get its first certificate by itself, once; only the hash is kept."""

    __tablename__ = "enrolment_tokens"
    __table_args__ = (
        ForeignKeyConstraint(["kind", "name"], ["credentials.kind", "credentials.name"], ondelete="CASCADE"),
        Index("ix_enrolment_tokens_kind_name", "kind", "name"),
    )

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    epoch: Mapped[int]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(MAX_EMAIL))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UsedProof(Model):
    """A proof of possession that was accepted; it counts only once, and is forgotten when it is stale."""

    __tablename__ = "used_proofs"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(index=True)
