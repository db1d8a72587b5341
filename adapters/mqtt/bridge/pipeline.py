"""From a message to Kafka's confirmation, in order: looked up, sent, refused, done.

What lives here: the way of each message, and which are done. What does not: where messages come from and who
is told (`upward`).

Messages of one MQTT topic stay in order. One that cannot go on - its Datastream is being looked up, Kafka
does not answer, rights are missing - waits with those behind it on the same topic, while others pass. Nothing
is given up: a message is done when its record or dead letter is in Kafka, or it is kept elsewhere (`aside`).
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, runtime_checkable

from adapters.mqtt.bridge.incoming import (
    Incoming,
    Outgoing,
    dead_letter,
    observation_record,
    state_record,
    state_word,
)
from adapters.mqtt.bridge.sender import Handing, Outcome, Sender
from adapters.mqtt.identifiers import given_id
from adapters.mqtt.payloads import read_payload
from adapters.mqtt.storage.catalogue import Catalogue
from adapters.mqtt.storage.clients import KnownClients
from adapters.mqtt.topics import STATE, parse_data, parse_state, system_of
from client.errors import ConfigurationError, RecordFormatError
from client.messaging.topics import DatastreamName, SystemName

_log = logging.getLogger(__name__)

CODE_TOPIC: Final = "mqtt.bad_topic"
CODE_UNKNOWN_DATASTREAM: Final = "record.unknown_datastream"
CODE_UNKNOWN_SYSTEM: Final = "mqtt.unknown_system"
CODE_TOO_LARGE: Final = "mqtt.too_large"
_RETRY_S: Final = 0.5
_SOON_S: Final = 0.02

Reason = tuple[str, str]


@dataclass(slots=True, eq=False)
class Slot:
    """A message on its way.

    Attributes:
        incoming: The message.
        number: Its place among all messages.
        is_done: Whether Kafka has its record or its dead letter.
        reason: Code and text of a refusal; None for a message that was taken.
        record: What goes to Kafka because of it; None before that is known.
        name: Full name of its Datastream, once it is known.
        said: What Kafka said when it did not take the record; empty when it has said nothing.
    """

    incoming: Incoming
    number: int
    is_done: bool = False
    reason: Reason | None = None
    record: Outgoing | None = None
    name: DatastreamName | None = None
    said: str = ""


@runtime_checkable
class Refused(Protocol):
    """Why a message that somebody else was asked to deal with can never be used."""

    @property
    def code(self) -> str:
        """Stable reason."""

    @property
    def detail(self) -> str:
        """The reason for people."""

    @property
    def system(self) -> str | None:
        """Whose message it is; None where that is not known."""


class Elsewhere(Protocol):
    """Who deals with messages of other topics: `adapters.mqtt.sensorthings.extension`."""

    def takes(self, topic: str) -> bool:
        """Tell whether messages of a topic are for it."""

    def put(self, topic: str, payload: bytes, record_id: str, token: object) -> bool:
        """Take a message; False for one that is done already."""

    def finished(self) -> Sequence[tuple[object, object]]:
        """Give the messages that are done, by their tokens, and what became of them: perhaps `Refused`."""


@dataclass(slots=True)
class BridgeCounts:
    """What was done since the process started [1].

    Attributes:
        received: Messages that came, also repeated ones.
        repeated: Messages that the broker repeated.
        forwarded: Records that Kafka has.
        states: Those of them that are states of clients.
        refused: Messages refused, by code.
        acknowledged: Messages acknowledged to the MQTT broker.
        dropped: Messages of QoS 0 that found no room.
        published: Values of other systems that the MQTT broker has.
        unpublished: Values that it refuses, or that have no MQTT topic.
        withdrawn: Values taken back, because they are shared no more.
    """

    received: int = 0
    repeated: int = 0
    forwarded: int = 0
    states: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    dropped: int = 0
    published: int = 0
    unpublished: int = 0
    withdrawn: int = 0


class Pipeline:
    """Takes messages to Kafka; used by one thread.

    Args:
        sender: Kafka.
        catalogue: Datastreams.
        clients: Where states of clients are remembered.
        counts: What is counted.
        elsewhere: Who deals with messages of other topics; None for nobody.
        only: The only system that is served; None for all.
        monotonic: A clock [s].

    Attributes:
        waiting: Messages that are not done [1].
        waiting_bytes: Their payloads [bytes].
        refusals: Messages that were refused since somebody took them out here.
        trouble: What is wrong here; None when all is well.
    """

    def __init__(
        self,
        sender: Sender,
        catalogue: Catalogue,
        clients: KnownClients,
        counts: BridgeCounts,
        *,
        elsewhere: Elsewhere | None = None,
        only: SystemName | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._catalogue = catalogue
        self._clients = clients
        self._counts = counts
        self._elsewhere = elsewhere
        self._only = only
        self._monotonic = monotonic
        self._new: deque[Slot] = deque()
        self._held: dict[str, deque[Slot]] = {}
        self._returned: list[Slot] = []
        self._number = 0
        self._again_at = float("inf")
        self.trouble: str | None = None
        self.waiting = 0
        self.waiting_bytes = 0
        self.refusals: deque[Slot] = deque()

    def add(self, incoming: Incoming) -> Slot:
        """Take a message; what becomes of it shows in the slot."""
        self._number += 1
        slot = Slot(incoming, self._number)
        self._new.append(slot)
        self.waiting += 1
        self.waiting_bytes += len(incoming.payload)
        return slot

    def give_up(self, incoming: Incoming, reason: Reason) -> Slot:
        """Refuse a message without a dead letter: its slot is done at once."""
        slot = Slot(incoming, self._number, is_done=True, reason=reason)
        self._counts.refused[reason[0]] += 1
        self.refusals.append(slot)
        return slot

    def release(self, slots: Iterable[Slot]) -> None:
        """Take messages off that are kept elsewhere now: they are done, whatever Kafka says of them."""
        for slot in slots:
            if not slot.is_done:
                self._leave(slot)

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way to Kafka, so that its confirmation may come any moment."""
        return self.waiting > 0

    @property
    def is_kafka_away(self) -> bool:
        """Whether no broker of Kafka can be reached: nobody's messages go on then."""
        return self._sender.is_away

    def work(self) -> None:
        """Take everything as far as it goes now.

        Raises:
            MessagingError: Kafka's client library cannot go on.
        """
        self._sender.serve()
        self._take_from_elsewhere()
        if self._monotonic() >= self._again_at:
            self._again_at = float("inf")
            self._try_held()
        new, held = self._new, self._held
        while new:
            slot = new.popleft()
            before = held.get(slot.incoming.topic)
            if before is not None:
                before.append(slot)
            elif not self._advance(slot):
                self._hold(slot)
        self._sender.serve()

    def _take_from_elsewhere(self) -> None:
        if self._elsewhere is None:
            return
        for token, outcome in self._elsewhere.finished():
            if not isinstance(token, Slot):
                raise TypeError(f"{token!r} is no message of the bridge")
            if token.is_done:
                continue
            if isinstance(outcome, Refused):
                system = self._only if outcome.system is None else SystemName.parse(outcome.system)
                self._refuse(token, (outcome.code, outcome.detail), system)
                self._new.append(token)
            else:
                self._finish(token)

    def _hold(self, slot: Slot) -> None:
        self._held[slot.incoming.topic] = deque([slot])
        self._again_at = min(self._again_at, self._monotonic() + _SOON_S)

    def _take_back(self) -> None:
        """Put what Kafka did not take before what waits on the same topic, all in its first order."""
        returned, self._returned = self._returned, []
        for topic in {slot.incoming.topic for slot in returned}:
            line = [slot for slot in returned if slot.incoming.topic == topic]
            waiting = self._held.get(topic, ())
            self._held[topic] = deque(sorted([*line, *waiting], key=lambda slot: slot.number))

    def _try_held(self) -> None:
        self._take_back()
        for topic in list(self._held):
            line = self._held[topic]
            while line and self._advance(line[0]):
                line.popleft()
            if not line:
                del self._held[topic]
        if self._held:
            troubles = (self.trouble, self._sender.trouble, self._catalogue.trouble)
            pause_s = _RETRY_S if any(troubles) else _SOON_S
            self._again_at = self._monotonic() + pause_s

    def _advance(self, slot: Slot) -> bool:
        """Hand a message over to Kafka; False while that is not possible."""
        if slot.is_done or self._goes_elsewhere(slot):
            return True
        record = slot.record or self._prepare(slot)
        if record is None:
            return slot.is_done
        handed = self._sender.send(record, partial(self._settle, slot))
        if handed is Handing.NO_TOPIC:
            return self._is_nobodys(slot, record.topic)
        if handed is Handing.TOO_LARGE:
            self._shrink(slot, "it is larger than Kafka takes")
            return self._advance(slot)
        return handed is Handing.TAKEN

    def _goes_elsewhere(self, slot: Slot) -> bool:
        elsewhere, incoming = self._elsewhere, slot.incoming
        if slot.reason is not None or elsewhere is None or not elsewhere.takes(incoming.topic):
            return False
        if not elsewhere.put(incoming.topic, incoming.payload, incoming.dt_id, slot):
            self._finish(slot)
        return True

    def _prepare(self, slot: Slot) -> Outgoing | None:
        """Find out what goes to Kafka because of a message; None while that is open, or when it is done."""
        incoming = slot.incoming
        try:
            record = self._state(slot) if incoming.topic.startswith(f"{STATE}/") else self._observation(slot)
        except RecordFormatError as error:
            self._refuse(slot, (error.code, error.detail))
        except ConfigurationError as error:  # a name in the topic breaks its rule
            self._refuse(slot, (CODE_TOPIC, str(error)))
        else:
            slot.record = record
        return slot.record

    def _state(self, slot: Slot) -> Outgoing | None:
        state = parse_state(slot.incoming.topic)
        self._check_system(state.system)
        if not slot.incoming.payload:  # this is how a retained state is taken back
            self._finish(slot)
            return None
        record = state_record(slot.incoming, state)
        self._clients.note(state.system, state.client, state_word(record))
        return record

    def _observation(self, slot: Slot) -> Outgoing | None:
        incoming = slot.incoming
        if slot.name is None:
            slot.name = parse_data(incoming.topic)
            self._check_system(slot.name.system)
        given_id(incoming.properties)
        observed = read_payload(incoming.payload)
        found = self._catalogue.find(str(slot.name))
        if found is True:
            return None
        if found is False:
            raise RecordFormatError(
                CODE_UNKNOWN_DATASTREAM,
                f"the SensorThings service has no Datastream {str(slot.name)!r}; register it first",
            )
        return observation_record(incoming, observed, found, slot.name.system.topics.internal)

    def _check_system(self, system: SystemName) -> None:
        if self._only is not None and system != self._only:
            raise RecordFormatError(
                CODE_UNKNOWN_SYSTEM, f"this bridge serves {self._only} only, not {system}"
            )

    def _refuse(self, slot: Slot, reason: Reason, system: SystemName | None = None) -> None:
        slot.reason = reason
        system = system or self._only or system_of(slot.incoming.topic)
        if system is None:
            self._log_refusal(slot)
            self._finish(slot)
            return
        name = None if slot.name is None else str(slot.name)
        slot.record = dead_letter(slot.incoming, system, name, reason)

    def _is_nobodys(self, slot: Slot, topic: str) -> bool:
        """Give a message up whose system Kafka does not know; False where it waits.

        At a site it waits: the one system that is served must be there, so this is not its Kafka, or not
        whole yet, and everything on disk and at the broker would be thrown away.
        """
        if self._only is not None:
            self.trouble = f"Kafka has no topic {topic}; check DTWIN_KAFKA__BOOTSTRAP_SERVERS. Messages wait"
            return False
        slot.reason = slot.reason or (CODE_UNKNOWN_SYSTEM, f"Kafka has no topic {topic}")
        self._log_refusal(slot)
        self._finish(slot)
        return True

    def _log_refusal(self, slot: Slot) -> None:
        code, detail = slot.reason or ("", "")
        _log.warning(
            "a message on %r is refused and kept nowhere: %s: %s", slot.incoming.topic[:300], code, detail
        )

    def _shrink(self, slot: Slot, detail: str) -> None:
        """Refuse what is too large; a dead letter that is too large itself goes without its payload."""
        record = slot.record
        if slot.reason is None:
            self._refuse(slot, (CODE_TOO_LARGE, detail))
        elif record is not None:
            slot.record = Outgoing(record.topic, record.key, None, record.headers)

    def _settle(self, slot: Slot, outcome: Outcome, said: str) -> None:
        if slot.is_done:  # released meanwhile
            return
        slot.said = said
        if outcome is Outcome.DELIVERED:
            self.trouble = None
            self._finish(slot)
            return
        if outcome is Outcome.TOO_LARGE:
            self._shrink(slot, said)
        if not slot.is_done:
            self._returned.append(slot)
            # What comes on this topic from now on waits behind it.
            self._held.setdefault(slot.incoming.topic, deque())
            self._again_at = min(self._again_at, self._monotonic() + _RETRY_S)

    def _finish(self, slot: Slot) -> None:
        self._leave(slot)
        if slot.reason is not None:
            self._counts.refused[slot.reason[0]] += 1
            self.refusals.append(slot)
        else:
            self._counts.forwarded += 1
            self._counts.states += slot.incoming.topic.startswith(f"{STATE}/")

    def _leave(self, slot: Slot) -> None:
        slot.is_done = True
        self.waiting -= 1
        self.waiting_bytes -= len(slot.incoming.payload)
