"""New Observations, noted for those who follow changes.

What lives here: the note, written in the transaction that stores them. What does not: all other entities and
all updates, which triggers note (revision 0005), and reading (`sensorthings.changes.feed`).

Nothing is written as long as nobody follows: that one look at a table of a row or none is all it costs then.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ARRAY, BigInteger, bindparam, text

from sensorthings.database import Session, prepare
from sensorthings.model.tables import SCHEMA

_INSERT: Final = f"INSERT INTO {SCHEMA}.change (entity, ids) SELECT 'observation'"
_IS_FOLLOWED: Final = f"EXISTS (SELECT FROM {SCHEMA}.change_reader)"
NOTE_MADE: Final = f"{_INSERT}, array_agg(id) FROM made WHERE {_IS_FOLLOWED} HAVING count(*) > 0"
"""Part of a statement that notes the Observations of its part `made`, known by its column `id`."""


async def note_observations(session: Session, identifiers: Sequence[int]) -> None:
    """Note new Observations, in the transaction that made them.

    Raises:
        psycopg.Error: What the database says.
    """
    if identifiers:
        await session.run(_NOTE, {"ids": list(identifiers)})


_NOTE = prepare(
    text(f"{_INSERT}, :ids WHERE {_IS_FOLLOWED}").bindparams(bindparam("ids", type_=ARRAY(BigInteger)))
)
