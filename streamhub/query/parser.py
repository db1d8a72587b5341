"""From text to tree: the grammar at work, its limits, and errors that a person can act on.

Lives here: ``parse_statement``, ``parse_condition`` and the translation of the parser's complaints. Does not
live here: the grammar itself (``grammar.lark``), the tree (``nodes``), whether a tree means anything
(``checker``).

How it works: Lark's LALR(1) tables drive a loop, not a recursion, and build the nodes bottom-up, so neither
a long nor a deeply nested text can exhaust the stack; the depth is then bounded before anything recursive
sees it.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken

from streamhub.errors import QuerySyntaxError
from streamhub.query import nodes
from streamhub.query.expectations import expectation, hint
from streamhub.query.nodes import Expression, Position

__all__ = ["MAX_NESTING", "MAX_STATEMENT_LENGTH", "parse_condition", "parse_statement"]

MAX_STATEMENT_LENGTH = 65_536
"""Longest statement [characters]; the size of the field in which the platform keeps one."""

MAX_NESTING = 64
"""Deepest nesting of brackets, and of operators inside each other."""

_ALIASES = {"time": "phenomenonTime"}
_SHOWN_CHARACTERS = 40
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MAX_DIGITS = 310  # more digits than the largest IEEE double has

_BEGINNINGS = {"statement": "start", "condition": "condition"}  # what a text is, to the rule that it follows
_UNITS_OF_TIME = ("ms", "s", "min", "h", "d")


@dataclass(frozen=True, slots=True)
class _Clause:
    """A part of a statement that may stand in several places, but only once.

    Attributes:
        word: The words that open it.
        content: What follows them.
        at: Where it starts.
    """

    word: str
    content: "nodes.Node | str"
    at: Position


_Child = Token | Expression | nodes.Node | _Clause | None


class _Refusal(Exception):  # noqa: N818 - never leaves this module
    """Carry a fault found while building nodes to where the statement is known."""

    def __init__(self, reason: str, at: Position) -> None:
        self.reason = reason
        self.at = at
        super().__init__(reason)


def parse_statement(statement: str) -> nodes.Statement:
    """Read a statement.

    Args:
        statement: The whole text, the final semicolon optional.

    Returns:
        The tree, not yet checked for meaning.

    Raises:
        QuerySyntaxError: When the text does not follow the grammar, is too long or too deeply nested.
    """
    tree = _parsed(statement, "statement")
    if not isinstance(tree, nodes.Statement):
        raise TypeError(f"the grammar built {type(tree).__name__} instead of a statement")
    roots = [column.expression for column in tree.columns or ()]
    roots += [] if tree.where is None else [tree.where]
    roots += [join.on for join in tree.joins if join.on is not None]
    _bound_depth(roots, statement)
    return tree


def parse_condition(condition: str) -> Expression:
    """Read what may stand after WHERE, when it stands alone.

    The whole text is the condition: nothing in it can end it early, so it can be put together with other
    conditions as a tree.

    Args:
        condition: The whole text, without WHERE and without semicolon.

    Returns:
        The tree, not yet checked for meaning.

    Raises:
        QuerySyntaxError: When the text does not follow the grammar, is too long or too deeply nested.
    """
    tree = _parsed(condition, "condition")
    if not isinstance(tree, Expression):
        raise TypeError(f"the grammar built {type(tree).__name__} instead of a condition")
    _bound_depth([tree], condition)
    return tree


def _parsed(text: str, what: str) -> object:
    """Read a text by one of the grammar's two beginnings, within the bounds of what may follow it."""
    if len(text) > MAX_STATEMENT_LENGTH:
        raise QuerySyntaxError(
            f"the {what} has {len(text)} characters, more than the {MAX_STATEMENT_LENGTH} allowed",
            statement=text,
            line=1,
            column=1,
        )
    _refuse_surrogates(text)
    _bound_brackets(text)
    try:
        return _parser().parse(text, start=_BEGINNINGS[what])
    except UnexpectedInput as error:
        raise _translated(error, text, what) from None
    except _Refusal as refusal:
        raise _refused(refusal.reason, refusal.at, text) from None


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    starts = list(_BEGINNINGS.values())
    return Lark(grammar, parser="lalr", start=starts, maybe_placeholders=True, transformer=_NodeBuilder())


def _refused(reason: str, at: Position, statement: str) -> QuerySyntaxError:
    return QuerySyntaxError(reason, statement=statement, line=at.line, column=at.column)


def _refuse_surrogates(statement: str) -> None:
    """Refuse a text that cannot be written as UTF-8, such as one read from bytes that were not UTF-8."""
    found = _SURROGATE.search(statement)
    if found is not None:
        before = statement[: found.start()]
        at = Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        raise _refused("this is no Unicode character; the statement is not UTF-8", at, statement)


def _bound_brackets(statement: str) -> None:
    """Refuse a text whose brackets nest too deeply, before any table is consulted."""
    depth = 0
    quote = ""
    line, start = 1, 0
    for index, character in enumerate(statement):
        if character == "\n":
            line, start = line + 1, index + 1
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "(":
            depth += 1
            if depth > MAX_NESTING:
                reason = f"brackets are nested more than {MAX_NESTING} deep"
                raise _refused(reason, Position(line, index - start + 1), statement)
        elif character == ")":
            depth -= 1


def _bound_depth(roots: Iterable[Expression], statement: str) -> None:
    """Refuse expressions too deep for what follows, which may recurse."""
    waiting = [(root, 1) for root in roots]
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_NESTING:
            reason = f"operators are nested more than {MAX_NESTING} deep; write the expression in parts"
            raise _refused(reason, part.at, statement)
        waiting.extend((child, depth + 1) for child in nodes.children(part))


def _translated(error: UnexpectedInput, statement: str, what: str) -> QuerySyntaxError:
    if isinstance(error, UnexpectedToken):
        token = error.token
        at_end = token.type == "$END"
        at = _end_of(statement) if at_end else Position(token.line or 1, token.column or 1)
        reason = f"the {what} ends too early" if at_end else f"unexpected {_shown(token)}"
        accepted = error.accepts or error.expected
        previous = error.token_history[-1] if error.token_history else None
        reason += hint(token, previous)
        return QuerySyntaxError(
            reason, statement=statement, line=at.line, column=at.column, expected=expectation(accepted)
        )
    # Every character starts some token, except a quote without its other half.
    reason = "the quote that opens here is never closed"
    return _refused(reason, Position(error.line, error.column), statement)


def _shown(token: Token) -> str:
    text = str(token)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "..."
    return text if text[0] in "'\"" else f"'{text}'"


def _end_of(statement: str) -> Position:
    """Find the place right behind the last character that is not blank."""
    kept = statement.rstrip()
    return Position(kept.count("\n") + 1, len(kept) - (kept.rfind("\n") + 1) + 1)


def _at(parts: Sequence[_Child]) -> Position:
    """Tell where a construct starts: at its first part."""
    for part in parts:
        if isinstance(part, Token):
            return _place(part)
        if part is not None:
            return part.at
    return Position(1, 1)


def _place(token: Token) -> Position:
    return Position(token.line or 1, token.column or 1)


def _unquoted(token: Token) -> str:
    quote = token[0]
    return token[1:-1].replace(quote * 2, quote)


def _name(token: Token) -> str:
    return _unquoted(token) if token.type == "QUOTED" else str(token)


def _expressions(parts: list[_Child]) -> tuple[Expression, ...]:
    return tuple(part for part in parts if isinstance(part, Expression))


def _attribute(token: Token, qualifier: str | None, at: Position) -> nodes.Attribute:
    name = _name(token)
    return nodes.Attribute(
        name=_ALIASES.get(name, name), qualifier=qualifier, quoted=token.type == "QUOTED", at=at
    )


def _number(token: Token) -> int | float:
    whole = token.isdigit()
    value = int(token) if whole and len(token) <= _MAX_DIGITS else float(token)
    if math.isinf(value):
        raise _Refusal("the number is too large", _place(token))
    return value


def _each_once(parts: Iterable[_Child]) -> dict[str, nodes.Node | str]:
    """Give the clauses by their words, and refuse one that stands twice."""
    found: dict[str, nodes.Node | str] = {}
    for part in parts:
        if isinstance(part, _Clause):
            if part.word in found:
                raise _Refusal(f"{part.word} stands twice; write it once", part.at)
            found[part.word] = part.content
    return found


class _NodeBuilder(Transformer[Token, nodes.Statement]):
    """Turn each rule of the grammar into its node as soon as the parser has seen it."""

    def start(self, parts: list[_Child]) -> nodes.Statement:
        explain, select, columns, _, sources, *others, _ = parts
        clauses = _each_once(others)
        return nodes.Statement(
            columns,  # type: ignore[arg-type]
            sources,  # type: ignore[arg-type]
            tuple(part for part in others if isinstance(part, nodes.Join)),
            clauses.get("WHERE"),  # type: ignore[arg-type]
            clauses.get("TIME"),  # type: ignore[arg-type]
            clauses.get("MAX LATENCY"),  # type: ignore[arg-type]
            clauses.get("LATENESS"),  # type: ignore[arg-type]
            explain is not None,
            at=_at([explain, select]),
        )

    def condition(self, parts: list[_Child]) -> _Child:
        return parts[0]

    def all_columns(self, _parts: list[_Child]) -> None:
        return None

    def some_columns(self, parts: list[_Child]) -> tuple[nodes.Column, ...]:
        return tuple(part for part in parts if isinstance(part, nodes.Column))

    def column(self, parts: list[_Child]) -> nodes.Column:
        expression, _, label, _, unit = parts
        return nodes.Column(
            expression,  # type: ignore[arg-type]
            None if label is None else str(label),
            None if unit is None else _unquoted(unit),  # type: ignore[arg-type]
            at=_at(parts),
        )

    def label(self, parts: list[Token]) -> str:
        return _name(parts[0])

    def sources(self, parts: list[_Child]) -> tuple[nodes.Source, ...]:
        return tuple(part for part in parts if isinstance(part, nodes.Source))

    def source(self, parts: list[Token | None]) -> nodes.Source:
        system, _, alias = parts
        if system is None:
            raise TypeError("the grammar built a source without a name")
        return nodes.Source(_name(system), None if alias is None else str(alias), at=_at(parts))

    def join(self, parts: list[_Child]) -> nodes.Join:
        _, source, *others = parts
        clauses = _each_once(others)
        return nodes.Join(source, clauses.get("WITHIN"), clauses.get("ON"), at=_at(parts))  # type: ignore[arg-type]

    def within(self, parts: list[_Child]) -> _Clause:
        *words, content = parts
        written = " ".join(str(word).upper() for word in words)
        return _Clause(written, content, _at(parts))  # type: ignore[arg-type]

    on = where = max_latency = lateness = within

    def time(self, parts: list[Token]) -> _Clause:
        word, rule = parts
        return _Clause("TIME", rule.upper(), _place(word))

    def duration(self, parts: list[Token]) -> nodes.Duration:
        amount, unit = parts
        if unit.lower() not in _UNITS_OF_TIME:
            raise _Refusal(f"unknown unit of time '{unit}'; write ms, s, min, h or d", _place(unit))
        return nodes.Duration(_number(amount), unit.lower(), at=_at(parts))

    def xor(self, parts: list[_Child]) -> nodes.Xor:
        return nodes.Xor(_expressions(parts), at=_at(parts))

    def or_(self, parts: list[_Child]) -> nodes.Or:
        return nodes.Or(_expressions(parts), at=_at(parts))

    def and_(self, parts: list[_Child]) -> nodes.And:
        return nodes.And(_expressions(parts), at=_at(parts))

    def not_(self, parts: list[_Child]) -> nodes.Not:
        (operand,) = _expressions(parts)
        return nodes.Not(operand, at=_at(parts))

    def compare(self, parts: list[_Child]) -> nodes.Comparison:
        left, right = _expressions(parts)
        operator = str(parts[1])
        return nodes.Comparison("<>" if operator == "!=" else operator, left, right, at=_at(parts))

    def between(self, parts: list[_Child]) -> nodes.Between:
        operand, low, high = _expressions(parts)
        return nodes.Between(operand, low, high, parts[1] is not None, at=_at(parts))

    def membership(self, parts: list[_Child]) -> nodes.Membership:
        operand, *items = _expressions(parts)
        return nodes.Membership(operand, tuple(items), parts[1] is not None, at=_at(parts))

    def like(self, parts: list[_Child]) -> nodes.Like:
        operand, pattern = _expressions(parts)
        return nodes.Like(operand, pattern, parts[1] is not None, at=_at(parts))

    def null_test(self, parts: list[_Child]) -> nodes.NullTest:
        (operand,) = _expressions(parts)
        return nodes.NullTest(operand, parts[2] is not None, at=_at(parts))

    def arithmetic(self, parts: list[_Child]) -> nodes.Arithmetic:
        left, right = _expressions(parts)
        return nodes.Arithmetic(str(parts[1]), left, right, at=_at(parts))

    def signed(self, parts: list[_Child]) -> nodes.Signed:
        (operand,) = _expressions(parts)
        return nodes.Signed(str(parts[0]), operand, at=_at(parts))

    def number(self, parts: list[Token]) -> nodes.Number:
        return nodes.Number(_number(parts[0]), at=_at(parts))

    def text(self, parts: list[Token]) -> nodes.Text:
        return nodes.Text(_unquoted(parts[0]), at=_at(parts))

    def boolean(self, parts: list[Token]) -> nodes.Boolean:
        return nodes.Boolean(parts[0].lower() == "true", at=_at(parts))

    def bracketed(self, parts: list[_Child]) -> _Child:
        return parts[1]

    def call(self, parts: list[_Child]) -> nodes.Call:
        return nodes.Call(str(parts[0]).lower(), _expressions(parts), at=_at(parts))

    def attribute(self, parts: list[Token]) -> nodes.Attribute:
        return _attribute(parts[0], None, _at(parts))

    def qualified(self, parts: list[Token]) -> nodes.Attribute:
        return _attribute(parts[2], str(parts[0]), _at(parts))
