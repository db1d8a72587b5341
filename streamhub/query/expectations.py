"""What could have stood at the place of a syntax error, in words a person uses.

Lives here: the names of the grammar's terminals for people, and the hints for the slips that people make
most. Does not live here: finding the error (``parser``) or drawing it (``streamhub.errors``).
"""

from collections.abc import Iterable

from lark import Token

__all__ = ["expectation", "hint"]

# Sets of terminals that are better named together, in the order in which a person wants to read them; a
# group is named when all its terminals were possible.
_GROUPS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"NAME", "NUMBER", "TEXT"}), "an attribute, a number, a text in single quotes, or a bracket"),
    (frozenset({"EQUAL", "LESS", "IN"}), "a comparison (= <> < <= > >= IN BETWEEN LIKE IS)"),
    (frozenset({"PLUS", "MINUS"}), "an arithmetic operator (+ - * / % ^)"),
    (frozenset({"AND", "OR", "XOR"}), "AND, OR, XOR"),
    (frozenset({"$END", "SEMICOLON"}), "the end of the statement"),
    (frozenset({"$END"}), "the end of the statement"),
    (frozenset({"SYSTEM", "STAR"}), "a system name such as at.srfg.Mill.M1, or *"),
    (frozenset({"NAME", "QUOTED"}), "a name"),
)
_ABSORBED: dict[str, frozenset[str]] = {
    "NUMBER": frozenset({"PLUS", "MINUS", "LEFT", "NOT", "TRUE", "FALSE", "QUOTED", "STAR"}),
    "EQUAL": frozenset(
        {"UNEQUAL", "LESS", "AT_MOST", "GREATER", "AT_LEAST", "BETWEEN", "LIKE", "IS", "IN", "NOT"}
    ),
    "PLUS": frozenset({"MINUS", "STAR", "SLASH", "PERCENT", "CARET", "DOT", "LEFT"}),
    "SYSTEM": frozenset({"QUOTED"}),
}
_WORDS = {
    "TEXT": "a text in single quotes",
    "NUMBER": "a number",
    "NAME": "a name",
    "QUOTED": "a name in double quotes",
    "LEFT": "'('",
    "RIGHT": "')'",
    "COMMA": "','",
    "DOT": "'.'",
    "STAR": "'*'",
    "EQUAL": "'='",
    "SLASH": "'/'",
    "PERCENT": "'%'",
    "CARET": "'^'",
    "MAX": "MAX LATENCY",
    **{f"OF_{rule}": rule for rule in ("LEFT", "RIGHT", "MEAN", "LATER")},
}


def expectation(terminals: Iterable[str]) -> tuple[str, ...]:
    """Put the terminals that the parser would have taken into words, grouped and in a fixed order."""
    left = set(terminals)
    words: list[str] = []
    for group, text in _GROUPS:
        if group <= left:
            words.append(text)
            for terminal in group:
                left -= _ABSORBED.get(terminal, frozenset())
            left -= group
    return (*words, *(_WORDS.get(terminal, terminal) for terminal in sorted(left)))


def hint(token: Token, previous: Token | None) -> str:
    """Guess the slip behind an unexpected token; empty when there is nothing useful to say."""
    if previous is None:
        return ""
    adjacent = previous.end_pos == token.start_pos
    if previous.type == "TEXT" and adjacent:
        return " after a text; a quote inside a text is written twice ('')"
    if previous.type == "EQUAL" and token.type == "EQUAL":
        return "; equality is written with one ="
    if previous.type == "NUMBER" and adjacent and token.type == "NAME":
        return f" right after the number '{previous}'; numbers have no suffix"
    return ""
