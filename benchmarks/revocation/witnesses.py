"""Those who go on using a right until it is refused, and note when that was.

What lives here: one kind of witness for each kind of connection: Kafka producers and consumers, requests,
streams of events. What does not: what is revoked (`scenarios`), and by whom (`people`).

A witness is busy all the time on connections that are open. It counts as refused from the first refusal on
after which nothing succeeded any more: a right that comes back for a moment starts the count again.
"""

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

import httpx2
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

POLL_S: Final = 0.05
_PACE_S: Final = 0.01
_JOIN_S: Final = 30.0
Settings = Mapping[str, str | int | float | bool]


class Witness:
    """Somebody who uses a right in a thread for as long as a `with` block lasts.

    Attributes:
        allowed_at: When it worked the last time [monotonic s]; None when it never did.
        refused_at: Since when it has been refused [monotonic s]; None while it works.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.allowed_at: float | None = None
        self.refused_at: float | None = None
        self.fault: Exception | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End and wait until the connections are closed."""
        self._ended.set()
        self._thread.join(_JOIN_S)

    def note(self, *, is_allowed: bool) -> None:
        """Note that it worked, or was refused, just now."""
        if is_allowed:
            self.allowed_at, self.refused_at = time.monotonic(), None
        elif self.refused_at is None and self.allowed_at is not None:
            self.refused_at = time.monotonic()

    def run(self) -> None:
        """Use the right until `ended`."""
        raise NotImplementedError

    @property
    def ended(self) -> threading.Event:
        """Set when the thread is to end."""
        return self._ended

    def _guarded(self) -> None:
        try:
            self.run()
        except (httpx2.HTTPError, KafkaException, RuntimeError) as error:
            self.fault = error


class Asking(Witness):
    """Somebody who asks the same question again and again.

    Args:
        name: What the table calls it.
        ask: Asks once; returns the status.
    """

    def __init__(self, name: str, ask: Callable[[], int]) -> None:
        super().__init__(name)
        self._ask = ask

    def run(self) -> None:
        """Ask twenty times a second."""
        while not self.ended.wait(POLL_S):
            self.note(is_allowed=self._ask() == httpx2.codes.OK)


class Watching(Witness):
    """Somebody who watches a stream of server-sent events; refused when it ends."""

    def __init__(self, name: str, http: httpx2.Client, path: str) -> None:
        super().__init__(name)
        self._http = http
        self._path = path

    def run(self) -> None:
        """Read until the stream ends."""
        with self._http.stream("GET", self._path, timeout=_JOIN_S) as events:
            for _ in events.iter_bytes():
                if self.ended.is_set():
                    return
                self.note(is_allowed=events.is_success)
        self.note(is_allowed=False)


class Producing(Witness):
    """Somebody who produces on an open connection; refused when records are given up."""

    def __init__(self, name: str, connection: Settings, topic: str, key: str) -> None:
        super().__init__(name)
        self._producer = Producer(
            {**connection, "enable.idempotence": True, "linger.ms": 5, "log_level": 0, "error_cb": _ignore}
        )
        self._topic = topic
        self._key = key.encode()

    def run(self) -> None:
        """Produce a hundred records a second."""
        while not self.ended.wait(_PACE_S):
            try:
                self._producer.produce(self._topic, b'{"result":1}', self._key, 0, on_delivery=self._settle)
            except KafkaException:  # the library knows already that the topic is refused
                self.note(is_allowed=False)
            self._producer.poll(0)
        self._producer.flush(1)
        self._producer.purge()
        self._producer.poll(0)

    def _settle(self, error: KafkaError | None, _message: Message) -> None:
        if not self.ended.is_set():
            self.note(is_allowed=error is None)


class Fetching(Witness):
    """Somebody who reads a topic that is never silent; refused when the broker refuses to read."""

    def __init__(self, name: str, connection: Settings, topic: str, key: str = "") -> None:
        super().__init__(name)
        self._consumer = Consumer(
            {
                **connection,
                "group.id": connection.get("group.id", "unused"),
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "latest",
                "fetch.wait.max.ms": 100,
                "log_level": 0,
                "error_cb": _ignore,
            }
        )
        self._topic = topic
        self._key = key.encode()
        self.count = 0

    def run(self) -> None:
        """Read from the end on."""
        partitions = self._consumer.list_topics(self._topic, timeout=20).topics[self._topic].partitions
        self._consumer.assign(
            [
                TopicPartition(
                    self._topic,
                    number,
                    self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=20)[1],
                )
                for number in partitions
            ]
        )
        while not self.ended.is_set():
            for message in self._consumer.consume(200, POLL_S):
                if message.error() is not None:
                    self.note(is_allowed=False)
                elif message.key() == self._key or not self._key:
                    self.count += 1
                    self.note(is_allowed=True)
        self._consumer.close()


def _ignore(_error: KafkaError) -> None:
    """What counts is seen at the records; the library would write the rest to the terminal."""
