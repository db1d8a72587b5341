"""What may be kept of a record for later: values that can always be written down again.

Lives here: ``kept``. Does not live here: reading records (``streams``).
"""

import msgspec

__all__ = ["MAX_KEPT_DEPTH", "PLAIN", "kept"]

MAX_KEPT_DEPTH = 32
"""Deepest nesting of arrays and objects in an attribute that a statement looks at."""

PLAIN = frozenset({float, str, bool, type(None)})
"""Classes of values that can be kept as they are."""

_LARGEST = 2**63 - 1


def kept(value: object, depth: int = MAX_KEPT_DEPTH) -> object:
    """Give a parsed value in a form that every encoder can write: whole numbers beyond 64 bits as doubles.

    Args:
        value: What JSON can hold.
        depth: How much deeper it may nest.

    Raises:
        RecursionError: It nests deeper.
        DecodeError: A number is beyond the range of doubles.
    """
    if value.__class__ in PLAIN:
        return value
    if isinstance(value, int):
        if -_LARGEST <= value <= _LARGEST:
            return value
        try:
            return float(value)
        except OverflowError as error:
            raise msgspec.DecodeError("a whole number is out of range") from error
    if depth == 0:
        raise RecursionError
    if isinstance(value, dict):
        return {name: kept(part, depth - 1) for name, part in value.items()}
    if isinstance(value, list):
        return [kept(part, depth - 1) for part in value]
    raise TypeError(f"JSON has no {type(value).__name__}")
