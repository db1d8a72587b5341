"""`python -m benchmarks.revocation --rounds 5`: seconds from revoking to the last success.

Starts a whole stack in a temporary home, with the mutual TLS and the access rules of every installation.
Everybody whose right is taken is busy at that moment, on connections that are open. Exit code 1 when
anything took longer than 5 s.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.measuring.broker import end_in_order_when_terminated
from benchmarks.revocation.scenarios import SCENARIOS, NeverRefusedError
from benchmarks.revocation.world import world

LIMIT_S: Final = 5.0


def main() -> int:
    """Measure, print the table, and tell whether everything was fast enough."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revocation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each scenario")
    parser.add_argument(
        "--only", default="", help="names of scenarios that hold this text: " + ", ".join(_names())
    )
    options = parser.parse_args()
    end_in_order_when_terminated()
    found: dict[str, list[float]] = {}
    with world() as stack:
        for number in range(options.rounds):
            for scenario in SCENARIOS:
                if options.only in scenario.__name__:
                    try:
                        rows = scenario(stack)
                    except NeverRefusedError as error:
                        sys.stderr.write(f"{error}\n")
                        return 1
                    for row, seconds in rows.items():
                        found.setdefault(row, []).append(seconds)
            print(f"round {number + 1} of {options.rounds} is done", flush=True)
    _print_table(found)
    return 0 if all(max(seconds) <= LIMIT_S for seconds in found.values()) else 1


def _names() -> Sequence[str]:
    return [scenario.__name__ for scenario in SCENARIOS]


def _print_table(found: Mapping[str, Sequence[float]]) -> None:
    width = max(len(row) for row in found)
    print(f"\n{'revoked: what still worked [s]':{width}} {'min':>7} {'median':>7} {'max':>7}")
    for row, seconds in found.items():
        slow = f"  more than {LIMIT_S:g} s" if max(seconds) > LIMIT_S else ""
        print(
            f"{row:{width}} {min(seconds):7.2f} {statistics.median(seconds):7.2f} {max(seconds):7.2f}{slow}"
        )


if __name__ == "__main__":
    sys.exit(main())
