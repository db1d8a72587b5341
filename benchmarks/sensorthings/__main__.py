"""`python -m benchmarks.sensorthings`: requests per second, latency and processor time of every scenario.

A PostgreSQL server and the service are started for the run; requests come over connections that are kept
alive, from a process whose own processor time is not counted. The scenarios take turns over several rounds,
medians are shown. The peers' figures are from another machine: compare processor time for one request.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring.broker import end_in_order_when_terminated
from benchmarks.sensorthings.loading import load
from benchmarks.sensorthings.measurement import Driver, Run, as_json, as_table, median
from benchmarks.sensorthings.parts import running_parts
from benchmarks.sensorthings.scenarios import SCENARIOS, Scenario


def main() -> None:
    given = _arguments()
    end_in_order_when_terminated()
    rounds: dict[Scenario, list[Run]] = {scenario: [] for scenario in given.scenarios}
    with tempfile.TemporaryDirectory(prefix="dtwin-bench-", ignore_cleanup_errors=True) as folder:
        # PostgreSQL as root runs as another user, who has to be able to enter.
        Path(folder).chmod(0o755)
        with running_parts(Path(folder), given.workers) as parts:
            began = time.monotonic()
            catalogue = load(parts.host, given.observations)
            loading_s = time.monotonic() - began
            parts.settle()
            _say(f"{given.observations} Observations in {loading_s:.1f} s")
            driver = Driver(parts, catalogue, given.connections)
            for number in range(given.rounds):
                for scenario in given.scenarios:
                    run = driver.measure(scenario, given.seconds)
                    rounds[scenario].append(run)
                    figures = f"{run.cpu_ms:.2f} CPU ms, {run.rate:,.0f} req/s"
                    _say(f"round {number + 1}: {scenario.title}: {figures}")
            memory = parts.memory_mib()
    medians = {scenario: median(runs) for scenario, runs in rounds.items()}
    facts = {
        "workers": given.workers,
        "connections": given.connections,
        "observations": given.observations,
        "seconds": given.seconds,
        "loading_s": round(loading_s, 2),
        "service_mib": round(memory[0]),
        "database_mib": round(memory[1]),
    }
    if given.json:
        print(as_json(medians, rounds, **facts))
        return
    print(as_table(medians))
    print(", ".join(f"{name} {value}" for name, value in facts.items()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sensorthings", description=__doc__)
    known = {scenario.name: scenario for scenario in SCENARIOS}
    parser.add_argument("--scenarios", default="all", help=f"all, or some of {','.join(known)}")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each scenario in each round [4]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="processes of the service")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--observations", type=int, default=50_000)
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    given = parser.parse_args()
    names = list(known) if given.scenarios == "all" else given.scenarios.split(",")
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    given.scenarios = [known[name] for name in names]
    return given


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
