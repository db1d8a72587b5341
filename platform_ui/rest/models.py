"""The table of requests that must not be done twice; no rules, no HTTP."""

import uuid
from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from platform_ui.db import UUID_TYPE, Model

MAX_KEY = 255
HASH_LENGTH = 64
MAX_MEDIA_TYPE = 100


class IdempotentRequest(Model):
    """A request that somebody marked with a key, and its answer once it is there.

    The row is written in the transaction of the work, so that it is there exactly when the work is done. An
    answer that holds a secret is not kept: `is_withheld` says so.
    """

    __tablename__ = "idempotent_requests"

    principal_id: Mapped[uuid.UUID] = mapped_column(UUID_TYPE, primary_key=True)
    key: Mapped[str] = mapped_column(String(MAX_KEY), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(HASH_LENGTH))
    begun_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    media_type: Mapped[str] = mapped_column(String(MAX_MEDIA_TYPE), default="")
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    is_withheld: Mapped[bool] = mapped_column(default=False)
