"""What arrived against what had to: lost, repeated, unexpected."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The difference between what had to arrive and what did.

    Attributes:
        expected: How many outputs had to arrive.
        arrived: How many records arrived.
        lost: Outputs that did not arrive, the first ones.
        repeated: Outputs that arrived more than once, the first ones.
        unexpected: Outputs that arrived and should not have, the first ones.
        lost_count: How many are lost.
        repeated_count: How many records are superfluous because their output had arrived already.
        unexpected_count: How many different outputs are unexpected.
        malformed: Records that cannot be read, or whose content contradicts their numbers.
    """

    expected: int
    arrived: int
    lost: list[int]
    repeated: list[int]
    unexpected: list[int]
    lost_count: int
    repeated_count: int
    unexpected_count: int
    malformed: int

    @property
    def is_right(self) -> bool:
        """Whether everything arrived exactly once, and nothing else did."""
        return not (self.lost_count or self.repeated_count or self.unexpected_count or self.malformed)


def judge(expected: AbstractSet[int], arrived: Iterable[int | None], *, shown: int = 10) -> Verdict:
    """Compare; None stands for a record that is not as it should be."""
    counts: Counter[int | None] = Counter(arrived)
    total = counts.total()
    malformed = counts.pop(None, 0)
    found = {number: count for number, count in counts.items() if number is not None}
    lost = sorted(expected - found.keys())
    repeated = sorted(number for number, count in found.items() if count > 1)
    unexpected = sorted(found.keys() - expected)
    return Verdict(
        expected=len(expected),
        arrived=total,
        lost=lost[:shown],
        repeated=repeated[:shown],
        unexpected=unexpected[:shown],
        lost_count=len(lost),
        repeated_count=sum(found[number] - 1 for number in repeated),
        unexpected_count=len(unexpected),
        malformed=malformed,
    )
