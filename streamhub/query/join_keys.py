"""What ON means: which attributes of the joined sources must be equal.

Lives here: ``join_keys``, which reads the ON conditions of a statement and refuses those that are no join
key. Does not live here: names and kinds in general (``checker``), the key of a record (``derivation``).

A key has one or more parts; each part names one attribute for each source. In a chain every JOIN has to name
the same parts, since records that are joined already have one key:

    a AS l JOIN b AS r ON l.thing = r.thing JOIN c AS z ON z.machine = r.thing
                                              is one part, (thing, thing, machine)
"""

from collections.abc import Callable, Sequence

from streamhub.query import nodes
from streamhub.query.nodes import Expression, Position

__all__ = ["JoinKeys", "conjuncts", "join_keys"]

JoinKeys = tuple[tuple[str, ...], ...]
"""The parts of a join key, each with one attribute for each source; empty without ON."""

_Refusal = Callable[[str, Position], Exception]
_TIMES = frozenset({"phenomenonTime", "resultTime"})
_EXAMPLE = "ON l.thing = r.thing"


def conjuncts(condition: Expression) -> tuple[Expression, ...]:
    """List the conditions that all have to hold, in reading order."""
    if isinstance(condition, nodes.And):
        return tuple(part for operand in condition.operands for part in conjuncts(operand))
    return (condition,)


def join_keys(tree: nodes.Statement, refusal: _Refusal) -> JoinKeys:
    """Read the join key of a statement.

    Args:
        tree: The statement; its sources have distinct aliases.
        refusal: Makes the error for a reason and a place.

    Raises:
        Exception: What ``refusal`` made: an ON is no equality of attributes of two sources, or the JOINs of a
            chain do not agree.
    """
    aliases = [source.alias for source in tree.streams]
    parts: list[list[str]] = []
    for index, join in enumerate(tree.joins, start=1):
        if (join.on is None) != (tree.joins[0].on is None):
            raise refusal("the JOINs of a chain have the same ON, or none of them has one", join.at)
        if join.on is None:
            continue
        equalities = [_equality(part, index, aliases, refusal) for part in conjuncts(join.on)]
        if index == 1:
            parts = [[known.name, new.name] for known, new in equalities]
        else:
            _extend(parts, equalities, aliases, refusal)
            if any(len(part) <= index for part in parts):
                reason = "the JOINs of a chain are all ON the same attributes; one is left out"
                raise refusal(reason, join.on.at)
    return tuple(map(tuple, parts))


_Equality = tuple[nodes.Attribute, nodes.Attribute]


def _equality(
    condition: Expression, index: int, aliases: Sequence[str | None], refusal: _Refusal
) -> _Equality:
    """Take an equality apart: the attribute of an earlier source, then that of the source which joins."""
    match condition:
        case nodes.Comparison(operator="=", left=nodes.Attribute() as left, right=nodes.Attribute() as right):
            pass
        case _:
            reason = f"ON joins attributes with = and AND ({_EXAMPLE}); other conditions belong to WHERE"
            raise refusal(reason, condition.at)
    for attribute in (left, right):
        if attribute.name in _TIMES:
            raise refusal("times are joined by WITHIN; ON takes other attributes", attribute.at)
        if attribute.qualifier not in aliases[: index + 1]:
            raise refusal(f"'{attribute.qualifier}' is joined later; ON looks back only", attribute.at)
    known, new = (right, left) if left.qualifier == aliases[index] else (left, right)
    if new.qualifier != aliases[index] or known.qualifier == aliases[index]:
        reason = f"ON compares an attribute of '{aliases[index]}' with one of an earlier source"
        raise refusal(reason, condition.at)
    return known, new


def _extend(
    parts: list[list[str]], equalities: list[_Equality], aliases: Sequence[str | None], refusal: _Refusal
) -> None:
    """Add the attributes of one more source to the parts that they are equal to."""
    width = len(parts[0])
    for known, new in equalities:
        place = aliases.index(known.qualifier)
        for part in parts:
            if len(part) == width and part[place] == known.name:
                part.append(new.name)
                break
        else:
            reason = f"'{known.qualifier}.{known.name}' is no further part of the key of the JOIN before"
            raise refusal(f"{reason}; a chain is joined ON the same attributes throughout", known.at)
