"""Counters of a stream app: what was done, counted when it is committed, never before.

What lives here: the numbers. What does not: writing them down (`progress`) or exporting them (`observer`).
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class RecordCounts:
    """Numbers of records [1], all since the process started.

    Attributes:
        consumed: Records read.
        forwarded: Records written to the target.
        dead_letters: Records written to the dead-letter topic, by error code.
        mismatches: Comparisons that were false because an attribute was of another type.
        missing: Comparisons that were false because an attribute was missing.
        joined: Records that went into a join.
        tuples: Groups of records that a join has found.
        late: Records that came too late for their join.
        dropped: Records that a join gave up after its longest latency.
        failed: Groups that a function of the user could not be computed for.
        held: Records that the joins of this copy remember now.
    """

    consumed: int = 0
    forwarded: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    mismatches: int = 0
    missing: int = 0
    joined: int = 0
    tuples: int = 0
    late: int = 0
    dropped: int = 0
    failed: int = 0
    held: int = 0

    @property
    def dead_lettered(self) -> int:
        """Records written to the dead-letter topic, of all codes together."""
        return self.dead_letters.total()

    def add(self, other: "RecordCounts") -> None:
        """Add the numbers of `other`, for instance those of a transaction that is now committed."""
        self.consumed += other.consumed
        self.forwarded += other.forwarded
        self.dead_letters.update(other.dead_letters)
        self.mismatches += other.mismatches
        self.missing += other.missing
        self.joined += other.joined
        self.tuples += other.tuples
        self.late += other.late
        self.dropped += other.dropped
        self.failed += other.failed
        # The one figure that is a level: the latest is right.
        self.held = other.held
