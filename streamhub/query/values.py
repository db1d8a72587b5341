"""What the language does with values at run time: the primitives that compiled statements call.

Lives here: the two ways in which a comparison can fail to be one (``MissingError``, ``MismatchError``),
reading a value as number, text, truth or instant, and comparing two of them. Does not live here: which
primitive a construct uses (``execution.emitter``), the functions that statements can call (``functions``).

Numbers: whole ones are compared exactly, arithmetic is in IEEE doubles, and two numbers within
``TOLERANCE`` are equal. Exactly one of ``<``, ``=``, ``>`` holds, so ``<=`` is "less or equal within the
tolerance". Truth values are no numbers. Instants: ISO 8601 text, also shortened ("2020", "2020-02",
"2020-02-24T12"); without an offset it is UTC; of an interval "start/end" (OGC 18-088, TimeInterval) the
start counts; finer than microseconds is cut.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = [
    "TOLERANCE",
    "MismatchError",
    "MissingError",
    "bounds",
    "dynamic_comparison",
    "finite",
    "instant",
    "instant_or_none",
    "like_matcher",
    "number",
    "number_comparison",
    "power",
    "real",
    "text",
    "truth",
]

TOLERANCE = 1e-7
"""Two numbers at most this far apart are equal."""

_EXACT = 2**53  # from here on neighbouring doubles are further apart than the tolerance
_SHORT_DATE = re.compile(r"(?!0000)[0-9]{4}(-(0[1-9]|1[0-2]))?", re.ASCII)


class MissingError(Exception):
    """Say that a record lacks what a comparison needs; becomes "false" and a count."""


class MismatchError(Exception):
    """Say that a value is of another kind than a comparison needs; becomes "false" and a count."""


def number(value: object) -> int | float:
    """Read a number as it is.

    Raises:
        MissingError: There is no value.
        MismatchError: It is something else; truth values are no numbers.
    """
    kind = value.__class__
    if kind is float or kind is int:
        return value  # type: ignore[return-value]
    raise MissingError if value is None else MismatchError


def real(value: object) -> float:
    """Read a number for arithmetic, as an IEEE double.

    Raises:
        MissingError: There is no value.
        MismatchError: It is something else.
        OverflowError: It is beyond the range of a double.
    """
    return float(number(value))


def text(value: object) -> str:
    """Read a text.

    Raises:
        MissingError: There is no value.
        MismatchError: It is something else.
    """
    if value.__class__ is str:
        return value
    raise MissingError if value is None else MismatchError


def truth(value: object) -> bool:
    """Read a truth value.

    Raises:
        MissingError: There is no value.
        MismatchError: It is something else.
    """
    if value.__class__ is bool:
        return value
    raise MissingError if value is None else MismatchError


def finite(value: float) -> float:
    """Let a computed number pass when it is one.

    Raises:
        MismatchError: It is infinite or not a number.
    """
    if -math.inf < value < math.inf:
        return value
    raise MismatchError


def power(base: float, exponent: float) -> float:
    """Raise to a power in doubles, so that whole numbers cannot grow without bound.

    Raises:
        ValueError: A negative base with a broken exponent, or zero to a negative power.
        OverflowError: The result is too large.
    """
    return math.pow(base, exponent)


def instant_or_none(written: str) -> datetime | None:
    """Read an instant from ISO 8601 text, or give None when it is none."""
    try:
        read = datetime.fromisoformat(written if "/" not in written else written.partition("/")[0])
    except ValueError:
        if not _SHORT_DATE.fullmatch(written):
            return None
        read = datetime.fromisoformat(f"{written}-01" if "-" in written else f"{written}-01-01")
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


def instant(value: object) -> datetime:
    """Read an instant from a value of a record.

    Raises:
        MissingError: There is no value.
        MismatchError: It is no ISO 8601 text.
    """
    read = instant_or_none(text(value))
    if read is None:
        raise MismatchError
    return read


def bounds(value: float) -> tuple[float, float]:
    """Give the smallest and the largest number that equal this one."""
    if -_EXACT < value < _EXACT:
        return value - TOLERANCE, value + TOLERANCE
    return value, value


def number_comparison(operator: str, left: float, right: float) -> bool:
    """Compare two numbers, the tolerance around the right one."""
    low, high = bounds(right)
    if left.__class__ is int and right.__class__ is int:
        low = high = right
    match operator:
        case "=":
            return low <= left <= high
        case "<>":
            return not low <= left <= high
        case "<":
            return left < low
        case "<=":
            return left <= high
        case ">":
            return left > high
        case _:
            return left >= low


def dynamic_comparison(operator: str, left: object, right: object) -> bool:
    """Compare two values whose kinds only the record knows.

    Raises:
        MissingError: One of them is absent.
        MismatchError: They are not both numbers, both texts, or (for ``=`` and ``<>``) both truth values.
    """
    if left is None or right is None:
        raise MissingError
    kinds = {left.__class__, right.__class__}
    if kinds <= {int, float}:
        return number_comparison(operator, left, right)  # type: ignore[arg-type]
    if kinds == {str} or (kinds == {bool} and operator in {"=", "<>"}):
        return _ordered(operator, left, right)
    raise MismatchError


def _ordered(operator: str, left: object, right: object) -> bool:
    match operator:
        case "=":
            return left == right
        case "<>":
            return left != right
        case "<":
            return left < right  # type: ignore[operator, no-any-return]
        case "<=":
            return left <= right  # type: ignore[operator, no-any-return]
        case ">":
            return left > right  # type: ignore[operator, no-any-return]
        case _:
            return left >= right  # type: ignore[operator, no-any-return]


def like_matcher(pattern: str) -> Callable[[str], bool]:
    r"""Prepare a LIKE pattern: ``%`` any characters, ``_`` one, ``\`` takes the next one literally.

    The pieces between the ``%`` are searched one after the other from the left, each as early as possible,
    so the time is bounded by text length times pattern length; there is nothing to backtrack into.
    """
    pieces = _pieces(pattern)
    if len(pieces) == 1:
        whole = re.compile(pieces[0], re.DOTALL)
        return lambda value: whole.fullmatch(value) is not None
    first, *inner, last = (re.compile(piece, re.DOTALL) for piece in pieces)
    last_width = _width(pieces[-1])

    def matches(value: str) -> bool:
        found = first.match(value)
        if found is None:
            return False
        at = found.end()
        for piece in inner:
            found = piece.search(value, at)
            if found is None:
                return False
            at = found.end()
        tail = len(value) - last_width
        return tail >= at and last.fullmatch(value, tail) is not None

    return matches


def _pieces(pattern: str) -> list[str]:
    """Cut a LIKE pattern at its ``%`` into regular expressions of fixed width."""
    pieces = [""]
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            pieces.append("")
        elif character == "_":
            pieces[-1] += "."
        else:
            literal = next(characters, "\\") if character == "\\" else character
            pieces[-1] += re.escape(literal)
    return pieces


def _width(piece: str) -> int:
    """Count the characters that a piece of fixed width takes."""
    return len(re.sub(r"\\(.)", r"\1", piece, flags=re.DOTALL))
