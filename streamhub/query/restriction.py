"""What may leave of the records of one source, whatever a statement says: the language's part of a contract.

Lives here: ``Restriction``, and the check that a statement looks at nothing hidden. Does not live here: where
restrictions come from (``streamhub.contracts``), taking hidden members out of a value
(``execution.trimming``), the code that judges records (``execution``, ``derivation``).

How it works: a restriction is joined to a statement as a tree, ``restriction AND statement``, so no text of
the statement can loosen it. In a join it decides before records look for neighbours: the result is that of
the same join over a stream which never held what is restricted. Members that are hidden may not be looked at
by the statement at all, neither as a column nor in WHERE or ON, since a condition would tell what they hold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from streamhub.errors import QueryTypeError
from streamhub.query import nodes
from streamhub.query.checker import KEPT_MEMBERS, KEY_ATTRIBUTES
from streamhub.query.nodes import Expression
from streamhub.query.rendering import render_expression

__all__ = ["ALWAYS_LEAVING", "Restriction", "check_attributes"]

ALWAYS_LEAVING: Final = frozenset({*KEPT_MEMBERS, "result"})
"""Members of a value that leave with every record that leaves: when, what, and of which Datastream."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """What may leave of the records of one source.

    Attributes:
        label: Who restricts, for errors, such as ``contract c-1``.
        owner: System whose Datastreams may leave, where not each is named: a key may hold any name.
        datastreams: Full names of the Datastreams that may leave; empty for all.
        condition: What a record must fulfil besides; None for nothing.
        members: Members of the value that may leave besides ``ALWAYS_LEAVING``; None for all.
        since: From when on records may leave, as text; what was remembered under another one is of no use.
    """

    label: str
    owner: str = ""
    datastreams: tuple[str, ...] = ()
    condition: Expression | None = None
    members: frozenset[str] | None = None
    since: str = ""

    @property
    def combined(self) -> Expression | None:
        """Datastreams and condition as one condition, what the key decides first; None when all may leave."""
        parts: list[Expression] = []
        if self.datastreams:
            names = tuple(map(nodes.Text, self.datastreams))
            parts.append(nodes.Membership(nodes.Attribute("name"), names, negated=False))
        elif self.owner:
            parts.append(
                nodes.Membership(nodes.Attribute("system"), (nodes.Text(self.owner),), negated=False)
            )
        if self.condition is not None:
            parts.append(self.condition)
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else nodes.And(tuple(parts))

    @property
    def leaving(self) -> frozenset[str] | None:
        """All members of a value that may leave; None when all may."""
        return None if self.members is None else self.members | ALWAYS_LEAVING

    @property
    def meaning(self) -> list[str]:
        """Say what the restriction lets pass, as plain data."""
        combined = self.combined
        return ["" if combined is None else render_expression(combined), self.since]

    def joined_with(self, where: Expression | None) -> Expression | None:
        """Join a statement's own condition to this one; both have to hold.

        Args:
            where: The statement's condition, or None.
        """
        combined = self.combined
        if combined is None or where is None:
            return where if combined is None else combined
        return nodes.And((combined, where))


def check_attributes(tree: nodes.Statement, text: str, restrictions: Mapping[str, Restriction]) -> None:
    """Refuse a statement that looks at something that may not leave.

    Args:
        tree: A statement that ``check_statement`` let pass.
        text: The text itself, for the errors.
        restrictions: By system, as the statement names it; ``*`` for the source of ``FROM *``.

    Raises:
        QueryTypeError: It does, with the place.
    """
    hidden_from = {
        source.alias: restriction
        for source in tree.streams
        if (restriction := restrictions.get(source.system)) is not None and restriction.members is not None
    }
    if not hidden_from:
        return
    is_joined = len(tree.streams) > 1
    only = tree.streams[0].alias
    for attribute in _attributes(tree):
        restriction = hidden_from.get(attribute.qualifier if is_joined else only)
        if restriction is None or restriction.leaving is None or attribute.name in KEY_ATTRIBUTES:
            continue
        if attribute.name not in restriction.leaving:
            at = attribute.at
            raise QueryTypeError(
                f"{render_expression(attribute)} may not leave by {restriction.label}, so a statement may "
                "not look at it",
                statement=text,
                line=at.line,
                column=at.column,
                expected=tuple(sorted(restriction.leaving | KEY_ATTRIBUTES)),
            )


def _attributes(tree: nodes.Statement) -> Iterable[nodes.Attribute]:
    """Yield all attributes that a statement looks at, in reading order."""
    expressions = [column.expression for column in tree.columns or ()]
    expressions += [join.on for join in tree.joins if join.on is not None]
    expressions += [] if tree.where is None else [tree.where]
    for expression in expressions:
        for part in nodes.walk(expression):
            if isinstance(part, nodes.Attribute):
                yield part
