r"""Constants of a `$filter` that may change while its form stays: what lets a compiled query serve many.

What lives here: taking the constants out of a text, and marking the same constants in its syntax tree. What
does not: compiled queries (`sensorthings.queries.plans`).

A text such as `name eq 'a' and result gt 5` has the form `name eq \x01 and result gt \x02`, with the
constants `'a'` and `5`. Places inside paths (`result[0]`), intervals, dates, durations and geometries stay
in the form.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from sensorthings.model.times import parse_instant
from sensorthings.odata.nodes import (
    Call,
    Junction,
    Literal,
    Membership,
    Negation,
    Node,
    Operation,
    Quantified,
)

_SCAN: Final = re.compile(
    r"""(?P<kept>(?:geography|duration)'(?:[^']|'')*'     # stay in the form
        | [^\W\d][\w.\-]* | @[\w.\-]+                     # names
        | [/\[]\s*\d+                                     # places in arrays
        | \d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?/\S+)
      | (?P<text>'(?:[^']|'')*')
      | (?P<instant>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?(?![\w:/+-]))
      | (?P<number>-?\d{1,15}\.\d{1,15}(?![\w.:/-]))
      | (?P<whole>-?\d{1,15}(?![\w.:/-]))
      | (?P<other>\d[\w.:/+\-]*)""",
    re.VERBOSE,
)
_MARKS: Final = {"text": "\x01", "instant": "\x02", "number": "\x03", "whole": "\x04"}


@dataclass(frozen=True, slots=True)
class Form:
    """A text without its constants.

    Attributes:
        text: With a mark for each constant, which tells its kind.
        constants: Texts of the constants, in order.
    """

    text: str
    constants: tuple[str, ...]


def form_of(text: str) -> Form:
    """Take the constants out of a text.

    >>> form_of("result gt 5 and name eq 'a'").constants
    ('5', "'a'")
    """
    constants: list[str] = []

    def mark(found: re.Match[str]) -> str:
        sign = _MARKS.get(found.lastgroup or "")
        if sign is None:
            return found[0]
        constants.append(found[0])
        return sign

    return Form(_SCAN.sub(mark, text), tuple(constants))


def constant_value(text: str) -> str | int | Decimal | object:
    """Read a constant as the parser does: a text, a time or a number.

    Raises:
        ValueError: The text looks like a time but is none.
    """
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if "T" in text:
        return parse_instant(text)
    return Decimal(text) if "." in text else int(text)


def with_slots(node: Node, constants: tuple[str, ...]) -> Node | None:
    """Mark the constants of a tree with their numbers; None when they are not those of the text."""
    found = [one for one in _literals(node) if not isinstance(one.value, bool) and one.value is not None]
    values = [constant_value(text) for text in constants]
    wanted = [
        one for one in found if isinstance(one.value, str | int | Decimal) or hasattr(one.value, "tzinfo")
    ]
    mine = [one for one in wanted if one.value in values]
    if [one.value for one in mine] != values:
        return None
    numbers = {id(one): place for place, one in enumerate(mine)}
    return _marked(node, numbers)


def _literals(node: Node) -> Iterator[Literal]:
    if isinstance(node, Literal):
        yield node
    for part in _parts(node):
        yield from _literals(part)


def _parts(node: Node) -> tuple[Node, ...]:
    take, _ = _INSIDE.get(type(node), (None, None))
    parts: tuple[Node, ...] = () if take is None else take(node)
    return parts


def _marked(node: Node, numbers: dict[int, int]) -> Node:
    if isinstance(node, Literal):
        place = numbers.get(id(node))
        return node if place is None else replace(node, slot=place)
    _, put = _INSIDE.get(type(node), (None, None))
    if put is None:
        return node
    marked: Node = replace(node, **put(tuple(_marked(part, numbers) for part in _parts(node))))
    return marked


_Take = Callable[[Any], tuple[Node, ...]]
_Put = Callable[[tuple[Node, ...]], dict[str, Any]]
_INSIDE: Final[dict[type, tuple[_Take, _Put]]] = {
    Call: (lambda node: node.arguments, lambda parts: {"arguments": parts}),
    Operation: (lambda node: (node.left, node.right), lambda parts: {"left": parts[0], "right": parts[1]}),
    Membership: (
        lambda node: (node.operand, *node.values),
        lambda parts: {"operand": parts[0], "values": parts[1:]},
    ),
    Junction: (lambda node: node.parts, lambda parts: {"parts": parts}),
    Quantified: (lambda node: (node.condition,), lambda parts: {"condition": parts[0]}),
    Negation: (lambda node: (node.operand,), lambda parts: {"operand": parts[0]}),
}
"""How the parts of a node are taken out, and put back changed."""
