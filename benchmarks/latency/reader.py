"""The measuring end: reads committed records as they come, in a process of its own, until SIGTERM.

Prints {"count": ..., "p50_ms": ..., "p99_ms": ..., "max_ms": ...}. Records whose send time is 0 are warm-up.
"""

import argparse
import json
import signal
import time

import msgspec
from confluent_kafka import Consumer, TopicPartition


class Sent(msgspec.Struct, gc=False):
    """The send times that a record carries [ns, monotonic]: its own, or those of a pair."""

    sent: int = 0
    left_sent: int = 0
    right_sent: int = 0


class Reader:
    """Collects latencies [ns] until it is stopped."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._is_stopped = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{topic}-reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 5,
            }
        )
        self._consumer.assign([TopicPartition(topic, 0, 0)])
        self.latencies: list[int] = []

    def stop(self, *_: object) -> None:
        """Stop."""
        self._is_stopped = True

    def run(self) -> None:
        """Read; of a pair, the later of its two records counts."""
        decode = msgspec.json.Decoder(Sent).decode
        while not self._is_stopped:
            message = self._consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            now = time.monotonic_ns()
            value = decode(message.value() or b"{}")
            sent = value.sent or (
                value.left_sent and value.right_sent and max(value.left_sent, value.right_sent)
            )
            if sent:
                self.latencies.append(now - sent)
        self._consumer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--topic", required=True)
    given = parser.parse_args()
    reader = Reader(given.bootstrap_server, given.topic)
    signal.signal(signal.SIGTERM, reader.stop)
    reader.run()
    found = sorted(reader.latencies)
    figures: dict[str, float] = {"count": len(found)}
    if found:
        parts = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
        figures |= {
            name: found[min(int(len(found) * part), len(found) - 1)] / 1e6 for name, part in parts.items()
        }
    print(json.dumps(figures))
