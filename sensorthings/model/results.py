"""Results as they are stored: numbers in a double column, everything else as JSON.

What lives here: which of the two columns a result goes to, so that what is shown is what was sent. What does
not: SQL.
"""

import math
from typing import Final

MISSING: Final = object()
"""No JSON value is stored; not the same as JSON null."""
_WHOLE: Final = 2**53
_PLAIN: Final = (1e-4, 1e15)
"""Magnitudes for which Python and Postgres print a double alike."""


def split_result(value: object) -> tuple[float | None, object]:
    """Give what is stored of a result: its double (None when it is no number), and its JSON or MISSING.

    A number is stored as JSON too when a double, printed by Postgres, would show another text.

    >>> split_result(21.5)[0], split_result("on")[1]
    (21.5, 'on')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, value
    try:
        number = float(value)
    except OverflowError:
        return None, value
    if isinstance(value, int):
        return number, MISSING if abs(value) <= _WHOLE and abs(value) < _PLAIN[1] else value
    if not math.isfinite(number):
        return None, value
    is_plain = not number.is_integer() and _PLAIN[0] <= abs(number) < _PLAIN[1]
    return number, MISSING if is_plain else value
