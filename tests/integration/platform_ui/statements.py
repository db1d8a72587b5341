"""How many SQL statements a site sends, for tests of pages that must not ask for each thing by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from sqlalchemy import event

_SEEN = "UPDATE user_sessions SET last_seen_at="
"""Once a minute the site notes that somebody is still there; on which request that falls says nothing."""


@contextmanager
def counted(site: FastAPI) -> Iterator[list[str]]:
    """Collect the statements that a site sends meanwhile."""
    sent: list[str] = []

    def note(*arguments: object) -> None:
        statement = str(arguments[2])
        if not statement.startswith(_SEEN):
            sent.append(statement)

    engine = site.state.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
