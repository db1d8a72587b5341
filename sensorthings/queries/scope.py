"""The tables an expression sees: one entity's table, joined to others as paths ask for them.

What lives here: joins over to-one relations (made once per path), sub-scopes over to-many relations (an
EXISTS each), and the condition that ties two tables by a relation. What does not: what is computed from them;
which rows of a table are visible at all (`sensorthings.access.sight`, where every table comes from).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Table, cast, literal, select

from sensorthings.access.sight import Sight
from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import EntityType, Relation, target_of
from sensorthings.queries.values import Columns, Sort, Value, json_member, property_value
from sensorthings.spatial.resolution import NOTHING_SPATIAL, Resolved

_ID_NAMES = ("id", "@iot.id")


def tie(relation: Relation, near: Columns, far: FromClause) -> tuple[FromClause, ColumnElement[bool]]:
    """Tie a table to another one by a relation.

    Args:
        relation: The relation, seen from the near side.
        near: Columns of the near side.
        far: Alias of the target's table.

    Returns:
        What to select from (the far side, with the table of pairs where there is one) and the condition.
    """
    if relation.own_column is not None:
        return far, far.c.id == near[relation.own_column]
    if relation.foreign_column is not None:
        return far, far.c[relation.foreign_column] == near["id"]
    table, own, other = _link_of(relation)
    pairs = table.alias()
    return far.join(pairs, pairs.c[other] == far.c.id), pairs.c[own] == near["id"]


def _link_of(relation: Relation) -> tuple[Table, str, str]:
    if relation.link is None:
        raise AssertionError(f"{relation.name} has no way to its target")
    return relation.link


def parts_of(clause: FromClause) -> list[FromClause]:
    """List the tables that a FROM clause joins."""
    found: list[FromClause] = []
    pending: list[Any] = [clause]
    while pending:
        part = pending.pop()
        if hasattr(part, "left") and hasattr(part, "right"):
            pending += [part.left, part.right]
        else:
            found.append(part)
    return found


class Scope:
    """A FROM clause that grows: keeps one join for each path over to-one relations.

    Attributes:
        entity: Entity type at the root.
        sight: What may be seen.
        source: The visible rows of its table.
        spatial: What stands for spatial calls; of the outermost scope.
        place: Where the relation that leads to the root keeps an order, the place in it.
    """

    def __init__(
        self,
        entity: EntityType,
        sight: Sight,
        *,
        spatial: Resolved = NOTHING_SPATIAL,
        parent: "Scope | None" = None,
    ) -> None:
        self.entity = entity
        self.spatial = spatial
        self.sight = sight
        self.source: FromClause = sight.source(entity)
        self.clause: FromClause = self.source
        self.ties: list[ColumnElement[bool]] = []
        self.tables: list[FromClause] = [self.source]
        self.place: ColumnElement[Any] | None = None
        self._parent = parent
        self._variables: dict[str, Scope] = {}
        self.bound: dict[tuple[str, ...], tuple[EntityType, FromClause]] = {(): (entity, self.source)}

    def attach(self, relation: Relation, near: Columns) -> None:
        """Make the root the set that a relation leads to, seen from other columns."""
        self.clause, condition = tie(relation, near, self.source)
        self.ties.append(condition)
        if relation.order_column is not None:
            pairs = next(one for one in parts_of(self.clause) if relation.order_column in one.c)
            self.place = cast(pairs.c[relation.order_column], BigInteger)

    @contextmanager
    def naming(self, variable: str, inner: "Scope") -> Iterator[None]:
        """Let a name stand for the members of a set while a condition on them is compiled."""
        hidden = self._variables.get(variable)
        self._variables[variable] = inner
        try:
            yield
        finally:
            del self._variables[variable]
            if hidden is not None:
                self._variables[variable] = hidden

    def named(self, name: str) -> "Scope | None":
        """Give the set whose members a name stands for, here or in an outer scope."""
        found = self._variables.get(name)
        return self._parent.named(name) if found is None and self._parent is not None else found

    def open_set(self, steps: tuple[str, ...]) -> "Scope":
        """Open the set at the end of a path as a scope of its own, for a condition on its members.

        Raises:
            QueryTypeError: The path does not lead to a set.
        """
        start = self.named(steps[0])
        scope, path = (self, steps) if start is None else (start, steps[1:])
        if not path:
            raise QueryTypeError(
                f"{steps[0]} is one entity; a set of it is needed, as in {steps[0]}/Datastreams."
            )
        owner, near = scope.table(path[:-1])
        relation = self._relation(owner, path[-1])
        if not relation.is_to_many:
            raise QueryTypeError(f"{'/'.join(steps)} is one entity; any and all fit sets only.")
        inner = Scope(target_of(relation), self.sight)
        inner.attach(relation, near.c)
        return inner

    def first_to_many(self, steps: tuple[str, ...]) -> tuple[str, ...] | None:
        """Give the shortest start of a path that leads over a to-many relation not opened yet, if any.

        Raises:
            QueryTypeError: The path names what the entity type does not have.
        """
        if self.named(steps[0]) is not None:
            return None
        entity = self.root().entity
        for place, step in enumerate(steps):
            relation = entity.find_relation(step)
            if relation is None:
                return None
            entity = target_of(relation)
            prefix = steps[: place + 1]
            if relation.is_to_many and self.find(prefix) is None:
                return prefix
        return None

    def open(self, prefix: tuple[str, ...]) -> "Scope":
        """Open a sub-scope whose root is the set at the end of a to-many path."""
        owner, near = self.table(prefix[:-1])
        relation = self._relation(owner, prefix[-1])
        inner = Scope(target_of(relation), self.sight, parent=self)
        inner.attach(relation, near.c)
        inner.bound = {prefix: (inner.entity, inner.source)}
        return inner

    def exists(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """Claim that the sub-scope holds a row for which the condition is true."""
        found = select(literal(1)).select_from(self.clause).where(*self.ties, condition)
        return found.correlate_except(*self.own()).exists()

    def own(self) -> list[FromClause]:
        """List the tables that belong to this scope and not to an outer one."""
        return [*self.tables, *parts_of(self.clause)]

    def value(self, steps: tuple[str, ...]) -> Value:
        """Take the value at the end of a path.

        Raises:
            QueryTypeError: The path names what is not there, or ends in a relation.
        """
        start = self.named(steps[0])
        if start is not None and len(steps) > 1:
            return start.value(steps[1:])
        entity, place = self.root().entity, 0
        while place < len(steps) and (relation := entity.find_relation(steps[place])) is not None:
            entity, place = target_of(relation), place + 1
        if place == len(steps):
            raise QueryTypeError(f"{'/'.join(steps)} is a relation; a property of it is needed.")
        _, table = self.table(steps[:place])
        return _property_at(entity, table, steps, place)

    def root(self) -> "Scope":
        """Give the outermost scope, where every path starts."""
        return self if self._parent is None else self._parent.root()

    def find(self, prefix: tuple[str, ...]) -> tuple[EntityType, FromClause] | None:
        """Give the table at the end of a path over relations, here or in an outer scope."""
        found = self.bound.get(prefix)
        if found is None and self._parent is not None:
            return self._parent.find(prefix)
        return found

    def columns(self, prefix: tuple[str, ...]) -> Columns:
        """Give the columns of the entity at the end of a path over relations, from a variable too.

        Raises:
            QueryTypeError: The path names what is not there, or leads to many.
        """
        start = self.named(prefix[0]) if prefix else None
        return self.table(prefix)[1].c if start is None else start.columns(prefix[1:])

    def table(self, prefix: tuple[str, ...]) -> tuple[EntityType, FromClause]:
        """Give the table at the end of a path over to-one relations, joined if it is not yet.

        Raises:
            QueryTypeError: The path leads to many.
        """
        found = self.find(prefix)
        if found is not None:
            return found
        owner, near = self.table(prefix[:-1])
        relation = self._relation(owner, prefix[-1])
        if relation.is_to_many:
            raise QueryTypeError(
                f"{'/'.join(prefix)} leads to many entities, of which no single one is meant here.",
                "Use a path over to-one relations, or any(...) in $filter.",
            )
        self._join(prefix, relation, near)
        return self.table(prefix)

    def _join(self, prefix: tuple[str, ...], relation: Relation, near: FromClause) -> None:
        scope: Scope = self
        while near not in scope.tables and scope._parent is not None:
            scope = scope._parent
        target = target_of(relation)
        far = self.sight.source(target)
        # Outer, so that an entity whose relation leads nowhere is compared as null and not lost.
        scope.clause = scope.clause.outerjoin(far, far.c.id == near.c[str(relation.own_column)])
        scope.tables.append(far)
        scope.bound[prefix] = (target, far)

    @staticmethod
    def _relation(entity: EntityType, name: str) -> Relation:
        relation = entity.find_relation(name)
        if relation is None:
            raise QueryTypeError(f"{entity.name} has no relation {name}.")
        return relation


def _property_at(entity: EntityType, table: FromClause, steps: tuple[str, ...], place: int) -> Value:
    name, keys = steps[place], steps[place + 1 :]
    if name in _ID_NAMES and not keys:
        return Value(Sort.NUMBER, table.c.id)
    described = entity.find_property(name)
    if described is None:
        raise QueryTypeError(
            f"{entity.name} has no property or relation {name}.",
            f"It has id, {', '.join(entity.names())}.",
        )
    value = property_value(described, table.c)
    if not keys:
        return value
    if value.sort is not Sort.JSON:
        raise QueryTypeError(f"{name} is {value.sort.value}; there is nothing inside it to name.")
    return json_member(value, keys)
