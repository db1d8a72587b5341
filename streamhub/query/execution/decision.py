"""What a compiled statement says about a batch of records.

Lives here: plain data. Does not live here: deciding (``statement``).
"""

from dataclasses import dataclass, field

__all__ = ["Decision"]


@dataclass(slots=True)
class Decision:
    """What became of a batch.

    Attributes:
        accepted: Indices of the records that match, ascending.
        rejected: Index, stable code and detail of each record that cannot be used, ascending.
        mismatches: Comparisons that were false because a value was of another kind or could not be computed.
        missing: Comparisons that were false because a record lacks an attribute.
    """

    accepted: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    mismatches: int = 0
    missing: int = 0
