"""What is seen of a sink from outside: how far it is, and why it waits.

What lives here: the part of `streamhub.engine.observer.Observed` that all sinks have in common. What does
not: their loops and counts (the sinks), reading (`source`).
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from confluent_kafka import KafkaError

from streamhub.engine.sinks.source import Source
from streamhub.engine.work import Partition

_log = logging.getLogger(__name__)

# An error of Kafka counts as over when none has come for so long, and Kafka answers [s].
_QUIET_S: Final = 15.0


class ObservedSink:
    """A base of sinks, which read from a source and commit what they have settled.

    Attributes:
        turned_at: When the loop last turned, by a monotonic clock [s].
    """

    def __init__(self, source: Source, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._monotonic = monotonic
        self._told: Mapping[Partition, int] = {}
        self._outage: str | None = None
        self._noted_at = 0.0
        self.turned_at = monotonic()

    @property
    def positions(self) -> Mapping[Partition, int]:
        """Offset up to which everything is settled, by partition."""
        return self._told

    @property
    def is_assigned(self) -> bool:
        """Whether the group has dealt out partitions to this copy, and it knows where they begin."""
        return self._source.is_assigned and bool(self._told or not self._source.positions)

    @property
    def newest_ms(self) -> int:
        """When the record read last was written to its topic [ms since 1970]; 0 before the first."""
        return self._source.newest_ms

    @property
    def trouble(self) -> str | None:
        """Why it waits; None when it does not."""
        return self._outage

    def note_error(self, error: KafkaError) -> None:
        """Say what Kafka's client library complains about: the first of an outage in the log."""
        # No system has topics yet, or one was removed: that is no outage.
        if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            self._note(f"Kafka: {error.str()}")

    def note_answer(self) -> None:
        """Say that Kafka answers: what was complained about some time ago is over."""
        if self._monotonic() - self._noted_at > _QUIET_S:
            self._outage = None

    def _note(self, text: str) -> None:
        if self._outage is None:
            _log.warning("%s", text, extra={"action": "trouble"})
        self._outage, self._noted_at = text, self._monotonic()

    def _commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell Kafka how far everything is settled, unless it has been told."""
        if not self._source.is_assigned:
            # Nothing can be committed now, and what could not be comes again: then it has to be told.
            self._told = {}
            return
        if positions == self._told:
            return
        self._source.commit(positions)
        self._told = positions
        # Records have come, and were settled. Where there were none, nobody has asked Kafka anything.
        self._outage = None
