"""What waits for one client: messages not sent yet, and messages it has not acknowledged.

What lives here: the order, packet identifiers, and the limits of one client's messages. What does not:
writing them to a connection (`connection`), saving them (`store`).

A message of QoS 1 stays until its acknowledgement, and is sent again, in order and marked as a duplicate, on
the next connection of the same session.

Source: MQTT 5.0, clauses 4.3.2 "QoS 1", 4.4 "Message delivery retry", 4.6 "Message ordering".
"""

import asyncio
from collections import OrderedDict, deque
from typing import Final, NamedTuple

_MOST_IDS: Final = 65_535
MOST_BYTES: Final = 64 * 1024 * 1024
"""Payloads that wait for one client [bytes]; with this much, its queue is full."""


class Message(NamedTuple):
    """One message on its way to a client.

    Attributes:
        topic: Its topic.
        payload: What it says.
        qos: 0 or 1.
        is_retained: Whether it comes with the retain flag.
        properties: Its properties of version 5, as bytes.
    """

    topic: str
    payload: bytes
    qos: int
    is_retained: bool = False
    properties: bytes = b""


class Outbox:
    """Messages for one client.

    Args:
        most_waiting: Most messages that wait.
        most_inflight: Most messages that are sent and not acknowledged.

    Attributes:
        waiting: Not sent yet, the oldest first.
        inflight: Sent and not acknowledged, by packet identifier, the oldest first.
        most_inflight: Most of them; the client may want less than the broker gives.
        dropped: How many were dropped because the queue was full.
        work: Set when there may be something to send.
        room: Set while there is room for more.
        is_stuck: Whether senders have waited for room in vain, and nothing was taken since.
    """

    def __init__(self, most_waiting: int, most_inflight: int) -> None:
        self.waiting: deque[Message] = deque()
        self.inflight: OrderedDict[int, Message] = OrderedDict()
        self.most_inflight = most_inflight
        self.dropped = 0
        self.is_stuck = False
        self.work = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()
        self._most_waiting = most_waiting
        self._bytes = 0
        self._last_id = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more can wait."""
        return len(self.waiting) >= self._most_waiting or self._bytes >= MOST_BYTES

    def put(self, message: Message) -> bool:
        """Let a message wait; False when it was dropped, because there is no room."""
        if self.is_full:
            self.dropped += 1
            return False
        self.waiting.append(message)
        self._bytes += len(message.payload)
        self.work.set()
        if self.is_full:
            self.room.clear()
        return True

    def take(self) -> tuple[int | None, Message] | None:
        """Give the next message to send with its packet identifier; None when there is none to send now."""
        if not self.waiting or (self.waiting[0].qos and len(self.inflight) >= self.most_inflight):
            self.work.clear()
            return None
        message = self.waiting.popleft()
        self._bytes -= len(message.payload)
        self.room.set()
        self.is_stuck = False
        if not message.qos:
            return None, message
        identifier = self._next_id()
        self.inflight[identifier] = message
        return identifier, message

    def acknowledge(self, identifier: int) -> bool:
        """Forget a message that the client has; False when none of that identifier was sent."""
        found = self.inflight.pop(identifier, None) is not None
        if found:
            self.work.set()
        return found

    def forget_unsure(self) -> None:
        """Forget waiting messages of QoS 0: nobody is there to take them."""
        self.waiting = deque(message for message in self.waiting if message.qos)
        self._bytes = sum(len(message.payload) for message in self.waiting)
        if not self.is_full:
            self.room.set()

    def keep(self, identifier: int, message: Message) -> None:
        """Put a message back that was sent before the broker was started anew."""
        self.inflight[identifier] = message
        self._last_id = max(self._last_id, identifier)

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % _MOST_IDS + 1
            if self._last_id not in self.inflight:
                return self._last_id
