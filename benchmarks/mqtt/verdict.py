"""Is everything there that devices were told is taken, and does what is there twice say so?"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import Message


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a topic holds of what was acknowledged.

    Attributes:
        acknowledged: Messages that the MQTT broker has acknowledged to devices.
        records: Records in the topic.
        lost: Acknowledged messages without a record.
        doubled: Records beyond the first of their message.
        ids: Different dt-ids.
        split: Messages whose records carry different dt-ids.
        shared: dt-ids that records of different messages carry.
        invented: Messages that have a record and were never acknowledged; a device that waits for every
            acknowledgement leaves none.
        disordered: Messages whose first record stands behind that of a later one of their Datastream.
    """

    acknowledged: int
    records: int
    lost: int
    doubled: int
    ids: int
    split: int
    shared: int
    invented: int
    disordered: int

    @property
    def is_exact(self) -> bool:
        """Whether a sink that knows records by dt-id shows each message once, in order, and nothing else."""
        faults = self.lost + self.split + self.shared + self.invented + self.disordered
        return not faults and self.ids == self.records - self.doubled


def judge(acknowledged: Mapping[str, Iterable[int]], records: Iterable[Message]) -> Verdict:
    """Compare.

    Args:
        acknowledged: The numbers that were acknowledged, by full name of the Datastream.
        records: What the topic holds.
    """
    found: dict[tuple[str, int], list[bytes]] = defaultdict(list)
    newest: dict[str, int] = {}
    disordered = 0
    owners: dict[bytes, set[tuple[str, int]]] = defaultdict(set)
    for message in records:
        number = int(json.loads(message.value() or b"{}")["result"])
        message_of = ((message.key() or b"").decode(), number)
        dt_id = dict(message.headers() or ())["dt-id"]
        if not isinstance(dt_id, bytes):
            raise TypeError(f"the dt-id of {message_of} is {dt_id!r}")
        if message_of not in found:
            name, latest = message_of[0], newest.get(message_of[0], number)
            disordered += number < latest
            newest[name] = max(number, latest)
        found[message_of].append(dt_id)
        owners[dt_id].add(message_of)
    told = {(name, number) for name, numbers in acknowledged.items() for number in numbers}
    return Verdict(
        acknowledged=len(told),
        records=sum(map(len, found.values())),
        lost=len(told - found.keys()),
        doubled=sum(len(ids) - 1 for ids in found.values()),
        ids=len(owners),
        split=sum(len(set(ids)) > 1 for ids in found.values()),
        shared=sum(len(messages) > 1 for messages in owners.values()),
        invented=len(found.keys() - told),
        disordered=disordered,
    )
