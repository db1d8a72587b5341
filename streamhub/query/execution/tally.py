"""What emitted code calls besides the primitives of ``values``: counting, and computing only what is needed.

Lives here: the counters of comparisons that a record did not fit, and the constructs whose parts are computed
lazily. Does not live here: the code that calls them (``emitter``).
"""

from collections.abc import Callable

from streamhub.query import values

__all__ = ["Tally", "among", "first_of", "is_null", "same"]


class Tally:
    """Count the comparisons that were false because a record did not fit them.

    Attributes:
        missing: Something was absent or null.
        mismatches: Something was of another kind, or could not be computed.
    """

    __slots__ = ("mismatches", "missing")

    def __init__(self) -> None:
        self.missing = 0
        self.mismatches = 0

    def missed(self, value: object) -> bool:
        """Count a value that did not fit and answer for the comparison: false."""
        if value is None:
            self.missing += 1
        else:
            self.mismatches += 1
        return False


def first_of(choices: tuple[Callable[[], object], ...]) -> object:
    """Give the first value that is there; a value that cannot be computed is not passed over."""
    for choice in choices:
        try:
            value = choice()
        except values.MissingError:
            continue
        if value is not None:
            return value
    return None


def is_null(compute: Callable[[], object]) -> bool:
    """Tell whether a computed value is absent."""
    try:
        return compute() is None
    except values.MissingError:
        return True


def same(_operator: str, left: object, right: object) -> bool:
    """Compare two texts, two truth values or two instants, in the form in which numbers are compared."""
    return left == right


def among(
    same: Callable[[str, object, object], bool],
    value: object,
    items: tuple[Callable[[], object], ...],
) -> bool:
    """Look for a value among others, from the left, computing no more of them than needed."""
    return any(same("=", value, item()) for item in items)
