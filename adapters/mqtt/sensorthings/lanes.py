"""Lanes: messages on their way to the service, several at once, those of one topic in order.

What lives here: threads around a `Creator`, and waiting while the service is away. What does not: what is
done with the outcomes: the owner of the MQTT session takes them by `finished` in its own thread, because
messages are acknowledged there.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Final, NamedTuple, Protocol
from zlib import crc32

from adapters.mqtt.sensorthings.creating import Created, Later, Outcome, Refused
from client.errors import DigitalTwinError

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
_JOIN_S: Final = 35.0


class Handler(Protocol):
    """Makes something of a message: `adapters.mqtt.sensorthings.creating.Creator`."""

    def handle(self, topic: str, payload: bytes, record_id: str) -> Outcome:
        """Say what becomes of a message."""


class Finished(NamedTuple):
    """A message that is done.

    Attributes:
        token: By which its owner knows it.
        outcome: What became of it.
    """

    token: object
    outcome: Created | Refused


class _Waiting(NamedTuple):
    topic: str
    payload: bytes
    record_id: str
    token: object


class Lanes:
    """Takes messages to the service in threads of its own, from the beginning to `close`.

    Args:
        handler: What is done with each message.
        number: How many lanes.
        first_pause_s: Pause before the first repetition while the service is away [s]; then they get longer.

    Attributes:
        trouble: Why messages wait; None while none does.
    """

    def __init__(self, handler: Handler, number: int = 4, *, first_pause_s: float = _FIRST_PAUSE_S) -> None:
        self._handler = handler
        self._first_pause_s = first_pause_s
        self._stopping = threading.Event()
        self._queues: list[SimpleQueue[_Waiting | None]] = [SimpleQueue() for _ in range(number)]
        self._done: deque[Finished] = deque()
        self._failure: Exception | None = None
        self.trouble: str | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(queue,), name=f"sensorthings-{at}", daemon=True)
            for at, queue in enumerate(self._queues)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, topic: str, payload: bytes, record_id: str, token: object) -> None:
        """Take a message; it is done when it is among the `finished` ones.

        Args:
            topic: As it was published to; messages of one topic stay in order.
            payload: The Observation as JSON.
            record_id: Its dt-id.
            token: By which its owner knows it.
        """
        lane = crc32(topic.encode()) % len(self._queues)
        self._queues[lane].put(_Waiting(topic, payload, record_id, token))

    def finished(self) -> Sequence[Finished]:
        """Give the messages that are done, each once; waits for none.

        Raises:
            DigitalTwinError: A lane has ended: what is in it would never be done. A new process can go on.
        """
        if self._failure is not None:
            raise DigitalTwinError(
                f"an Observation could not be dealt with: {self._failure!r}"
            ) from self._failure
        return [self._done.popleft() for _ in range(len(self._done))]

    def close(self) -> None:
        """End the threads; messages that are not done are forgotten and come again from the broker."""
        self._stopping.set()
        for queue in self._queues:
            queue.put(None)
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _run(self, queue: "SimpleQueue[_Waiting | None]") -> None:
        try:
            while (waiting := queue.get()) is not None and not self._stopping.is_set():
                outcome = self._finish(waiting)
                if outcome is not None:
                    self._done.append(Finished(waiting.token, outcome))
        except Exception as error:  # noqa: BLE001 - whatever it is, it has to show: else its messages wait for ever
            self._failure = error
            _log.exception("an Observation could not be dealt with")

    def _finish(self, waiting: _Waiting) -> Created | Refused | None:
        pause_s = self._first_pause_s
        while not self._stopping.is_set():
            outcome = self._handler.handle(waiting.topic, waiting.payload, waiting.record_id)
            if not isinstance(outcome, Later):
                self.trouble = None
                return outcome
            if self.trouble is None:
                _log.warning("Observations wait: %s", outcome.reason, extra={"action": "wait"})
            self.trouble = outcome.reason
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        return None
