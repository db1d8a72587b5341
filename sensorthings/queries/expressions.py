"""The compiler of expressions: from nodes to SQL conditions and order keys within a scope.

What lives here: one branch for each kind of node; a path over a to-many relation turns the comparison around
it into an EXISTS. What does not: which rows are paged and how they are shown (`queries.pages`).
"""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Numeric, and_, cast, not_, or_, true

from sensorthings.odata.nodes import (
    Call,
    GeographyLiteral,
    Junction,
    Literal,
    Membership,
    Negation,
    Node,
    Operation,
    OrderKey,
    Path,
    PeriodLiteral,
    Quantified,
)
from sensorthings.queries import comparisons, functions
from sensorthings.queries.comparisons import OrderTerm
from sensorthings.queries.scope import Scope
from sensorthings.queries.values import Sort, Value, constant
from sensorthings.spatial.calls import SPATIAL_FUNCTIONS, Result


def compile_condition(node: Node, scope: Scope) -> ColumnElement[bool]:
    """Compile `$filter`.

    Raises:
        QueryTypeError: A name is unknown, or sorts do not fit.
        UnsupportedError: A part of the language is not served yet.
    """
    if isinstance(node, Junction):
        parts = [compile_condition(part, scope) for part in node.parts]
        return and_(*parts) if node.operator == "and" else or_(*parts)
    if isinstance(node, Negation):
        return not_(compile_condition(node.operand, scope))
    if isinstance(node, Quantified):
        return _compile_quantified(node, scope)
    for steps in _paths(node):
        prefix = scope.first_to_many(steps)
        if prefix is not None:
            inner = scope.open(prefix)
            return inner.exists(compile_condition(node, inner))
    return comparisons.condition(_value(node, scope))


def _compile_quantified(node: Quantified, scope: Scope) -> ColumnElement[bool]:
    inner = scope.open_set(node.steps)
    with scope.naming(node.variable, inner):
        condition = compile_condition(node.condition, scope)
    if node.quantifier == "any":
        return inner.exists(condition)
    return not_(inner.exists(condition.is_not(true())))


def compile_order(keys: tuple[OrderKey, ...], scope: Scope) -> list[OrderTerm]:
    """Compile `$orderby`; the id is the last key, always, so that paging is stable.

    A set whose relation has an order of its own comes in that order.

    Raises:
        QueryTypeError: A name is unknown, or a path leads to many.
    """
    compiled: list[OrderTerm] = []
    for key in keys:
        value = _value(key.expression, scope)
        compiled += comparisons.order_terms(value, is_descending=key.is_descending)
    if scope.place is not None:
        compiled.append(OrderTerm(scope.place, is_descending=False))
    return [*compiled, OrderTerm(scope.source.c.id, is_descending=False)]


def _paths(node: Node) -> Iterator[tuple[str, ...]]:
    if isinstance(node, Path):
        yield node.steps
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield from _paths(argument)
    elif isinstance(node, Operation):
        yield from _paths(node.left)
        yield from _paths(node.right)
    elif isinstance(node, Membership):
        for part in (node.operand, *node.values):
            yield from _paths(part)


def _value(node: Node, scope: Scope) -> Value:
    if isinstance(node, Literal | PeriodLiteral | GeographyLiteral):
        return constant(node)
    if isinstance(node, Path):
        return scope.value(node.steps)
    if isinstance(node, Operation):
        return _operation(node, scope)
    if isinstance(node, Call):
        return _call(node, scope)
    if isinstance(node, Membership):
        candidates = [_value(part, scope) for part in node.values]
        return Value(Sort.BOOLEAN, comparisons.member(_value(node.operand, scope), candidates))
    return Value(Sort.BOOLEAN, compile_condition(node, scope))


def _call(node: Call, scope: Scope) -> Value:
    if node.name in SPATIAL_FUNCTIONS:
        return _spatial(node, scope)
    return functions.call(node.name, [_value(argument, scope) for argument in node.arguments])


def _spatial(node: Call, scope: Scope) -> Value:
    outermost = scope.root()
    term = outermost.spatial.term(outermost.entity, node)
    sql = term.sql(scope.columns(term.prefix))
    if term.result is Result.NUMBER:
        return Value(Sort.NUMBER, cast(sql, Numeric))
    return Value(Sort.BOOLEAN if term.result is Result.BOOLEAN else Sort.TEXT, sql)


def _operation(node: Operation, scope: Scope) -> Value:
    left, right = _value(node.left, scope), _value(node.right, scope)
    if node.operator in comparisons.COMPARISONS:
        return Value(Sort.BOOLEAN, comparisons.compare(node.operator, left, right))
    return functions.calculate(node.operator, left, right)
