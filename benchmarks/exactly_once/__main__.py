"""`python -m benchmarks.exactly_once --app join --records 1000000 --kills 20`: crash it, count every record.

Starts a broker and a runner of its own, sends numbered records at a steady pace, kills the app at random
moments (and, if asked, restarts the broker, and lets a second copy join and leave), waits until everything is
consumed, and compares the committed output with what the numbers say must be there. Exit code 1 on any
difference; its files are then kept.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.exactly_once.apps import AppUnderRunner, SecondCopy
from benchmarks.exactly_once.faults import Faults
from benchmarks.exactly_once.numbered import MATCHING_BELOW, FilterPlan, JoinPlan, side_name
from benchmarks.exactly_once.producer import PacedProducer
from benchmarks.exactly_once.verdict import Verdict, judge
from benchmarks.measuring.broker import end_in_order_when_terminated
from benchmarks.measuring.programs import CommittedOffsets
from benchmarks.measuring.topics import create_topic, read_committed, waiting_records
from setup.local.kafka import LocalKafka
from streamhub.specification import StreamAppSpecification

_SYSTEMS: Final = ("at.crash.Mill.Left", "at.crash.Mill.Right")
_TARGET: Final = "at.crash.Road.Target"
_BROKER_START_S: Final = 90.0
# Longer than any timeout of the engine: what has not moved for so long does not move any more.
_STUCK_S: Final = 60.0


class CrashRun:
    """One run, from the first topic to the verdict."""

    def __init__(self, given: argparse.Namespace, folder: Path, kind: str) -> None:
        self._given = given
        self._folder = folder
        self._kind = kind
        things = 1 if given.partitions == 1 else 4 * given.partitions
        self._plan: FilterPlan | JoinPlan
        if kind == "filter":
            self._plan = FilterPlan(given.records, things)
        else:
            self._plan = JoinPlan(given.records, things, given.seed)
        self._systems = _SYSTEMS[: 2 if given.two_topics and kind == "join" else 1]
        self._is_keyed = things > 1
        self._broker = LocalKafka(folder / "kafka", is_protected=False)
        self.seconds = 0.0
        self.dead_letters = 0
        self.faults: Faults

    def run(self) -> Verdict:
        """Do it."""
        self._broker.start()
        try:
            self._broker.wait_ready(_BROKER_START_S)
            return self._run_on_broker()
        finally:
            self._broker.stop()

    def _run_on_broker(self) -> Verdict:
        given, bootstrap = self._given, self._broker.bootstrap_servers
        for system in self._systems:
            create_topic(bootstrap, f"{system}.int", given.partitions)
            create_topic(bootstrap, f"{system}.int.dlq")
        create_topic(bootstrap, f"{_TARGET}.ext", given.partitions)
        specification = self._specification(bootstrap)
        second = SecondCopy(self._folder, specification)
        started = time.monotonic()
        self.faults = Faults(given.seed, self._plan.records / given.rate)
        producer = self._producer(bootstrap)
        app = AppUnderRunner(self._folder, specification)
        try:
            app.wait_process()
            producer.start()
            self._disturb(app, second)
            self._wait_produced(producer)
            self.faults.end()
            self.faults.check()
            if second.is_running:
                raise SystemExit("the second copy still runs")
            self._wait_consumed(app)
        finally:
            self.faults.end()
            producer.stop()
            app.end()
        self.seconds = time.monotonic() - started
        self.dead_letters = sum(waiting_records(bootstrap, f"{system}.int.dlq") for system in self._systems)
        return self._judge(bootstrap)

    def _producer(self, bootstrap: str) -> PacedProducer:
        def limit() -> int:
            """Leave records for the faults that are still to come."""
            if self.faults.are_done:
                return self._plan.records
            faults: int = self._given.kills + self._given.broker_restarts
            done = self.faults.kills + self.faults.broker_restarts
            return self._plan.records * (done + 1) // (faults + 1)

        given = self._given
        return PacedProducer(
            bootstrap,
            self._systems,
            given.partitions,
            self._plan.produced(),
            rate=given.rate,
            limit=limit,
        )

    def _disturb(self, app: AppUnderRunner, second: SecondCopy) -> None:
        given = self._given
        self.faults.kill(app, given.kills)
        if given.broker_restarts:
            self.faults.restart_broker(self._broker, given.broker_restarts)
        if given.second_worker:
            self.faults.second_copy(second)

    def _specification(self, bootstrap: str) -> StreamAppSpecification:
        return StreamAppSpecification(
            name="crash",
            source_system=self._systems[0],
            target_system=_TARGET,
            statement=self._statement(),
            bootstrap_servers=bootstrap,
            commit_interval_s=self._given.commit_interval,
            spread=self._given.spread and self._kind == "join",
        )

    def _statement(self) -> str:
        if self._kind == "filter":
            return f"SELECT * FROM * WHERE result < {MATCHING_BELOW}"  # noqa: S608 - not SQL
        left, right = self._systems[0], self._systems[-1]
        sides = side_name(0), side_name(1)
        return (
            "SELECT l.result * r.result AS product UNIT 'W', l.number AS left_number, "  # noqa: S608 - not SQL
            f"r.number AS right_number FROM {left} AS l JOIN {right} AS r WITHIN 1 s "
            f"{'ON l.thing = r.thing ' if self._is_keyed else ''}"
            f"WHERE l.name LIKE '%.{sides[0]}' AND r.name LIKE '%.{sides[1]}'"
        )

    def _wait_produced(self, producer: PacedProducer) -> None:
        said = time.monotonic()
        while not (producer.is_done() and self.faults.are_done):
            self.faults.check()
            if producer.error is not None:
                break
            time.sleep(0.1)
            if time.monotonic() - said > 20:
                said = time.monotonic()
                print(
                    f"  {producer.count:,} of {self._plan.records:,} records, {self.faults.kills} kills, "
                    f"{self.faults.broker_restarts} broker restarts, {len(self.faults.visits)} visits",
                    flush=True,
                )
        producer.check()

    def _wait_consumed(self, app: AppUnderRunner) -> None:
        """Until the offsets of all records are committed, or nothing moves any more."""
        app.wait_process()
        topics = [f"{system}.int" for system in self._systems]
        offsets = CommittedOffsets(self._broker.bootstrap_servers, app.app_id, topics)
        moved, last = time.monotonic(), -1
        while (total := offsets.total()) < self._plan.records:
            if total != last:
                moved, last = time.monotonic(), total
            if time.monotonic() - moved > _STUCK_S:
                tail = "\n".join(app.directory.log_tail(app.app_id, 30))
                print(f"stuck at {total:,} of {self._plan.records:,} records consumed; log:\n{tail}")
                return
            time.sleep(0.2)

    def _judge(self, bootstrap: str) -> Verdict:
        messages = read_committed(bootstrap, f"{_TARGET}.ext")
        arrived = (_read(self._plan, message.value()) for message in messages)
        return judge(self._plan.expected(), arrived)


def _read(plan: FilterPlan | JoinPlan, value: bytes | None) -> int | None:
    try:
        return plan.read(value or b"")
    except (ValueError, KeyError, TypeError):
        return None


def main() -> None:
    given = _parse()
    end_in_order_when_terminated()
    kinds = ("filter", "join") if given.app == "both" else (given.app,)
    is_right = True
    for kind in kinds:
        folder = Path(tempfile.mkdtemp(prefix=f"dtwin-crash-{kind}-"))
        print(f"{kind}: files in {folder}", flush=True)
        run = CrashRun(given, folder, kind)
        verdict = run.run()
        good = verdict.is_right and run.dead_letters == 0
        _show(kind, given, run, verdict)
        is_right = is_right and good
        if good and not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if is_right else 1)


def _show(kind: str, given: argparse.Namespace, run: CrashRun, verdict: Verdict) -> None:
    rows = {
        "app": kind,
        "records": f"{given.records:,}",
        "partitions": f"{given.partitions}{', two topics' if given.two_topics and kind == 'join' else ''}",
        "kill -9": run.faults.kills,
        "broker restarts": run.faults.broker_restarts,
        "second copy": f"{len(run.faults.visits)} visits {' '.join(sorted(set(run.faults.visits)))}",
        "seconds": f"{run.seconds:.0f}",
        "expected": f"{verdict.expected:,}",
        "arrived": f"{verdict.arrived:,}",
        "lost": f"{verdict.lost_count:,} {verdict.lost or ''}",
        "repeated": f"{verdict.repeated_count:,} {verdict.repeated or ''}",
        "unexpected": f"{verdict.unexpected_count:,} {verdict.unexpected or ''}",
        "malformed": f"{verdict.malformed:,}",
        "dead letters": f"{run.dead_letters:,}",
    }
    for name, value in rows.items():
        print(f"  {name:16} {value}")
    print(f"  {'verdict':16} {'exactly once' if verdict.is_right and not run.dead_letters else 'WRONG'}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactly_once", description=__doc__)
    parser.add_argument("--app", choices=("filter", "join", "both"), default="both")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=10_000.0, help="input [records/s]")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--broker-restarts", type=int, default=0)
    parser.add_argument("--second-worker", action="store_true", help="copy 1 joins and leaves all the time")
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--two-topics", action="store_true", help="the two sides of the join are two systems")
    parser.add_argument("--spread", action="store_true", help="copies share the join by Thing")
    parser.add_argument("--commit-interval", type=float, default=0.1, help="[s]")
    parser.add_argument("--seed", type=int, default=20260102)
    parser.add_argument("--keep", action="store_true", help="keep the files of a good run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
