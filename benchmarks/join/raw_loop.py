"""The reference: a plain confluent-kafka loop around the same join core, exactly once.

msgspec decodes two fields of a whole batch in one call, values are f-strings, `produce_batch` sends them. It
does less than a stream app: no state that survives it, no dead letters, no language, no headers
(`--headers` gives every record the id that all records of the product have). Several copies take the
partitions in turn, for without state they could not hand them over. Prints {"cpu_s": ...}.
"""

import argparse
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from confluent_kafka import Message, TopicPartition

from benchmarks.join.records import QUANTITIES, WITHIN_S
from benchmarks.measuring.exactly_once_loop import ExactlyOnceLoop, send_batch
from client.messaging.records import partition_for
from streamhub.join.series import SeriesJoin

_MICROSECONDS: Final = 1e6
_SIDES: Final = {quantity.encode(): side for side, quantity in enumerate(QUANTITIES)}


class Observation(msgspec.Struct, gc=False, rename="camel"):
    """The fields that the join needs."""

    phenomenon_time: str
    result: float


class Join:
    """One join per Thing; pairs are collected over a batch and then sent.

    Args:
        loop: Whose producer sends.
        target: The topic that receives.
        partitions: Its partitions.
        read: Decodes a JSON array of values into records with `phenomenon_time`; None for `Observation`.
        write: Writes the value of a pair: left, right, result time without its Z; None for `write_pair`.
    """

    def __init__(
        self,
        loop: ExactlyOnceLoop,
        target: str,
        partitions: int,
        read: Callable[[bytes], Sequence[Any]] | None = None,
        write: Callable[[Any, Any, str], str] | None = None,
    ) -> None:
        self._write = write or write_pair
        self._producer = loop.producer
        self._target = target
        self._system = target.removesuffix(".ext")
        self._partitions = partitions
        self._decode = read or msgspec.json.Decoder(list[Observation]).decode
        self._adders: dict[bytes | None, Callable[[int, Any], bool]] = {}
        self._joins: dict[bytes, SeriesJoin] = {}
        self._found: list[tuple[bytes, int, list[tuple[Any, ...]]]] = []
        self._base = uuid.uuid4().hex[:20]
        self._count = 0

    def _take(self, messages: Sequence[Message]) -> None:
        values = [message.value() for message in messages]
        observations = self._decode(b"[" + b",".join(values) + b"]")  # type: ignore[arg-type]
        adders = self._adders
        read_time = datetime.fromisoformat
        for message, observation in zip(messages, observations, strict=True):
            key = message.key()
            add = adders.get(key)
            if add is None:
                add = self._new_adder(key or b"")
            add(int(read_time(observation.phenomenon_time).timestamp() * _MICROSECONDS + 0.5), observation)

    def _new_adder(self, key: bytes) -> Callable[[int, Any], bool]:
        *_, thing, quantity = key.split(b".")
        join = self._joins.get(thing)
        if join is None:
            name = f"{self._system}.{thing.decode()}.power".encode()
            found: list[tuple[Any, ...]] = []
            self._found.append((name, partition_for(name, self._partitions), found))
            join = self._joins[thing] = SeriesJoin([WITHIN_S * 1_000_000], found.append)
        add = self._adders[key] = join.adders[_SIDES[quantity]]
        return add

    def send(self, messages: Sequence[Message]) -> None:
        """Join a batch and send its pairs."""
        self._take(messages)
        stamp = datetime.now(UTC).isoformat(timespec="microseconds")[:26]
        records: list[dict[str, object]] = []
        write = self._write
        for key, partition, found in self._found:
            records += [
                {"key": key, "value": write(left, right, stamp), "partition": partition}
                for left, right in found
            ]
            found.clear()
        send_batch(self._producer, self._target, records)

    def send_with_ids(self, messages: Sequence[Message]) -> None:
        """The same, every record with a header `dt-id`."""
        self._take(messages)
        stamp = datetime.now(UTC).isoformat(timespec="microseconds")[:26]
        produce, target = self._producer.produce, self._target
        count, base, write = self._count, self._base, self._write
        for key, partition, found in self._found:
            for left, right in found:
                headers: list[tuple[str, str | bytes | None]] = [("dt-id", f"{base}{count:016x}")]
                count += 1
                while True:
                    try:
                        produce(target, write(left, right, stamp), key, partition, headers=headers)
                        break
                    except BufferError:
                        self._producer.poll(0.05)
            found.clear()
        self._count = count
        self._producer.poll(0)


def write_pair(left: Observation, right: Observation, stamp: str) -> str:
    """Write the value of a pair as our app does."""
    later = max(right.phenomenon_time, left.phenomenon_time)
    return (
        f'{{"phenomenonTime":"{later}","resultTime":"{stamp}Z","result":{left.result * right.result},'
        '"Datastream":{"@iot.id":9}}'
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--source", required=True, help="one topic, or two with a comma")
    parser.add_argument("--target", required=True)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--copy", type=int, default=0)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--headers", action="store_true")
    parser.add_argument("--commit-interval", type=float, default=0.1)
    parser.add_argument("--endless", action="store_true")
    given = parser.parse_args()
    exactly_once = ExactlyOnceLoop(
        given.bootstrap_server, given.target, copy=given.copy, commit_interval_s=given.commit_interval
    )
    topics = given.source.split(",")
    own = [
        TopicPartition(topic, partition, 0)
        for topic in topics
        for partition in range(given.copy, given.partitions, given.copies)
    ]
    work = Join(exactly_once, given.target, given.partitions)
    exactly_once.run(
        topics,
        work.send_with_ids if given.headers else work.send,
        until_end=not given.endless,
        assigned=own if given.copies > 1 else (),
    )
