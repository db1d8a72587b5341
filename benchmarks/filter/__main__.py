"""`python -m benchmarks.filter --records 1000000`: measure, check every output, print a table with ratios."""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.filter import records
from setup.local.kafka import LocalKafka

FAUST_RECORDS = 50_000
STATEMENT = f"SELECT * FROM * WHERE result < {records.LIMIT};"  # noqa: S608 - not SQL
LONGEST_RUN_S = 120.0
BROKER_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run: input records per second, processor seconds per million of them."""

    rate: float
    cpu_s_per_million: float


class Bench:
    """Topics of one benchmark; each program writes to a topic of its own, which is counted and deleted."""

    def __init__(self, bootstrap: str, number: int, faust_number: int) -> None:
        self.bootstrap = bootstrap
        self.number = number
        self.faust_number = faust_number
        self._mark = uuid.uuid4().hex[:8]
        self.source = f"{records.SOURCE_SYSTEM}-{self._mark}.int"
        self.faust_source = f"bench-{self._mark}.faust-source"
        self._made: list[str] = []

    def prepare(self) -> None:
        """Create and fill the sources."""
        for topic, number in ((self.source, self.number), (self.faust_source, self.faust_number)):
            records.create_topic(self.bootstrap, topic)
            self._made.append(topic)
            if number:
                records.preload(self.bootstrap, topic, number)

    def clean(self) -> None:
        """Delete the sources."""
        records.delete_topics(self.bootstrap, self._made)

    def measure(self, number: int, program: Callable[[str], float]) -> Run:
        """Run a program into a new topic; it takes the target system and tells its processor time [s]."""
        system = f"at.bench.Road.T{uuid.uuid4().hex[:8]}"
        target = f"{system}.ext"
        records.create_topic(self.bootstrap, target)
        try:
            cpu_s = program(system)
            count, span_s = records.read_output(self.bootstrap, target)
        finally:
            records.delete_topics(self.bootstrap, [target])
        if count != records.matching(number):
            raise SystemExit(f"wrong output: {count} records instead of {records.matching(number)}")
        return Run(number / span_s, cpu_s / number * 1e6)

    def app(self, system: str) -> float:
        """Our app: the real process, ended by SIGTERM when it has read everything."""
        with tempfile.TemporaryDirectory() as folder:
            progress_file = Path(folder) / "progress.json"
            command = [
                *(
                    sys.executable,
                    "-m",
                    "streamhub",
                    "app",
                    "run",
                    "--stream-name",
                    system.rpartition(".")[2],
                ),
                *("--source-system", self.source.removesuffix(".int"), "--target-system", system),
                *("--filter-logic", STATEMENT, "--bootstrap-server", self.bootstrap),
                *("--progress-file", str(progress_file)),
            ]
            process = subprocess.Popen(command)
            before = self._wait(process, progress_file, lambda progress: progress["consumed"] == 0)
            self._wait(process, progress_file, lambda progress: progress["consumed"] == self.number)
            process.send_signal(signal.SIGTERM)
            if process.wait(30) != 0:
                raise SystemExit(f"the app ended with exit code {process.returncode}")
            after = json.loads(progress_file.read_text())
            return float(after["cpu_s"] - before["cpu_s"])

    @staticmethod
    def _wait(
        process: "subprocess.Popen[bytes]", file: Path, fits: Callable[[dict[str, float]], bool]
    ) -> dict[str, float]:
        deadline = time.monotonic() + LONGEST_RUN_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SystemExit(f"the app ended with exit code {process.returncode}")
            if file.exists():
                progress: dict[str, float] = json.loads(file.read_text())
                if fits(progress):
                    return progress
            time.sleep(0.01)
        process.kill()
        raise SystemExit("the app did not finish")

    def raw(self, system: str) -> float:
        """Run the reference loop."""
        return self._program("benchmarks.filter.raw_loop", self.source, system, self.number)

    def raw_with_headers(self, system: str) -> float:
        """Run the reference loop with the headers that our app keeps and adds."""
        return self._program("benchmarks.filter.raw_loop", self.source, system, self.number, "--headers")

    def agent(self, system: str) -> float:
        """Run the Faust agent on its smaller topic."""
        return self._program("benchmarks.filter.faust_agent", self.faust_source, system, self.faust_number)

    def _program(self, module: str, source: str, system: str, number: int, *more: str) -> float:
        command = [
            *(sys.executable, "-m", module, "--bootstrap-server", self.bootstrap, "--source", source),
            *("--target", f"{system}.ext", "--records", str(number), "--limit", str(records.LIMIT), *more),
        ]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=LONGEST_RUN_S)
        return float(json.loads(done.stdout.splitlines()[-1])["cpu_s"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filter", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--faust-records", type=int, default=FAUST_RECORDS, help="0 leaves the agent out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--bootstrap-server",
        default=os.environ.get("DTWIN_KAFKA__BOOTSTRAP_SERVERS"),
        help="a broker of yours; one is started for the run when left out",
    )
    given = parser.parse_args()
    with _broker(given.bootstrap_server) as address:
        bench = Bench(address, given.records, given.faust_records)
        bench.prepare()
        try:
            _report(*_measure(bench, given.rounds))
        finally:
            bench.clean()


@contextlib.contextmanager
def _broker(given: str | None) -> Iterator[str]:
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="dtwin-bench-") as folder:
        broker = LocalKafka(Path(folder))
        broker.start()
        try:
            broker.wait_ready(BROKER_START_S)
            yield broker.bootstrap_servers
        finally:
            broker.stop()


def _measure(bench: Bench, rounds: int) -> tuple[dict[str, list[Run]], Run | None]:
    programs = {
        "raw loop, exactly once": bench.raw,
        "raw loop with our headers": bench.raw_with_headers,
        "our stream app": bench.app,
    }
    runs: dict[str, list[Run]] = {name: [] for name in programs}
    for number in range(rounds):
        for name, program in programs.items():
            run = bench.measure(bench.number, program)
            runs[name].append(run)
            print(
                f"round {number + 1}  {name:28} {run.rate:>10,.0f} records/s  {run.cpu_s_per_million:6.2f} s"
            )
    agent = bench.measure(bench.faust_number, bench.agent) if bench.faust_number else None
    return runs, agent


def _report(runs: dict[str, list[Run]], agent: Run | None) -> None:
    medians = {
        name: Run(
            statistics.median(run.rate for run in each),
            statistics.median(run.cpu_s_per_million for run in each),
        )
        for name, each in runs.items()
    }
    if agent is not None:
        medians["naive Faust agent"] = agent
    reference = medians["raw loop, exactly once"]
    print(
        f"\n{'program (median)':28} {'records/s':>12} {'CPU s per 10^6':>16} "
        f"{'rate / raw':>12} {'CPU / raw':>11}"
    )
    for name, run in medians.items():
        print(
            f"{name:28} {run.rate:>12,.0f} {run.cpu_s_per_million:>16.2f} "
            f"{run.rate / reference.rate:>12.3f} {run.cpu_s_per_million / reference.cpu_s_per_million:>11.2f}"
        )
    if agent is not None:
        ours = medians["our stream app"]
        print(
            f"\nour stream app / naive Faust agent: {ours.rate / agent.rate:.0f} x records/s, "
            f"{agent.cpu_s_per_million / ours.cpu_s_per_million:.0f} x less CPU"
        )


if __name__ == "__main__":
    main()
