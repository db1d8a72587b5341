"""The tree of a statement: what the parser builds and everything else reads.

Lives here: one frozen dataclass per construct of the language, and the walk over them. Two trees are equal
when they mean the same text, wherever the text stood: positions take no part in equality or in the hash.
Does not live here: the grammar (``grammar.lark``), the meaning (``checker``, ``execution``), the way back
to text (``rendering``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = [
    "And",
    "Arithmetic",
    "Attribute",
    "Between",
    "Boolean",
    "Call",
    "Column",
    "Comparison",
    "Duration",
    "Expression",
    "Join",
    "Like",
    "Membership",
    "Node",
    "Not",
    "NullTest",
    "Number",
    "Or",
    "Position",
    "Signed",
    "Source",
    "Statement",
    "Text",
    "Xor",
    "attributes",
    "children",
    "mentions",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text of a statement, counted from 1."""

    line: int
    column: int


_NOWHERE = Position(1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Be a piece of a statement that knows where it was written."""

    at: Position = field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number as written: whole ones stay exact, all others are IEEE doubles; never negative."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A text between single quotes, its doubled quotes already undone."""

    value: str


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    """TRUE or FALSE, as a condition or as a value to compare with."""

    value: bool


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """Something that a record has, under its canonical name (``time`` has become ``phenomenonTime``).

    Attributes:
        name: As the record spells it.
        qualifier: The alias before the dot, such as the ``l`` of ``l.result``.
        quoted: Whether it stood in double quotes; the meaning is the same.
    """

    name: str
    qualifier: str | None = None
    quoted: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Signed(Node):
    """A plus or minus in front of an operand."""

    operator: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """Two operands joined by one of ``+ - * / % ^``."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, by its lower-case name, and its arguments."""

    function: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """Two operands and one of ``= <> < <= > >=`` (``!=`` has become ``<>``)."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Between(Node):
    """``operand [NOT] BETWEEN low AND high``, both ends included."""

    operand: "Expression"
    low: "Expression"
    high: "Expression"
    negated: bool


@dataclass(frozen=True, slots=True)
class Membership(Node):
    """``operand [NOT] IN (item, ...)``."""

    operand: "Expression"
    items: "tuple[Expression, ...]"
    negated: bool


@dataclass(frozen=True, slots=True)
class Like(Node):
    """``operand [NOT] LIKE pattern``."""

    operand: "Expression"
    pattern: "Expression"
    negated: bool


@dataclass(frozen=True, slots=True)
class NullTest(Node):
    """``operand IS [NOT] NULL``: absent and null are the same."""

    operand: "Expression"
    negated: bool


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The opposite of a condition."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class And(Node):
    """All of two or more conditions, judged from left to right until one fails."""

    operands: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Or(Node):
    """At least one of two or more conditions, judged from left to right until one holds."""

    operands: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Xor(Node):
    """An odd number of two or more conditions."""

    operands: "tuple[Expression, ...]"


Expression = (
    Number
    | Text
    | Boolean
    | Attribute
    | Signed
    | Arithmetic
    | Call
    | Comparison
    | Between
    | Membership
    | Like
    | NullTest
    | Not
    | And
    | Or
    | Xor
)


@dataclass(frozen=True, slots=True)
class Column(Node):
    """One entry of the SELECT list.

    Attributes:
        expression: What is computed.
        name: The name after AS, or None.
        unit: The unit after UNIT (UCUM), or None.
    """

    expression: Expression
    name: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Source(Node):
    """A system in the FROM part, or ``*`` for every record that arrives."""

    system: str
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Duration(Node):
    """A length of time as written, such as ``1.5 s``; the unit is one of ms, s, min, h, d."""

    amount: int | float
    unit: str

    @property
    def microseconds(self) -> int:
        """The length [us], rounded."""
        return round(self.amount * _MICROSECONDS[self.unit])


_MICROSECONDS = {"ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


@dataclass(frozen=True, slots=True)
class Join(Node):
    """A further source of a statement and how its records pair with those of the sources before it.

    Attributes:
        source: The right side.
        within: Largest distance in event time of a pair; None when there is no limit.
        on: The condition that says which records have anything to do with each other, or None.
    """

    source: Source
    within: Duration | None = None
    on: Expression | None = None


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """A whole statement.

    Attributes:
        columns: The SELECT list; None stands for ``*``.
        sources: What stands after FROM before a JOIN, at least one.
        joins: The further sides, in the order in which they are joined.
        where: The condition, or None when every record counts.
        time: Which time a result has: ``LEFT``, ``RIGHT``, ``MEAN`` or ``LATER``; None when not stated.
        max_latency: How long a silent source is waited for, or None.
        lateness: How far out of order a record may come, or None.
        explain: Whether the statement is to be explained instead of run.
    """

    columns: tuple[Column, ...] | None
    sources: tuple[Source, ...]
    joins: tuple[Join, ...] = ()
    where: Expression | None = None
    time: str | None = None
    max_latency: Duration | None = None
    lateness: Duration | None = None
    explain: bool = False

    @property
    def streams(self) -> tuple[Source, ...]:
        """Every source, those of FROM first, in reading order."""
        return (*self.sources, *(join.source for join in self.joins))


def children(expression: Expression) -> tuple[Expression, ...]:
    """List the direct parts of an expression, in the order in which they were written."""
    parts: tuple[Expression, ...] = ()
    match expression:
        case Signed(operand=operand) | Not(operand=operand) | NullTest(operand=operand):
            parts = (operand,)
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            parts = (left, right)
        case And(operands=several) | Or(operands=several) | Xor(operands=several) | Call(arguments=several):
            parts = several
        case Between():
            parts = (expression.operand, expression.low, expression.high)
        case Membership():
            parts = (expression.operand, *expression.items)
        case Like():
            parts = (expression.operand, expression.pattern)
    return parts


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and everything inside it, outer before inner, left before right."""
    waiting = [expression]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(children(current)))


def mentions(expression: Expression) -> frozenset[tuple[str | None, str]]:
    """Name what an expression looks at, each as alias (or None) and attribute."""
    return frozenset((part.qualifier, part.name) for part in walk(expression) if isinstance(part, Attribute))


def attributes(expression: Expression) -> frozenset[str]:
    """Name the attributes of a record that an expression looks at."""
    return frozenset(part.name for part in walk(expression) if isinstance(part, Attribute))
