"""Which records of a batch somebody may see, and which of those match their filter; pure.

What lives here: the language at work on records. What does not: who may see what (``scope``), reading
(``reading``, ``following``). It is the same compiled evaluator as in stream apps (``streamhub.query``), so a
filter that works here works there.

How it works: where a contract decides, its terms come first. What they keep back is as if it was not there,
not even counted, and what they hide is taken out of the value before the filter looks at it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from client.errors import RecordFormatError
from client.messaging.records import HEADER_ID, HEADER_TRACEPARENT
from platform_ui.systems.records import TopicRecord
from streamhub.contracts import ContractTerms
from streamhub.errors import QueryError
from streamhub.query import CompiledStatement, compile_condition
from streamhub.query.restriction import check_attributes

MAX_FILTER: Final = 8192  # characters; as the predicate of a contract
# A record that crosses by a contract carries these of the provider's headers, no others.
LEAVING_HEADERS: Final = frozenset({HEADER_ID, HEADER_TRACEPARENT})


@dataclass(slots=True)
class Sifted:
    """What became of a batch.

    Attributes:
        matched: Places in the batch of records that match, ascending, and the records as they may be seen.
        visible: Places of all that may be seen.
        unusable: Places of those of them that the filter cannot judge.
    """

    matched: list[tuple[int, TopicRecord]] = field(default_factory=list)
    visible: list[int] = field(default_factory=list)
    unusable: list[int] = field(default_factory=list)


class Sieve:
    """A filter with the terms of a contract in front of it; not to be shared by threads.

    Args:
        text: The filter, as after WHERE; empty for everything.
        terms: What a contract lets the person see; nothing when they see the system itself.

    Raises:
        QueryError: the filter cannot be read, or looks at what the contract hides; it knows the place.
    """

    def __init__(self, text: str = "", terms: ContractTerms | None = None) -> None:
        self._terms = terms
        self._filter: CompiledStatement | None = None
        if text.strip():
            self._filter = compile_condition(text)
            if terms is not None:
                check_attributes(self._filter.tree, text, {"*": terms.restriction})
        self._gate = terms.compile() if terms is not None else None

    @property
    def is_open(self) -> bool:
        """Whether everything passes."""
        return self._filter is None and self._gate is None

    def take(self, records: Sequence[TopicRecord]) -> Sifted:
        """Judge records.

        Args:
            records: what was read, in its order.
        """
        seen = list(enumerate(records)) if self._gate is None else self._permitted(records)
        found = Sifted(visible=[place for place, _ in seen])
        if self._filter is None:
            found.matched = seen
            return found
        keys = [record.key for _, record in seen]
        decision = self._filter.filter_batch(keys, [record.value for _, record in seen])
        found.matched = [seen[index] for index in decision.accepted]
        found.unusable = [seen[index][0] for index, _, _ in decision.rejected]
        return found

    def _permitted(self, records: Sequence[TopicRecord]) -> list[tuple[int, TopicRecord]]:
        if self._gate is None or self._terms is None:
            raise TypeError("there are no terms to judge by")
        window = self._terms.window
        decision = self._gate.filter_batch([one.key for one in records], [one.value for one in records])
        kept = []
        for index in decision.accepted:
            record = records[index]
            if window is not None and not window.holds(record.timestamp_ms):
                continue
            try:
                value = self._gate.rewrite(record.key, record.value)
            except RecordFormatError:  # something has to be taken out of what is no object
                continue
            headers = tuple(one for one in record.headers if one[0] in LEAVING_HEADERS)
            kept.append((index, record._replace(value=value, headers=headers)))
        return kept


def fault_of(text: str, terms: ContractTerms | None = None) -> QueryError | None:
    """Return what is wrong with a filter, or nothing.

    Args:
        text: the filter, as after WHERE.
        terms: what a contract lets the person see.
    """
    try:
        Sieve(text, terms)
    except QueryError as error:
        return error
    return None
