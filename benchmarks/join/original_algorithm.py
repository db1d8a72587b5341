"""The join algorithm of the original Digital Twin Stack, written anew from a description of its steps.

Only for comparison with `streamhub.join`: doubly linked lists with an object per record, the rules JR1, JR2
and JS2 at every record, then trimming. It keeps the faults of the original on purpose: the pair of a record
and its predecessor is lost when the other stream leads and that predecessor is not newer than the record's
own forerunner; equal times in both streams give a pair twice; and what is trimmed stays reachable through
the back pointer of the next node.
"""

from collections.abc import Callable


class Node:
    """A record in a list."""

    def __init__(self, time: int, record: object) -> None:
        self.time = time
        self.record = record
        self.before: Node | None = None
        self.after: Node | None = None


class LinkedList:
    """Records of one stream in order of arrival."""

    def __init__(self) -> None:
        self.head: Node | None = None
        self.tail: Node | None = None

    def append(self, node: Node) -> None:
        """Add a record at the end."""
        if self.tail is None:
            self.head = node
        else:
            self.tail.after = node
            node.before = self.tail
        self.tail = node

    def drop_head(self) -> None:
        """Forget the oldest record (which its successor still points to, as in the original)."""
        if self.head is not None:
            self.head = self.head.after


class OriginalJoin:
    """The two buffers of the original and its rules.

    Args:
        delta: Largest distance of a pair; 0 and None set no limit.
        join_function: Called with left and right record of every pair found.
    """

    def __init__(self, delta: int | None, join_function: Callable[[object, object], object]) -> None:
        self.delta = delta
        self.join_function = join_function
        self.lefts = LinkedList()
        self.rights = LinkedList()
        self.pairs = 0

    def ingest_left(self, time: int, record: object) -> None:
        """Take a record of the left stream."""
        self._ingest(Node(time, record), self.lefts, self.rights, is_left=True)

    def ingest_right(self, time: int, record: object) -> None:
        """Take a record of the right stream."""
        self._ingest(Node(time, record), self.rights, self.lefts, is_left=False)

    def _ingest(self, node: Node, mine: LinkedList, other: LinkedList, *, is_left: bool) -> None:
        previous = mine.tail
        mine.append(node)
        if other.tail is None:
            return
        if previous is not None:
            self._join_previous(previous, node, other, is_left=is_left)
        self._join_passed(previous, node, other, is_left=is_left)
        self._join_next(node, other, is_left=is_left)
        self._trim(mine, other)
        self._trim(other, mine)

    def _join_previous(self, previous: Node, node: Node, other: LinkedList, *, is_left: bool) -> None:
        """JR1: the previous record with all in its interval but the first."""
        candidate = self._first_after(other, previous.time)
        if candidate is not None:
            candidate = candidate.after
        while candidate is not None and candidate.time <= node.time:
            self._join(previous, candidate, is_left=is_left)
            candidate = candidate.after

    def _join_passed(self, previous: Node | None, node: Node, other: LinkedList, *, is_left: bool) -> None:
        """JR2: the record with all between the previous one and itself."""
        candidate = other.head if previous is None else self._first_after(other, previous.time)
        while candidate is not None and candidate.time <= node.time:
            self._join(node, candidate, is_left=is_left)
            candidate = candidate.after

    def _join_next(self, node: Node, other: LinkedList, *, is_left: bool) -> None:
        """JS2: the record with the first at or after it."""
        if other.tail is None or other.tail.time < node.time:
            return
        candidate = other.head
        while candidate is not None and candidate.time < node.time:
            candidate = candidate.after
        if candidate is not None:
            self._join(node, candidate, is_left=is_left)

    def _first_after(self, other: LinkedList, time: int) -> Node | None:
        candidate = other.head
        while candidate is not None and candidate.time <= time:
            candidate = candidate.after
        return candidate

    def _join(self, mine: Node, other: Node, *, is_left: bool) -> None:
        left, right = (mine, other) if is_left else (other, mine)
        if self.delta and abs(left.time - right.time) > self.delta:
            return
        self.pairs += 1
        self.join_function(left.record, right.record)

    def _trim(self, mine: LinkedList, other: LinkedList) -> None:
        """Drop the head while its successor is not newer than the newest of the other side."""
        newest = other.tail
        while mine.head is not None and mine.head.after is not None and newest is not None:
            if mine.head.after.time > newest.time:
                return
            mine.drop_head()
