"""The reference: a plain confluent-kafka loop, exactly once, as fast as we know to write one predicate.

msgspec decodes one field of a whole batch in one call, `produce_batch` forwards key and value. It does less
than a stream app: no dead letters, no partition by Thing, no language, no headers (`--headers` adds those).
Prints {"cpu_s": processor time of the loop}.
"""

import argparse
from collections.abc import Sequence

import msgspec
from confluent_kafka import Message

from benchmarks.measuring.exactly_once_loop import ExactlyOnceLoop, send_batch


class Observation(msgspec.Struct, gc=False):
    """The only field that the predicate needs."""

    result: float


class Filter:
    """Forward the records whose result is below a limit, to the partition of the same number."""

    def __init__(self, loop: ExactlyOnceLoop, target: str, limit: float) -> None:
        self._producer = loop.producer
        self._target = target
        self._limit = limit
        self._decode = msgspec.json.Decoder(list[Observation]).decode

    def _matching(self, messages: Sequence[Message]) -> tuple[list[bytes | None], list[int]]:
        values = [message.value() for message in messages]
        observations = self._decode(b"[" + b",".join(values) + b"]")  # type: ignore[arg-type]
        limit = self._limit
        return values, [i for i, observation in enumerate(observations) if observation.result < limit]

    def forward(self, messages: Sequence[Message]) -> None:
        """Forward key and value."""
        values, matching = self._matching(messages)
        send_batch(
            self._producer,
            self._target,
            [
                {"key": messages[i].key(), "value": values[i], "partition": messages[i].partition()}
                for i in matching
            ],
        )

    def forward_with_headers(self, messages: Sequence[Message]) -> None:
        """Forward key, value and headers, with the two headers that our app adds."""
        values, matching = self._matching(messages)
        produce, target = self._producer.produce, self._target
        app = ("dt-app", b"is.bench.Weather.Stations.raw")
        for i in matching:
            message = messages[i]
            headers = [
                *message.headers(),  # type: ignore[misc]
                app,
                ("dt-origin", b"source/0/%d" % (message.offset() or 0)),
            ]
            produce(target, values[i], message.key(), message.partition(), headers=headers)  # type: ignore[arg-type]
        self._producer.poll(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--copy", type=int, default=0)
    parser.add_argument("--headers", action="store_true")
    parser.add_argument("--commit-interval", type=float, default=0.1)
    parser.add_argument("--endless", action="store_true")
    given = parser.parse_args()
    exactly_once = ExactlyOnceLoop(
        given.bootstrap_server, given.target, copy=given.copy, commit_interval_s=given.commit_interval
    )
    work = Filter(exactly_once, given.target, given.limit)
    exactly_once.run(
        [given.source],
        work.forward_with_headers if given.headers else work.forward,
        until_end=not given.endless,
    )
