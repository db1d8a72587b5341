"""The syntax tree of query options: frozen values that the parser makes and `sensorthings.queries` compiles.

What lives here: shapes only. What does not: meaning; whether a path exists is decided against the entity
description.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: None, bool, int, Decimal, str, datetime (UTC), date, time or timedelta.

    The slot numbers the constants that another query of the same form may replace (`odata.slots`).
    """

    value: bool | int | Decimal | str | datetime | date | time | timedelta | None
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class PeriodLiteral:
    """A constant interval."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class GeographyLiteral:
    """A constant geometry in well-known text.

    Attributes:
        text: The well-known text.
        column: Where it stands in the option's text, counted from 1; 0 when unknown.
    """

    text: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Path:
    """Names separated by slashes: relations, then a property, then keys inside its JSON value."""

    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function call."""

    name: str
    arguments: tuple["Node", ...]
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Operation:
    """A comparison (eq, ne, gt, ge, lt, le) or arithmetic (add, sub, mul, div, mod) of two operands."""

    operator: str
    left: "Node"
    right: "Node"
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Membership:
    """`operand in (value, ...)`."""

    operand: "Node"
    values: tuple["Node", ...]
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Junction:
    """Any number of conditions joined by `and` or by `or`."""

    operator: str
    parts: tuple["Node", ...]
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Negation:
    """`not condition`."""

    operand: "Node"
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Quantified:
    """`path/any(x: condition)` or `path/all(x: condition)`; without condition: that there is any.

    Source: OData 4.0 part 2, clause 5.1.1.10 (lambda operators).
    """

    steps: tuple[str, ...]
    quantifier: str
    variable: str
    condition: "Node"
    depth: int = 1


Node = (
    Literal
    | PeriodLiteral
    | GeographyLiteral
    | Path
    | Call
    | Operation
    | Membership
    | Junction
    | Negation
    | Quantified
)


def depth_of(*nodes: Node) -> int:
    """Give the depth of the deepest node; a constant and a path have depth 0."""
    return max((getattr(node, "depth", 0) for node in nodes), default=0)


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of `$orderby`."""

    expression: Node
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """The query options of a set, or of one expanded relation.

    Attributes:
        where: `$filter`.
        order: `$orderby`.
        select: `$select`; None selects everything.
        expand: `$expand`: options by relation name; paths A/B are merged into one tree.
        top: `$top` [entities]; None leaves it to the service.
        skip: `$skip` [entities].
        is_counted: `$count`; None when not given.
        result_format: `$resultFormat`, as it was written.
        token: Values of the order keys after which the page begins, from `$skiptoken`.
        given: Names of the options that were given.
    """

    where: Node | None = None
    order: tuple[OrderKey, ...] = ()
    select: tuple[str, ...] | None = None
    expand: Mapping[str, "Options"] = field(default_factory=dict)
    top: int | None = None
    skip: int = 0
    is_counted: bool | None = None
    token: tuple[str | None, ...] | None = None
    result_format: str | None = None
    given: frozenset[str] = frozenset()
