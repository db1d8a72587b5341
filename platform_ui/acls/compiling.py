"""From what is registered to the access rules that should be there; pure.

What lives here: the registry as the rules see it, and one list per kind of principal of what it may do. What
does not: reading the registry (``registry``), the difference to a broker (``planning``).

Each list holds exactly what the program really asks a broker for; the tests run the programs with it. What
Kafka implies is not written: READ and WRITE imply DESCRIBE, and WRITE on a topic implies IDEMPOTENT_WRITE
(KIP-679).

- *Client app*: write and read ``<system>.int`` and ``.log``, read ``.ext``; write the dead letters of both,
  for a sink or a gateway refuses records too; groups and transactional ids of its name.
- *Stream app*: read the sources' ``.int``, write the target's ``.ext`` and the sources' dead letters, see how
  large a record these take; keep its state topic; its group, its transactional ids.
- *Recorder*: read every system's ``.int`` and ``.ext``, write the dead letters of both; its group.
- *SensorThings*: write every system's ``.int``; keep the state topic of its outbox; its transactional ids.
- *MQTT bridge*: write every system's ``.int``, ``.log`` and dead letters, read ``.int`` and ``.ext``; its
  groups. Its certificate is made where one runs; nobody else could show it.

Who is blocked, and who shows a certificate of an earlier epoch, is refused everything by a DENY as long as
such a certificate lasts: an ALLOW that somebody made by hand must not bring them back.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from client.messaging.topics import dead_letter_topic
from platform_ui.acl_settings import Principals
from platform_ui.acls.entries import (
    ALTER,
    CLUSTER,
    CLUSTER_NAME,
    CREATE,
    DESCRIBE_CONFIGS,
    GROUP,
    IDEMPOTENT_WRITE,
    LITERAL,
    PREFIXED,
    READ,
    TOPIC,
    TRANSACTIONAL_ID,
    WRITE,
    Entry,
    deny_all,
)
from platform_ui.pki.names import Identity, Kind

RECORDER: Final = Identity(Kind.SERVICE, "recorder")
SENSORTHINGS: Final = Identity(Kind.SERVICE, "sensorthings")
MQTT_BRIDGE: Final = Identity(Kind.SERVICE, "mqtt")
SERVICES: Final = (RECORDER, SENSORTHINGS, MQTT_BRIDGE)
"""Services of the platform that rules are made for."""
RECORDER_GROUP: Final = "platform.recorder"
MQTT_GROUP: Final = "platform.mqtt"
OUTBOX_STATE_TOPIC: Final = "platform.outbox.state"
OUTBOX_IDS: Final = "sensorthings-outbox-"
PLATFORM_TOPICS: Final = "platform."

_Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class CredentialState:
    """What the platform knows of somebody's credentials.

    Attributes:
        epoch: The current one.
        is_blocked: Whether all of them are refused.
        live_epochs: Epochs that have a certificate which has not expired yet.
    """

    epoch: int
    is_blocked: bool = False
    live_epochs: frozenset[int] = frozenset()

    @property
    def is_good(self) -> bool:
        """Whether somebody holds a certificate of the current epoch, and may use it."""
        return not self.is_blocked and self.epoch in self.live_epochs

    @property
    def refused_epochs(self) -> frozenset[int]:
        """Epochs that can still be shown, but must not count any more."""
        return self.live_epochs if self.is_blocked else self.live_epochs - {self.epoch}


@dataclass(frozen=True, slots=True)
class StreamAppState:
    """A stream app, as far as access rules depend on it.

    Attributes:
        source: System that it belongs to.
        name: Its name in that system.
        sources: All systems that it reads.
        target: System that it writes to.
        permitted: Whether its contracts let it run.
    """

    source: str
    name: str
    sources: tuple[str, ...]
    target: str
    permitted: bool = True

    @property
    def app_id(self) -> str:
        """Its name to Kafka, ``<source>.<name>``."""
        return f"{self.source}.{self.name}"


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that access rules depend on, at one time.

    Attributes:
        systems: Names of all systems.
        clients: Pairs of a system and the name of one of its client apps.
        apps: All stream apps.
        credentials: By kind and name; who is not there has none.
        principals: Whether credentials matter at all.
    """

    systems: tuple[str, ...] = ()
    clients: tuple[tuple[str, str], ...] = ()
    apps: tuple[StreamAppState, ...] = ()
    credentials: Mapping[_Key, CredentialState] = field(default_factory=dict)
    principals: Principals = Principals.CERTIFICATES


def compile_entries(registry: Registry) -> frozenset[Entry]:
    """Give all access rules that should be there."""
    return frozenset(_entries(registry))


def _entries(registry: Registry) -> Iterator[Entry]:
    for system, name in registry.clients:
        identity = _current(registry, Kind.CLIENT, f"{system}.{name}")
        if identity is not None:
            yield from client_entries(identity.principal, system, name)
    for app in registry.apps:
        identity = _current(registry, Kind.APP, app.app_id) if app.permitted else None
        if identity is not None:
            yield from app_entries(identity.principal, app)
    yield from recorder_entries(_service(registry, RECORDER).principal, registry.systems)
    yield from outbox_entries(_service(registry, SENSORTHINGS).principal, registry.systems)
    yield from bridge_entries(_service(registry, MQTT_BRIDGE).principal, registry.systems)
    yield from _refusals(registry)


def _current(registry: Registry, kind: Kind, name: str) -> Identity | None:
    if registry.principals is Principals.NAMES:
        return Identity(kind, name)
    state = registry.credentials.get((kind, name))
    return Identity(kind, name, state.epoch) if state is not None and state.is_good else None


def _service(registry: Registry, service: Identity) -> Identity:
    """Give the identity that a service has today; its certificates are made by the installation."""
    state = registry.credentials.get((service.kind, service.name))
    return service if state is None else Identity(service.kind, service.name, state.epoch)


def _refusals(registry: Registry) -> Iterator[Entry]:
    if registry.principals is Principals.NAMES:
        return
    registered = {(Kind.CLIENT, f"{system}.{name}") for system, name in registry.clients}
    registered |= {(Kind.APP, app.app_id) for app in registry.apps}
    for (kind, name), state in registry.credentials.items():
        is_known = kind is Kind.SERVICE or (kind, name) in registered
        for epoch in state.refused_epochs if is_known else state.live_epochs:
            yield from deny_all(Identity(kind, name, epoch).principal)


def client_entries(principal: str, system: str, name: str) -> tuple[Entry, ...]:
    """Give what a client app may do.

    Its groups and transactional ids are its full name, or begin with it and a dot. No client app's name holds
    a dot, so that of another one cannot begin so.
    """
    own, record, log = f"{system}.{name}", f"{system}.int", f"{system}.log"
    received = f"{system}.ext"
    return (
        Entry(principal, TOPIC, record, LITERAL, READ),
        Entry(principal, TOPIC, record, LITERAL, WRITE),
        Entry(principal, TOPIC, log, LITERAL, READ),
        Entry(principal, TOPIC, log, LITERAL, WRITE),
        Entry(principal, TOPIC, received, LITERAL, READ),
        Entry(principal, TOPIC, dead_letter_topic(record), LITERAL, WRITE),
        *_letters_of_received(principal, received),
        Entry(principal, GROUP, own, LITERAL, READ),
        Entry(principal, GROUP, f"{own}.", PREFIXED, READ),
        Entry(principal, TRANSACTIONAL_ID, own, LITERAL, WRITE),
        Entry(principal, TRANSACTIONAL_ID, f"{own}.", PREFIXED, WRITE),
    )


def app_entries(principal: str, app: StreamAppState) -> tuple[Entry, ...]:
    """Give what a stream app may do.

    It asks how large a record its target and the dead letters take (DESCRIBE_CONFIGS), makes its state topic,
    and gives it more partitions when the source has got more (ALTER).
    """
    target, state = f"{app.target}.ext", f"platform.apps.{app.app_id}.state"
    entries = [
        Entry(principal, TOPIC, target, LITERAL, WRITE),
        Entry(principal, TOPIC, target, LITERAL, DESCRIBE_CONFIGS),
        Entry(principal, GROUP, app.app_id, LITERAL, READ),
        Entry(principal, TRANSACTIONAL_ID, f"{app.app_id}.", PREFIXED, WRITE),
        *(
            Entry(principal, TOPIC, state, LITERAL, operation)
            for operation in (READ, WRITE, CREATE, ALTER, DESCRIBE_CONFIGS)
        ),
    ]
    for source in app.sources:
        records = f"{source}.int"
        letters = dead_letter_topic(records)
        entries += (
            Entry(principal, TOPIC, records, LITERAL, READ),
            Entry(principal, TOPIC, letters, LITERAL, WRITE),
            Entry(principal, TOPIC, letters, LITERAL, DESCRIBE_CONFIGS),
        )
    return tuple(entries)


def recorder_entries(principal: str, systems: Iterable[str]) -> Iterator[Entry]:
    """Give what the recorder may do."""
    yield Entry(principal, GROUP, RECORDER_GROUP, LITERAL, READ)
    for system in systems:
        own, received = f"{system}.int", f"{system}.ext"
        yield Entry(principal, TOPIC, own, LITERAL, READ)
        yield Entry(principal, TOPIC, received, LITERAL, READ)
        yield Entry(principal, TOPIC, dead_letter_topic(own), LITERAL, WRITE)
        yield from _letters_of_received(principal, received)


def _letters_of_received(principal: str, received: str) -> tuple[Entry, Entry]:
    """Give the right to write dead letters of what a system has received.

    They have a topic only when there are any: who has the first one makes it.
    """
    letters = dead_letter_topic(received)
    return (
        Entry(principal, TOPIC, letters, LITERAL, WRITE),
        Entry(principal, TOPIC, letters, LITERAL, CREATE),
    )


def bridge_entries(principal: str, systems: Iterable[str]) -> Iterator[Entry]:
    """Give what the bridge to MQTT may do, which carries the records of all devices that speak MQTT.

    It begins before there is a system, and so before it may write to any topic.
    """
    yield Entry(principal, CLUSTER, CLUSTER_NAME, LITERAL, IDEMPOTENT_WRITE)
    yield Entry(principal, GROUP, MQTT_GROUP, LITERAL, READ)
    yield Entry(principal, GROUP, f"{MQTT_GROUP}.", PREFIXED, READ)
    for system in systems:
        own = f"{system}.int"
        for topic in (own, f"{system}.ext"):
            yield Entry(principal, TOPIC, topic, LITERAL, READ)
        for topic in (own, f"{system}.log", dead_letter_topic(own)):
            yield Entry(principal, TOPIC, topic, LITERAL, WRITE)


def outbox_entries(principal: str, systems: Iterable[str]) -> Iterator[Entry]:
    """Give what the SensorThings service may do."""
    yield Entry(principal, TRANSACTIONAL_ID, OUTBOX_IDS, PREFIXED, WRITE)
    for operation in (READ, WRITE, CREATE):
        yield Entry(principal, TOPIC, OUTBOX_STATE_TOPIC, LITERAL, operation)
    for system in systems:
        yield Entry(principal, TOPIC, f"{system}.int", LITERAL, WRITE)
