"""Whether the units in a statement can meet, judged when it is saved and when it is deployed.

Lives here: the walk over a statement and the place of each error. Does not live here: what units do
(``streamhub.query.units``, ``quantity``), which Datastreams a source has (``streams``), and kinds
(``streamhub.query.checker``).

The rules:

- ``+ - %``, comparisons, BETWEEN, IN, coalesce, min, max and atan2 need one unit, with one zero: Cel beside
  K is refused. A plain number takes the unit of its partner.
- ``* / ^`` combine units. A value in Cel is multiplied only where its zero does not matter, as in a mean.
- A plain factor may change the scale (``60 * l.result``); from then on only the dimension is compared.
- sin, cos and tan take rad, distance_m takes deg and gives m, convert takes what it says.
- What is computed from an attribute of unknown unit is of unknown unit, and meets everything.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from streamhub.errors import QueryTypeError
from streamhub.query import nodes
from streamhub.query.nodes import Expression, Position
from streamhub.query.quantities.quantity import Knowledge, Mixed, Quantity, product, quotient, total
from streamhub.query.quantities.streams import units_of_sources
from streamhub.query.rendering import render_expression
from streamhub.query.units.codes import parse_code
from streamhub.query.units.errors import UnitError
from streamhub.query.units.unit import ONE, Unit, convert_factors

__all__ = ["check_units", "depends_on_units"]

_EXCERPT_CHARACTERS = 40
_MAX_DENOMINATOR = 12  # of an exponent: roots up to the twelfth
_MAX_EXPONENT = 100
_KEPT = frozenset({"abs", "ceil", "floor", "round", "pos", "neg"})
_ALIKE = frozenset({"coalesce", "min", "max"})
_TRIGONOMETRIC = frozenset({"sin", "cos", "tan"})
_ANGLES_FROM_NUMBERS = frozenset({"acos", "asin", "atan"})


def check_units(tree: nodes.Statement, text: str, units: Mapping[str, str | None]) -> None:
    """Refuse a statement whose quantities cannot meet.

    Args:
        tree: A statement that the checker has accepted.
        text: Its text, for the errors.
        units: Unit, as the device maker wrote it, of every Datastream of the source systems, by full name;
            None where it has none. Empty when nothing is known: then the codes in the text are judged alone.

    Raises:
        QueryTypeError: With the place of the operand.
    """
    _check(tree, _Checker(text, units_of_sources(tree, units)))


def _check(tree: nodes.Statement, checker: "_Checker") -> None:
    for column in tree.columns or ():
        checker.check_column(column)
    if tree.where is not None:
        checker.check(tree.where)


def depends_on_units(tree: nodes.Statement, text: str) -> bool:
    """Tell whether the units of the sources decide if a statement is refused; the codes in it are checked.

    Raises:
        QueryTypeError: It is refused whatever the units are.
    """
    check_units(tree, text, {})
    anything = {source.alias: _ANYTHING for source in tree.streams} | {None: _ANYTHING}
    try:
        _check(tree, _Checker(text, anything))
    except QueryTypeError:
        return True
    return False


_ANYTHING = Mixed((("a", "1"), ("b", "1")))  # refused wherever a unit counts


class _Checker:
    """Tell the unit of each value, in reading order, and refuse at the first fault."""

    def __init__(self, text: str, results: Mapping[str | None, Knowledge]) -> None:
        self._text = text
        self._results = results
        self._functions: dict[str, Callable[[nodes.Call], Knowledge]] = {
            **dict.fromkeys(_KEPT, self._first),
            **dict.fromkeys(_ALIKE, lambda call: self._meeting(call.arguments)),
            **dict.fromkeys(_TRIGONOMETRIC, lambda call: self._of_angle(call, "rad", "1")),
            **dict.fromkeys(_ANGLES_FROM_NUMBERS, lambda call: self._given(call, "rad")),
            "atan2": self._atan2,
            "radians": lambda call: self._of_angle(call, "deg", "rad"),
            "degrees": lambda call: self._of_angle(call, "rad", "deg"),
            "distance_m": lambda call: self._of_angle(call, "deg", "m"),
            "sqrt": lambda call: self._raised(call.arguments[0], Fraction(1, 2), call.at),
            "power": self._power,
            "pi": lambda _call: Quantity(value=Fraction(math.pi)),
            "convert": self._convert,
        }

    def check_column(self, column: nodes.Column) -> None:
        found = self.check(column.expression)
        if column.unit is None:
            return
        at = self._place_of_unit(column)
        declared = self._code(column.unit, at)
        if isinstance(found, Mixed):
            raise self._mixed(column.expression, found)
        if found is None or found.unit is None:
            return
        if not found.unit.has_dimension_of(declared):
            computed = f"{_excerpt(column.expression)} is {_described(found)}"
            reason = f"'{declared.code}' is {declared.base}, but {computed}"
            raise self._refusal(reason, at)
        if not found.can_be_called(declared):
            reason = f"{_excerpt(column.expression)} is in '{found}', not in '{declared.code}'"
            raise self._refusal(reason, at, _conversion(column.expression, found.unit, declared))

    def check(self, expression: Expression) -> Knowledge:
        """Check an expression as a whole; a value must be a point or a distance of its unit."""
        found = self._visit(expression)
        if isinstance(found, Quantity) and not found.is_meaningful:
            raise self._own_zero(expression, found)
        return found

    def _visit(self, expression: Expression) -> Knowledge:
        found: Knowledge = None
        match expression:
            case nodes.Number(value=value):
                found = Quantity(value=Fraction(str(value)))
            case nodes.Attribute(name="result", qualifier=qualifier):
                found = self._results.get(qualifier)
            case nodes.Signed():
                found = self._signed(expression)
            case nodes.Arithmetic():
                found = self._arithmetic(expression)
            case nodes.Call():
                found = self._call(expression)
            case nodes.Comparison() | nodes.Between() | nodes.Membership():
                self._meeting(nodes.children(expression))
            case _:
                for operand in nodes.children(expression):
                    self.check(operand)
        return found

    def _signed(self, signed: nodes.Signed) -> Knowledge:
        found = self._visit(signed.operand)
        if signed.operator == "+" or not isinstance(found, Quantity):
            return found
        return product(Quantity(value=Fraction(-1)), found)

    def _arithmetic(self, expression: nodes.Arithmetic) -> Knowledge:
        operator = expression.operator
        if operator == "^":
            return self._raised(expression.left, self._exponent(expression.right), expression.at)
        left, right = self._operand(expression.left), self._operand(expression.right)
        if operator in {"*", "/"}:
            return self._combined(expression, left, right)
        if left is None or right is None:
            return None
        if not left.can_meet(right):
            raise self._strangers((expression.left, left), (expression.right, right))
        return left if operator == "%" and left.unit else total(left, right, -1 if operator == "-" else 1)

    def _operand(self, expression: Expression) -> Quantity | None:
        """Visit something that is computed with: it has one unit, or an unknown one."""
        found = self._visit(expression)
        if isinstance(found, Mixed):
            raise self._mixed(expression, found)
        return found

    def _combined(
        self, expression: nodes.Arithmetic, left: Quantity | None, right: Quantity | None
    ) -> Quantity | None:
        self._check_factor(expression.left, left, right)
        self._check_factor(expression.right, right, left)
        if left is None or right is None:
            return None
        try:
            return product(left, right) if expression.operator == "*" else quotient(left, right)
        except UnitError as error:
            raise self._refusal(str(error), expression.at) from error

    def _check_factor(self, operand: Expression, found: Quantity | None, other: Quantity | None) -> None:
        """Refuse a point in a product, unless the other factor is a known number: that may be a mean."""
        if found is None or found.is_distance or (other is not None and other.value is not None):
            return
        raise self._own_zero(operand, found)

    def _raised(self, base: Expression, exponent: Fraction | None, at: Position) -> Knowledge:
        found = self._operand(base)
        if found is None:
            return None
        if found.unit is None:
            return Quantity()
        if not found.is_distance:
            raise self._own_zero(base, found)
        if exponent is None:
            if found.unit.dimension:
                raise self._refusal(f"the exponent of a value in '{found}' must be a number", at)
            return None
        try:
            return Quantity(found.unit**exponent, is_scaled=found.is_scaled)
        except UnitError as error:
            raise self._refusal(str(error), at) from error

    def _exponent(self, expression: Expression) -> Fraction | None:
        """Return an exponent that the text tells; refuse one with a dimension."""
        found = self._operand(expression)
        if found is None:
            return None
        if found.unit is not None and found.unit.dimension:
            raise self._refusal(
                f"an exponent has no unit; {_excerpt(expression)} is in '{found}'", expression.at
            )
        if found.value is None or abs(found.value) > _MAX_EXPONENT:
            return None
        return found.value.limit_denominator(_MAX_DENOMINATOR)

    def _meeting(self, operands: tuple[Expression, ...]) -> Knowledge:
        """Check values that are compared or of which one is chosen, and tell what the chosen one is."""
        known: tuple[Expression, Quantity | Mixed] | None = None
        is_complete = True
        for operand in operands:
            found = self.check(operand)
            if found is None:
                is_complete = False
            elif isinstance(found, Mixed) or found.unit is not None:
                if known is not None:
                    self._check_meeting(known, (operand, found))
                known = known or (operand, found)
        if known is not None:
            return known[1] if is_complete else None
        return Quantity() if is_complete else None

    def _check_meeting(
        self, first: tuple[Expression, Quantity | Mixed], second: tuple[Expression, Quantity | Mixed]
    ) -> None:
        for operand, found in (second, first):
            if isinstance(found, Mixed):
                raise self._mixed(operand, found)
        (one, known), (other, found) = first, second
        if isinstance(known, Quantity) and isinstance(found, Quantity) and not known.can_equal(found):
            raise self._strangers((one, known), (other, found))

    def _call(self, call: nodes.Call) -> Knowledge:
        handle = self._functions.get(call.function)
        if handle is not None:
            return handle(call)
        for argument in call.arguments:
            self.check(argument)
        return None

    def _first(self, call: nodes.Call) -> Knowledge:
        found = self.check(call.arguments[0])
        for argument in call.arguments[1:]:
            self.check(argument)
        return replace(found, value=None) if isinstance(found, Quantity) else found

    def _given(self, call: nodes.Call, result: str) -> Knowledge:
        for argument in call.arguments:
            self.check(argument)
        return Quantity.of(parse_code(result))

    def _atan2(self, call: nodes.Call) -> Knowledge:
        self._meeting(call.arguments)
        return Quantity.of(parse_code("rad"))

    def _of_angle(self, call: nodes.Call, code: str, result: str) -> Knowledge:
        wanted = Quantity.of(parse_code(code))
        for argument in call.arguments:
            found = self.check(argument)
            if isinstance(found, Mixed):
                raise self._mixed(argument, found)
            if found is not None and not found.can_meet(wanted):
                reason = f"{call.function}() takes '{code}'; {_excerpt(argument)} is in '{found}'"
                raise self._refusal(reason, argument.at, _angle_hint(argument, found, code))
        return Quantity.of(parse_code(result))

    def _power(self, call: nodes.Call) -> Knowledge:
        base, exponent = call.arguments
        return self._raised(base, self._exponent(exponent), call.at)

    def _convert(self, call: nodes.Call) -> Knowledge:
        value, *codes = call.arguments
        units = [self._code(code.value, code.at) for code in codes if isinstance(code, nodes.Text)]
        found = self.check(value)
        if len(units) != _UNITS_OF_CONVERT:
            return None
        source, target = units
        try:
            convert_factors(source, target)
        except UnitError as error:
            raise self._refusal(str(error), codes[1].at) from error
        if isinstance(found, Mixed):
            raise self._mixed(value, found)
        if found is not None and not found.can_equal(Quantity.of(source)):
            raise self._refusal(f"{_excerpt(value)} is in '{found}', not in '{source.code}'", codes[0].at)
        return Quantity.of(target)

    def _code(self, code: str, at: Position) -> Unit:
        try:
            return parse_code(code)
        except UnitError as error:
            raise self._refusal(str(error), at) from error

    def _place_of_unit(self, column: nodes.Column) -> Position:
        """Find the text after UNIT; the tree keeps its value, not its place."""
        lines = self._text.split("\n")
        at = column.at
        start = sum(len(line) + 1 for line in lines[: at.line - 1]) + at.column - 1
        written = re.escape(f"'{(column.unit or '').replace(chr(39), chr(39) * 2)}'")
        found = re.compile(rf"\bUNIT\s*({written})", re.IGNORECASE).search(self._text, start)
        if found is None:
            return column.at
        before = self._text[: found.start(1)]
        return Position(before.count("\n") + 1, found.start(1) - before.rfind("\n"))

    def _refusal(self, reason: str, at: Position, expected: tuple[str, ...] = ()) -> QueryTypeError:
        return QueryTypeError(reason, statement=self._text, line=at.line, column=at.column, expected=expected)

    def _mixed(self, operand: Expression, found: Mixed) -> QueryTypeError:
        return self._refusal(
            f"{_excerpt(operand)} is {found}", operand.at, ("a condition on name that leaves one unit",)
        )

    def _own_zero(self, operand: Expression, found: Quantity) -> QueryTypeError:
        unit = found.unit or ONE
        reason = f"{_excerpt(operand)} is in '{unit.code}', whose zero is not nothing: it is no factor or sum"
        points = [part for part in nodes.walk(operand) if isinstance(part, nodes.Attribute)]
        shown = render_expression(points[0] if points else operand)
        return self._refusal(reason, operand.at, (f"convert({shown}, '{unit.code}', 'K')",))

    def _strangers(
        self, first: tuple[Expression, Quantity], second: tuple[Expression, Quantity]
    ) -> QueryTypeError:
        (one, known), (other, found) = first, second
        reason = f"{_excerpt(one)} is {_described(known)}, but {_excerpt(other)} is {_described(found)}"
        expected = _conversion(other, found.unit, known.unit)
        return self._refusal(reason, other.at, expected)


_UNITS_OF_CONVERT = 2


def _conversion(operand: Expression, there: Unit | None, wanted: Unit | None) -> tuple[str, ...]:
    """Suggest the conversion of one operand, where there is one that can be written."""
    text = render_expression(operand)
    if there is None or wanted is None or not there.has_dimension_of(wanted):
        return ()
    if len(text) > _EXCERPT_CHARACTERS or not (_is_code(there.code) and _is_code(wanted.code)):
        return ()
    return (f"convert({text}, '{there.code}', '{wanted.code}')",)


def _is_code(code: str) -> bool:
    try:
        parse_code(code)
    except UnitError:
        return False
    return True


def _angle_hint(argument: Expression, found: Quantity, code: str) -> tuple[str, ...]:
    unit, wanted = found.unit, parse_code(code)
    if code == "rad" and unit is not None and unit.is_same_as(parse_code("deg")):
        return (f"radians({render_expression(argument)})",)
    return _conversion(argument, unit, wanted)


def _described(found: Quantity) -> str:
    return f"in '{found}' ({found.unit.base})" if found.unit is not None else "a plain number"


def _excerpt(expression: Expression) -> str:
    text = render_expression(expression)
    return text if len(text) <= _EXCERPT_CHARACTERS else text[:_EXCERPT_CHARACTERS] + "..."
