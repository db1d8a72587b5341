"""The meaning of a condition, as slowly and as obviously as possible; shares nothing with the compiled one
but nodes.

Numbers are compared as fractions, LIKE is the textbook recursion, instants come from a table written by hand.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any, TypeAlias

from streamhub.query import nodes

INSTANTS = {
    "2020": datetime(2020, 1, 1, tzinfo=UTC),
    "2020-02": datetime(2020, 2, 1, tzinfo=UTC),
    "2020-02-24": datetime(2020, 2, 24, tzinfo=UTC),
    "2020-02-24T11": datetime(2020, 2, 24, 11, tzinfo=UTC),
    "2020-02-24T11:26:02": datetime(2020, 2, 24, 11, 26, 2, tzinfo=UTC),
    "2020-02-24T11:26:02Z": datetime(2020, 2, 24, 11, 26, 2, tzinfo=UTC),
    "2020-02-24T11:26:02.5Z": datetime(2020, 2, 24, 11, 26, 2, 500_000, tzinfo=UTC),
    "2020-02-24T11:26:02.000006Z": datetime(2020, 2, 24, 11, 26, 2, 6, tzinfo=UTC),
    "2020-02-24T11:26:02.000006999Z": datetime(2020, 2, 24, 11, 26, 2, 6, tzinfo=UTC),
    "2020-02-24T12:26:02+01:00": datetime(2020, 2, 24, 12, 26, 2, tzinfo=timezone(timedelta(hours=1))),
    "2020-02-24T11:26:02Z/2021-01-01T00:00:00Z": datetime(2020, 2, 24, 11, 26, 2, tzinfo=UTC),
    "1969-12-31T23:59:59Z": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
}
"""Every text that is a time in these tests; all other texts are none."""

TEXT_ATTRIBUTES = {"name", "thing", "system", "unit"}
TIME_ATTRIBUTES = {"phenomenonTime", "resultTime"}
KEY_ATTRIBUTES = {"name", "thing", "system"}
TOLERANCE = Fraction(1, 10_000_000)


Value: TypeAlias = Any  # whatever a record holds


class Missing(Exception):  # noqa: N818
    """A value is not there."""


class Mismatch(Exception):  # noqa: N818
    """A value is of the wrong kind, or cannot be computed."""


def looked_at(node: nodes.Expression) -> set[str]:
    if isinstance(node, nodes.Attribute):
        return {node.name}
    return {name for part in nodes.children(node) for name in looked_at(part)}


def kind(node: nodes.Expression) -> str:
    match node:
        case nodes.Boolean():
            found = "truth"
        case nodes.Attribute(name=name):
            found = "text" if name in TEXT_ATTRIBUTES else "time" if name in TIME_ATTRIBUTES else "any"
        case nodes.Call(function="coalesce", arguments=arguments):
            found = common(arguments)
        case nodes.Call(function="upper") | nodes.Text():
            found = "text"
        case _:
            found = "number"
    return found


def common(operands: tuple[nodes.Expression, ...]) -> str:
    kinds = {kind(operand) for operand in operands} - {"any"}
    if kinds == {"time", "text"}:
        return "time"
    return kinds.pop() if kinds else "any"


def as_number(value: object) -> int | float:
    if value is None:
        raise Missing
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Mismatch
    return value


def as_kind(value: object, wanted: str) -> Value:
    if value is None:
        raise Missing
    if wanted == "number":
        return as_number(value)
    if wanted == "truth" and not isinstance(value, bool):
        raise Mismatch
    if wanted in {"text", "time"} and not isinstance(value, str):
        raise Mismatch
    if wanted == "time":
        if value not in INSTANTS:
            raise Mismatch
        return INSTANTS[str(value)]
    return value


def finite(value: float) -> float:
    if not -math.inf < value < math.inf:
        raise Mismatch
    return value


def like(text: str, pattern: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "%":
        return like(text, pattern[1:]) or (bool(text) and like(text[1:], pattern))
    if pattern[0] == "\\" and len(pattern) > 1:
        return bool(text) and text[0] == pattern[1] and like(text[1:], pattern[2:])
    return bool(text) and pattern[0] in {"_", text[0]} and like(text[1:], pattern[1:])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda x: -x if x < 0 else x,
    "floor": lambda x: x - (x % 1.0) if x % 1.0 else x,
    "max": max,
    "min": min,
    "neg": lambda x: x if x < 0 else 0.0,
    "pos": lambda x: x if x > 0 else 0.0,
    "sqrt": math.sqrt,
    "length": lambda text: float(sum(1 for _ in text)),
    "upper": lambda text: text.upper(),
    "hour": lambda moment: float(moment.astimezone(UTC).hour),
}
PARAMETERS = {"length": "text", "upper": "text", "hour": "time"}


@dataclass
class Judge:
    """Judges one record; counts the comparisons that it did not fit."""

    attributes: Mapping[str, Any]
    missing: int = 0
    mismatches: int = 0

    def judge(self, condition: nodes.Expression) -> bool:
        """What the key decides is decided first, each such comparison once; then the rest from the left."""
        self.known: dict[nodes.Expression, bool] = {}
        self.known = {node: self.compares(node) for node in set(self.told_by_key(condition))}
        return self.holds(condition)

    def told_by_key(self, node: nodes.Expression) -> list[nodes.Expression]:
        """List the comparisons of the key, without those that a TRUE or FALSE beside them makes idle."""
        if self.decided(node) is not None:
            return []
        if is_connective(node):
            return [found for part in nodes.children(node) for found in self.told_by_key(part)]
        return [node] if looked_at(node) <= KEY_ATTRIBUTES else []

    def decided(self, node: nodes.Expression) -> bool | None:
        parts = [self.decided(part) for part in nodes.children(node)] if is_connective(node) else []
        match node:
            case nodes.Boolean(value=value):
                return value
            case nodes.Not():
                return None if parts[0] is None else not parts[0]
            case nodes.And():
                return False if False in parts else None if None in parts else True
            case nodes.Or():
                return True if True in parts else None if None in parts else False
            case nodes.Xor():
                return None if None in parts else parts.count(True) % 2 == 1
            case _:
                return self.known.get(node)

    def holds(self, node: nodes.Expression) -> bool:
        decided = self.decided(node)
        if decided is not None:
            return decided
        match node:
            case nodes.Not(operand=operand):
                return not self.holds(operand)
            case nodes.And(operands=operands):
                return all(self.holds(operand) for operand in operands)
            case nodes.Or(operands=operands):
                return any(self.holds(operand) for operand in operands)
            case nodes.Xor(operands=operands):
                return [self.holds(operand) for operand in operands].count(True) % 2 == 1
            case _:
                return self.compares(node)

    def compares(self, node: nodes.Expression) -> bool:
        try:
            return self.comparison(node)
        except Missing:
            self.missing += 1
        except (Mismatch, ArithmeticError, ValueError):
            self.mismatches += 1
        return False

    def comparison(self, node: nodes.Expression) -> bool:
        wanted = common(nodes.children(node))
        match node:
            case nodes.NullTest(operand=operand, negated=negated):
                return self.is_null(operand) is not negated
            case nodes.Like(operand=operand, pattern=nodes.Text(value=pattern), negated=negated):
                return like(self.value(operand, "text"), pattern) is not negated
            case nodes.Comparison(operator=operator, left=left, right=right):
                return compare(operator, self.value(left, wanted), self.value(right, wanted))
            case nodes.Between(operand=operand, low=low, high=high, negated=negated):
                value, least, most = (self.value(part, wanted) for part in (operand, low, high))
                inside = [compare(">=", value, least), compare("<=", value, most)]
                return all(inside) is not negated
            case nodes.Membership(operand=operand, items=items, negated=negated):
                value = self.value(operand, wanted)
                found = any(compare("=", value, self.value(item, wanted)) for item in items)
                return found is not negated
        raise AssertionError(node)

    def is_null(self, operand: nodes.Expression) -> bool:
        wanted = "any" if isinstance(operand, nodes.Attribute) else kind(operand)
        try:
            value = self.value(operand, wanted, any_null=True)
        except Missing:
            return True
        return value is None

    def value(self, node: nodes.Expression, wanted: str, *, any_null: bool = False) -> Value:
        found = self.compute(node)
        if wanted == "any" or (any_null and found is None):
            return found
        return finite(as_kind(found, wanted)) if wanted == "number" else as_kind(found, wanted)

    def compute(self, node: nodes.Expression) -> Value:
        match node:
            case nodes.Number() | nodes.Text() | nodes.Boolean():
                found: Value = node.value
            case nodes.Attribute(name=name):
                found = self.attributes.get(name)
            case nodes.Call(function="coalesce", arguments=arguments):
                found = self.first_of(arguments)
            case nodes.Call(function=function, arguments=arguments):
                wanted = PARAMETERS.get(function, "number")
                found = FUNCTIONS[function](*[self.argument(part, wanted) for part in arguments])
            case nodes.Signed(operator=operator, operand=operand):
                number = as_number(self.compute(operand))
                number = number if isinstance(operand, nodes.Number) else float(number)
                found = -number if operator == "-" else number
            case nodes.Arithmetic(operator=operator, left=left, right=right):
                first = float(as_number(self.compute(left)))
                found = arithmetic(operator, first, float(as_number(self.compute(right))))
            case _:
                raise AssertionError(node)
        return found

    def argument(self, node: nodes.Expression, wanted: str) -> Value:
        value = self.value(node, wanted)
        return float(value) if wanted == "number" else value

    def first_of(self, arguments: tuple[nodes.Expression, ...]) -> Value:
        for argument in arguments:
            try:
                value = self.value(argument, kind(argument).replace("time", "text"))
            except Missing:
                continue
            if value is not None:
                return value
        return None


def is_connective(node: nodes.Expression) -> bool:
    return isinstance(node, nodes.And | nodes.Or | nodes.Xor | nodes.Not)


def arithmetic(operator: str, left: float, right: float) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case "%":
            return math.fmod(left, right)
        case _:
            return math.pow(left, right)


def compare(operator: str, left: Value, right: Value) -> bool:
    if left is None or right is None:
        raise Missing
    both = {type(left), type(right)}
    if both <= {int, float}:
        difference = Fraction(left) - Fraction(right)
        near = abs(difference) <= TOLERANCE
        less, equal = difference < 0 and not near, near
    elif both in ({str}, {datetime}) or (both == {bool} and operator in {"=", "<>"}):
        less, equal = left < right, left == right
    else:
        raise Mismatch
    return {
        "=": equal,
        "<>": not equal,
        "<": less,
        "<=": less or equal,
        ">": not less and not equal,
        ">=": not less,
    }[operator]


def judged(condition: nodes.Expression, name: str | None, record: Mapping[str, Any]) -> tuple[bool, Judge]:
    """Judge a record by a condition; gives the verdict and the judge with its counts."""
    attributes = dict(record) | {"name": name, "thing": None, "system": None}
    if name is not None:
        levels = name.split(".")
        attributes["system"] = ".".join(levels[:4]) if len(levels) > 3 else None
        attributes["thing"] = levels[4] if len(levels) > 4 else None
    judge = Judge(attributes)
    return judge.judge(condition), judge
