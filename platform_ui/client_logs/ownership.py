"""Which records count as a client app's own; pure.

What lives here: the rules. What does not: reading topics and reports (``reading``, ``reports``), what is
shown of a record (``connection``).

Kafka does not tell who wrote a record, and a record does not either. So a record counts as a client app's
when its Datastream

1. is one that the client app has said to write, or that only the lines on its page send to;
2. else belongs to a Thing with the client app's name;
3. else has had records since the client app was made, and nobody else can have sent them: this client app has
   not said what it writes - devices that speak only MQTT or HTTP do not -, and every other one of the system
   has.

What another client app has said to write is never taken for its own by 2 or 3. Observations that people enter
on the platform are records like all others: by 3, they may be taken for those of a system's only client app.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from client.errors import InvalidNameError
from client.messaging.topics import DatastreamName
from platform_ui.client_logs.reports import Report
from platform_ui.systems.records import TopicRecord


@dataclass(frozen=True, slots=True)
class Asked:
    """The client app that is asked about, and those beside it.

    Attributes:
        system: Full name of its system.
        name: Its name.
        made_at: When it was made; nothing of it is older.
        others: Names of the other client apps of the system.
        names: Full names of the Datastreams that are its own by rule 1.
        has_said: Whether it has said which Datastreams it writes.
    """

    system: str
    name: str
    made_at: datetime
    others: frozenset[str]
    names: frozenset[str]
    has_said: bool


@dataclass(frozen=True, slots=True)
class Owned:
    """What was found.

    Attributes:
        records: Its records, in their order.
        names: Full names of the Datastreams by which they are told, those of rule 1 first of all.
        nobodys: Records since it was made that may be its own or another one's, in their order.
    """

    records: Sequence[TopicRecord]
    names: frozenset[str]
    nobodys: Sequence[TopicRecord]


def owned(records: Iterable[TopicRecord], reports: Iterable[Report], asked: Asked) -> Owned:
    """Choose the records that count as a client app's own.

    Args:
        records: The newest of its system, in their order.
        reports: What the client apps of the system have said.
        asked: Whose records are wanted.
    """
    claims: dict[str, set[str]] = {}
    for report in reports:
        claims.setdefault(report.client, set()).update(report.datastreams)
    foreign = {name for client, names in claims.items() if client != asked.name for name in names}
    is_alone = not asked.has_said and all(claims.get(other) for other in asked.others)
    own, nobodys = [], []
    found = set(asked.names)
    for record in records:
        name = (record.key or b"").decode("utf-8", "replace")
        if name not in asked.names:
            thing = _thing_of(name, asked.system)
            if thing is None or name in foreign or record.at < asked.made_at:
                continue
            if thing != asked.name and not is_alone:
                nobodys.append(record)
                continue
        own.append(record)
        found.add(name)
    return Owned(own, frozenset(found), nobodys)


def _thing_of(name: str, system: str) -> str | None:
    """Return the Thing of a Datastream of a system; nothing when the name is another one's, or none."""
    if not name.startswith(f"{system}."):
        return None
    try:
        return DatastreamName.parse(name).thing
    except InvalidNameError:
        return None
