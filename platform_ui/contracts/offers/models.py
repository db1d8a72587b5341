"""The table of offers; no rules, no HTTP."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.contracts.models import MAX_EMAIL, MAX_ID, MAX_PREDICATE
from platform_ui.db import Model

MAX_TITLE = 120
MAX_TEXT = 4096

DRAFT = "draft"  # seen by the people of its system alone
PUBLISHED = "published"
WITHDRAWN = "withdrawn"

EVERYBODY = "everybody"  # who is logged in
COMPANIES = "companies"  # people of the companies that it names


class Offer(Model):
    """What the agents of a system let others ask for.

    Attributes:
        id: ``o-`` and 16 letters and digits.
        system_id: The system whose records are offered.
        datastreams: Full names; empty for all of the system.
        predicate: Which records; as a contract's.
        fields: Members of a value besides its times, result and Datastream; empty for all.
        purposes: For what the records are meant to be used, as suggestions.
        terms: What the provider expects besides, in words.
        visibility: Who finds it once it is published.
        companies: Companies whose people find it, where it is not for everybody.
        details: What the metadata told of each Datastream when the offer was saved.
        words: Title, description, units and observed properties, by which it is found.
    """

    __tablename__ = "offers"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'published', 'withdrawn')", name="state_known"),
        CheckConstraint("visibility IN ('everybody', 'companies')", name="visibility_known"),
        Index("ix_offers_published_at_id", "published_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(MAX_ID), primary_key=True)
    system_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("systems.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(MAX_TITLE))
    description: Mapped[str] = mapped_column(Text)
    datastreams: Mapped[list[str]] = mapped_column(JSONB)
    predicate: Mapped[str] = mapped_column(String(MAX_PREDICATE))
    fields: Mapped[list[str]] = mapped_column(JSONB)
    purposes: Mapped[list[str]] = mapped_column(JSONB)
    terms: Mapped[str] = mapped_column(Text)
    visibility: Mapped[str] = mapped_column(String(10))
    companies: Mapped[list[str]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(String(10))
    details: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
    words: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(MAX_EMAIL))
    published_at: Mapped[datetime | None] = mapped_column(default=None)
