"""`python -m benchmarks.mqtt --messages 100000 --clients 50`: devices, crashes, and what is there at the end.

Starts Mosquitto with TLS and client certificates, a broker, PostgreSQL and the SensorThings service of its
own. Devices publish with QoS 1, half of the messages with a time of their own and half of them bare values;
meanwhile the bridge is killed (`kill -9`) and Kafka is stopped for a while. Then a recorder stores what the
topic holds. Exit code 1 when a message that a device was told is taken has no record, records of one message
carry different ids, or the store does not have each message once.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx2
from confluent_kafka import Consumer, TopicPartition

from benchmarks.measuring.broker import end_in_order_when_terminated
from benchmarks.mqtt.site import MqttSite, terminate
from benchmarks.mqtt.verdict import Verdict, judge
from client.messaging.security import KafkaSecurity
from setup.local.kafka import LocalKafka
from setup.local.postgres import LocalPostgres, create_database, database_url
from setup.local.processes import ProcessIdentity
from tests.mosquitto import Mosquitto
from tests.sensorthings_service import running_service

_SYSTEM: Final = "at.bench.Mill.Station1"
_KIND: Final = "OM_CountObservation"
_START_S: Final = 120.0
_STUCK_S: Final = 120.0
_STEP_S: Final = 0.01


class Written:
    """How many records a topic holds, asked often: the bridge's own figures are up to a second old."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        security = KafkaSecurity.from_environment().to_librdkafka()
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "written", **security})
        listed = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._places = [TopicPartition(topic, partition) for partition in listed]

    def count(self) -> int:
        """Ask."""
        marks = [self._consumer.get_watermark_offsets(place, timeout=10) for place in self._places]
        return sum(high - low for low, high in marks)

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()


class MqttRun:
    """One run, from the first topic to the verdict."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given = given
        self._folder = folder
        self._kafka = LocalKafka(folder / "kafka", is_protected=False)
        self._postgres = LocalPostgres(folder / "postgres", durable=False)
        self._mosquitto = Mosquitto(folder / "mosquitto")
        self._chance = random.Random(given.seed)
        self._things = [f"Device{number}" for number in range(given.clients)]
        self._output = folder / "acknowledged.json"
        self.killed_at: list[int | None] = []

    def run(self) -> bool:
        """Do it; gives whether everything is there."""
        self._kafka.start()
        self._postgres.start()
        self._mosquitto.start()
        try:
            self._kafka.wait_ready(_START_S)
            self._postgres.wait_ready(_START_S)
            create_database(self._postgres.url(), "bench")
            with running_service(database_url(self._postgres.url(), "bench"), self._folder) as sensorthings:
                site = MqttSite(
                    self._kafka.bootstrap_servers, sensorthings, self._mosquitto, _SYSTEM, self._folder
                )
                try:
                    return self._bridge(site)
                finally:
                    site.end()
        finally:
            self._mosquitto.stop()
            self._kafka.stop()
            self._postgres.stop()
            self._postgres.remove()

    def _bridge(self, site: MqttSite) -> bool:
        for thing in self._things:
            site.register(thing, {"Timed": _KIND, "Bare": _KIND})
        bridge = site.start_ready("--buffer" if self._given.buffer else "--no-buffer")
        started = time.monotonic()
        with self._devices(site) as devices:
            bridge, outage_s = self._disturb(site, bridge)
            if devices.wait() != 0:
                raise SystemExit("the devices have failed")
        published_s = time.monotonic() - started
        self._until_idle(site, bridge)
        seconds = time.monotonic() - started
        progress = site.progress()
        cpu_s = 0.0 if progress is None or not progress.forwarded else progress.cpu_s / progress.forwarded
        terminate(bridge)
        acknowledged = {
            f"{_SYSTEM}.{thing}.{name}": numbers
            for thing, by_name in json.loads(self._output.read_bytes()).items()
            for name, numbers in by_name.items()
        }
        verdict = judge(acknowledged, site.records())
        stored = self._store(site)
        _show(
            verdict,
            {
                "stored once": f"{stored:,}",
                "kill -9": ", ".join(map(_place, self.killed_at)),
                "Kafka away": f"{outage_s:.1f} s",
                "published in": f"{published_s:.1f} s",
                "in Kafka after": f"{seconds:.1f} s, starts and outage included",
                "messages/s": f"{verdict.acknowledged / seconds:,.0f}",
                "bridge CPU": f"{cpu_s * 1e3:.3f} ms per message, of the last process",
            },
        )
        wanted = self._given.messages // self._given.clients * self._given.clients
        # A crash after the end shows nothing.
        is_hard = all(at is None or at < wanted for at in self.killed_at)
        is_whole = verdict.acknowledged == wanted == stored
        return verdict.is_exact and is_whole and is_hard

    def _store(self, site: MqttSite) -> int:
        """Let a recorder store all records; gives how many Observations there are then."""
        settings = {
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS": site.bootstrap,
            "DTWIN_RECORDER__DATABASE_URL": database_url(self._postgres.url(), "bench"),
        }
        command = [sys.executable, "-m", "adapters.observation_store", "replay"]
        subprocess.run(
            [*command, "--topic", site.topics.internal],
            env=os.environ | settings,
            cwd=Path(__file__).parents[2],
            check=True,
        )
        answer = httpx2.get(
            f"{site.sensorthings}/v1.1/Observations?$count=true&$top=0", timeout=_STUCK_S
        ).raise_for_status()
        return int(answer.json()["@iot.count"])

    def _devices(self, site: MqttSite) -> "subprocess.Popen[bytes]":
        certificate, key = self._mosquitto.identity("device")
        command = [
            *(sys.executable, "-m", "benchmarks.mqtt.devices", "--url", self._mosquitto.url),
            *("--ca-file", str(self._mosquitto.ca_file), "--certificate-file", str(certificate)),
            *("--key-file", str(key), "--system", site.system, "--output", str(self._output)),
            *("--things", ",".join(self._things)),
            *("--messages", str(self._given.messages // self._given.clients)),
        ]
        return subprocess.Popen(command, cwd=Path(__file__).parents[2], env=os.environ)

    def _disturb(self, site: MqttSite, bridge: ProcessIdentity) -> tuple[ProcessIdentity, float]:
        """Kill the bridge on its way, then stop Kafka and kill it once more meanwhile; all at random moments.

        Returns:
            The last bridge, and how long Kafka was away [s].
        """
        given, outage_s = self._given, 0.0
        before = given.kills - 1 if given.outage_s else given.kills
        written = Written(site.bootstrap, site.topics.internal)
        for place in sorted(self._chance.uniform(0.05, 0.55) * given.messages for _ in range(before)):
            self._await(written, place)
            bridge = self._kill(site, bridge, written.count())
        if given.outage_s:
            self._await(written, self._chance.uniform(0.6, 0.7) * given.messages)
            stopped = time.monotonic()
            written.close()
            self._kafka.stop()
            time.sleep(self._chance.uniform(0.0, given.outage_s / 2))
            if given.kills:
                bridge = self._kill(site, bridge, None)
            time.sleep(max(stopped + given.outage_s - time.monotonic(), 0.0))
            self._kafka.start()
            self._kafka.wait_ready(_START_S)
            outage_s = time.monotonic() - stopped
        else:
            written.close()
        return bridge, outage_s

    def _await(self, written: "Written", number: float) -> None:
        deadline = time.monotonic() + _STUCK_S
        while written.count() < number:
            if time.monotonic() > deadline:
                raise SystemExit(f"there are no {number:,.0f} records in time")
            time.sleep(_STEP_S)

    def _kill(self, site: MqttSite, bridge: ProcessIdentity, records: int | None) -> ProcessIdentity:
        bridge.kill()
        self.killed_at.append(records)
        return site.start("--buffer" if self._given.buffer else "--no-buffer")

    def _until_idle(self, site: MqttSite, bridge: ProcessIdentity) -> None:
        """Wait until the bridge has nothing to do."""

        def is_idle() -> bool:
            progress = site.progress()
            if progress is None or progress.pid != bridge.pid:
                return False
            figures = site.figures()
            waits = progress.held or figures["unacknowledged"] or figures["buffer_bytes"]
            return not waits and progress.input_rate == 0 and progress.state == "running"

        site.wait(is_idle, "end of the work", _STUCK_S)


def _place(records: int | None) -> str:
    return "while Kafka was away" if records is None else f"at {records:,} records"


def _show(verdict: Verdict, rows: dict[str, str]) -> None:
    rows |= {
        "acknowledged": f"{verdict.acknowledged:,}",
        "records": f"{verdict.records:,}",
        "lost": f"{verdict.lost:,}",
        "doubled": f"{verdict.doubled:,}, with the same id: {'yes' if not verdict.split else 'NO'}",
        "different ids": f"{verdict.ids:,}",
        "invented": f"{verdict.invented:,}",
        "out of order": f"{verdict.disordered:,}",
        "verdict": "exact" if verdict.is_exact else "WRONG",
    }
    for name, value in rows.items():
        print(f"  {name:16} {value}")


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--kills", type=int, default=3, help="how often the bridge is killed")
    parser.add_argument("--outage-s", type=float, default=20.0, help="how long Kafka is away [s]; 0: never")
    parser.add_argument("--buffer", action="store_true", help="with the on-disk buffer, as at a site")
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    given.seed = random.randrange(10**6) if given.seed is None else given.seed
    end_in_order_when_terminated()
    print(f"{given.messages:,} messages of {given.clients} clients, seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="dtwin-mqtt-", ignore_cleanup_errors=True) as folder:
        return 0 if MqttRun(given, Path(folder)).run() else 1


if __name__ == "__main__":
    sys.exit(main())
