"""From changes to the messages that tell of them.

What lives here: which topics a changed entity is published to, and the payloads. What does not: reading the
feed and publishing (`following`), which topics are wanted (`wanted`).

Entities are read at the service with the rights of the system whose topic it is, so that everybody gets what
they would see by GET, and nothing else. What changed several times within one part of the feed is published
once, as it is now. Deletions are not published (the standard has updates for created and changed ones only).

| topic | payload |
|---|---|
| a set, `Things`, `Datastreams(1)/Observations` | the whole entity |
| an entity, `Datastreams(1)` | the same |
| a property, `Datastreams(1)/observedArea` | `{"observedArea": ...}`, when it has changed |
| a set with options, `Things?$select=name` | what GET gives for the entity |

Source: OGC 18-088, clause 14.3 (requirements class "receive-updates-via-mqtt").
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from adapters.mqtt.sensorthings.model import TO_ONE
from adapters.mqtt.sensorthings.service import Change, Service
from adapters.mqtt.sensorthings.updates.wanted import Interest, Question
from client.errors import SensorThingsError, UnavailableError

_IDS_IN_A_REQUEST: Final = 200
"""So that an address stays below the 8 kB that servers and proxies take."""
_ID: Final = "@iot.id"
_LINK: Final = "@iot.navigationLink"
Json = dict[str, Any]


class Message(NamedTuple):
    """A message to publish.

    Attributes:
        topic: Where to.
        payload: JSON.
    """

    topic: str
    payload: bytes


@dataclass(slots=True)
class _Changed:
    """What happened to the entities of one set.

    Attributes:
        created: Ids of new ones.
        changed: Names of changed properties, by id of older ones.
    """

    created: dict[int, None] = field(default_factory=dict)
    changed: dict[int, set[str]] = field(default_factory=dict)

    def add(self, change: Change) -> None:
        for one in change.ids:
            if change.properties is None:
                self.created[one] = None
            elif one not in self.created:
                self.changed.setdefault(one, set()).update(change.properties)

    @property
    def ids(self) -> list[int]:
        """All ids, each once, in order of their numbers: as they were made."""
        return sorted({*self.created, *self.changed})

    def is_told(self, identifier: int, name: str) -> bool:
        """Tell whether a property of an entity is news."""
        return identifier in self.created or name in self.changed.get(identifier, ())


def messages(service: Service, changes: Sequence[Change], interests: Sequence[Interest]) -> Iterator[Message]:
    """Give the messages that tell of changes, to all that want them.

    Raises:
        UnavailableError: The service does not answer.
    """
    by_set: dict[str, _Changed] = {}
    for change in changes:
        by_set.setdefault(change.set_name, _Changed()).add(change)
    for interest in interests:
        for set_name, changed in by_set.items():
            if interest.needs(set_name):
                yield from _plain(service, interest, set_name, changed)
            for question in interest.questions:
                if question.path.set_name == set_name:
                    yield from _asked(service, question, changed)


def _plain(service: Service, interest: Interest, set_name: str, changed: _Changed) -> Iterator[Message]:
    relations = TO_ONE[set_name]
    query = {"$orderby": "id"}
    if relations:
        query["$expand"] = ",".join(f"{name}($select=id)" for name in relations)
    narrowing = interest.narrowing(set_name)
    for entity in _read(service, interest, set_name, query, changed.ids, narrowing):
        parents = {name: entity[name][_ID] for name in relations if entity.get(name)}
        whole = _whole(entity, relations, parents)
        payload = json.dumps(whole, ensure_ascii=False).encode()
        for topic in _topics(interest, set_name, entity[_ID], parents):
            if interest.takes(topic):
                yield Message(topic, payload)
        for name, value in whole.items():
            topic = interest.topic(f"{set_name}({entity[_ID]})/{name}")
            if "@" not in name and changed.is_told(entity[_ID], name) and interest.takes(topic):
                yield Message(topic, json.dumps({name: value}, ensure_ascii=False).encode())


def _topics(interest: Interest, set_name: str, identifier: int, parents: Mapping[str, int]) -> Iterator[str]:
    yield interest.topic(set_name)
    yield interest.topic(f"{set_name}({identifier})")
    for name, parent in parents.items():
        yield interest.topic(f"{TO_ONE[set_name][name]}({parent})/{set_name}")


def _read(  # noqa: PLR0917 - of one call
    service: Service,
    interest: Interest,
    path: str,
    query: Mapping[str, str],
    ids: Sequence[int],
    condition: str = "",
) -> Iterator[Json]:
    for first in range(0, len(ids), _IDS_IN_A_REQUEST):
        part = ids[first : first + _IDS_IN_A_REQUEST]
        among = f"id in ({','.join(map(str, part))})"
        wanted = {
            **query,
            "$filter": f"({condition}) and {among}" if condition else among,
            "$top": str(len(part)),
        }
        page = service.get(interest.version, path, wanted, system=interest.system)
        yield from page["value"] if page else ()


def _whole(entity: Json, relations: Mapping[str, str], parents: Mapping[str, int]) -> Json:
    """Give an entity as GET does, with links where only ids were asked for."""
    link = entity.get("@iot.selfLink", "")
    shown: Json = {}
    for name, value in entity.items():
        if name not in relations:
            shown[name] = value
        elif name in parents:
            shown[f"{name}{_LINK}"] = f"{link}/{name}"
    return shown


def _asked(service: Service, question: Question, changed: _Changed) -> Iterator[Message]:
    """Ask for the changed entities on a path with its options.

    A path or options that the service refuses have no updates: what a client subscribes to is not checked
    before.
    """
    try:
        if question.path.is_set:
            yield from _asked_set(service, question, changed)
        else:
            yield from _asked_entity(service, question, changed)
    except UnavailableError:
        raise
    except SensorThingsError:
        return


def _asked_set(service: Service, question: Question, changed: _Changed) -> Iterator[Message]:
    options = _options(question.update.options)
    condition = options.pop("$filter", "")
    interest = Interest(question.update.system, question.update.version)
    query = {"$orderby": "id", **{name: options[name] for name in options if name in _SHOWING}}
    for entity in _read(service, interest, question.update.path, query, changed.ids, condition):
        yield Message(question.topic, json.dumps(entity, ensure_ascii=False).encode())


def _asked_entity(service: Service, question: Question, changed: _Changed) -> Iterator[Message]:
    update = question.update
    found = service.get(update.version, update.path, {"$select": "id"}, system=update.system)
    if not found or found.get(_ID) not in {*changed.created, *changed.changed}:
        return
    options = {name: value for name, value in _options(update.options).items() if name in _SHOWING}
    entity = service.get(update.version, update.path, options, system=update.system)
    if entity:
        yield Message(question.topic, json.dumps(entity, ensure_ascii=False).encode())


_SHOWING: Final = ("$select", "$expand")


def _options(text: str) -> dict[str, str]:
    """Read the options of a topic: as in an address, but blanks may stand as they are."""
    pairs = (part.partition("=") for part in text.split("&") if part)
    return {unquote(name): unquote(value) for name, _, value in pairs}
