"""The raw join loop of `benchmarks.join`, whose pairs carry the send times of both records."""

import argparse
import sys
from datetime import datetime

import msgspec

from benchmarks.join.raw_loop import Join, Observation
from benchmarks.measuring.exactly_once_loop import ExactlyOnceLoop


class SentObservation(Observation, gc=False, rename="camel"):
    """With the time at which it was sent [ns, monotonic]."""

    sent: int


def write_sent_pair(left: SentObservation, right: SentObservation, stamp: str) -> str:
    """Write a pair as our app does with these columns."""
    later = max(left.phenomenon_time, right.phenomenon_time, key=datetime.fromisoformat)
    return (
        f'{{"phenomenonTime":"{later}","resultTime":"{stamp}Z","result":{left.result * right.result},'
        f'"left_sent":{left.sent},"right_sent":{right.sent}}}'
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--commit-interval", type=float, required=True)
    given = parser.parse_args()
    loop = ExactlyOnceLoop(given.bootstrap_server, given.target, commit_interval_s=given.commit_interval)
    join = Join(loop, given.target, 1, msgspec.json.Decoder(list[SentObservation]).decode, write_sent_pair)
    loop.run([given.source], join.send, until_end=False)
    sys.exit(0)
