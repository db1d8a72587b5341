"""The filter in Quix Streams, exactly once; run by the Python of `environment`, which lacks our packages.

Bytes in, bytes out, one field by orjson: its fastest form. Prints {"cpu_s": ..., "start_cpu_s": ...}.
"""

import argparse
import json
import logging
import tempfile
import time

import orjson
from quixstreams import Application  # type: ignore[import-not-found]

parser = argparse.ArgumentParser()
parser.add_argument("--bootstrap-server", required=True)
parser.add_argument("--source", required=True)
parser.add_argument("--target", required=True)
parser.add_argument("--records", type=int, required=True)
parser.add_argument("--limit", type=float, required=True)
given = parser.parse_args()

logging.disable(logging.WARNING)
app = Application(
    broker_address=given.bootstrap_server,
    consumer_group=given.target,
    processing_guarantee="exactly-once",
    commit_interval=0.1,
    auto_offset_reset="earliest",
    auto_create_topics=False,
    state_dir=tempfile.mkdtemp(),
    loglevel=None,
    consumer_extra_config={
        "fetch.queue.backoff.ms": 5,
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 65_536,
        "fetch.message.max.bytes": 4_194_304,
    },
    producer_extra_config={
        "linger.ms": 5,
        "batch.size": 1_000_000,
        "batch.num.messages": 100_000,
        "queue.buffering.max.messages": 1_000_000,
    },
)
source = app.topic(given.source, key_deserializer="bytes", value_deserializer="bytes")
target = app.topic(given.target, key_serializer="bytes", value_serializer="bytes")
started_cpu: list[float] = []


def matches(value: bytes) -> bool:
    if not started_cpu:
        started_cpu.append(time.process_time())
    return bool(orjson.loads(value)["result"] < given.limit)


app.dataframe(source).filter(matches).to_topic(target)
app.run(count=given.records, timeout=30.0)
before = started_cpu[0]
print(json.dumps({"cpu_s": time.process_time() - before, "start_cpu_s": before}))
