"""Records that wait until it is known what their Datastream is.

What lives here: keeping them by their Datastream, and what may be committed meanwhile. What does not: how
long they wait (`metadata`), what becomes of them (`sink`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamhub.engine.sinks.reading import Reading
from streamhub.engine.work import Partition

Place = tuple[str, str, str]
"""Topic, full name of the Datastream, and its system, as `MetadataCache.tail` takes them."""


@dataclass(slots=True)
class _Group:
    readings: list[Reading] = field(default_factory=list)
    lowest: dict[Partition, int] = field(default_factory=dict)
    size: int = 0


class HeldRecords:
    """Held records, by Datastream; used by one thread.

    Attributes:
        size: Bytes of their values.
    """

    def __init__(self) -> None:
        self._groups: dict[Place, _Group] = {}
        self._number = 0
        self.size = 0

    def __len__(self) -> int:
        return self._number

    def add(self, reading: Reading) -> None:
        """Hold a record."""
        message = reading.message
        group = self._groups.setdefault((message.topic(), reading.name, reading.owner), _Group())
        group.readings.append(reading)
        partition, offset = (message.topic(), message.partition()), message.offset()
        # Not the first: after a rebalance, records come again.
        group.lowest[partition] = min(group.lowest.get(partition, offset), offset)
        size = len(message.value() or b"")
        group.size += size
        self.size += size
        self._number += 1

    def places(self) -> Sequence[Place]:
        """Say which Datastreams are waited for."""
        return list(self._groups)

    def take(self, place: Place) -> Sequence[Reading]:
        """Give the records of a Datastream, in the order in which they were read, and hold them no longer."""
        group = self._groups.pop(place)
        self.size -= group.size
        self._number -= len(group.readings)
        return group.readings

    def before(self, positions: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """Give the offsets that may be committed: not beyond a record that is held."""
        if not self._groups:
            return positions
        before = dict(positions)
        for group in self._groups.values():
            for partition, offset in group.lowest.items():
                if partition in before:
                    before[partition] = min(before[partition], offset)
        return before
