"""What an instances file would change: new, changed with before and after, the same, and what it leaves out.

What lives here: the comparison, pure, and the batch that brings it about. What does not: reading files
(``files``) and sending (``writing``).

How it works: every entity of the file is written as the client's registration would write it
(``client.metadata.wire``) and compared with the one in service of that name, so that page and client never
disagree about what a file means. A link counts by name, with or without that of the system in front. What is
in service and not in the file stays as it is.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

from client.metadata.entities import Datastream, Entity, EntityId, ObservedProperty, Sensor, Thing
from client.metadata.instances import Instances
from client.metadata.wire import (
    IOT_ID,
    LOCATIONS,
    JsonObject,
    differences,
    entity_id,
    entity_set,
    location_of,
    move_of,
    to_wire,
)

GROUP: Final = "instances"
_LINKS: Final = ("Thing", "Sensor", "ObservedProperty")
_EntityT = TypeVar("_EntityT", bound=Entity)


class State(StrEnum):
    """What becomes of an entity."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Present:
    """What a system has in service, as JSON by name without that of the system.

    Attributes:
        system: Full name of the system.
        things: By name, each with its Locations.
        sensors: By name, those of others that its Datastreams use included.
        observed_properties: In the same way.
        datastreams: By ``<Thing>.<Datastream>``, each with Thing, Sensor and ObservedProperty.
    """

    system: str
    things: Mapping[str, JsonObject]
    sensors: Mapping[str, JsonObject]
    observed_properties: Mapping[str, JsonObject]
    datastreams: Mapping[str, JsonObject]

    @property
    def thing_ids(self) -> dict[str, EntityId]:
        """Ids of the Things by name."""
        found = ((name, entity_id(one)) for name, one in self.things.items())
        return {name: number for name, number in found if number is not None}

    def of(self, entity: Entity) -> JsonObject | None:
        """Return what is in service under the name of an entity."""
        kept = {
            Thing: self.things,
            Sensor: self.sensors,
            ObservedProperty: self.observed_properties,
            Datastream: self.datastreams,
        }[type(entity)]
        return kept.get(entity.name.removeprefix(f"{self.system}."))


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One attribute of an entity, before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one entity of a file.

    Attributes:
        kind: ``Thing``, ``Sensor``, ``ObservedProperty`` or ``Datastream``.
        name: Name without that of the system.
        state: What becomes of it.
        fields: What differs; everything that is written, when it is new.
        requests: The requests of the batch that bring it about; none for what is the same.
    """

    kind: str
    name: str
    state: State
    fields: tuple[FieldChange, ...] = ()
    requests: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file would change.

    Attributes:
        changes: One for each entity of the file, linked ones first.
        absent: Kind and name of what is in service, but not in the file; it stays.
    """

    changes: tuple[Change, ...]
    absent: tuple[tuple[str, str], ...]

    @property
    def requests(self) -> list[JsonObject]:
        """The requests of the batch, in an order in which each can refer to those before."""
        return [request for change in self.changes for request in change.requests]

    @property
    def fingerprint(self) -> str:
        """A text that is the same as long as the plan is."""
        text = json.dumps(self.requests, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def of(self, state: State) -> list[Change]:
        """Return the changes of one state, in order."""
        return [change for change in self.changes if change.state is state]


def compare(wanted: Instances, present: Present) -> Plan:
    """Find out what a file would change.

    Args:
        wanted: What the file describes.
        present: What is in service.
    """
    comparer = _Comparer(present)
    changes = tuple(comparer.changes(wanted))
    named = {(change.kind, change.name) for change in changes}
    return Plan(changes, tuple(one for one in _in_service(present) if one not in named))


class _Comparer:
    """Goes through a file in the order of registration; remembers by which id each entity can be linked."""

    def __init__(self, present: Present) -> None:
        self._present = present
        self._ids: dict[tuple[str, str], EntityId] = {}

    def changes(self, wanted: Instances) -> Iterator[Change]:
        for thing in wanted.things.values():
            yield self._change(thing)
        for sensor in wanted.sensors.values():
            yield self._change(sensor)
        observed = {one.observed_property.name: one.observed_property for one in wanted.datastreams.values()}
        for one in observed.values():
            yield self._change(one)
        for datastream in wanted.datastreams.values():
            yield self._change(
                replace(
                    datastream,
                    thing=self._linked(datastream.thing),
                    sensor=self._linked(datastream.sensor),
                    observed_property=self._linked(datastream.observed_property),
                )
            )

    def _linked(self, entity: _EntityT) -> _EntityT:
        return replace(entity, iot_id=self._ids[type(entity).__name__, entity.name])

    def _change(self, entity: Entity) -> Change:
        kind, name = type(entity).__name__, entity.name.removeprefix(f"{self._present.system}.")
        body, present = to_wire(entity), self._present.of(entity)
        changed = {} if present is None else differences(body | {"name": present.get("name")}, present)
        # What belongs to others is linked when it is just what the file says, and never changed.
        if present is None or (changed and not _is_own(present, self._present.system)):
            number = f"e{len(self._ids) + 1}"
            self._ids[kind, entity.name] = f"${number}"
            # Its place is sent by itself: an upsert would take that of another Thing for it, by the name.
            whole, move = move_of(body)
            making = _request(number, "post", f"{entity_set(entity)}?upsert=true", whole)
            requests = (making, *_moving(number, f"${number}", move))
            return Change(kind, name, State.NEW, self._fields(body, {}, entity), requests)
        iot_id = entity_id(present)
        self._ids[kind, entity.name] = iot_id if iot_id is not None else ""
        if not changed:
            return Change(kind, name, State.SAME)
        requests = _changing(f"e{len(self._ids)}", f"{entity_set(entity)}({iot_id})", changed)
        return Change(kind, name, State.CHANGED, self._fields(changed, present, entity), requests)

    def _fields(self, body: JsonObject, present: JsonObject, entity: Entity) -> tuple[FieldChange, ...]:
        return tuple(
            FieldChange(key, self._shown(present, key), self._shown(_named(body, entity), key))
            for key in body
            if key != "name" and (present or body[key] not in ({}, None))
        )

    def _shown(self, document: JsonObject, key: str) -> str:
        value = document.get(key)
        if key in _LINKS and isinstance(value, dict):
            return local_name(value, self._present.system)
        if key == "unitOfMeasurement" and isinstance(value, dict):
            return " · ".join(
                str(value[part]) for part in ("name", "symbol", "definition") if value.get(part)
            )
        if key == LOCATIONS:
            place = location_of(value)
            return f"{place.name} · {place.latitude}, {place.longitude}" if place is not None else ""
        if value is None or value == {}:
            return ""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _named(body: JsonObject, entity: Entity) -> JsonObject:
    """Return a body whose links have names."""
    if not isinstance(entity, Datastream):
        return body
    names = {
        "Thing": entity.thing.name,
        "Sensor": entity.sensor.name,
        "ObservedProperty": entity.observed_property.name,
    }
    return {key: {"name": names[key]} if key in names else value for key, value in body.items()}


def _changing(number: str, address: str, changed: JsonObject) -> tuple[JsonObject, ...]:
    """Return the requests that change an entity; a Thing that has moved takes one for its place."""
    body, move = move_of(changed)
    patch = (_request(number, "patch", address, body),) if body else ()
    return (*patch, *_moving(number, address, move))


def _moving(number: str, address: str, move: JsonObject | None) -> tuple[JsonObject, ...]:
    return (_request(f"{number}place", "post", f"{address}/{LOCATIONS}", move),) if move is not None else ()


def _request(number: str, method: str, url: str, body: JsonObject) -> JsonObject:
    return {"id": number, "atomicityGroup": GROUP, "method": method, "url": url, "body": body}


def _in_service(present: Present) -> Iterator[tuple[str, str]]:
    yield from (("Thing", name) for name in present.things)
    yield from (("Sensor", name) for name, one in present.sensors.items() if _is_own(one, present.system))
    observed = present.observed_properties.items()
    yield from (("ObservedProperty", name) for name, one in observed if _is_own(one, present.system))
    yield from (("Datastream", name) for name in present.datastreams)


def _is_own(document: JsonObject, system: str) -> bool:
    return str(document.get("name")).startswith(f"{system}.")


def local_name(document: JsonObject, system: str) -> str:
    """Return the name of an entity without that of the system."""
    name = document.get("name")
    return name.removeprefix(f"{system}.") if isinstance(name, str) else str(document.get(IOT_ID, ""))
