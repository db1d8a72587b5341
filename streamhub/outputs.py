"""What a stream app is in the SensorThings service: units of what it reads, Datastreams of what it computes.

What lives here: reading the units of systems and registering the output Datastreams of a statement. What does
not: HTTP (`client.metadata.server`), the statement itself (`streamhub.query`), and when this happens: the
platform asks at deployment, so that a running app needs no metadata.

Ownership is written into `properties`: `streamApp` is the app that made an entity, `streamSource` the Thing
of a source that a Thing of the target stands for. What has neither, or another one, is never changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar
from urllib.parse import quote, unquote

from client.errors import InvalidNameError
from client.messaging.topics import DatastreamName, SystemName
from client.metadata.entities import (
    Datastream,
    Entity,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)
from client.metadata.wire import DATASTREAMS, JsonObject
from streamhub.errors import StreamAppError
from streamhub.query import Derivation, nodes
from streamhub.query.checker import column_name, kind_of
from streamhub.query.functions import Kind
from streamhub.query.quantities import datastreams_of
from streamhub.query.units import unit_name

__all__ = [
    "MetadataRegistry",
    "read_units",
    "register_outputs",
    "source_things_of",
    "unit_of",
    "unit_text",
]

UCUM_DEFINITION: Final = "http://www.opengis.net/def/uom/UCUM/0/"
_UCUM_PREFIXES: Final = (UCUM_DEFINITION, "https://www.opengis.net/def/uom/UCUM/0/", "ucum:")
_SYMBOLS: Final = {"Cel": "°C", "[degF]": "°F", "deg": "°"}  # all others are their own codes
_STREAM_APP: Final = "streamApp"
_STREAM_SOURCE: Final = "streamSource"
_OBSERVATION_TYPES: Final = {
    Kind.NUMBER: ObservationType.MEASUREMENT,
    Kind.TRUTH: ObservationType.TRUTH_OBSERVATION,
}
_EntityT = TypeVar("_EntityT", bound=Entity)


_NAMES_AT_ONCE: Final = 20  # keeps addresses below the 8 kB that servers take


class MetadataRegistry(Protocol):
    """What is needed of a SensorThings service; `SensorThingsServer` has it."""

    def upsert(self, entity: _EntityT) -> _EntityT:
        """Create an entity, or change the one of that name where it differs; returns it with its id."""
        ...

    def search(self, entities: str, condition: str, *, select: Sequence[str]) -> list[JsonObject]:
        """List the entities of a set for which an OData condition holds."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


def read_units(server: MetadataRegistry, systems: Iterable[str]) -> dict[str, str | None]:
    """Ask for the units of all Datastreams of some systems.

    Args:
        server: The SensorThings service.
        systems: Full names of systems.

    Returns:
        Unit by full name of the Datastream: the UCUM code where the definition tells it, else the symbol or
        the name as the device maker wrote it; None where there is none.

    Raises:
        SensorThingsError: its children say why.
    """
    prefixes = tuple(f"{system}." for system in dict.fromkeys(systems))
    if not prefixes:
        return {}
    condition = " or ".join(f"startswith(name,{_literal(prefix)})" for prefix in prefixes)
    found = server.search(DATASTREAMS, condition, select=("name", "unitOfMeasurement"))
    return {
        name: unit_text(datastream.get("unitOfMeasurement"))
        for datastream in found
        if isinstance(name := datastream.get("name"), str) and name.startswith(prefixes)
    }


def source_things_of(derivation: Derivation, names: Iterable[str]) -> list[str]:
    """List the Things whose records a statement can take from its first source.

    Args:
        derivation: The statement.
        names: Full names of the Datastreams that are known.

    Returns:
        Names of Things as in SensorThings, `<system>.<Thing>`, each once, in the given order.
    """
    chosen = datastreams_of(derivation.tree, derivation.tree.streams[0], names)
    return list(dict.fromkeys(thing for name in chosen if (thing := _thing_of(name)) is not None))


def _thing_of(name: str) -> str | None:
    try:
        return DatastreamName.parse(name).thing_key
    except InvalidNameError:  # registered by a program that does not keep to our names: it sends no records
        return None


def register_outputs(
    server: MetadataRegistry,
    *,
    app_name: str,
    app_id: str,
    target_system: str,
    derivation: Derivation,
    source_things: Sequence[str] = (),
) -> dict[str, int | str]:
    """Bring the SensorThings service up to date with what a stream app computes; can be repeated.

    Args:
        server: The SensorThings service.
        app_name: Short name of the app: its Thing, when the Things of the records are not kept.
        app_id: Full name of the app, the owner of what is registered.
        target_system: Full name of the system that receives.
        derivation: The statement.
        source_things: Things of the first source, `<system>.<Thing>`; used when the statement keeps Things.

    Returns:
        Ids of the output Datastreams by full name; empty when it keeps Things and none is known yet.

    Raises:
        StreamAppError: A Thing or Datastream of that name belongs to something else; nothing is changed.
        SensorThingsError: its children say why; registering again continues.
    """
    outputs = _Outputs(app_name, app_id, SystemName.parse(target_system), derivation)
    things = outputs.things(source_things)
    datastreams = [(thing, column) for thing in things for column in outputs.columns]
    known = _known(server, "Things", [thing.name for thing in things])
    for thing in things:
        _check_owner("Thing", thing.name, known, thing.properties)
    names = [outputs.name(thing, column) for thing, column in datastreams]
    known = _known(server, DATASTREAMS, names)
    for name in names:
        _check_owner("Datastream", name, known, outputs.owner)
    return outputs.register(server, things) if datastreams else {}


@dataclass(frozen=True, slots=True)
class _Outputs:
    """The entities of one stream app."""

    app_name: str
    app_id: str
    target: SystemName
    derivation: Derivation

    @property
    def owner(self) -> dict[str, object]:
        return {_STREAM_APP: self.app_id}

    @property
    def columns(self) -> list[nodes.Column]:
        """The columns that become Datastreams, as trees."""
        wanted = {column.name for column in self.derivation.columns}
        return [column for column in self.derivation.tree.columns or () if column_name(column) in wanted]

    def things(self, sources: Sequence[str]) -> list[Thing]:
        """Make the Things of the results: that of the app, or one for each Thing of the first source."""
        if not self.derivation.keeps_thing:
            description = f"What the stream app {self.app_id} computes"
            return [Thing(f"{self.target}.{self.app_name}", description, self.owner)]
        return [
            Thing(
                f"{self.target}.{source.rpartition('.')[2]}",
                f"What stream apps compute of {source}",
                {_STREAM_SOURCE: source},
            )
            for source in sources
        ]

    def name(self, thing: Thing, column: nodes.Column) -> str:
        return f"{thing.name}.{column_name(column)}"

    def register(self, server: MetadataRegistry, things: Sequence[Thing]) -> dict[str, int | str]:
        sensor = server.upsert(
            Sensor(
                f"stream app {self.app_id}",
                f"The stream app {self.app_name}, which computes this from other Datastreams",
                "text/plain",
                self.derivation.text,
                self.owner,
            )
        )
        observed = {column: server.upsert(self._observed_property(column)) for column in self.columns}
        ids: dict[str, int | str] = {}
        for thing in map(server.upsert, things):
            for column, observed_property in observed.items():
                datastream = server.upsert(self._datastream(thing, sensor, observed_property, column))
                if datastream.iot_id is not None:
                    ids[datastream.name] = datastream.iot_id
        return ids

    def _observed_property(self, column: nodes.Column) -> ObservedProperty:
        name = column_name(column)
        return ObservedProperty(
            f"{name} of the stream app {self.app_id}",
            self._expression(column),
            f"urn:digital-twin-stack:stream-app:{self.app_id}:{quote(name)}",
            self.owner,
        )

    def _datastream(
        self, thing: Thing, sensor: Sensor, observed_property: ObservedProperty, column: nodes.Column
    ) -> Datastream:
        kind = kind_of(column.expression) if column.unit is None else Kind.NUMBER
        return Datastream(
            name=self.name(thing, column),
            description=self._expression(column),
            observation_type=_OBSERVATION_TYPES.get(kind, ObservationType.OBSERVATION),
            unit_of_measurement=unit_of(column.unit),
            thing=thing,
            sensor=sensor,
            observed_property=observed_property,
            properties=self.owner,
        )

    def _expression(self, column: nodes.Column) -> str:
        return next(
            known.expression for known in self.derivation.columns if known.name == column_name(column)
        )


def unit_of(code: str | None) -> UnitOfMeasurement:
    """Describe a unit (UCUM) as a unitOfMeasurement; None for results without one.

    Raises:
        UnitError: It is no UCUM code.
    """
    if code is None:
        return UnitOfMeasurement(None, None, None)
    return UnitOfMeasurement(
        unit_name(code), _SYMBOLS.get(code, code), UCUM_DEFINITION + quote(code, safe="/.{}")
    )


def unit_text(unit: object) -> str | None:
    """Read a unitOfMeasurement (OGC 18-088, clause 8.2.4 "Datastream"): the code, else what people see."""
    if not isinstance(unit, dict):
        return None
    definition = unit.get("definition")
    for prefix in _UCUM_PREFIXES:
        if isinstance(definition, str) and definition.startswith(prefix):
            return unquote(definition.removeprefix(prefix)) or None
    return next((text for key in ("symbol", "name") if isinstance(text := unit.get(key), str) and text), None)


def _known(server: MetadataRegistry, entities: str, names: Sequence[str]) -> dict[str, Mapping[str, object]]:
    """Find the entities that have one of these names already, with their properties."""
    found: dict[str, Mapping[str, object]] = {}
    for start in range(0, len(names), _NAMES_AT_ONCE):
        condition = " or ".join(f"name eq {_literal(name)}" for name in names[start : start + _NAMES_AT_ONCE])
        for entity in server.search(entities, condition, select=("name", "properties")):
            name, properties = entity.get("name"), entity.get("properties")
            if isinstance(name, str):
                found.setdefault(name, properties if isinstance(properties, dict) else {})
    return found


def _check_owner(
    kind: str, name: str, known: Mapping[str, Mapping[str, object]], owner: Mapping[str, object]
) -> None:
    present = known.get(name)
    if present is None or owner.items() <= present.items():
        return
    other = present.get(_STREAM_APP) or present.get(_STREAM_SOURCE)
    whose = f"of {other}" if other else "of a device"
    raise StreamAppError(
        f"The {kind} {name} is there already and belongs to another: it is one {whose}. "
        "Name the column or the app differently, or choose another target system"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
