"""What really came: the headers of the last records that systems received, counted.

What lives here: counting, and reading the ends of a few topics in a bounded time. What does not: flow figures
(``flows``), which are there without reading. Forwarded records carry who sent them (``dt-app``), by which
contracts (``dt-contract``) and from where (``dt-origin``, topic/partition/offset).

A bound is a bound: what is not among the last records is not known, and pages say how many were looked at.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from client.messaging.records import HEADER_APP, HEADER_CONTRACT, HEADER_ORIGIN
from client.messaging.topics import SystemName
from platform_ui.client_logs.reading import Lookback, RememberingReader
from platform_ui.errors import BrokerError
from platform_ui.systems.records import TopicRecord

MOST: Final = 300
"""How many records of each partition are looked at."""
MAX_TOPICS: Final = 8
_INTERNAL: Final = ".int"


@dataclass(frozen=True, slots=True)
class Tally:
    """Records of one kind.

    Attributes:
        records: How many.
        newest: When Kafka got the last of them.
    """

    records: int
    newest: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found at the end of what one system received.

    Attributes:
        system: The system.
        looked_at: How many records were looked at.
        by_app: Records by the app that sent them.
        by_origin: Records by app and the system that they come from.
        by_contract: Records by contract.
        by_datastream: Records by app and Datastream.
    """

    system: str
    looked_at: int = 0
    by_app: Mapping[str, Tally] = field(default_factory=dict)
    by_origin: Mapping[tuple[str, str], Tally] = field(default_factory=dict)
    by_contract: Mapping[str, Tally] = field(default_factory=dict)
    by_datastream: Mapping[tuple[str, str], Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """What was found in all topics that were looked at.

    Attributes:
        received: By system.
        trouble: Why something was not found out; empty when all was.
        left_out: How many systems were not looked at, because there are too many.
    """

    received: Mapping[str, Seen] = field(default_factory=dict)
    trouble: str = ""
    left_out: int = 0


async def observe(reader: RememberingReader | None, systems: Sequence[str]) -> Observation:
    """Read the ends of what systems received.

    Args:
        reader: The broker; nothing where there is none.
        systems: Full names, those that matter most first; the person sees all of them.
    """
    if reader is None:
        return Observation(trouble="Records cannot be read here: there is no broker.")
    wanted = systems[:MAX_TOPICS]
    topics = [SystemName.parse(name).topics.external for name in wanted]
    found = await asyncio.gather(*(reader.last(topic, MOST) for topic in topics), return_exceptions=True)
    received: dict[str, Seen] = {}
    troubles: list[str] = []
    for name, answer in zip(wanted, found, strict=True):
        if isinstance(answer, Lookback):
            received[name] = count(name, answer.records)
        elif isinstance(answer, BrokerError):
            troubles.append(answer.detail)
        else:
            raise answer
    return Observation(received, " ".join(dict.fromkeys(troubles)), len(systems) - len(wanted))


def count(system: str, records: Iterable[TopicRecord]) -> Seen:
    """Count records by what their headers say.

    Args:
        system: The system that received them.
        records: Its last ones, in any order.
    """
    counts: dict[str, dict[tuple[str, ...], list[datetime]]] = defaultdict(lambda: defaultdict(list))
    looked_at = 0
    for record in records:
        looked_at += 1
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
        app = headers.get(HEADER_APP, "")
        if app:
            counts["app"][app,].append(record.at)
            name = (record.key or b"").decode("utf-8", "replace")
            counts["datastream"][app, name].append(record.at)
            for origin in origins_of(headers.get(HEADER_ORIGIN, "")):
                counts["origin"][app, origin].append(record.at)
        for contract in filter(None, headers.get(HEADER_CONTRACT, "").split(",")):
            counts["contract"][contract.strip(),].append(record.at)
    return Seen(
        system,
        looked_at,
        {key[0]: _tally(times) for key, times in counts["app"].items()},
        {(key[0], key[1]): _tally(times) for key, times in counts["origin"].items()},
        {key[0]: _tally(times) for key, times in counts["contract"].items()},
        {(key[0], key[1]): _tally(times) for key, times in counts["datastream"].items()},
    )


def origins_of(header: str) -> tuple[str, ...]:
    """Return the systems that a record comes from; a joined one comes from several."""
    found = []
    for origin in filter(None, header.split(",")):
        topic = origin.strip().rsplit("/", 2)[0]
        if topic.endswith(_INTERNAL):
            found.append(topic.removesuffix(_INTERNAL))
    return tuple(dict.fromkeys(found))


def _tally(times: Sequence[datetime]) -> Tally:
    return Tally(len(times), max(times))
