"""Topics of MQTT: which system, Thing, Datastream or client a topic means, and the other way round.

What lives here: the forms of the topics, their encoding, and filters to subscribe to; pure. What does not:
the SensorThings form `v1.1/...` (`sensorthings`), who may use a topic (`rules`), whether a Datastream exists.

| topic | who publishes | what |
|---|---|---|
| `dt/<system>/<Thing>/<Datastream>` | devices | observations |
| `dt-state/<system>/<client>` | devices, last wills | state of a client |
| `dt-ext/<system>/<providing system>/<Thing>/<Datastream>` | the bridge, retained | last shared values |
| `dt-config/<system>/<client>` | the bridge, retained | what is registered for the system |
| `dt-err/<system>/<Thing>/<Datastream>` | the bridge | why a message was refused |

In names, the characters `/ + # %` and NUL are percent-encoded, because MQTT gives them a meaning or forbids
them (MQTT 5.0, clauses 4.7.1 and 4.7.3).
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from client.errors import InvalidNameError
from client.messaging.topics import DatastreamName, SystemName
from client.settings import checked_client_name

DATA: Final = "dt"
STATE: Final = "dt-state"
EXTERNAL: Final = "dt-ext"
CONFIGURATION: Final = "dt-config"
REFUSAL: Final = "dt-err"
MAX_TOPIC_BYTES: Final = 65_535
"""Longest topic; source: MQTT 5.0, clause 4.7.3."""

_ENCODED: Final = str.maketrans({character: f"%{ord(character):02X}" for character in "/+#%\0"})
_BROKEN_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_DATA_LEVELS: Final = 4
_STATE_LEVELS: Final = 3
_EXTERNAL_LEVELS: Final = 5


def encode(name: str) -> str:
    """Write a name as one level of a topic.

    >>> encode("Flow m3/h (+5 %)")
    'Flow m3%2Fh (%2B5 %25)'
    """
    return name.translate(_ENCODED)


def decode(level: str) -> str:
    """Read a name from one level of a topic; also other characters may be percent-encoded.

    Raises:
        InvalidNameError: A `%` is not followed by two hexadecimal digits, or they are no UTF-8.
    """
    if "%" not in level:
        return level
    try:
        if _BROKEN_ESCAPE.search(level) is None:
            return unquote(level, errors="strict")
    except UnicodeDecodeError:
        pass
    raise InvalidNameError(
        f"level {level!r} of the topic is not percent-encoded UTF-8; write a percent sign as %25",
        name=level,
        level="topic",
        rule="/ + # % are written %2F %2B %23 %25",
    )


@dataclass(frozen=True, slots=True)
class ClientState:
    """Where a client tells its state: `dt-state/<system>/<client>`."""

    system: SystemName
    client: str


@dataclass(frozen=True, slots=True)
class ExternalValue:
    """Where a system finds what another one shares with it: the receiving system, and the Datastream."""

    system: SystemName
    datastream: DatastreamName


def data_topic(name: DatastreamName) -> str:
    """Name the topic to which a device publishes observations of a Datastream."""
    return f"{DATA}/{name.system}/{encode(name.thing)}/{encode(name.datastream)}"


def state_topic(system: SystemName, client: str) -> str:
    """Name the topic on which a client tells its state."""
    return f"{STATE}/{system}/{encode(client)}"


def external_topic(system: SystemName, name: DatastreamName) -> str:
    """Name the topic on which `system` finds the last value of a Datastream that is shared with it."""
    return f"{EXTERNAL}/{system}/{name.system}/{encode(name.thing)}/{encode(name.datastream)}"


def configuration_topic(system: SystemName, client: str) -> str:
    """Name the topic on which a client finds what is registered for its system."""
    return f"{CONFIGURATION}/{system}/{encode(client)}"


def refusal_topic(topic: str) -> str | None:
    """Name the topic that tells why a message to the data topic `topic` was refused.

    There is none for other topics, and none where it would be too long for a topic.

    >>> refusal_topic("dt/cz.icecars.CarFleet.Car1/Main/Speed")
    'dt-err/cz.icecars.CarFleet.Car1/Main/Speed'
    """
    prefix, _, rest = topic.partition("/")
    refusal = f"{REFUSAL}/{rest}"
    is_told = prefix == DATA and rest and len(refusal.encode()) <= MAX_TOPIC_BYTES
    return refusal if is_told else None


def parse_data(topic: str) -> DatastreamName:
    """Read which Datastream a message to a data topic is about.

    Raises:
        InvalidNameError: The topic is of another form, or a name in it breaks its rule.
    """
    levels = _levels(topic, DATA, _DATA_LEVELS, "dt/<system>/<Thing>/<Datastream>")
    return DatastreamName(SystemName.parse(decode(levels[0])), decode(levels[1]), decode(levels[2]))


def parse_state(topic: str) -> ClientState:
    """Read whose state a message tells.

    Raises:
        ConfigurationError: The topic is of another form, or a name in it breaks its rule.
    """
    levels = _levels(topic, STATE, _STATE_LEVELS, "dt-state/<system>/<client>")
    return ClientState(SystemName.parse(decode(levels[0])), checked_client_name(decode(levels[1])))


def parse_external(topic: str) -> ExternalValue:
    """Read what a message that the bridge published is about; for programs that subscribe.

    Raises:
        InvalidNameError: The topic is of another form, or a name in it breaks its rule.
    """
    form = "dt-ext/<system>/<providing system>/<Thing>/<Datastream>"
    levels = [decode(level) for level in _levels(topic, EXTERNAL, _EXTERNAL_LEVELS, form)]
    name = DatastreamName(SystemName.parse(levels[1]), levels[2], levels[3])
    return ExternalValue(SystemName.parse(levels[0]), name)


def system_of(topic: str) -> SystemName | None:
    """Read the system of a topic of any of our forms; None where there is none to be read."""
    levels = topic.split("/", 2)
    if len(levels) < 2 or levels[0] not in {DATA, STATE, EXTERNAL, CONFIGURATION, REFUSAL}:  # noqa: PLR2004
        return None
    try:
        return SystemName.parse(decode(levels[1]))
    except InvalidNameError:
        return None


def incoming_filters(system: SystemName | None = None) -> tuple[str, str]:
    """Give the filters that the bridge subscribes to: data and states of one system, or of all.

    They end in `#`, so that a topic of a wrong form arrives and can be refused with its reason.
    """
    middle = "" if system is None else f"{system}/"
    return f"{DATA}/{middle}#", f"{STATE}/{middle}#"


def _levels(topic: str, prefix: str, count: int, form: str) -> list[str]:
    levels = topic.split("/")
    if levels[0] != prefix or len(levels) != count:
        raise InvalidNameError(
            f"topic {topic!r} is not {form}; write / + # % inside a name as %2F %2B %23 %25",
            name=topic,
            level="topic",
            rule=form,
        )
    return levels[1:]
