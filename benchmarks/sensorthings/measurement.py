"""Rounds of scenarios: what was sent and answered, what it cost, and the medians."""

import base64
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.sensorthings.parts import Parts
from benchmarks.sensorthings.peers import BARS_MS, PEERS
from benchmarks.sensorthings.scenarios import Catalogue, Scenario

WARM_UP_S: Final = 0.7
_SUCCESS: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario in one round, or the medians of several.

    Attributes:
        rate: Answers per second [1/s].
        p50_ms: Median time until the answer was there [ms].
        p99_ms: Time in which 99 of 100 were there [ms].
        cpu_ms: Processor time of service and database for one request [ms].
        database_ms: That of the database alone [ms].
    """

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    database_ms: float


class Driver:
    """Sends scenarios to running parts; numbers go on from one to the next, so that no time comes twice."""

    def __init__(self, parts: Parts, catalogue: Catalogue, connections: int) -> None:
        self._parts = parts
        self._catalogue = catalogue
        self._connections = connections
        self._number = 0

    def measure(self, scenario: Scenario, seconds: float) -> Run:
        """Run one scenario, after a warm-up that does not count.

        Raises:
            SystemExit: an answer was no success; figures of refusals would mean nothing.
        """
        requests = scenario.make(self._catalogue)
        self._drive(scenario, requests, WARM_UP_S)
        before = self._parts.cost()
        done = self._drive(scenario, requests, seconds)
        cost = self._parts.cost() - before
        latencies = sorted(done["latencies_ms"])
        count = len(latencies)
        return Run(
            rate=count / done["seconds"],
            p50_ms=latencies[count // 2],
            p99_ms=latencies[min(count - 1, count * 99 // 100)],
            cpu_ms=(cost.service_s + cost.database_s) * 1000 / count,
            database_ms=cost.database_s * 1000 / count,
        )

    def _drive(self, scenario: Scenario, requests: Sequence[bytes], seconds: float) -> dict[str, Any]:
        plan = {
            "host": self._catalogue.host,
            "requests": [base64.b64encode(request).decode() for request in requests],
            "connections": self._connections,
            "seconds": seconds,
            "first": self._number,
            "follows": scenario.follows,
        }
        command = [sys.executable, "-m", "benchmarks.sensorthings.connections"]
        answer = subprocess.run(
            command, input=json.dumps(plan), stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        done: dict[str, Any] = json.loads(answer)
        self._number = done["next"]
        refused = {status: count for status, count in done["statuses"].items() if int(status) not in _SUCCESS}
        if refused:
            raise SystemExit(f"{scenario.title}: answers with other statuses than success: {refused}")
        return done


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    each = [asdict(run) for run in runs]
    return Run(**{name: statistics.median(one[name] for one in each) for name in each[0]})


def as_table(medians: dict[Scenario, Run]) -> str:
    """Lines of a table: our figures, the peers' processor time, and the bar."""
    head = (
        f"{'scenario':30} {'req/s':>7} {'p50 ms':>7} {'p99 ms':>7} {'CPU ms':>7} {'of db':>6} "
        f"{'GOST':>7} {'FROST':>7} {'istSOS4':>8} {'/ best':>7} {'bar':>5} {'/ bar':>6}"
    )
    lines = [head]
    for scenario, run in medians.items():
        peers = {name: figure.cpu_ms for name, figure in PEERS.get(scenario.name, {}).items()}
        best = min(peers.values(), default=None)
        bar = BARS_MS.get(scenario.name)
        lines.append(
            f"{scenario.title:30} {run.rate:>7,.0f} {run.p50_ms:>7.1f} {run.p99_ms:>7.1f} {run.cpu_ms:>7.2f} "
            f"{run.database_ms:>6.2f} {_number(peers.get('GOST')):>7} {_number(peers.get('FROST')):>7} "
            f"{_number(peers.get('istSOS4')):>8} {_ratio(run.cpu_ms, best):>7} "
            f"{_number(bar, 1):>5} {_ratio(run.cpu_ms, bar):>6}"
        )
        if scenario.rows > 1:
            lines.append(
                f"{'':4}{'per Observation':26} {run.rate * scenario.rows:>7,.0f} {'':>15} "
                f"{run.cpu_ms / scenario.rows:>7.3f} {run.database_ms / scenario.rows:>6.3f}"
            )
    return "\n".join(lines)


def as_json(medians: dict[Scenario, Run], rounds: dict[Scenario, list[Run]], **facts: object) -> str:
    """All figures and the peers' as one JSON object."""
    scenarios = {
        scenario.name: {
            "title": scenario.title,
            "rows": scenario.rows,
            "median": asdict(run),
            "rounds": [asdict(one) for one in rounds[scenario]],
            "bar_ms": BARS_MS.get(scenario.name),
            "peers": {name: asdict(figure) for name, figure in PEERS.get(scenario.name, {}).items()},
        }
        for scenario, run in medians.items()
    }
    return json.dumps({**facts, "scenarios": scenarios}, indent=1)


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _ratio(value: float, reference: float | None) -> str:
    return "-" if reference is None else f"{value / reference:.2f}"
