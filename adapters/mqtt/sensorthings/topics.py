"""Topics of the SensorThings MQTT extension: what each means, and who may use it; pure.

What lives here: reading and writing topics, filters for subscriptions and for access rules. What does not:
other topics of the bridge (`adapters.mqtt.topics`), rendering rules for a broker (`adapters.mqtt.rules`).

| topic | who publishes | what |
|---|---|---|
| `v1.1/Datastreams(1)/Observations` | devices | an Observation to create |
| `v1.1/Observations`, `v1.1/FeaturesOfInterest(1)/Observations` | devices of a site's one system | the same |
| `dt-sta-in/<system>/v1.1/...` | devices of that system | the same, by each of these paths |
| `dt-sta/<system>/v1.1/...` | the bridge | changes, as far as that system sees them |
| `v1.1/...` | the bridge of one system | the same |
| `dt-sta-asked` | a broker that knows what is subscribed to | a JSON list of these topics, retained |

The prefix is there because MQTT tells a subscriber nothing about a publisher, and a broker cannot send two
subscribers of `v1.1/Things` different Things.

Source: OGC 18-088, clauses 14.2 and 14.3.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from client.errors import DigitalTwinError, InvalidNameError
from client.messaging.topics import SystemName

UPDATES: Final = "dt-sta"
CREATIONS: Final = "dt-sta-in"
ASKED: Final = "dt-sta-asked"
"""Where a broker that knows its subscriptions tells the bridge which updates are wanted."""
VERSIONS: Final = ("v1.1", "v1.0")
# Beyond it the service has no answer but an error, which looks as if it were away.
_LARGEST_ID: Final = 2**63 - 1
_STREAM_SETS: Final = ("Datastreams", "MultiDatastreams")
_CREATION: Final = re.compile(
    r"(?P<version>v1\.[01])/"
    r"(?:(?P<set>Datastreams|MultiDatastreams|FeaturesOfInterest)\((?P<id>[0-9]{1,19})\)/)?Observations",
    re.ASCII,
)


class CreationTopicError(DigitalTwinError):
    """A message came to a topic to which no Observation can be published."""


@dataclass(frozen=True, slots=True)
class Creation:
    """Where an Observation is to be created.

    Attributes:
        version: `v1.1` or `v1.0`.
        path: Set that it is POSTed to, such as `Datastreams(1)/Observations`.
        system: System that published it, by the broker's rules; None where the topic does not tell.
        stream: `Datastreams(1)` or `MultiDatastreams(1)` where the path begins so, else None.
    """

    version: str
    path: str
    system: str | None
    stream: str | None


def parse_creation(topic: str, *, one_system: bool) -> Creation:
    """Read where an Observation is to be created.

    Args:
        topic: As it was published to.
        one_system: Whether everybody at the broker belongs to one system: only then a topic without a system
            and without a Datastream tells on whose behalf something is created.

    Raises:
        CreationTopicError: Nothing can be created there.
    """
    system, rest = _without_prefix(topic, CREATIONS)
    found = _CREATION.fullmatch(rest)
    if found is None or int(found["id"] or 0) > _LARGEST_ID:
        raise CreationTopicError(
            f"topic {topic!r} creates nothing; publish to v1.1/Datastreams(1)/Observations"
        )
    if system is not None:
        _check_system(system, topic)
    is_stream = found["set"] in _STREAM_SETS
    if system is None and not one_system and not is_stream:
        raise CreationTopicError(
            f"topic {topic!r} does not tell whose Observation it is; publish to "
            f"v1.1/Datastreams(1)/Observations, or to {CREATIONS}/<system>/{rest}"
        )
    stream = f"{found['set']}({found['id']})" if is_stream else None
    return Creation(found["version"], rest.partition("/")[2], system, stream)


def publishing_system(topic: str) -> str | None:
    """Give the system that a topic names as the one that publishes; None where it names none."""
    system, _ = _without_prefix(topic, CREATIONS)
    try:
        return None if system is None else str(SystemName.parse(system))
    except InvalidNameError:
        return None


def _check_system(system: str, topic: str) -> None:
    try:
        SystemName.parse(system)
    except InvalidNameError as error:
        raise CreationTopicError(f"topic {topic!r} names no system: {error}") from error


def creation_filters(system: str | None = None) -> tuple[str, ...]:
    """Give the filters that the bridge subscribes to; those of one system, or of all.

    An id stands inside a level of the topic, where MQTT has no wildcard: so `+` stands for the whole level.
    What is below a system is taken whole: a wrong topic arrives then, and can be refused with its reason.
    """
    who = "+" if system is None else system
    forms = [f"{version}/{end}" for version in VERSIONS for end in ("Observations", "+/Observations")]
    return (*forms, f"{CREATIONS}/{who}/#")


def update_topic(system: str | None, version: str, rest: str) -> str:
    """Name the topic of an update.

    Args:
        system: Whose it is; None for the form without a system.
        version: `v1.1` or `v1.0`.
        rest: Path with or without options, such as `Things?$select=name`.
    """
    return f"{version}/{rest}" if system is None else f"{UPDATES}/{system}/{version}/{rest}"


@dataclass(frozen=True, slots=True)
class Update:
    """A topic of updates, or a filter for some.

    Attributes:
        system: Whose updates; None for the form without a system.
        version: `v1.1` or `v1.0`.
        path: Such as `Datastreams(1)/Observations`; may hold wildcards.
        options: What follows the `?`, such as `$select=result`; empty for none.
    """

    system: str | None
    version: str
    path: str
    options: str = ""


def parse_update(topic: str) -> Update | None:
    """Read a topic of updates, or a filter for some; None for everything else."""
    system, rest = _without_prefix(topic, UPDATES)
    version, _, more = rest.partition("/")
    path, _, options = more.partition("?")
    if version not in VERSIONS or not path:
        return None
    return Update(system, version, path, options)


def readable_topics(system: SystemName | str, *, one_system: bool = False) -> tuple[str, ...]:
    """Give filters of the topics that clients of a system may subscribe to.

    Args:
        system: The system.
        one_system: Whether everybody at the broker belongs to it.
    """
    own = f"{UPDATES}/{system}/#"
    return (own, *(f"{version}/#" for version in VERSIONS)) if one_system else (own,)


def writable_topics(
    system: SystemName | str,
    datastreams: Iterable[int] = (),
    multi_datastreams: Iterable[int] = (),
    *,
    one_system: bool = False,
) -> tuple[str, ...]:
    """Give topics, and filters for them, that clients of a system may publish to.

    Args:
        system: The system.
        datastreams: Ids of its Datastreams; the form with the system needs none of them.
        multi_datastreams: Ids of its MultiDatastreams.
        one_system: Whether everybody at the broker belongs to it.
    """
    own = f"{CREATIONS}/{system}/#"
    if one_system:
        return (
            own,
            *(f"{version}/{end}" for version in VERSIONS for end in ("Observations", "+/Observations")),
        )
    streams = [f"Datastreams({one})" for one in datastreams]
    streams += [f"MultiDatastreams({one})" for one in multi_datastreams]
    return (own, *(f"{version}/{one}/Observations" for version in VERSIONS for one in streams))


def bridge_readable_topics(system: SystemName | str | None = None) -> tuple[str, ...]:
    """Give filters of the topics that the bridge itself subscribes to."""
    return (*creation_filters(None if system is None else str(system)), ASKED)


def bridge_writable_topics(system: SystemName | str | None = None) -> tuple[str, ...]:
    """Give filters of the topics that the bridge itself publishes to."""
    who = "+" if system is None else system
    plain = () if system is None else tuple(f"{version}/#" for version in VERSIONS)
    return (f"{UPDATES}/{who}/#", *plain)


def is_raw(topic: str) -> bool:
    """Tell whether devices and the bridge both publish to a topic.

    A broker that can decide for each message passes what a device publishes there to the bridge only: else
    subscribers get every Observation twice, as it was published and as it was created.
    """
    return _CREATION.fullmatch(topic) is not None


def _without_prefix(topic: str, prefix: str) -> tuple[str | None, str]:
    """Split the system off a topic with our prefix; other topics stay whole."""
    first, _, rest = topic.partition("/")
    if first != prefix:
        return None, topic
    system, _, rest = rest.partition("/")
    return system, rest
