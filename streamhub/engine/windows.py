"""When records may pass: the beginnings and ends of the contracts that bind an app.

What lives here: leaving out records of other times, and knowing when the app has to end. What does not: the
terms (`streamhub.contracts`), everything else that they say (`streamhub.query`), ending (`lane`).

The time of a record is the one that Kafka keeps beside it, not its phenomenonTime: a contract says what is
handed over from when to when, and a phenomenonTime may lie anywhere, also in the future. Topics take the time
of the producing client, or that of the broker where `message.timestamp.type` is `LogAppendTime`: in both
cases it is the provider's side that says it, never the consumer. The end of the app goes by this machine's
clock, so nothing has to be asked for it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from client.messaging.topics import SystemName
from streamhub.contracts import ContractTerms, TimeWindow
from streamhub.errors import ContractEndedError
from streamhub.specification import StreamAppSpecification

__all__ = ["FlowEnd", "Timed", "Windows"]

_MILLISECONDS: Final = 1000.0


class Timed(Protocol):
    """A record that Kafka keeps a time for: `confluent_kafka.Message`."""

    def timestamp(self) -> tuple[int, int]:
        """Kind of the time, and the time [ms since 1970], not positive when there is none."""


_Timed = TypeVar("_Timed", bound=Timed)


class Windows:
    """The times of the contracts of one app, by topic."""

    def __init__(self, specification: StreamAppSpecification) -> None:
        """Take the times of an app's contracts."""
        self._windows: Mapping[str, TimeWindow] = {
            SystemName.parse(terms.provider).topics.internal: window
            for terms in specification.contracts
            if (window := terms.window) is not None
        }

    def inside(self, topic: str, records: Sequence[_Timed]) -> Sequence[_Timed]:
        """Leave out the records of a topic whose time is outside.

        Args:
            topic: Where all of them come from.
            records: In the order of arrival, which stays.
        """
        window = self._windows.get(topic)
        if window is None:
            return records
        holds = window.holds
        return [record for record in records if holds(record.timestamp()[1])]


class FlowEnd:
    """The moment at which the first of an app's contracts ends, and the app with it."""

    def __init__(self, specification: StreamAppSpecification, clock: Callable[[], float] = time.time) -> None:
        """Find the moment.

        Args:
            specification: Whose contracts end.
            clock: The time of this machine [s since 1970].
        """
        self._clock = clock
        ends = [(window.ends_ms, terms) for terms, window in _bounded(specification) if window.ends_ms]
        self._first = min(ends, key=lambda end: end[0], default=None)

    @property
    def is_over(self) -> bool:
        """Whether a contract has ended; asked often."""
        return self._first is not None and self._clock() * _MILLISECONDS >= self._first[0]

    def check(self) -> None:
        """Refuse to go on when a contract has ended.

        Raises:
            ContractEndedError: one has.
        """
        if self._first is not None and self.is_over:
            terms = self._first[1]
            raise ContractEndedError(
                f"contract {terms.id} ended at {terms.ends_at}: nothing of {terms.provider} leaves any more. "
                "Agree on a new version, or on another contract, to go on",
                contract=terms.id,
            )


def _bounded(specification: StreamAppSpecification) -> list[tuple[ContractTerms, TimeWindow]]:
    return [(terms, window) for terms in specification.contracts if (window := terms.window) is not None]
