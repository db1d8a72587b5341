"""Records that crossed from one company to another, seen from outside: a reader of all `.ext` topics.

Used to show that the demo works; it is not part of any data flow.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, TopicPartition

from client.errors import InvalidNameError
from client.messaging.security import KafkaSecurity
from client.messaging.topics import DatastreamName, SystemName

_EXTERNAL = ".ext"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Crossing:
    """One record that arrived at a system of another company.

    Attributes:
        datastream: Where it was measured.
        target: The system that received it.
        result: What was measured, as text.
        unit: Symbol of its unit, from its Datastream; empty when unknown.
        phenomenon_time: When, as written in the record.
    """

    datastream: DatastreamName
    target: SystemName
    result: str
    unit: str
    phenomenon_time: str

    def text(self) -> str:
        """Return the crossing in one line."""
        value = f"{self.result} {self.unit}".strip()
        source = f"{self.datastream.system.company} {self.datastream.system.station}"
        target = f"{self.target.company} {self.target.station}"
        what = f"{self.datastream.thing} {self.datastream.datastream}"
        return f"{what} = {value} at {self.phenomenon_time}   {source} → {target}"


class CrossingWatch:
    """Reads what arrives at all systems from now on, committed records only.

    Args:
        bootstrap_servers: The broker.
        environment: Settings of protection, as every client reads them.
        sensorthings: Address of the SensorThings service, for units.
        token: Token that may see all units; None for a service that is open.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        environment: Mapping[str, str],
        sensorthings: str,
        token: str | None = None,
    ) -> None:
        self.count = 0
        self.newest: Crossing | None = None
        self.flows: dict[tuple[str, str], Crossing] = {}
        self._sensorthings = sensorthings
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._units: dict[str, str] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": f"dtwin-demo-{uuid.uuid4()}",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 0,  # an outage is told in our words; the library would fill the screen
                **KafkaSecurity.from_environment(environment).to_librdkafka(),
            }
        )
        self._consumer.assign(self._ends())

    def poll(self, timeout_s: float) -> int:
        """Read what has arrived; return how many records that were.

        Args:
            timeout_s: Largest wait for the first of them [s].
        """
        messages = self._consumer.consume(500, timeout_s)
        crossings = [crossing for message in messages if (crossing := self._crossing(message)) is not None]
        self.count += len(crossings)
        for crossing in crossings:
            self.flows.setdefault((str(crossing.datastream), str(crossing.target)), crossing)
            self.newest = crossing
        return len(crossings)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _ends(self) -> list[TopicPartition]:
        """Return the present end of every partition: what is older crossed in an earlier run."""
        ends = []
        for name, topic in self._consumer.list_topics(timeout=10).topics.items():
            if name.endswith(_EXTERNAL):
                for partition in topic.partitions:
                    place = TopicPartition(name, partition)
                    _, place.offset = self._consumer.get_watermark_offsets(place, timeout=10)
                    ends.append(place)
        return ends

    def _crossing(self, message: Message) -> Crossing | None:
        topic, key, value = message.topic(), message.key(), message.value()
        if message.error() is not None or topic is None or key is None or value is None:
            return None
        try:
            datastream = DatastreamName.parse(key.decode("utf-8"))
            target = SystemName.parse(topic.removesuffix(_EXTERNAL))
            record = json.loads(value)
            result, time = record["result"], record["phenomenonTime"]
        except (InvalidNameError, ValueError, KeyError, TypeError):
            return None  # whatever it is, it is not a crossing to show
        if datastream.system.company == target.company:
            return None
        return Crossing(datastream, target, _short(result), self._unit(str(datastream)), str(time))

    def _unit(self, datastream: str) -> str:
        if datastream not in self._units:
            self._units[datastream] = _ask_unit(self._sensorthings, datastream, self._headers)
        return self._units[datastream]


def _ask_unit(sensorthings: str, datastream: str, headers: dict[str, str]) -> str:
    """Return the unit's symbol of a Datastream, empty when it cannot be found."""
    condition = urllib.parse.quote("name eq '{}'".format(datastream.replace("'", "''")))
    question = urllib.request.Request(  # noqa: S310 - an address of the stack
        f"{sensorthings}/v1.1/Datastreams?$filter={condition}", headers=headers
    )
    try:
        with _DIRECT.open(question, timeout=5) as answer:
            return str(json.load(answer)["value"][0]["unitOfMeasurement"]["symbol"] or "")
    except (urllib.error.URLError, OSError, ValueError, LookupError, TypeError):
        return ""


def _short(result: object) -> str:
    return f"{result:.2f}" if isinstance(result, float) else str(result)
