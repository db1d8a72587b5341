"""From a checked tree to Python source, and from there to functions.

Lives here: which Python expression each construct becomes. Does not live here: what values do (``values``),
which records the functions see (``statement``).

How it works: a condition becomes one Python expression. Plain comparisons of an attribute with constants are
written out, so that they cost a class check and a comparison; everything that can fail in the middle becomes
a small function of its own that turns the failure into "false" and a count. No text of a user ever reaches
the source: literals are objects in the namespace, attributes are numbered.
"""

import math
from collections.abc import Mapping
from math import fmod

from streamhub.query import nodes, values
from streamhub.query.checker import KEY_ATTRIBUTES, common_kind, kind_of
from streamhub.query.execution.constants import constant, constant_number
from streamhub.query.execution.tally import Tally, among, first_of, is_null, same
from streamhub.query.functions import FUNCTIONS, Kind
from streamhub.query.nodes import Expression

__all__ = ["Emitter"]

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
_PYTHON = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CONVERSIONS = {Kind.NUMBER: "number", Kind.TEXT: "text", Kind.TRUTH: "truth", Kind.INSTANT: "instant"}
_CLASSES = {Kind.TEXT: "STR", Kind.TRUTH: "BOOL"}


class Emitter:
    """Collect the source and the namespace of one set of functions.

    Attributes:
        names: Attribute to local variable, for everything the functions may look at.
    """

    def __init__(self, members: Mapping[str, str], tally: Tally) -> None:
        """Start with nothing.

        Args:
            members: Field of a row to the member of a record that it holds.
            tally: Where comparisons that did not fit are counted.
        """
        self.names = {member: field for field, member in members.items()}
        self.names |= {attribute: f"key_{attribute}" for attribute in KEY_ATTRIBUTES}
        self._tally = tally
        self._definitions: list[str] = []
        self._namespace: dict[str, object] = {
            "FLOAT": float,
            "INT": int,
            "STR": str,
            "BOOL": bool,
            "missed": tally.missed,
            "fmod": fmod,
            "MissingError": values.MissingError,
            "INFINITY": math.inf,
            "MismatchError": values.MismatchError,
            "FAILURES": (values.MismatchError, ArithmeticError, ValueError),
            "dynamic": values.dynamic_comparison,
            "compare_numbers": values.number_comparison,
            "first_of": first_of,
            **{
                name: getattr(values, name)
                for name in ("number", "real", "text", "truth", "instant", "finite", "power")
            },
        }

    def bind(self, value: object) -> str:
        """Put an object into the namespace and give the name under which the source finds it."""
        name = f"c{len(self._namespace)}"
        self._namespace[name] = value
        return name

    def define(self, source: str) -> None:
        """Add a function to the source."""
        self._definitions.append(source)

    def build(self) -> dict[str, object]:
        """Compile the source; gives the namespace with all functions in it."""
        source = "\n\n".join(self._definitions)
        exec(compile(source, "<statement>", "exec"), self._namespace)  # noqa: S102 - made here, holds no user text
        return self._namespace

    def condition(self, condition: Expression) -> str:
        """Write a condition as a Python expression that gives True or False."""
        match condition:
            case nodes.Boolean(value=value):
                return repr(value)
            case nodes.Not(operand=operand):
                return f"(not {self.condition(operand)})"
            case nodes.And(operands=operands):
                return f"({' and '.join(map(self.condition, operands))})"
            case nodes.Or(operands=operands):
                return f"({' or '.join(map(self.condition, operands))})"
            case nodes.Xor(operands=operands):
                return f"(({' , '.join(map(self.condition, operands))}).count(True) % 2 == 1)"
            case _:
                return self._plain(condition) or self._guarded(self._comparison(condition), condition)

    def column(self, expression: Expression) -> str:
        """Write a value as a Python expression that gives None when a record has nothing for it."""
        if isinstance(expression, nodes.Attribute):
            return self.local(expression)
        kind = kind_of(expression)
        written = self.value(expression, Kind.TEXT if kind is Kind.INSTANT else kind)
        return self._guarded(written, expression, missing="None", failed="None")

    def local(self, attribute: nodes.Attribute) -> str:
        """Name the local variable that holds an attribute."""
        return self.names[attribute.name]

    def _locals(self, expression: Expression) -> list[str]:
        """Name the local variables that an expression looks at, each once."""
        looked_at = (part for part in nodes.walk(expression) if isinstance(part, nodes.Attribute))
        return sorted(set(map(self.local, looked_at)))

    # Plain comparisons: an attribute and constants, no function call on the way.

    def _plain(self, condition: Expression) -> str | None:
        operands = nodes.children(condition)
        match condition:
            case nodes.Comparison(operator=operator, left=left, right=right):
                if isinstance(right, nodes.Attribute):
                    left, right, operator = right, left, _FLIPPED[operator]
                if not isinstance(left, nodes.Attribute) or nodes.attributes(right):
                    return None
                return self._plain_comparison(left, operator, right, common_kind(operands))
            case nodes.NullTest(operand=nodes.Attribute() as attribute, negated=negated):
                return f"({self.local(attribute)} is {'not ' if negated else ''}None)"
            case nodes.Like(operand=nodes.Attribute() as attribute, pattern=nodes.Text(value=pattern)):
                matcher = self.bind(values.like_matcher(pattern))
                negation = "not " if condition.negated else ""
                local = self.local(attribute)
                return self._checked(local, Kind.TEXT, f"{negation}{matcher}({local})")
            case nodes.Between() | nodes.Membership():
                return self._plain_range(condition, common_kind(operands))
            case _:
                return None

    def _plain_comparison(
        self, attribute: nodes.Attribute, operator: str, constant: Expression, kind: Kind | None
    ) -> str | None:
        local = self.local(attribute)
        if kind is Kind.NUMBER:
            return self._checked(local, kind, self._beside(operator, local, constant_number(constant)))
        if kind in _CLASSES and isinstance(constant, (nodes.Text, nodes.Boolean)):
            return self._checked(local, kind, f"{local} {_PYTHON[operator]} {self.bind(constant.value)}")
        return None

    def _beside(self, operator: str, written: str, constant: float) -> str:
        """Write the comparison of a number with a constant, whose tolerance is worked out here."""
        low, high = map(self.bind, values.bounds(constant))
        return {
            "=": f"{low} <= {written} <= {high}",
            "<>": f"not {low} <= {written} <= {high}",
            "<": f"{written} < {low}",
            "<=": f"{written} <= {high}",
            ">": f"{written} > {high}",
            ">=": f"{written} >= {low}",
        }[operator]

    def _plain_range(self, condition: nodes.Between | nodes.Membership, kind: Kind | None) -> str | None:
        operand, *others = nodes.children(condition)
        if not isinstance(operand, nodes.Attribute) or any(map(nodes.attributes, others)):
            return None
        local = self.local(operand)
        negation = "not " if condition.negated else ""
        if kind is Kind.NUMBER and isinstance(condition, nodes.Between):
            low = self.bind(values.bounds(constant_number(condition.low))[0])
            high = self.bind(values.bounds(constant_number(condition.high))[1])
            return self._checked(local, kind, f"{negation}{low} <= {local} <= {high}")
        texts = [item.value for item in others if isinstance(item, nodes.Text)]
        if kind is Kind.TEXT and isinstance(condition, nodes.Membership) and len(texts) == len(others):
            return self._checked(local, kind, f"{local} {negation}in {self.bind(frozenset(texts))}")
        return None

    def _checked(self, local: str, kind: Kind, written: str) -> str:
        if kind is Kind.NUMBER:
            check = f"{local}.__class__ is FLOAT or {local}.__class__ is INT"
        else:
            check = f"{local}.__class__ is {_CLASSES[kind]}"
        return f"({written} if {check} else missed({local}))"

    # Everything else: an expression that may raise, inside a function that answers for it.

    def _guarded(
        self, written: str, expression: Expression, missing: str = "missed(None)", failed: str = "missed(0)"
    ) -> str:
        name = f"g{len(self._definitions)}"
        parameters = ", ".join(self._locals(expression))
        self.define(
            f"def {name}({parameters}):\n"
            f"    try:\n        return {written}\n"
            f"    except MissingError:\n        return {missing}\n"
            f"    except FAILURES:\n        return {failed}"
        )
        return f"{name}({parameters})"

    def _comparison(self, condition: Expression) -> str:
        operands = nodes.children(condition)
        kind = common_kind(operands) or Kind.ANY
        match condition:
            case nodes.Comparison(operator=operator, left=left, right=right):
                if not nodes.attributes(left):  # the tolerance lies around the constant
                    left, right, operator = right, left, _FLIPPED[operator]
                written = self.value(left, kind)
                if kind is Kind.NUMBER and not nodes.attributes(right):
                    return self._beside(operator, written, constant_number(right))
                return self._compared(operator, written, self.value(right, kind), kind)
            case nodes.NullTest(operand=operand, negated=negated):
                own = kind_of(operand)
                written = self.value(operand, own)
                verdict = self.bind(is_null)
                raised = "lambda: " + written
                return f"{verdict}({raised}) is {not negated}"
            case nodes.Like(operand=operand, pattern=nodes.Text(value=pattern), negated=negated):
                matcher = self.bind(values.like_matcher(pattern))
                return f"{'not ' if negated else ''}{matcher}({self.value(operand, Kind.TEXT)})"
            case nodes.Between(operand=operand, low=low, high=high, negated=negated):
                return self._between((operand, low, high), kind, negated=negated)
            case nodes.Membership(operand=operand, items=items, negated=negated):
                return self._member(operand, items, kind, negated=negated)
            case _:
                raise TypeError(f"{type(condition).__name__} is no comparison")

    def _compared(self, operator: str, left: str, right: str, kind: Kind) -> str:
        if kind is Kind.NUMBER:
            return f"compare_numbers({operator!r}, {left}, {right})"
        if kind is Kind.ANY:
            return f"dynamic({operator!r}, {left}, {right})"
        return f"{left} {_PYTHON[operator]} {right}"

    def _between(self, operands: tuple[Expression, ...], kind: Kind, *, negated: bool) -> str:
        self_, low, high = (self.value(operand, kind) for operand in operands)
        lower = self._compared(">=", "x", "low", kind)
        upper = self._compared("<=", "x", "high", kind)
        name = f"g{len(self._definitions)}"
        # Both ends are judged, so that a missing one is found even when the other already decides.
        self.define(
            f"def {name}(x, low, high):\n    above = {lower}\n    below = {upper}\n    return above and below"
        )
        return f"{name}({self_}, {low}, {high}) is {not negated}"

    def _member(
        self, operand: Expression, items: tuple[Expression, ...], kind: Kind, *, negated: bool
    ) -> str:
        equals = {Kind.NUMBER: "compare_numbers", Kind.ANY: "dynamic"}.get(kind) or self.bind(same)
        written = ", ".join(f"lambda: {self.value(item, kind)}" for item in items)
        return f"{self.bind(among)}({equals}, {self.value(operand, kind)}, ({written},)) is {not negated}"

    # Values.

    def value(self, expression: Expression, kind: Kind) -> str:
        """Write a value as a kind; the expression raises when a record has none or one of another kind."""
        if not nodes.attributes(expression):
            return self.bind(constant(expression, kind))
        conversion = _CONVERSIONS.get(kind)
        match expression:
            case nodes.Attribute():
                local = self.local(expression)
                return f"{conversion}({local})" if conversion else local
            case nodes.Call(function="coalesce", arguments=arguments):
                chosen = self._coalesced(arguments)
                return f"{conversion}({chosen})" if conversion else chosen
            case _ if kind_of(expression) is Kind.NUMBER:
                return f"finite({self.real(expression)})"
            case nodes.Call():
                called = self._called(expression)
                return f"instant({called})" if kind is Kind.INSTANT else called
            case _:
                raise TypeError(f"{type(expression).__name__} is no value")

    def real(self, expression: Expression) -> str:
        """Write an operand of arithmetic, as a double that is not yet checked for infinity."""
        if not nodes.attributes(expression):
            return self.bind(float(constant_number(expression)))
        match expression:
            case nodes.Attribute():
                local = self.local(expression)
                return f"({local} if {local}.__class__ is FLOAT else real({local}))"
            case nodes.Signed(operator=operator, operand=operand):
                return f"({operator}{self.real(operand)})"
            case nodes.Arithmetic(operator=operator, left=left, right=right):
                first, second = self.real(left), self.real(right)
                function = {"%": "fmod", "^": "power"}.get(operator)
                return f"{function}({first}, {second})" if function else f"({first} {operator} {second})"
            case nodes.Call(function=function) if function != "coalesce":
                return self._called(expression)
            case _:
                return f"real({self.value(expression, Kind.ANY)})"

    def _called(self, call: nodes.Call) -> str:
        if call.function == "convert":
            return self._converted(call)
        function = FUNCTIONS[call.function]
        arguments: list[str] = []
        for index, argument in enumerate(call.arguments):
            if function.kind_of(index) is not Kind.NUMBER:
                arguments.append(self.value(argument, function.kind_of(index)))
            elif isinstance(argument, nodes.Attribute):
                arguments.append(self.real(argument))
            else:
                arguments.append(f"finite({self.real(argument)})")
        return f"{self.bind(function.compute)}({', '.join(arguments)})"

    def _converted(self, call: nodes.Call) -> str:
        """Write a conversion of units, worked out here: a product and a sum."""
        from streamhub.query.units import conversion  # noqa: PLC0415 - only who converts pays for it

        units = [part.value for part in call.arguments[1:] if isinstance(part, nodes.Text)]
        factor, offset = conversion(*units)
        product = f"{self.bind(factor)} * {self.real(call.arguments[0])}"
        return f"({product} + {self.bind(offset)})" if offset else f"({product})"

    def _coalesced(self, arguments: tuple[Expression, ...]) -> str:
        kinds = (kind_of(argument) for argument in arguments)
        shown = (Kind.TEXT if kind is Kind.INSTANT else kind for kind in kinds)  # read as a time by who asked
        written = ", ".join(f"lambda: {self.value(*pair)}" for pair in zip(arguments, shown, strict=True))
        return f"first_of(({written},))"
