"""The tables an expression sees: one entity's table, joined to others as paths ask for them.

What lives here: joins over to-one relations (made once per path), sub-scopes over to-many relations (an
EXISTS each), and the condition that ties two tables by a relation. What does not: what is computed from them.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Table, literal, select

from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import EntityType, Relation, target_of
from sensorthings.queries.values import Columns, Sort, Value, json_member, property_value

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


class Scope:
    """A FROM clause that grows: keeps one join for each path over to-one relations.

    Attributes:
        entity: Entity type at the root.
        source: Alias of its table.
    """

    def __init__(self, entity: EntityType, *, parent: "Scope | None" = None) -> None:
        self.entity = entity
        self.source: FromClause = entity.table.alias()
        self.clause: FromClause = self.source
        self.ties: list[ColumnElement[bool]] = []
        self.tables: list[FromClause] = [self.source]
        self._parent = parent
        self.bound: dict[tuple[str, ...], tuple[EntityType, FromClause]] = {(): (entity, self.source)}

    def attach(self, relation: Relation, near: Columns) -> None:
        """Make the root the set that a relation leads to, seen from other columns."""
        self.clause, condition = tie(relation, near, self.source)
        self.ties.append(condition)

    def first_to_many(self, steps: tuple[str, ...]) -> tuple[str, ...] | None:
        """Give the shortest start of a path that leads over a to-many relation not opened yet, if any.

        Raises:
            QueryTypeError: The path names what the entity type does not have.
        """
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
        owner, near = self._table(prefix[:-1])
        relation = self._relation(owner, prefix[-1])
        inner = Scope(target_of(relation), parent=self)
        inner.attach(relation, near.c)
        inner.bound = {prefix: (inner.entity, inner.source)}
        return inner

    def exists(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """Claim that the sub-scope holds a row for which the condition is true."""
        found = select(literal(1)).select_from(self.clause).where(*self.ties, condition)
        return found.correlate_except(*self.own()).exists()

    def own(self) -> list[FromClause]:
        """List the tables that belong to this scope and not to an outer one."""
        found: list[FromClause] = list(self.tables)
        pending: list[Any] = [self.clause]
        while pending:
            part = pending.pop()
            if hasattr(part, "left") and hasattr(part, "right"):
                pending += [part.left, part.right]
            else:
                found.append(part)
        return found

    def value(self, steps: tuple[str, ...]) -> Value:
        """Take the value at the end of a path.

        Raises:
            QueryTypeError: The path names what is not there, or ends in a relation.
        """
        entity, place = self.root().entity, 0
        while place < len(steps) and (relation := entity.find_relation(steps[place])) is not None:
            entity, place = target_of(relation), place + 1
        if place == len(steps):
            raise QueryTypeError(f"{'/'.join(steps)} is a relation; a property of it is needed.")
        _, table = self._table(steps[:place])
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

    def _table(self, prefix: tuple[str, ...]) -> tuple[EntityType, FromClause]:
        found = self.find(prefix)
        if found is not None:
            return found
        owner, near = self._table(prefix[:-1])
        relation = self._relation(owner, prefix[-1])
        if relation.is_to_many:
            raise QueryTypeError(
                f"{'/'.join(prefix)} leads to many entities, which cannot be ordered by.",
                "Use a path over to-one relations only.",
            )
        self._join(prefix, relation, near)
        return self._table(prefix)

    def _join(self, prefix: tuple[str, ...], relation: Relation, near: FromClause) -> None:
        scope: Scope = self
        while near not in scope.tables and scope._parent is not None:
            scope = scope._parent
        target = target_of(relation)
        far = target.table.alias()
        scope.clause = scope.clause.join(far, far.c.id == near.c[str(relation.own_column)])
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
