"""The as-of join of Quix Streams, exactly once; run by the Python of `environment`, which lacks our packages.

Its semantics are others: one output per left record, paired with the latest right one before it. Keys lose
their last level when they are read, so that no repartition is needed. Prints {"cpu_s": ..., ...}.
"""

import argparse
import json
import logging
import tempfile
import time
from datetime import datetime

from quixstreams import Application  # type: ignore[import-not-found]
from quixstreams.models import Deserializer  # type: ignore[import-not-found]

parser = argparse.ArgumentParser()
parser.add_argument("--bootstrap-server", required=True)
parser.add_argument("--source", required=True, help="two topics with a comma")
parser.add_argument("--target", required=True)
parser.add_argument("--records", type=int, required=True)
given = parser.parse_args()

logging.disable(logging.WARNING)
started_cpu: list[float] = []


class ThingKey(Deserializer):  # type: ignore[misc]
    """The key without the name of the quantity."""

    def __call__(self, value: bytes, ctx: object) -> bytes:  # noqa: ARG002 - Quix names it
        """Read the key `<system>.<Thing>.<quantity>`."""
        if not started_cpu:
            started_cpu.append(time.process_time())
        return value.rpartition(b".")[0].rpartition(b".")[2]


def event_time(value: dict[str, str], *_: object) -> int:
    return int(datetime.fromisoformat(value["phenomenonTime"]).timestamp() * 1000)


def multiply(left: dict[str, float], right: dict[str, float]) -> dict[str, float]:
    return {"phenomenonTime": left["phenomenonTime"], "result": left["result"] * right["result"]}


app = Application(
    broker_address=given.bootstrap_server,
    consumer_group=given.target,
    processing_guarantee="exactly-once",
    commit_interval=0.1,
    auto_offset_reset="earliest",
    state_dir=tempfile.mkdtemp(),
    loglevel=None,
    consumer_extra_config={"fetch.queue.backoff.ms": 5},
    producer_extra_config={"linger.ms": 5, "batch.size": 1_000_000, "batch.num.messages": 100_000},
)
left, right = (
    app.dataframe(
        app.topic(
            name,
            key_deserializer=ThingKey(),
            value_deserializer="json",
            timestamp_extractor=event_time,
        )
    )
    for name in given.source.split(",")
)
joined = left.join_asof(right, how="inner", on_merge=multiply, grace_ms=1_000)
joined.to_topic(app.topic(given.target, key_serializer="bytes", value_serializer="json"))
app.run(count=given.records, timeout=10.0)
before = started_cpu[0]
print(json.dumps({"cpu_s": time.process_time() - before, "start_cpu_s": before}))
