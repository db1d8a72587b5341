"""What is left of a condition once the parts that the key decides are known.

Lives here: finding those parts and taking them out of the tree. Does not live here: judging them
(``statement``).

    name = 'x' AND result < 4    with the first part false is FALSE, with it true is result < 4
"""

from collections.abc import Mapping

from streamhub.query import nodes
from streamhub.query.checker import KEY_ATTRIBUTES
from streamhub.query.nodes import Expression

__all__ = ["fold", "key_comparisons"]


def key_comparisons(condition: Expression) -> tuple[Expression, ...]:
    """List the comparisons that look at nothing but the key, each once, in reading order."""
    found: dict[Expression, None] = {}
    waiting = [condition]
    while waiting:
        part = waiting.pop()
        match part:
            case nodes.And() | nodes.Or() | nodes.Xor() | nodes.Not():
                waiting.extend(reversed(nodes.children(part)))
            case nodes.Boolean():
                pass
            case _ if nodes.attributes(part) <= KEY_ATTRIBUTES:
                found[part] = None
    return tuple(found)


def fold(condition: Expression, verdicts: Mapping[Expression, bool]) -> Expression:
    """Put verdicts in the place of comparisons and simplify.

    Args:
        condition: A condition.
        verdicts: Truth of some of its comparisons.

    Returns:
        TRUE, FALSE, or a condition of the comparisons that are not decided yet, in their old order.
    """
    match condition:
        case nodes.Not(operand=operand):
            return _opposite(fold(operand, verdicts))
        case nodes.And(operands=operands):
            return _all_of([fold(operand, verdicts) for operand in operands])
        case nodes.Or(operands=operands):
            return _any_of([fold(operand, verdicts) for operand in operands])
        case nodes.Xor(operands=operands):
            return _odd_of([fold(operand, verdicts) for operand in operands])
        case nodes.Boolean():
            return condition
        case _:
            verdict = verdicts.get(condition)
            return condition if verdict is None else nodes.Boolean(verdict)


def _opposite(operand: Expression) -> Expression:
    if isinstance(operand, nodes.Boolean):
        return nodes.Boolean(not operand.value)
    return nodes.Not(operand)


def _all_of(operands: list[Expression]) -> Expression:
    if nodes.Boolean(False) in operands:
        return nodes.Boolean(False)
    left = _undecided(operands)
    if not left:
        return nodes.Boolean(True)
    return left[0] if len(left) == 1 else nodes.And(left)


def _any_of(operands: list[Expression]) -> Expression:
    if nodes.Boolean(True) in operands:
        return nodes.Boolean(True)
    left = _undecided(operands)
    if not left:
        return nodes.Boolean(False)
    return left[0] if len(left) == 1 else nodes.Or(left)


def _odd_of(operands: list[Expression]) -> Expression:
    odd = operands.count(nodes.Boolean(True)) % 2 == 1
    left = _undecided(operands)
    if not left:
        return nodes.Boolean(odd)
    rest = left[0] if len(left) == 1 else nodes.Xor(left)
    return _opposite(rest) if odd else rest


def _undecided(operands: list[Expression]) -> tuple[Expression, ...]:
    return tuple(operand for operand in operands if not isinstance(operand, nodes.Boolean))
