"""The table of client apps; no rules, no HTTP."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.companies.models import MAX_DESCRIPTION
from platform_ui.db import UUID_TYPE, Model

MAX_APP_NAME = 20
MAX_URL = 256


class ClientApp(Model):
    """A device or program of a system; its name is unique in the system and never changes."""

    __tablename__ = "client_apps"
    __table_args__ = (UniqueConstraint("system_id", "name"),)

    id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    system_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("systems.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(String(MAX_APP_NAME))
    metadata_uri: Mapped[str] = mapped_column(
        String(MAX_URL), default=""
    )  # empty: the platform's own service
    description: Mapped[str] = mapped_column(String(MAX_DESCRIPTION), default="")
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
