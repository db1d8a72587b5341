"""The writer of query options: from nodes back to the text of a URL, for `@iot.nextLink`.

What lives here: the inverse of `sensorthings.odata.parser`; parsing what is written gives the same nodes.
What does not: paging.
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import quote

from sensorthings.odata.nodes import (
    Call,
    GeographyLiteral,
    Junction,
    Literal,
    Membership,
    Negation,
    Node,
    Operation,
    Options,
    Path,
    PeriodLiteral,
    Quantified,
)

_SAFE = "$=(),;/:'@-._~!*"


def write_query(options: Options) -> str:
    """Write options as the query part of a URL, percent-encoded, without `?`."""
    return "&".join(quote(part, safe=_SAFE) for part in _parts(options))


def write_further(options: Options) -> str:
    """Write options as the beginning of the query part of a next link: without `$skip`, ready for a token."""
    written = write_query(replace(options, skip=0))
    return f"{written}&" if written else ""


def write_node(node: Node) -> str:
    """Write an expression; every operation in parentheses, so that no precedence matters."""
    if isinstance(node, Literal):
        return _literal(node)
    if isinstance(node, PeriodLiteral):
        return f"{_instant(node.start)}/{_instant(node.end)}"
    if isinstance(node, GeographyLiteral):
        return f"geography'{node.text}'"
    if isinstance(node, Path):
        return _path(node)
    return _composite(node)


def _quantified(node: Quantified) -> str:
    inside = f"{node.variable}:{write_node(node.condition)}" if node.variable else ""
    return f"{'/'.join(node.steps)}/{node.quantifier}({inside})"


def _composite(node: Call | Operation | Membership | Junction | Negation | Quantified) -> str:
    if isinstance(node, Quantified):
        return _quantified(node)
    if isinstance(node, Call):
        return f"{node.name}({','.join(write_node(argument) for argument in node.arguments)})"
    if isinstance(node, Operation):
        return f"({write_node(node.left)} {node.operator} {write_node(node.right)})"
    if isinstance(node, Membership):
        return f"({write_node(node.operand)} in ({','.join(write_node(value) for value in node.values)}))"
    if isinstance(node, Junction):
        return "(" + f" {node.operator} ".join(write_node(part) for part in node.parts) + ")"
    return f"(not {write_node(node.operand)})"


def _path(node: Path) -> str:
    written = node.steps[0]
    for step in node.steps[1:]:
        written += f"[{step}]" if step.isdigit() else f"/{step}"
    return written


def _literal(node: Literal) -> str:
    value = node.value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return _time_literal(value)


def _number(value: Decimal) -> str:
    written = f"{value:f}"
    return written if "." in written else f"{written}.0"


def _time_literal(value: datetime | date | time | timedelta) -> str:
    if isinstance(value, timedelta):
        sign = "-" if value < timedelta(0) else ""
        length = abs(value)
        return f"duration'{sign}P{length.days}DT{length.seconds}.{length.microseconds:06}S'"
    return _instant(value) if isinstance(value, datetime) else value.isoformat()


def _instant(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _parts(options: Options) -> list[str]:
    parts: list[str] = []
    if options.where is not None:
        parts.append(f"$filter={write_node(options.where)}")
    if options.order:
        keys = (
            f"{write_node(key.expression)}{' desc' if key.is_descending else ''}" for key in options.order
        )
        parts.append(f"$orderby={','.join(keys)}")
    if options.select is not None:
        parts.append(f"$select={','.join(options.select)}")
    if options.expand:
        parts.append("$expand=" + ",".join(_expanded(name, inner) for name, inner in options.expand.items()))
    if options.top is not None:
        parts.append(f"$top={options.top}")
    if options.skip:
        parts.append(f"$skip={options.skip}")
    if options.is_counted is not None:
        parts.append(f"$count={str(options.is_counted).lower()}")
    return parts


def _expanded(name: str, options: Options) -> str:
    parts = _parts(options)
    return f"{name}({';'.join(parts)})" if parts else name
