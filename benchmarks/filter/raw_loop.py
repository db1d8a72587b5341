"""The reference: a plain confluent-kafka loop, exactly once, as fast as we know to write one predicate.

msgspec decodes one field of a whole batch in one call, `produce_batch` forwards key and value. It does less
than a stream app: no dead letters, no partition by Thing, no language, no headers (`--headers` adds those).
Prints {"cpu_s": processor time of the loop}.
"""

import argparse
import json
import time

import msgspec
from confluent_kafka import Consumer, Producer

COMMIT_INTERVAL_S = 0.1
BATCH = 5_000


class Observation(msgspec.Struct, gc=False):
    """The only field that the predicate needs."""

    result: float


def run(bootstrap: str, source: str, target: str, records: int, limit: float, *, headers: bool) -> None:
    name = target
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": name,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 100_000,
            "queued.max.messages.kbytes": 65_536,
            "fetch.message.max.bytes": 4_194_304,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": name,
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions()
    consumer.subscribe([source])
    decode = msgspec.json.Decoder(list[Observation]).decode
    started_cpu = time.process_time()
    seen, begun = 0, 0.0
    while seen < records or begun:
        messages = consumer.consume(BATCH, 0.05)
        if messages:
            if not begun:
                producer.begin_transaction()
                begun = time.monotonic()
            seen += len(messages)
            values = [message.value() for message in messages]
            observations = decode(b"[" + b",".join(values) + b"]")  # type: ignore[arg-type]
            matching = [i for i, observation in enumerate(observations) if observation.result < limit]
            if headers:
                _send_with_headers(producer, target, messages, values, matching)
            else:
                _send(producer, target, messages, values, matching)
        if begun and (seen >= records or time.monotonic() - begun >= COMMIT_INTERVAL_S):
            producer.send_offsets_to_transaction(
                consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
            )
            producer.commit_transaction()
            begun = 0.0
    print(json.dumps({"cpu_s": time.process_time() - started_cpu}))
    consumer.close()


def _send(producer: Producer, target: str, messages: list, values: list, matching: list[int]) -> None:  # type: ignore[type-arg]
    waiting = [{"key": messages[i].key(), "value": values[i], "partition": 0} for i in matching]
    while waiting:
        producer.produce_batch(target, waiting)
        waiting = [record for record in waiting if record.pop("_error", None) is not None]
        producer.poll(0.05 if waiting else 0)


def _send_with_headers(
    producer: Producer,
    target: str,
    messages: list,  # type: ignore[type-arg]
    values: list,  # type: ignore[type-arg]
    matching: list[int],
) -> None:
    app = ("dt-app", b"is.bench.Weather.Stations.raw")
    for i in matching:
        message = messages[i]
        headers = [*message.headers(), app, ("dt-origin", b"source/0/%d" % message.offset())]
        producer.produce(target, values[i], message.key(), 0, headers=headers)
    producer.poll(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--headers", action="store_true")
    given = parser.parse_args()
    run(given.bootstrap_server, given.source, given.target, given.records, given.limit, headers=given.headers)
