"""`python -m benchmarks.recorder --records 1000000 --kills 3`: record, crash on the way, compare both sides.

Starts a broker and a PostgreSQL server of its own, fills a topic, runs the recorder until everything is
recorded, kills it at random moments and starts it again, and compares count and hash of the topic with those
of the store. Exit code 1 on any difference.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import make_url

from benchmarks.measuring.broker import end_in_order_when_terminated
from benchmarks.measuring.topics import create_topic, fill
from benchmarks.recorder.content import store_content, topic_content
from benchmarks.recorder.plant import plant, records
from sensorthings.migrations import upgrade
from setup.local.kafka import LocalKafka
from setup.local.postgres import LocalPostgres, create_database, database_url, libpq_url
from setup.local.processes import ProcessIdentity, start_process
from streamhub.engine.progress import read_progress

_SYSTEM: Final = "at.bench.Mill.Station1"
_TOPIC: Final = f"{_SYSTEM}.int"
_START_S: Final = 90.0
_STUCK_S: Final = 60.0


class RecorderRun:
    """One run, from the first topic to the verdict."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given = given
        self._folder = folder
        self._kafka = LocalKafka(folder / "kafka", is_protected=False)
        self._postgres = LocalPostgres(folder / "postgres", durable=not given.volatile)
        self._chance = random.Random(given.seed)
        self._progress = folder / "progress.json"
        self._written = 0
        self.kills = 0

    def run(self) -> bool:
        """Do it; gives whether both sides are equal."""
        self._kafka.start()
        self._postgres.start()
        try:
            self._kafka.wait_ready(_START_S)
            self._postgres.wait_ready(_START_S)
            return self._record()
        finally:
            self._kafka.stop()
            self._postgres.stop()
            self._postgres.remove()

    def _record(self) -> bool:
        given, bootstrap = self._given, self._kafka.bootstrap_servers
        create_database(self._postgres.url(), "bench")
        database = database_url(self._postgres.url(), "bench")
        upgrade(make_url(database))
        create_topic(bootstrap, _TOPIC, given.partitions)
        datastreams = plant(libpq_url(database), _SYSTEM)
        written = self._written = fill(
            bootstrap, [_TOPIC], records(datastreams, given.records, partitions=given.partitions)
        )
        print(
            f"  {written:,} records in {_TOPIC}, {written - given.records:,} of them sent twice", flush=True
        )
        server = _cpu_s(self._postgres.process)
        started = time.monotonic()
        recorder_s = self._until_recorded(database)
        seconds = time.monotonic() - started
        server_s = _cpu_s(self._postgres.process) - server
        before, after = topic_content(bootstrap, [_TOPIC]), store_content(libpq_url(database))
        rows = {
            "records": f"{written:,}",
            "kill -9": self.kills,
            "seconds": f"{seconds:.1f}, starts included",
            "records/s": f"{written / seconds:,.0f}",
            "recorder CPU": f"{recorder_s * 1e3:.4f} ms per record, start included",
            "PostgreSQL CPU": f"{server_s / written * 1e3:.4f} ms per record",
            "topic": f"{before.number:,} {before.digest}",
            "store": f"{after.number:,} {after.digest}",
            "verdict": "equal" if before == after else "DIFFERENT",
        }
        for name, value in rows.items():
            print(f"  {name:16} {value}")
        return before == after

    def _until_recorded(self, database: str) -> float:
        """Run the recorder, with its kills, until nothing is left; gives its CPU time per record [s]."""
        process = self._start(database)
        kill_at = sorted(self._chance.uniform(0.05, 0.9) * self._written for _ in range(self._given.kills))
        moved = time.monotonic()
        last = -1
        try:
            while True:
                time.sleep(0.1)
                now, progress = time.monotonic(), read_progress(self._progress)
                if progress is None or progress.pid != process.pid:
                    continue
                if progress.position != last:
                    last, moved = progress.position, now
                if kill_at and progress.position >= kill_at[0]:
                    kill_at.pop(0)
                    # Anywhere in the batches that follow.
                    time.sleep(self._chance.uniform(0.0, 0.5))
                    process.kill()
                    self.kills += 1
                    process = self._start(database)
                    continue
                if progress.position >= self._written and not kill_at:
                    return progress.cpu_s / max(progress.consumed, 1)
                if now - moved > _STUCK_S:
                    print((self._folder / "recorder.log").read_text(encoding="utf-8")[-3000:])
                    raise SystemExit("the recorder does not move any more")
        finally:
            process.end()

    def _start(self, database: str) -> ProcessIdentity:
        return start_process(
            [sys.executable, "-m", "adapters.observation_store", "run", "--copy", "0"],
            log_file=self._folder / "recorder.log",
            environment=os.environ
            | {
                "DTWIN_KAFKA__BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
                "DTWIN_RECORDER__DATABASE_URL": database,
                "DTWIN_RECORDER__PROGRESS_FILE": str(self._progress),
            },
            folder=Path(__file__).parents[2],
        )


def _cpu_s(process: ProcessIdentity | None) -> float:
    """Processor time of a server and all its processes so far, ended ones included [s]."""
    found = None if process is None else process.process()
    if found is None:
        return 0.0
    own = found.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in found.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return float(total)


def main() -> None:
    given = _parse()
    end_in_order_when_terminated()
    with tempfile.TemporaryDirectory(prefix="dtwin-recorder-", ignore_cleanup_errors=True) as folder:
        sys.exit(0 if RecorderRun(given, Path(folder)).run() else 1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recorder", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--partitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=20260102)
    parser.add_argument("--volatile", action="store_true", help="PostgreSQL does not wait for the disk")
    return parser.parse_args()


if __name__ == "__main__":
    main()
