"""Databases of platforms that are set up: somebody was there before, so nobody meets the first-run wizard."""

from sqlalchemy import create_engine, text

from platform_ui import db
from platform_ui.accounts.service import new_id

_FOUNDER = text(
    "INSERT INTO users (id, email, first_name, last_name, password_hash, created_at, disabled_at) "
    "VALUES (:id, 'founder@platform.example', 'Early', 'Founder', '-', now(), now())"
)


def begin(url: str) -> str:
    """Bring a database up to date and put somebody into it who cannot log in; return its address."""
    db.migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(_FOUNDER, {"id": new_id()})
    engine.dispose()
    return url
