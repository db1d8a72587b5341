"""What two statements differ in, word by word; pure.

What lives here: the comparison. What does not: which versions are compared (``version_pages``).

>>> [(piece.kind, piece.text) for piece in compare("result < 4", "result < 5")]
[('same', 'result < '), ('removed', '4'), ('added', '5')]
"""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

Kind = Literal["same", "removed", "added"]
_WORD: Final = re.compile(r"\s+|[\w.-]+|[^\w\s]")
"""A name with its dots and hyphens is one word: half a changed name tells nobody anything."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that is the same in both, or only in one of them.

    Attributes:
        kind: ``same``, ``removed`` (only in the older one) or ``added`` (only in the newer one).
        text: The characters.
    """

    kind: Kind
    text: str


def compare(older: str, newer: str) -> list[Piece]:
    """Return what became of a text, in the order of reading; neighbours are of different kinds.

    Args:
        older: The text as it was.
        newer: The text as it is.
    """
    before, after = _WORD.findall(older), _WORD.findall(newer)
    pieces: list[Piece] = []
    for what, start, end, new_start, new_end in SequenceMatcher(None, before, after, False).get_opcodes():
        if what == "equal":
            pieces.append(Piece("same", "".join(before[start:end])))
            continue
        if start < end:
            pieces.append(Piece("removed", "".join(before[start:end])))
        if new_start < new_end:
            pieces.append(Piece("added", "".join(after[new_start:new_end])))
    return pieces
