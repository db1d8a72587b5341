"""The parts of a statement that no record can change, computed once when it is compiled.

Lives here: the value of an expression without attributes. Does not live here: anything that looks at a
record.
"""

from collections.abc import Callable
from math import fmod

from streamhub.query import nodes, values
from streamhub.query.checker import kind_of
from streamhub.query.functions import FUNCTIONS, Kind
from streamhub.query.nodes import Expression

__all__ = ["ConstantError", "constant", "constant_number"]


class ConstantError(Exception):
    """Say that a part of a statement without attributes can never be computed, such as 1 / 0."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        super().__init__("cannot be computed")


def constant_number(expression: Expression) -> float:
    """Compute a number without attributes: whole literals stay whole, everything else is a double."""
    found = constant(expression, Kind.NUMBER)
    if not isinstance(found, int | float):
        raise TypeError(f"{found!r} is no number")
    return found


def constant(expression: Expression, kind: Kind) -> object:
    """Compute a value without attributes, as a kind.

    Raises:
        ConstantError: It can never be computed.
    """
    match expression:
        case nodes.Text(value=text) if kind is Kind.INSTANT:
            return values.instant(text)
        case nodes.Number() | nodes.Text() | nodes.Boolean():
            return expression.value
        case nodes.Signed(operator=operator, operand=nodes.Number(value=value)):
            return -value if operator == "-" else value
    return _computed(expression, kind)


def _computed(expression: Expression, kind: Kind) -> object:
    parts = [constant(part, kind_of(part)) for part in nodes.children(expression)]
    try:
        result = _compute(expression, parts)
        return values.instant(result) if kind is Kind.INSTANT else result
    except (values.MissingError, values.MismatchError, ArithmeticError, ValueError) as error:
        raise ConstantError(expression) from error


def _compute(expression: Expression, parts: list[object]) -> object:
    """Compute a construct of constants from its computed parts."""
    match expression:
        case nodes.Call(function="coalesce"):
            return parts[0]
        case nodes.Call(function=name):
            function = FUNCTIONS[name]
            arguments = [_argument(part, function.kind_of(index)) for index, part in enumerate(parts)]
            result = function.compute(*arguments)
            return values.finite(result) if isinstance(result, float) else result
        case nodes.Signed(operator=operator):
            return -values.real(parts[0]) if operator == "-" else values.real(parts[0])
        case nodes.Arithmetic(operator=operator):
            return values.finite(_ARITHMETIC[operator](values.real(parts[0]), values.real(parts[1])))
        case _:
            raise TypeError(f"{type(expression).__name__} is no value")


def _argument(part: object, kind: Kind) -> object:
    if kind is Kind.NUMBER:
        return values.finite(values.real(part))
    return values.instant(part) if kind is Kind.INSTANT else part


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": fmod,
    "^": values.power,
}
