"""How well a text fits what somebody typed: the beginning is better than a word, a word better than a part.

What lives here: the rule, once for rows in memory and once for the database, which must say the same. What
does not: what is searched (``service``, ``places``).

How it works: the search is cut into words, and every word must occur. A word at the beginning of a text
counts 0, at the beginning of one of its words 1, elsewhere 2; the sum is the rank, the smallest comes first.

>>> rank(words_of("car f"), "cz.icecars.Fleet.Car1", "Car1")
1
>>> rank(words_of("leet"), "cz.icecars.Fleet.Car1", "Car1")
2
>>> rank(words_of("truck"), "cz.icecars.Fleet.Car1", "Car1") is None
True
"""

import re
from functools import reduce
from operator import add
from typing import Final

from sqlalchemy import ColumnElement, case, or_
from sqlalchemy.orm import InstrumentedAttribute

PREFIX: Final = 0
WORD: Final = 1
PART: Final = 2
MAX_WORDS: Final = 8
_SEPARATORS: Final = (".", "_", " ", "/", ":", "(", "-")
_BEGINS_A_WORD: Final = f"[{''.join(_SEPARATORS)}]"

Text = ColumnElement[str] | InstrumentedAttribute[str]


def words_of(q: str) -> tuple[str, ...]:
    """Return the words of a search in lower case; what is beyond the eighth is left out."""
    return tuple(q.lower().split()[:MAX_WORDS])


def rank(words: tuple[str, ...], *texts: str) -> int | None:
    """Return how well texts fit a search, the smaller the better; nothing when a word does not occur.

    Args:
        words: what is looked for; without any, all texts fit equally.
        texts: the names of one object; each word counts in the one that it fits best.
    """
    total = 0
    for word in words:
        fits = [found for text in texts if (found := _fit(word, text.lower())) is not None]
        if not fits:
            return None
        total += min(fits)
    return total


def _fit(word: str, text: str) -> int | None:
    if text.startswith(word):
        return PREFIX
    if any(separator + word in text for separator in _SEPARATORS):
        return WORD
    return PART if word in text else None


def rank_in_database(words: tuple[str, ...], *columns: Text) -> ColumnElement[int]:
    """Return the same rank as an expression, for rows in which every word occurs somewhere."""
    return reduce(add, [_fit_in_database(word, columns) for word in words])


def _fit_in_database(word: str, columns: tuple[Text, ...]) -> ColumnElement[int]:
    begins = [column.istartswith(word, autoescape=True) for column in columns]
    inside = [column.regexp_match(_BEGINS_A_WORD + re.escape(word), flags="i") for column in columns]
    return case((or_(*begins), PREFIX), (or_(*inside), WORD), else_=PART)
