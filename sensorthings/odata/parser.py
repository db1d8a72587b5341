"""The parser of query options: text in, nodes out, every mistake an error with its column.

What lives here: building nodes while lark's LALR parser reads (no recursion, so depth cannot exhaust the
stack), and the limits on length and depth. What does not: the URL (`sensorthings.odata.options`) and meaning
(`sensorthings.queries`).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from sensorthings.errors import QuerySyntaxError
from sensorthings.model.times import parse_clock, parse_date, parse_duration, parse_instant, parse_period
from sensorthings.odata.grammar import GRAMMAR
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
    OrderKey,
    Path,
    PeriodLiteral,
    Quantified,
    depth_of,
)

MAX_LENGTH = 16_384
"""Longest text of one query option [characters]."""
MAX_DEPTH = 40
"""Deepest nesting of an expression or of expands; keeps later recursion far from Python's limit."""
MAX_DIGITS = 400
"""Most digits of a number; larger ones cannot be what was meant."""

_T = TypeVar("_T")


class _MistakeError(ValueError):
    """A mistake found while a node is built; the entry points add the option's name."""


def _read(read: Callable[[str], _T], text: str) -> _T:
    try:
        return read(text)
    except ValueError as error:
        raise _MistakeError(str(error)) from None


def _checked_depth(*nodes: Node) -> int:
    depth = depth_of(*nodes) + 1
    if depth > MAX_DEPTH:
        raise _MistakeError(f"nested deeper than {MAX_DEPTH} levels")
    return depth


def _decimal(text: str) -> Decimal:
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 4 or abs(int(exponent or 0)) > MAX_DIGITS:  # noqa: PLR2004
        raise _MistakeError(f"the number {text[:20]}... is out of range")
    return Decimal(text)


def _merged(first: Options | None, second: Options) -> Options:
    """Join what two paths say of one relation, as in `$expand=A/B,A/C`."""
    if first is None:
        return second
    clash = first.given & second.given - {"$expand"}
    if clash:
        raise _MistakeError(f"{', '.join(sorted(clash))} given twice for the same relation")
    expand = dict(first.expand)
    for name, options in second.expand.items():
        expand[name] = _merged(expand.get(name), options)
    changes = {
        field: getattr(second, field)
        for option, field in _FIELDS.items()
        if option in second.given and option != "$expand"
    }
    return replace(first, **changes, expand=expand, given=first.given | second.given)


_FIELDS = {
    "$filter": "where",
    "$orderby": "order",
    "$select": "select",
    "$expand": "expand",
    "$top": "top",
    "$skip": "skip",
    "$count": "is_counted",
}


def _size(token: Token) -> int:
    if len(token) > 15:  # noqa: PLR2004 - far above any number of entities, far below 64 bits
        raise _MistakeError(f"{token[:20]}... is too large")
    number = int(token)
    if number < 0:
        raise _MistakeError(f"{number} is negative; a whole number from 0 is needed")
    return number


def _expand_depth(options: Options) -> int:
    return 1 + max((_expand_depth(inner) for inner in options.expand.values()), default=0)


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Builds nodes bottom-up, called by the LALR parser as it reduces."""

    def filter(self, node: Node) -> Node:
        return node

    def disjunction(self, *parts: Node) -> Node:
        return parts[0] if len(parts) == 1 else Junction("or", parts, _checked_depth(*parts))

    def conjunction(self, *parts: Node) -> Node:
        return parts[0] if len(parts) == 1 else Junction("and", parts, _checked_depth(*parts))

    def negation(self, operand: Node) -> Node:
        return Negation(operand, _checked_depth(operand))

    def operation(self, left: Node, operator: Token, right: Node) -> Node:
        return Operation(str(operator), left, right, _checked_depth(left, right))

    def membership(self, operand: Node, values: tuple[Node, ...]) -> Node:
        return Membership(operand, values, _checked_depth(operand, *values))

    def call(self, name: Token, arguments: tuple[Node, ...] | None) -> Node:
        given = arguments or ()
        return Call(str(name), given, _checked_depth(*given))

    def quantified(
        self, steps: tuple[str, ...], quantifier: Token, variable: Token | None, condition: Node | None
    ) -> Node:
        if variable is None or condition is None:
            if quantifier == "all":
                raise _MistakeError("all needs a condition, as in Datastreams/all(x:x/name ne '')")
            return Quantified(steps, "any", "", Literal(True))
        depth = _checked_depth(condition)
        return Quantified(steps, str(quantifier), str(variable), condition, depth)

    def arguments(self, *nodes: Node) -> tuple[Node, ...]:
        return nodes

    def path(self, steps: tuple[str, ...]) -> Node:
        return Path(steps)

    def steps(self, *parts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for part in parts for name in part)

    def step(self, name: Token, *indexes: Token) -> tuple[str, ...]:
        return (str(name), *(str(_size(index)) for index in indexes))

    def index(self, token: Token) -> tuple[str, ...]:
        return (str(_size(token)),)

    def null(self) -> Node:
        return Literal(None)

    def true(self) -> Node:
        return Literal(True)

    def false(self) -> Node:
        return Literal(False)

    def integer(self, token: Token) -> Node:
        if len(token) > MAX_DIGITS:
            raise _MistakeError(f"the number {token[:20]}... is out of range")
        return Literal(int(token))

    def number(self, token: Token) -> Node:
        return Literal(_decimal(str(token)))

    def text(self, token: Token) -> Node:
        return Literal(token[1:-1].replace("''", "'"))

    def period(self, token: Token) -> Node:
        return PeriodLiteral(*_read(parse_period, str(token)))

    def instant(self, token: Token) -> Node:
        return Literal(_read(parse_instant, str(token)))

    def day(self, token: Token) -> Node:
        return Literal(_read(parse_date, str(token)))

    def clock(self, token: Token) -> Node:
        return Literal(_read(parse_clock, str(token)))

    def duration(self, token: Token) -> Node:
        return Literal(_read(parse_duration, token.removeprefix("duration").strip("'")))

    def geography(self, token: Token) -> Node:
        return GeographyLiteral(token.removeprefix("geography").strip("'"), token.column or 0)

    def orderby(self, *keys: OrderKey) -> tuple[OrderKey, ...]:
        return keys

    def order_key(self, expression: Node, direction: Token | None) -> OrderKey:
        return OrderKey(expression, direction is not None and direction.lower() == "desc")

    def select(self, *names: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))

    def select_path(self, *names: Token) -> str:
        if len(names) > 1:
            raise _MistakeError(f"{'/'.join(names)}: only whole properties and relations can be selected")
        return str(names[0])

    def expand(self, *items: tuple[str, Options]) -> dict[str, Options]:
        merged: dict[str, Options] = {}
        for name, options in items:
            merged[name] = _merged(merged.get(name), options)
            if _expand_depth(merged[name]) > MAX_DEPTH // 2:
                raise _MistakeError(f"expands nested deeper than {MAX_DEPTH // 2} levels")
        return merged

    def expand_item(self, *parts: Token | tuple[str, Any] | None) -> tuple[str, Options]:
        names = [str(part) for part in parts if isinstance(part, Token)]
        given: dict[str, Any] = {}
        for option, value in (part for part in parts if type(part) is tuple):
            if option in given:
                raise _MistakeError(f"{option} given twice for {names[-1]}")
            given[option] = value
        options = Options(
            **{_FIELDS[option]: value for option, value in given.items()}, given=frozenset(given)
        )
        for name in reversed(names[1:]):
            options = Options(expand={name: options}, given=frozenset({"$expand"}))
        return names[0], options

    def filter_option(self, node: Node) -> tuple[str, Node]:
        return "$filter", node

    def orderby_option(self, keys: tuple[OrderKey, ...]) -> tuple[str, tuple[OrderKey, ...]]:
        return "$orderby", keys

    def select_option(self, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        return "$select", names

    def expand_option(self, items: dict[str, Options]) -> tuple[str, dict[str, Options]]:
        return "$expand", items

    def top_option(self, token: Token) -> tuple[str, int]:
        return "$top", _size(token)

    def skip_option(self, token: Token) -> tuple[str, int]:
        return "$skip", _size(token)

    def counted_option(self) -> tuple[str, bool]:
        return "$count", True

    def uncounted_option(self) -> tuple[str, bool]:
        return "$count", False


_STARTS = ("filter", "orderby", "select", "expand")
_PARSER = Lark(
    GRAMMAR, parser="lalr", start=list(_STARTS), transformer=_Builder(), maybe_placeholders=True, regex=False
)


def parse_filter(text: str) -> Node:
    """Read the text of `$filter`.

    Raises:
        QuerySyntaxError: The text is no expression.
    """
    node: Node = _parse("$filter", text)
    return node


def parse_orderby(text: str) -> tuple[OrderKey, ...]:
    """Read the text of `$orderby`.

    Raises:
        QuerySyntaxError: The text is no list of keys.
    """
    keys: tuple[OrderKey, ...] = _parse("$orderby", text)
    return keys


def parse_select(text: str) -> tuple[str, ...]:
    """Read the text of `$select`.

    Raises:
        QuerySyntaxError: The text is no list of names.
    """
    names: tuple[str, ...] = _parse("$select", text)
    return names


def parse_expand(text: str) -> dict[str, Options]:
    """Read the text of `$expand`, nested options included.

    Raises:
        QuerySyntaxError: The text is no list of relations.
    """
    items: dict[str, Options] = _parse("$expand", text)
    return items


def _parse(option: str, text: str) -> Any:  # noqa: ANN401 - each start rule has its own type
    if len(text) > MAX_LENGTH:
        raise QuerySyntaxError(option, f"longer than {MAX_LENGTH} characters")
    try:
        return _PARSER.parse(text, start=option.removeprefix("$"))
    except _MistakeError as error:
        raise QuerySyntaxError(option, str(error)) from None
    except UnexpectedInput as error:
        raise QuerySyntaxError(option, _explain(error), column=_column(error, text)) from None


def _column(error: UnexpectedInput, text: str) -> int:
    is_end = isinstance(error, UnexpectedEOF) or (
        isinstance(error, UnexpectedToken) and error.token.type == "$END"
    )
    return len(text) + 1 if is_end else error.column


def _explain(error: UnexpectedInput) -> str:
    if isinstance(error, UnexpectedToken):
        found = "the end" if error.token.type == "$END" else repr(str(error.token))
        return f"unexpected {found}; expected {_expected(error.accepts or error.expected)}"
    if isinstance(error, UnexpectedCharacters):
        return f"unexpected character {error.char!r}; expected {_expected(error.allowed or ())}"
    return "unexpected end"


_NAMES = {
    "EQUALITY": "eq or ne",
    "ORDER": "gt, ge, lt or le",
    "SUM": "add or sub",
    "PRODUCT": "mul, div or mod",
    "DIRECTION": "asc or desc",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "SLASH": "'/'",
    "LSQB": "'['",
    "RSQB": "']'",
    "SEMICOLON": "';'",
    "EQUAL": "'='",
    "NAME": "a name",
    "TEXT": "a text in single quotes",
    "INTEGER": "a whole number",
    "$END": "the end",
}


def _expected(terminals: Iterable[str]) -> str:
    names = sorted({_NAMES.get(terminal, terminal.lower()) for terminal in terminals})
    return ", ".join(names) or "something else"
