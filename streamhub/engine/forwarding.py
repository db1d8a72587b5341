"""Work that passes records on: filters and projections, without memory.

What lives here: the forwarder as work of a lane. What does not: deciding and sending (`batch`).
"""

from collections.abc import Sequence
from typing import Any, cast

from streamhub.engine.batch import BatchForwarder
from streamhub.engine.counters import RecordCounts
from streamhub.engine.records import TimedRecord
from streamhub.engine.work import Batch, Work


class ForwardingWork(Work):
    """Forwards what matches, byte by byte."""

    def __init__(self, forwarder: BatchForwarder) -> None:
        self._forwarder = forwarder

    def decide(self, batch: Batch) -> Any:  # noqa: ANN401 - only `send` knows what it is
        """Decide which records leave."""
        if not batch.messages:
            return None
        return self._forwarder.decide(cast("Sequence[TimedRecord]", batch.messages))

    def send(self, decided: Any, counts: RecordCounts) -> None:  # noqa: ANN401
        """Send what leaves and set aside what cannot be used.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        self._forwarder.send(decided, counts)
