"""From tree back to text: what is stored, shown and put together is always the text of a tree.

Lives here: ``render_statement`` and ``render_expression``. Reading the text again gives an equal tree. Does
not live here: the text of errors (``expectations``).
"""

import re

from streamhub.query import nodes
from streamhub.query.nodes import Expression

__all__ = ["render_expression", "render_statement"]

_PLAIN = re.compile(r"[^\W\d]\w*")
_RESERVED = frozenset(
    {
        *("select", "from", "where", "as", "xor", "or", "and", "not"),
        *("between", "in", "like", "is", "null", "true", "false"),
    }
)
_KNOWN = ("name", "thing", "system", "result", "phenomenonTime", "resultTime", "time", "unit")

# How tightly each construct holds together, loosest first; an operand that is looser than its place needs
# brackets.
_XOR, _OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(10)
_CONNECTIVES = {nodes.Xor: ("XOR", _XOR), nodes.Or: ("OR", _OR), nodes.And: ("AND", _AND)}
_ARITHMETIC = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT, "^": _POWER}


def render_statement(statement: nodes.Statement) -> str:
    """Write a statement on one line, with the final semicolon."""
    columns = "*" if statement.columns is None else ", ".join(map(_column, statement.columns))
    parts = ["EXPLAIN"] if statement.explain else []
    parts += ["SELECT", columns, "FROM", ", ".join(map(_source, statement.sources))]
    parts += map(_join, statement.joins)
    if statement.where is not None:
        parts.append(f"WHERE {render_expression(statement.where)}")
    if statement.time is not None:
        parts.append(f"TIME {statement.time}")
    if statement.max_latency is not None:
        parts.append(f"MAX LATENCY {_duration(statement.max_latency)}")
    if statement.lateness is not None:
        parts.append(f"LATENESS {_duration(statement.lateness)}")
    return " ".join(parts) + ";"


def render_expression(expression: Expression) -> str:
    """Write a condition or a value with no more brackets than needed."""
    return _render(expression, _XOR)


def _column(column: nodes.Column) -> str:
    name = "" if column.name is None else f" AS {_identifier(column.name, label=True)}"
    unit = "" if column.unit is None else f" UNIT {_quoted(column.unit)}"
    return render_expression(column.expression) + name + unit


def _source(source: nodes.Source) -> str:
    return source.system if source.alias is None else f"{source.system} AS {source.alias}"


def _join(join: nodes.Join) -> str:
    parts = [f"JOIN {_source(join.source)}"]
    if join.within is not None:
        parts.append(f"WITHIN {_duration(join.within)}")
    if join.on is not None:
        parts.append(f"ON {render_expression(join.on)}")
    return " ".join(parts)


def _duration(duration: nodes.Duration) -> str:
    return f"{duration.amount!r} {duration.unit}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(name: str, *, label: bool = False) -> str:
    misspelt = not label and name not in _KNOWN and name.lower() in {known.lower() for known in _KNOWN}
    if _PLAIN.fullmatch(name) and name.lower() not in _RESERVED and not misspelt:
        return name
    return '"' + name.replace('"', '""') + '"'


def _render(expression: Expression, place: int) -> str:
    text, tightness = _written(expression)
    return f"({text})" if tightness < place else text


def _written(expression: Expression) -> tuple[str, int]:
    """Write an expression without outer brackets and tell how tightly it holds together."""
    match expression:
        case nodes.Xor() | nodes.Or() | nodes.And():
            word, place = _CONNECTIVES[type(expression)]
            written = f" {word} ".join(_render(operand, place + 1) for operand in expression.operands), place
        case nodes.Not(operand=operand):
            written = f"NOT {_render(operand, _NOT)}", _NOT
        case nodes.Signed(operator=operator, operand=operand):
            written = operator + _render(operand, _SIGN), _SIGN
        case nodes.Arithmetic():
            written = _arithmetic(expression), _ARITHMETIC[expression.operator]
        case nodes.Number() | nodes.Text() | nodes.Boolean() | nodes.Attribute() | nodes.Call():
            written = _atom(expression), _ATOM
        case _:
            written = _comparison(expression), _COMPARISON
    return written


def _atom(atom: nodes.Number | nodes.Text | nodes.Boolean | nodes.Attribute | nodes.Call) -> str:
    match atom:
        case nodes.Number(value=value):
            return repr(value)
        case nodes.Text(value=value):
            return _quoted(value)
        case nodes.Boolean(value=value):
            return "TRUE" if value else "FALSE"
        case nodes.Attribute(name=name, qualifier=qualifier):
            return _identifier(name) if qualifier is None else f"{qualifier}.{_identifier(name)}"
        case nodes.Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(render_expression, arguments))})"


def _arithmetic(arithmetic: nodes.Arithmetic) -> str:
    place = _ARITHMETIC[arithmetic.operator]
    if place == _POWER:
        return f"{_render(arithmetic.left, _ATOM)} ^ {_render(arithmetic.right, _SIGN)}"
    left = _render(arithmetic.left, place)
    return f"{left} {arithmetic.operator} {_render(arithmetic.right, place + 1)}"


def _comparison(comparison: Expression) -> str:
    match comparison:
        case nodes.Comparison(operator=operator, left=left, right=right):
            return f"{_render(left, _SUM)} {operator} {_render(right, _SUM)}"
        case nodes.Between(operand=operand, low=low, high=high, negated=negated):
            ends = f"{_render(low, _SUM)} AND {_render(high, _SUM)}"
            return f"{_render(operand, _SUM)} {_negation(negated)}BETWEEN {ends}"
        case nodes.Membership(operand=operand, items=items, negated=negated):
            listed = ", ".join(_render(item, _SUM) for item in items)
            return f"{_render(operand, _SUM)} {_negation(negated)}IN ({listed})"
        case nodes.Like(operand=operand, pattern=pattern, negated=negated):
            return f"{_render(operand, _SUM)} {_negation(negated)}LIKE {_render(pattern, _SUM)}"
        case nodes.NullTest(operand=operand, negated=negated):
            return f"{_render(operand, _SUM)} IS {_negation(negated)}NULL"
        case _:
            raise TypeError(f"{type(comparison).__name__} is no expression")


def _negation(negated: bool) -> str:  # noqa: FBT001 - the node's own field
    return "NOT " if negated else ""
