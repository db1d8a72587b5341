"""Time buckets over a set of Observations, as a request asks for them: one statement, filtered and paged.

What lives here: `$filter` and the place where a page begins, around the statement of the store
(`sensorthings.store.buckets`). What does not: the address of the set, the answer
(`sensorthings.http.aggregates`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, DateTime, Integer, Select, and_, bindparam, or_

from sensorthings.access.sight import Sight
from sensorthings.errors import QuerySyntaxError
from sensorthings.model.entities import OBSERVATION, Relation
from sensorthings.model.times import parse_instant
from sensorthings.odata.nodes import Node
from sensorthings.odata.tokens import HINT
from sensorthings.queries.expressions import compile_condition
from sensorthings.queries.scope import Scope
from sensorthings.spatial.resolution import NOTHING_SPATIAL, Resolved
from sensorthings.store.buckets import Bucket, bucket_statement

AROUND = "around"
"""Bind name of the id of the entity whose Observations are asked for."""
MOST = "most"
"""Bind name of the most buckets."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after a bucket.

    Attributes:
        datastream_id: Of this bucket.
        end: Of this bucket.
    """

    datastream_id: int
    end: datetime

    def texts(self) -> list[str]:
        """Give it as `$skiptoken` carries it."""
        return [str(self.datastream_id), self.end.isoformat()]


def place_of(token: Sequence[str | None]) -> Place:
    """Read the values of a `$skiptoken`.

    Raises:
        QuerySyntaxError: They are of another list.
    """
    try:
        identifier, end = token
        return Place(int(identifier or ""), parse_instant(end or ""))
    except ValueError:
        raise QuerySyntaxError("$skiptoken", "belongs to another request", hint=HINT) from None


def bucket_query(
    where: Node | None,
    bucket: Bucket,
    functions: Sequence[str],
    sight: Sight,
    *,
    relation: Relation | None = None,
    is_further: bool = False,
    spatial: Resolved = NOTHING_SPATIAL,
) -> Select[Any]:
    """Give the statement for the buckets of a set of Observations; see `bucket_statement` for its columns.

    Args:
        where: `$filter`.
        bucket: Length of the buckets.
        functions: Of `sensorthings.store.buckets.FUNCTIONS`.
        sight: What may be seen.
        relation: Relation that leads to the set, from the entity with the id `around`; None for all of them.
        is_further: Whether the page begins after a bucket (`datastream_id`, `end`).
        spatial: What stands for the spatial calls in `$filter`.

    Raises:
        QueryTypeError: A name is unknown, or does not fit.
        UnsupportedError: A part of the language is not served.
    """
    scope = Scope(OBSERVATION, sight, spatial=spatial)
    columns = scope.source.c
    conditions: list[ColumnElement[bool]] = []
    if where is not None:
        conditions.append(compile_condition(where, scope))
    if relation is not None:
        conditions.append(columns[str(relation.foreign_column)] == bindparam(AROUND, type_=BigInteger))
    if is_further:
        last = bindparam("datastream_id", type_=BigInteger)
        end = bindparam("end", type_=DateTime(timezone=True))
        same = and_(columns.datastream_id == last, columns.phenomenon_start >= end)
        conditions.append(or_(columns.datastream_id > last, same))
    made = bucket_statement(scope.source, bucket, functions, *conditions, clause=scope.clause)
    return made.limit(bindparam(MOST, type_=Integer))
