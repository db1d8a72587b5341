"""Last values that have to go from the MQTT broker: nobody shares or brings them any more.

What lives here: asking SensorThings what a system still sees and which apps run, and the choice. What does
not: which values there are (`storage.retained`), and taking them back (`downward`).

A contract shares its Datastreams at the SensorThings service while it is in force, a stream app inside one
company while it is meant to run; what is deleted is seen by nobody. So a system receives from a Datastream
no more when it does not see it there. Looking now and then finds also what has ended while the bridge was
away. What the service does not answer, or refuses to answer, takes no value back.

What a system sees is not all. A contract shares whatever apps run, and what an app computes belongs to the
system that receives it and stays there with its history. But a last value looks like the present: it goes as
well when the stream app that brought it is deleted or stopped. The platform keeps a principal `app:<app>` for
each app that is meant to run. Apps that never had one are run by others, and their values stay; so does
everything where nobody keeps principals, and at a site, whose client may not ask for them.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Final, Protocol
from urllib.parse import quote

from adapters.mqtt.bridge.registration import Principals
from adapters.mqtt.storage.retained import RetainedValues
from adapters.mqtt.topics import parse_external
from client.errors import AccessRefusedError, ConfigurationError, SensorThingsError
from client.messaging.topics import SystemName
from client.metadata.server import SensorThingsServer

_log = logging.getLogger(__name__)

_SETS: Final = ("Datastreams", "MultiDatastreams")
# Names in one request, percent-encoded [bytes]: well below what servers and proxies take as an address.
_MOST_NAMED_BYTES: Final = 4_000
# What has just begun is shared at the service a little later than its first value may come.
_PAUSES_BETWEEN_LOOKS: Final = 4
_PAUSES_OF_GRACE: Final = 2

_APP_PREFIX: Final = "app:"
Names = Mapping[SystemName, Mapping[str, str]]
"""Topics by full name of the Datastream, by receiving system."""


class Sight(Protocol):
    """Tells what systems see; thread-safe."""

    def seen(self, system: SystemName, names: Sequence[str]) -> frozenset[str] | None:
        """Give those of the named Datastreams that a system sees; None when nobody can say.

        Raises:
            SensorThingsError: The service does not answer.
        """
        ...


class SensorThingsSight:
    """Asks the SensorThings service; a `Sight`.

    Args:
        server: The service.
        acts: Whether to ask on behalf of each system, as an admin may; at a site it is the system's client.
    """

    def __init__(self, server: SensorThingsServer, *, acts: bool) -> None:
        self._server = server
        self._acts = acts

    def seen(self, system: SystemName, names: Sequence[str]) -> frozenset[str] | None:
        """Give those of the named Datastreams that a system sees; see `Sight`."""
        server = self._server.acting_as(str(system)) if self._acts else self._server
        found: set[str] = set()
        try:
            for part in _parts(names):
                for entities in _SETS:
                    rest = [name for name in part if name not in found]
                    if rest:
                        condition = " or ".join(f"name eq '{_literal(name)}'" for name in rest)
                        answer = server.search(entities, condition, select=("id", "name"))
                        found.update(str(one.get("name")) for one in answer)
        except AccessRefusedError as refusal:
            _log.debug("what %s sees cannot be told: %s", system, refusal)
            return None
        return frozenset(names) & found


def _literal(name: str) -> str:
    return name.replace("'", "''")


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for name in names:
        length = len(quote(name)) + len(" or name eq ''")
        if part and size + length > _MOST_NAMED_BYTES:
            yield part
            part, size = [], 0
        part.append(name)
        size += length
    if part:
        yield part


def by_system(topics: Sequence[str]) -> Names:
    """Sort topics by the system that receives; what is no topic of a shared value is left out."""
    found: dict[SystemName, dict[str, str]] = {}
    for topic in topics:
        try:
            value = parse_external(topic)
        except ConfigurationError as error:
            _log.warning("a last value is left where it is: %s", error)
            continue
        found.setdefault(value.system, {})[str(value.datastream)] = topic
    return found


def ended(asked: Names, seen: Mapping[SystemName, frozenset[str] | None]) -> list[str]:
    """Give the topics whose Datastream their system does not see any more.

    Args:
        asked: What was asked about.
        seen: What each system sees of it; None, or nothing at all, where nobody could say.
    """
    found = []
    for system, topics in asked.items():
        known = seen.get(system)
        if known is not None:
            found += [topic for name, topic in topics.items() if name not in known]
    return found


def running_apps(principals: Iterable[str]) -> frozenset[str]:
    """Give the stream apps that are meant to run, by the names of all principals."""
    return frozenset(name.removeprefix(_APP_PREFIX) for name in principals if name.startswith(_APP_PREFIX))


class Withdrawal:
    """Finds values that have to go; used by one thread, asks in another.

    Args:
        sight: Who tells what systems see.
        values: What the broker retains.
        pause_s: How often registered metadata is looked at [s]; this is done more seldom.
        now: The clock [s since 1970].
        monotonic: A clock [s].
        threads: Where questions are asked; an own thread when left out.
        service: Whom to ask which apps are meant to run; None for nobody.

    Attributes:
        trouble: Why nobody answers; None when all is well.
    """

    def __init__(
        self,
        sight: Sight,
        values: RetainedValues,
        pause_s: float,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        threads: Executor | None = None,
        service: Principals | None = None,
    ) -> None:
        self._sight = sight
        self._service = service
        self._values = values
        self._pause_s = pause_s
        self._now = now
        self._monotonic = monotonic
        self._threads = threads or ThreadPoolExecutor(1, "withdrawal")
        self._look_at = float("-inf")
        self._looked_at = 0.0
        self._answer: Future[tuple[list[str], frozenset[str] | None]] | None = None
        self._due: deque[str] = deque()
        self.trouble: str | None = None

    def due(self, most: int) -> list[tuple[str, float]]:
        """Give topics whose value has to go now, at most so many, and when that value was published."""
        self._look()
        found: list[tuple[str, float]] = []
        while self._due and len(found) < most:
            topic = self._due.popleft()
            noted = self._values.noted.get(topic)
            if noted is not None and noted <= self._looked_at - _PAUSES_OF_GRACE * self._pause_s:
                found.append((topic, noted))
        return found

    def _look(self) -> None:
        if self._answer is None:
            if self._monotonic() >= self._look_at and self._values.noted and not self._due:
                self._look_at = self._monotonic() + _PAUSES_BETWEEN_LOOKS * self._pause_s
                self._looked_at = self._now()
                self._answer = self._threads.submit(self._ask, tuple(self._values.noted))
            return
        if not self._answer.done():
            return
        answer, self._answer = self._answer, None
        try:
            unseen, running = answer.result()
        except SensorThingsError as error:
            if self.trouble is None:
                _log.warning("last values that are shared no more stay at the MQTT broker: %s", error)
            self.trouble = str(error)
            return
        self.trouble = None
        unbrought = [] if running is None else self._values.of_ended_apps(running)
        self._due.extend(dict.fromkeys([*unseen, *unbrought]))

    def _ask(self, topics: Sequence[str]) -> tuple[list[str], frozenset[str] | None]:
        asked = by_system(topics)
        unseen = ended(
            asked, {system: self._sight.seen(system, tuple(names)) for system, names in asked.items()}
        )
        return unseen, self._running()

    def _running(self) -> frozenset[str] | None:
        try:
            return None if self._service is None else running_apps(self._service.principals())
        except SensorThingsError as error:
            # What the systems see was answered, and can be followed without this.
            _log.debug("which stream apps are meant to run cannot be told: %s", error)
            return None

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)
