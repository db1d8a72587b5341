"""From what is registered to what everybody may publish and subscribe to; pure.

What lives here: the registry as an MQTT broker needs it, and one list of topics per kind of participant. What
does not: reading the registry (the platform does), the forms that brokers read (`mosquitto`), and the forms
of the topics (`adapters.mqtt.topics`, `adapters.mqtt.sensorthings.topics`).

Everybody is known by the whole subject of the certificate (RFC 4514), never by its common name alone: that
holds at most 64 characters of a name, while the subject holds the whole name, the kind and the epoch. So a
certificate of an earlier epoch is somebody else, who may do nothing.

- *Client app*: publish the data of its system's Things, its own state, and Observations for its system in the
  SensorThings form; subscribe to the data, refusals and client states of its system, to what others share
  with it, to its own configuration, and to SensorThings updates of its system.
- *The bridge* (service `mqtt`): publish and subscribe to everything of these forms.
- *Everybody else*: nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.mqtt.filters import covers, matches
from adapters.mqtt.sensorthings.topics import (
    ASKED,
    CREATIONS,
    UPDATES,
    VERSIONS,
    readable_topics,
    writable_topics,
)
from adapters.mqtt.topics import CONFIGURATION, DATA, EXTERNAL, REFUSAL, STATE, encode

_FIRST_LEVELS: Final = (DATA, STATE, EXTERNAL, CONFIGURATION, REFUSAL, UPDATES, CREATIONS, *VERSIONS)
_EVERYTHING: Final = (*(f"{first}/#" for first in _FIRST_LEVELS), ASKED)


@dataclass(frozen=True, slots=True)
class Member:
    """A client app that holds a good certificate.

    Attributes:
        subject: Subject of its certificates of today (RFC 4514).
        system: Full name of its system.
        client: Its name in that system.
    """

    subject: str
    system: str
    client: str


@dataclass(frozen=True, slots=True)
class Known:
    """What rules depend on, at one time.

    Attributes:
        members: Client apps that may take part.
        bridges: Subjects of the certificates of the platform's own bridge.
        datastreams: Ids of the Datastreams of a system, by its name.
        multi_datastreams: Ids of its MultiDatastreams.
    """

    members: tuple[Member, ...] = ()
    bridges: tuple[str, ...] = ()
    datastreams: Mapping[str, frozenset[int]] = field(default_factory=dict)
    multi_datastreams: Mapping[str, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topics:
    """A set of topics: some by filters, many by their own names.

    Attributes:
        filters: Topic filters with or without wildcards.
        names: Topics without wildcards; shared by all clients of a system.
    """

    filters: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    def hold(self, topic: str) -> bool:
        """Tell whether a topic is one of them."""
        return topic in self.names or any(matches(one, topic) for one in self.filters)

    def cover(self, text: str) -> bool:
        """Tell whether all that a filter takes is among them."""
        return text in self.names or any(covers(one, text) for one in self.filters)

    def all(self) -> tuple[str, ...]:
        """Give all filters and names, in order."""
        return (*self.filters, *sorted(self.names))


@dataclass(frozen=True, slots=True)
class Grant:
    """What one participant may do.

    Attributes:
        publish: What it may publish to.
        subscribe: What it may receive.
        is_bridge: Whether it is the platform's own bridge, for which nothing may be dropped.
    """

    publish: Topics
    subscribe: Topics
    is_bridge: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What everybody may do, by the subject of the certificate; who is not there may do nothing."""

    grants: Mapping[str, Grant] = field(default_factory=dict)

    def of(self, subject: str) -> Grant | None:
        """Give what somebody may do; None for nothing at all."""
        return self.grants.get(subject)


def compile_rules(known: Known) -> Rules:
    """Give the rules that follow from what is registered."""
    none = frozenset[int]()
    creations: dict[str, Topics] = {}
    for system in {one.system for one in known.members}:
        singles = known.datastreams.get(system, none)
        creations[system] = _sorted_out(
            writable_topics(system, singles, known.multi_datastreams.get(system, none))
        )
    grants = {one.subject: client_grant(one, creations[one.system]) for one in known.members}
    everything = Topics(_EVERYTHING)
    grants.update({subject: Grant(everything, everything, is_bridge=True) for subject in known.bridges})
    return Rules(grants)


def client_grant(member: Member, creations: Topics) -> Grant:
    """Give what a client app may do.

    Args:
        member: The client app.
        creations: Where its system may create Observations in the SensorThings form.
    """
    system, own = member.system, encode(member.client)
    publish = (f"{DATA}/{system}/+/+", f"{STATE}/{system}/{own}", *creations.filters)
    subscribe = (
        f"{DATA}/{system}/#",
        f"{EXTERNAL}/{system}/#",
        f"{REFUSAL}/{system}/#",
        f"{STATE}/{system}/#",
        f"{CONFIGURATION}/{system}/{own}",
        *readable_topics(system),
    )
    return Grant(Topics(publish, creations.names), Topics(subscribe))


def _sorted_out(topics: tuple[str, ...]) -> Topics:
    """Tell filters with wildcards from the many names without: these are found by one look."""
    filters = tuple(one for one in topics if "#" in one or "+" in one)
    return Topics(filters, frozenset(topics).difference(filters))
