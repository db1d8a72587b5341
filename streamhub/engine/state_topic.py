"""The state topic of an app: what it remembers, as a compacted log in Kafka.

What lives here: writing into the open transaction, reading back what is committed. What does not: what the
bytes mean (`memory`), creating the topic (`topics`).

Reading goes up to the end that the topic has when reading begins, which is after the committed positions were
asked. Kafka answers these only when no transaction with other ones is undecided. So whatever a former owner
has committed lies before that end; records of a transaction still open are waited for, until it is decided.
"""

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AdminClient,
    OffsetSpec,
)

from streamhub.engine.records import when_there_is_room
from streamhub.engine.settings import LaneSettings, common_settings, restoring_settings
from streamhub.errors import StreamAppError

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("streamhub.kafka")

# More than a transaction of a dead copy lives; less than the runner waits for a sign of life.
_RESTORE_TIMEOUT_S: Final = 40.0
_REQUEST_TIMEOUT_S: Final = 5.0
_PAUSE_S: Final = 0.2


class StateTopic:
    """The log of one app, for one producer."""

    def __init__(self, settings: LaneSettings, producer: Producer) -> None:
        self._settings = settings
        self._producer = producer
        self.topic = settings.specification.state_topic

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write into the open transaction; None deletes the key.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        when_there_is_room(self._producer, lambda: self._producer.produce(self.topic, value, key, partition))

    def read(self, partitions: Sequence[int]) -> Mapping[tuple[int, bytes], bytes]:
        """Read the latest committed value of every partition and key.

        Raises:
            StreamAppError: the present end was not reached in time.
        """
        deadline = time.monotonic() + _RESTORE_TIMEOUT_S
        ends = self._ends(partitions, deadline)
        found: dict[tuple[int, bytes], bytes] = {}
        waiting = {partition for partition, end in ends.items() if end > 0}
        if not waiting:
            return found
        consumer = Consumer(restoring_settings(self._settings), logger=_kafka_log)
        try:
            consumer.assign([TopicPartition(self.topic, partition, 0) for partition in waiting])
            while waiting:
                if time.monotonic() > deadline:
                    raise StreamAppError(
                        f"topic {self.topic} could not be read to its end within {_RESTORE_TIMEOUT_S:g} s: "
                        "check the broker; the next start tries again"
                    )
                for message in consumer.consume(5_000, 0.2):
                    partition = message.partition() or 0
                    error = message.error()
                    if error is None:
                        _put(found, (partition, message.key() or b""), message.value())
                    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's spelling
                        # Records of an open transaction hide the rest: its end is waited for.
                        if (message.offset() or 0) >= ends[partition]:
                            waiting.discard(partition)
                    else:
                        _log.info("reading %s: %s", self.topic, error.str(), extra={"action": "restore"})
        finally:
            consumer.close()
        return found

    def _ends(self, partitions: Sequence[int], deadline: float) -> Mapping[int, int]:
        admin = AdminClient(common_settings(self._settings), logger=_kafka_log)
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(self.topic, partition): latest for partition in partitions}
        while True:
            with contextlib.suppress(KafkaException):
                answers = admin.list_offsets(
                    asked,
                    isolation_level=IsolationLevel.READ_UNCOMMITTED,
                    request_timeout=_REQUEST_TIMEOUT_S,
                )
                return {place.partition: future.result().offset for place, future in answers.items()}
            if time.monotonic() > deadline:
                raise StreamAppError(f"the end of topic {self.topic} is not known: no broker answered")
            time.sleep(_PAUSE_S)


def _put(found: dict[tuple[int, bytes], bytes], key: tuple[int, bytes], value: bytes | None) -> None:
    if value is None:
        found.pop(key, None)
    else:
        found[key] = value
