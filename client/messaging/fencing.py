"""A static member that Kafka has cut off: how it is told, and whether another process did it.

What lives here: reading the errors of a consumer, counting fences. What does not: coming back (whoever owns
the consumer), fenced transactions (`streamhub.engine.transaction`).

Kafka fences a member when another one joins under its `group.instance.id` (KIP-345). That is a second
process or, after an outage, the member itself: the answer to its join got lost, it asks again under its old
id, and Kafka takes it for its own predecessor. So whoever is fenced comes back with a new consumer, and only
when that happens again and again is there a rival.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError

# librdkafka tells what is fatal as a message with a code of its own, and its cause only as text; its callback
# and its exceptions carry the broker's code.
_FATAL: Final = frozenset({KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID})  # noqa: SLF001
# So often within that time only a rival fences.
_MOST_FENCES: Final = 4
_FENCES_WITHIN_S: Final = 60.0


def is_fatal(error: KafkaError) -> bool:
    """Tell whether a consumer is of no more use; librdkafka says it once."""
    return error.fatal() or error.code() in _FATAL


def is_fence(error: KafkaError) -> bool:
    """Tell whether a consumer is of no more use because another member has its `group.instance.id`."""
    return is_fatal(error) and (
        error.code() == KafkaError.FENCED_INSTANCE_ID or "fenced" in (error.str() or "")
    )


class Fences:
    """Counts how often a member was fenced.

    Args:
        monotonic: A clock [s].
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._times: deque[float] = deque(maxlen=_MOST_FENCES)

    def note(self) -> bool:
        """Note a fence; tell whether there is a rival, with whom coming back would be a quarrel."""
        now = self._monotonic()
        self._times.append(now)
        return len(self._times) == _MOST_FENCES and now - self._times[0] < _FENCES_WITHIN_S
