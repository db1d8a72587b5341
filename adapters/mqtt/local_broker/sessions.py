"""Clients of the broker and what it keeps for them; who receives a message.

What lives here: sessions, subscriptions, retained values, and the way from a topic to the clients that
receive it. What does not: connections (`connection`), what somebody may do (`adapters.mqtt.rules`), files
(`store`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from adapters.mqtt.filters import matches
from adapters.mqtt.local_broker.packets import Reason, Wanted
from adapters.mqtt.local_broker.queues import Message, Outbox
from adapters.mqtt.rules.access import Rules

FOR_EVER: Final = 2**32 - 1
"""Source: MQTT 5.0, clause 3.1.2.11.2."""
LONGEST_EXPIRY_S: Final = 14 * 24 * 3600
"""Longest time that a session is kept without a connection [s]."""
_MOST_ROUTES: Final = 50_000
# One certificate must not fill the broker's memory, which all share.
MOST_SESSIONS: Final = 128
MOST_SUBSCRIPTIONS: Final = 1_000
MOST_RETAINED: Final = 10_000
MOST_RETAINED_BYTES: Final = 64 * 1024 * 1024
"""Retained values of one system's topics [bytes]."""


class Line(Protocol):
    """The connection of a client, as far as sessions need it."""

    def end(self, reason: Reason, why: str) -> None:
        """End it soon; `why` goes to the log."""


@dataclass(slots=True)
class Session:
    """What the broker keeps for one client.

    Attributes:
        client: Its client identifier.
        subject: Subject of the certificate that it has shown: client identifiers count within one subject, so
            that nobody gets, or is kept from, the session of somebody else.
        expiry_s: How long it is kept after the connection [s]; 0 for not at all.
        outbox: Messages for it.
        subscriptions: What it has subscribed to, by filter; with granted QoS.
        unreleased: Packet identifiers of messages of QoS 2 that were taken, and that it may send again.
        line: Its connection; None while it has none.
        left_at: When it has lost its connection [s since 1970]; 0 while it has one.
    """

    client: str
    subject: str
    expiry_s: int
    outbox: Outbox
    subscriptions: dict[str, Wanted] = field(default_factory=dict)
    unreleased: set[int] = field(default_factory=set)
    line: Line | None = None
    left_at: float = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether it lasts when the connection ends."""
        return self.expiry_s > 0

    def has_expired(self, present: float) -> bool:
        """Tell whether it has been without a connection for too long."""
        return self.line is None and self.expiry_s < FOR_EVER and present > self.left_at + self.expiry_s


class Receiver(NamedTuple):
    """Somebody who gets messages of a topic.

    Attributes:
        session: Who.
        qos: The highest QoS that it was granted.
        is_local_left_out: Whether it does not want what it publishes itself.
        keeps_flag: Whether messages keep their retain flag.
    """

    session: Session
    qos: int
    is_local_left_out: bool
    keeps_flag: bool


class Sessions:
    """All sessions and retained values of one broker.

    Attributes:
        rules: What everybody may do; new ones count at once.
        retained: Last values by topic.
        changes: Counts what would have to be saved again.
    """

    def __init__(self) -> None:
        self.rules = Rules()
        self.retained: dict[str, Message] = {}
        self.changes = 0
        self._sessions: dict[tuple[str, str], Session] = {}
        self._routes: dict[str, tuple[Receiver, ...]] = {}
        self._kept: dict[str, tuple[int, int]] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._sessions.values()))

    def find(self, subject: str, client: str) -> Session | None:
        """Give the session of somebody's client identifier."""
        return self._sessions.get((subject, client))

    def has_room(self, subject: str, client: str) -> bool:
        """Tell whether somebody may have a session of this client identifier, besides others."""
        if (subject, client) in self._sessions:
            return True
        return sum(owner == subject for owner, _ in self._sessions) < MOST_SESSIONS

    def is_bridge(self, session: Session) -> bool:
        """Tell whether a session is one of the platform's bridge."""
        grant = self.rules.of(session.subject)
        return grant is not None and grant.is_bridge

    def add(self, session: Session) -> None:
        """Begin a session; one of the same client identifier is forgotten."""
        self._sessions[session.subject, session.client] = session
        self._changed()

    def remove(self, session: Session) -> None:
        """Forget a session, if it is still the one of its client identifier."""
        if self.find(session.subject, session.client) is session:
            del self._sessions[session.subject, session.client]
            self._changed()

    def expire(self, present: float) -> None:
        """Forget sessions that nobody came back to; `present` [s since 1970]."""
        for session in self:
            if session.has_expired(present):
                self.remove(session)

    def subscribe(self, session: Session, wanted: Wanted) -> bool:
        """Note a subscription; False when the rules do not let it."""
        grant = self.rules.of(session.subject)
        if grant is None or not grant.subscribe.cover(wanted.text):
            return False
        if wanted.text not in session.subscriptions and len(session.subscriptions) >= MOST_SUBSCRIPTIONS:
            return False
        session.subscriptions[wanted.text] = wanted
        self._changed()
        return True

    def unsubscribe(self, session: Session, text: str) -> None:
        """Forget a subscription."""
        session.subscriptions.pop(text, None)
        self._changed()

    def subscribed(self) -> frozenset[str]:
        """Give all filters that somebody has subscribed to."""
        return frozenset(text for session in self for text in session.subscriptions)

    def may_publish(self, session: Session, topic: str) -> bool:
        """Tell whether the rules let a client publish to a topic."""
        grant = self.rules.of(session.subject)
        return grant is not None and grant.publish.hold(topic)

    def receivers(self, topic: str) -> tuple[Receiver, ...]:
        """Give who has subscribed to a topic and may receive it, each once."""
        found = self._routes.get(topic)
        if found is None:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            found = self._routes[topic] = tuple(self._receivers(topic))
        return found

    def _receivers(self, topic: str) -> Iterator[Receiver]:
        for session in self._sessions.values():
            wanted = [one for text, one in session.subscriptions.items() if matches(text, topic)]
            grant = self.rules.of(session.subject) if wanted else None
            if grant is not None and grant.subscribe.hold(topic):
                yield Receiver(
                    session,
                    max(one.qos for one in wanted),
                    all(one.is_local_left_out for one in wanted),
                    any(one.keeps_flag for one in wanted),
                )

    def may_retain(self, session: Session, message: Message) -> bool:
        """Tell whether there is room for one more last value of the same system."""
        if not message.payload or self.is_bridge(session):
            return True
        number, size = self._kept.get(_kind_and_system(message.topic), (0, 0))
        before = self.retained.get(message.topic)
        number += before is None
        size += len(message.payload) - (0 if before is None else len(before.payload))
        return number <= MOST_RETAINED and size <= MOST_RETAINED_BYTES

    def retain(self, message: Message) -> None:
        """Keep the last value of a topic; an empty one is forgotten.

        Source: MQTT 5.0, clause 3.3.1.3 "RETAIN".
        """
        before = self.retained.pop(message.topic, None)
        place = _kind_and_system(message.topic)
        number, size = self._kept.get(place, (0, 0))
        if before is not None:
            number, size = number - 1, size - len(before.payload)
        if message.payload:
            self.retained[message.topic] = message._replace(is_retained=True)
            number, size = number + 1, size + len(message.payload)
        self._kept[place] = number, size
        if not number:
            del self._kept[place]
        self.changes += 1

    def last_values(self, session: Session, wanted: Wanted) -> Iterator[Message]:
        """Give the retained values that a new subscription receives."""
        grant = self.rules.of(session.subject)
        if grant is None:
            return
        for topic, message in tuple(self.retained.items()):
            if matches(wanted.text, topic) and grant.subscribe.hold(topic):
                yield message._replace(qos=min(wanted.qos, message.qos))

    def apply(self, rules: Rules) -> list[Session]:
        """Let new rules count; forget what they forbid, and return the sessions of those who may nothing."""
        self.rules = rules
        self._changed()
        gone = []
        for session in self:
            grant = rules.of(session.subject)
            if grant is None:
                gone.append(session)
                self.remove(session)
                continue
            for text in [one for one in session.subscriptions if not grant.subscribe.cover(one)]:
                del session.subscriptions[text]
        return gone

    def _changed(self) -> None:
        self._routes.clear()
        self.changes += 1


def _kind_and_system(topic: str) -> str:
    return "/".join(topic.split("/", 2)[:2])
