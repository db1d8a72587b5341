"""Whether a statement means anything: sources, names, functions, and kinds that can meet.

Lives here: ``check_statement`` and ``check_condition``, which refuse, and ``kind_of`` and ``common_kind``,
which the emitter shares. Does not live here: the grammar, and everything that only a record can tell (its
values may be of any kind).
"""

import difflib
import re

from client.errors import InvalidNameError
from client.messaging.topics import SystemName, check_datastream
from streamhub.errors import QuerySyntaxError, QueryTypeError
from streamhub.query import nodes
from streamhub.query.functions import FUNCTIONS, Function, Kind
from streamhub.query.join_keys import join_keys
from streamhub.query.nodes import Expression, Position
from streamhub.query.rendering import render_expression
from streamhub.query.values import instant_or_none

__all__ = [
    "KEPT_MEMBERS",
    "KEY_ATTRIBUTES",
    "check_condition",
    "check_outputs",
    "check_statement",
    "column_name",
    "common_kind",
    "is_output",
    "kind_of",
]

KEY_ATTRIBUTES = frozenset({"name", "thing", "system"})
"""Attributes that the key of a record tells, without its value."""

KEPT_MEMBERS = ("phenomenonTime", "resultTime", "Datastream")
"""Members of a record that every projection keeps, since they say when and what it is."""

_KINDS = {
    **dict.fromkeys((*KEY_ATTRIBUTES, "unit"), Kind.TEXT),
    "phenomenonTime": Kind.INSTANT,
    "resultTime": Kind.INSTANT,
    "result": Kind.ANY,
}
_UNUSABLE = re.compile(r'\A\Z|[\x00-\x1f\\"]')  # would need escapes as the name of a JSON member
_SPELLINGS = {name.lower(): name for name in (*_KINDS, "time")}
_VALUES = (
    nodes.Number,
    nodes.Text,
    nodes.Boolean,
    nodes.Attribute,
    nodes.Signed,
    nodes.Arithmetic,
    nodes.Call,
)
_CONNECTIVES = (nodes.Not, nodes.And, nodes.Or, nodes.Xor)


def check_statement(tree: nodes.Statement, text: str) -> None:
    """Refuse a statement that cannot mean anything.

    Args:
        tree: What the parser made of the text.
        text: The text itself, for the errors.

    Raises:
        QuerySyntaxError: A source is no system name.
        QueryTypeError: Everything else.
    """
    _Checker(text).check(tree)


def check_condition(condition: Expression, text: str) -> None:
    """Refuse a condition on the records of one source that cannot mean anything.

    Args:
        condition: What the parser made of the text.
        text: The text itself, for the errors.

    Raises:
        QueryTypeError: It is no condition, or names a source.
    """
    _Checker(text).check_condition(condition)


def check_outputs(tree: nodes.Statement, text: str) -> None:
    """Refuse columns that cannot become Datastreams with their additional attributes.

    Args:
        tree: A statement that ``check_statement`` let pass.
        text: The text itself, for the errors.

    Raises:
        QueryTypeError: A Datastream cannot have this name, or an attribute would hide the result.
    """
    _Checker(text).check_outputs(tree)


def is_output(column: nodes.Column) -> bool:
    """Tell whether a column becomes a Datastream of its own: it is computed, or has a unit."""
    return column.unit is not None or not isinstance(column.expression, nodes.Attribute)


def kind_of(expression: Expression) -> Kind:
    """Tell what a value is, as far as the text tells; of an attribute that a device may fill: anything."""
    match expression:
        case nodes.Number() | nodes.Signed() | nodes.Arithmetic():
            return Kind.NUMBER
        case nodes.Text():
            return Kind.TEXT
        case nodes.Attribute(name=name):
            return _KINDS.get(name, Kind.ANY)
        case nodes.Call(function="coalesce", arguments=arguments):
            return common_kind(arguments) or Kind.ANY
        case nodes.Call(function=function):
            return FUNCTIONS[function].result
        case _:
            return Kind.TRUTH


def common_kind(operands: tuple[Expression, ...]) -> Kind | None:
    """Tell as what several values can be compared: times beside texts as times; None when they cannot."""
    kinds = {kind_of(operand) for operand in operands} - {Kind.ANY}
    if not kinds:
        return Kind.ANY
    if kinds == {Kind.INSTANT, Kind.TEXT}:
        return Kind.INSTANT
    return kinds.pop() if len(kinds) == 1 else None


def column_name(column: nodes.Column) -> str:
    """Name a column: what stands after AS, else the attribute, else the expression as it is written."""
    if column.name is not None:
        return column.name
    if isinstance(column.expression, nodes.Attribute):
        return column.expression.name
    return render_expression(column.expression)


class _Checker:
    """Walk a tree once and refuse at the first fault, in reading order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._aliases: frozenset[str] = frozenset()
        self._is_joined = False

    def check(self, tree: nodes.Statement) -> None:
        self._check_sources(tree)
        for column in tree.columns or ():
            self._check_value(column.expression)
            self._check_unit(column)
        self._check_names(tree)
        for join in tree.joins:
            if join.on is not None:
                self.check_condition(join.on)
        join_keys(tree, self._refusal)
        if tree.where is not None:
            self.check_condition(tree.where)

    def check_outputs(self, tree: nodes.Statement) -> None:
        columns = tree.columns or ()
        for column in columns:
            name = column_name(column)
            if not is_output(column):
                if name == "result" and any(map(is_output, columns)):
                    reason = "'result' is the result of the Datastreams; name this attribute with AS"
                    raise self._refusal(reason, column.at)
                continue
            try:
                check_datastream(name)
            except InvalidNameError as error:
                raise self._refusal(f"the column cannot become a Datastream: {error}", column.at) from error

    def _refusal(self, reason: str, at: Position, expected: tuple[str, ...] = ()) -> QueryTypeError:
        return QueryTypeError(reason, statement=self._text, line=at.line, column=at.column, expected=expected)

    def _check_sources(self, tree: nodes.Statement) -> None:
        several = len(tree.streams) > 1
        for source in tree.streams:
            if source.system != "*":
                self._check_system(source)
            elif several:
                raise self._refusal("'*' cannot be joined; name a system", source.at)
        if len(tree.sources) > 1:
            reason = "several sources are joined in time: write JOIN instead of the comma"
            raise self._refusal(reason, tree.sources[1].at, ("FROM a AS l JOIN b AS r WITHIN 1 s",))
        aliases: set[str] = set()
        for source in tree.streams:
            if source.alias is None:
                if several:
                    raise self._refusal(f"'{source.system}' needs a name, such as AS l", source.at)
                continue
            if source.alias in aliases:
                raise self._refusal(f"two sources are called '{source.alias}'", source.at)
            aliases.add(source.alias)
        self._aliases = frozenset(aliases)
        self._is_joined = several
        self._check_clauses(tree)

    def _check_clauses(self, tree: nodes.Statement) -> None:
        """Refuse what says how to join when nothing is joined, and lengths of time that are none."""
        for duration in (*(join.within for join in tree.joins), tree.max_latency, tree.lateness):
            if duration is not None and duration.amount > _LONGEST_D * 86_400_000:
                raise self._refusal(f"a length of time is at most {_LONGEST_D} d", duration.at)
            if duration is not None and duration.microseconds > _LONGEST_D * 86_400_000_000:
                raise self._refusal(f"a length of time is at most {_LONGEST_D} d", duration.at)
        stated = {"TIME": tree.time, "MAX LATENCY": tree.max_latency, "LATENESS": tree.lateness}
        for word, clause in stated.items():
            if clause is not None and not tree.joins:
                at = clause.at if isinstance(clause, nodes.Duration) else tree.at
                raise self._refusal(f"{word} says how sources are joined; this statement has no JOIN", at)

    def _check_system(self, source: nodes.Source) -> None:
        try:
            SystemName.parse(source.system)
        except InvalidNameError as error:
            at = source.at
            reason = f"'{source.system}' is not a system name: {error}"
            raise QuerySyntaxError(reason, statement=self._text, line=at.line, column=at.column) from error

    def _check_unit(self, column: nodes.Column) -> None:
        if column.unit is None:
            return
        if column.name is None and not isinstance(column.expression, nodes.Attribute):
            raise self._refusal("a column with a unit becomes a Datastream; name it with AS", column.at)
        if kind_of(column.expression) not in {Kind.NUMBER, Kind.ANY}:
            reason = f"a unit belongs to a number; {_described(column.expression)}"
            raise self._refusal(reason, column.at)

    def _check_names(self, tree: nodes.Statement) -> None:
        seen: set[str] = set()
        for column in tree.columns or ():
            name = column_name(column)
            own = isinstance(column.expression, nodes.Attribute) and column.expression.name == name
            if name in KEPT_MEMBERS and (tree.joins or not own):
                reason = f"'{name}' is kept as it is and cannot name another column"
                if tree.joins:
                    reason = f"'{name}' is a member of the result; give the column another name with AS"
                raise self._refusal(reason, column.at)
            if name in seen:
                raise self._refusal(f"two columns are named '{name}'; name one with AS", column.at)
            seen.add(name)

    def check_condition(self, expression: Expression) -> None:
        if isinstance(expression, _CONNECTIVES):
            for operand in nodes.children(expression):
                self.check_condition(operand)
        elif isinstance(expression, _VALUES):
            if not isinstance(expression, nodes.Boolean):
                shown = _excerpt(expression)
                raise self._refusal(
                    f"{shown} is a value, not a condition",
                    expression.at,
                    (f"a comparison such as {shown} = 1",),
                )
        else:
            self._check_comparison(expression)

    def _check_comparison(self, expression: Expression) -> None:
        operands = nodes.children(expression)
        for operand in operands:
            self._check_value(operand)
        if not nodes.attributes(expression):
            raise self._refusal("a comparison needs an attribute, such as name or result", expression.at)
        match expression:
            case nodes.Like():
                self._check_like(expression)
                return
            case nodes.NullTest():
                return
            case nodes.Comparison(operator=operator):
                ordered = operator not in {"=", "<>"}
            case _:
                ordered = isinstance(expression, nodes.Between)
        self._check_meeting(operands, ordered=ordered)

    def _check_meeting(self, operands: tuple[Expression, ...], *, ordered: bool) -> None:
        common = common_kind(operands)
        if common is None:
            first = next(operand for operand in operands if kind_of(operand) is not Kind.ANY)
            other = next(operand for operand in operands if common_kind((first, operand)) is None)
            raise self._refusal(f"{_described(first)} cannot be compared with {_described(other)}", other.at)
        if common is Kind.TRUTH and ordered:
            raise self._refusal("TRUE and FALSE have no order; compare them with = or <>", operands[0].at)
        if common is Kind.INSTANT:
            for operand in operands:
                self._check_instant(operand)

    def _check_like(self, like: nodes.Like) -> None:
        if not isinstance(like.pattern, nodes.Text):
            raise self._refusal("the pattern of LIKE is a text in single quotes", like.pattern.at)
        self._check_kind(like.operand, Kind.TEXT, "LIKE")

    def _check_instant(self, operand: Expression) -> None:
        if isinstance(operand, nodes.Text) and instant_or_none(operand.value) is None:
            raise self._refusal(
                f"{_excerpt(operand)} is not a time",
                operand.at,
                ("ISO 8601, such as '2026-01-31T12:00:00Z'",),
            )

    def _check_value(self, expression: Expression) -> None:
        if not isinstance(expression, _VALUES):
            raise self._refusal(
                "a condition cannot be used as a value; join conditions with AND, OR, XOR", expression.at
            )
        for operand in nodes.children(expression):
            self._check_value(operand)
        match expression:
            case nodes.Attribute():
                self._check_attribute(expression)
            case nodes.Signed(operator=operator) | nodes.Arithmetic(operator=operator):
                for operand in nodes.children(expression):
                    self._check_kind(operand, Kind.NUMBER, f"'{operator}'")
            case nodes.Call():
                self._check_call(expression)

    def _check_attribute(self, attribute: nodes.Attribute) -> None:
        if attribute.qualifier is None and self._is_joined:
            written = render_expression(attribute)
            choices = tuple(f"{alias}.{written}" for alias in sorted(self._aliases))
            raise self._refusal(f"{written} of which source? Put its name in front", attribute.at, choices)
        if attribute.qualifier is not None and attribute.qualifier not in self._aliases:
            known = ", ".join(sorted(self._aliases)) or "none; give the source one with AS"
            raise self._refusal(f"no source is called '{attribute.qualifier}' (known: {known})", attribute.at)
        if _UNUSABLE.search(attribute.name):
            reason = 'the name of an attribute cannot be empty or contain \\, " or control characters'
            raise self._refusal(reason, attribute.at)
        spelling = _SPELLINGS.get(attribute.name.lower(), attribute.name)
        if spelling != attribute.name and not attribute.quoted:
            reason = f"names are case-sensitive: '{attribute.name}' is not '{spelling}'"
            hint = f'{spelling}, or "{attribute.name}" for an additional attribute of that name'
            raise self._refusal(reason, attribute.at, (hint,))

    def _check_call(self, call: nodes.Call) -> None:
        function = FUNCTIONS.get(call.function)
        if function is None:
            near = difflib.get_close_matches(call.function, FUNCTIONS, n=3, cutoff=0.5)
            names = tuple(f"{name}()" for name in near) or ("one of " + ", ".join(FUNCTIONS),)
            raise self._refusal(f"unknown function '{call.function}'", call.at, names)
        self._check_arity(call, function)
        for index, argument in enumerate(call.arguments):
            self._check_kind(argument, function.kind_of(index), f"{call.function}()")
        if call.function == "coalesce":
            self._check_meeting(call.arguments, ordered=False)
        if call.function == "convert":
            self._check_conversion(call)

    def _check_conversion(self, call: nodes.Call) -> None:
        from streamhub.query.units import UnitError, conversion  # noqa: PLC0415 - only who converts pays for it

        units: list[str] = []
        for unit in call.arguments[1:]:
            if not isinstance(unit, nodes.Text):
                reason = "the units of convert() are texts in single quotes"
                raise self._refusal(reason, unit.at, ("UCUM, such as convert(result, 'Cel', 'K')",))
            units.append(unit.value)
        try:
            conversion(*units)
        except UnitError as error:
            raise self._refusal(str(error), call.arguments[1].at) from error

    def _check_arity(self, call: nodes.Call, function: Function) -> None:
        given = len(call.arguments)
        most = given if function.variadic else len(function.parameters)
        if not function.least <= given <= most:
            reason = f"{call.function}() takes {function.arity} argument(s), not {given}"
            raise self._refusal(reason, call.at)

    def _check_kind(self, operand: Expression, wanted: Kind, what: str) -> None:
        kind = kind_of(operand)
        fits = kind is wanted or Kind.ANY in {kind, wanted} or {kind, wanted} == {Kind.TEXT, Kind.INSTANT}
        if not fits:
            raise self._refusal(f"{what} needs {wanted.value}; {_described(operand)}", operand.at)
        if wanted is Kind.INSTANT:
            self._check_instant(operand)


def _excerpt(expression: Expression) -> str:
    text = render_expression(expression)
    return text if len(text) <= _EXCERPT_CHARACTERS else text[:_EXCERPT_CHARACTERS] + "..."


_EXCERPT_CHARACTERS = 40
_LONGEST_D = 36_525  # a century


def _described(expression: Expression) -> str:
    return f"{_excerpt(expression)} is {kind_of(expression).value}"
