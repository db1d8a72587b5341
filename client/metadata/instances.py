"""The users' files instances.json, subscriptions.json and ds-mappings.json: read, checked, never rewritten.

What lives here: from a file to entities with full names, and an error that names file, JSON pointer, problem
and remedy for everything that is wrong. What does not: the SensorThings service (`registration`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from client.errors import ConfigurationError, InstanceFileError, SubscriptionFileError
from client.messaging.topics import DatastreamName, SystemName, check_datastream, check_thing
from client.metadata.entities import (
    OBSERVATION_TYPE_PREFIX,
    Datastream,
    Location,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)
from client.metadata.files import FileReader, join, kind_of

EVERYTHING: Final = "*"
DEFAULT_SUBSCRIPTION_FILE: Final = "subscriptions.json"
SUBSCRIPTION_EXAMPLE: Final = (
    '{"subscribed_datastreams": '
    '["is.iceland.iot4cps-wp5-WeatherService.Stations.Seattle.Air Temperature", "*"]}'
)
INSTANCE_EXAMPLE: Final = (
    '{"Things": {"car": {"name": "Main", "description": "The car"}}, '
    '"Sensors": {"pt100": {"name": "PT100", "description": "Thermometer", '
    '"encodingType": "application/pdf", '
    '"metadata": "https://example.com/pt100.pdf"}}, '
    '"Datastreams": {"temperature": {"name": "Air Temperature", '
    '"description": "Temperature in the car", "observationType": "'
    + OBSERVATION_TYPE_PREFIX
    + 'OM_Measurement", '
    '"unitOfMeasurement": {"name": "degree Celsius", "symbol": "degC", "definition": "ucum:Cel"}, '
    '"ObservedProperty": {"name": "Air Temperature", "description": "Temperature of the air", '
    '"definition": "https://example.com/temperature"}, "Thing": "car", "Sensor": "pt100"}}}'
)
MAPPING_EXAMPLE: Final = '{"Datastreams": {"temperature": {"Thing": "Main", "name": "Air Temperature"}}}'


JsonMapping: TypeAlias = Mapping[str, object]
_Linked = TypeVar("_Linked", Thing, Sensor)
_DATASTREAM_KEYS: Final = (
    "name",
    "description",
    "observationType",
    "unitOfMeasurement",
    "ObservedProperty",
    "Thing",
    "Sensor",
    "properties",
)


@dataclass(frozen=True, slots=True)
class Instances:
    """What a client describes: entities with full names by the keys of the file, in the order of the file."""

    things: Mapping[str, Thing]
    sensors: Mapping[str, Sensor]
    datastreams: Mapping[str, Datastream]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a client wants to read: Datastream names, perhaps everything that was shared with it, and logs."""

    datastream_names: frozenset[str]
    everything: bool = False
    logs: tuple[SystemName, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> "Subscription":
        """Subscribe to Datastreams by name; `*` is everything that was shared.

        Raises:
            InvalidNameError: when a name is not that of a Datastream.
        """
        wanted = frozenset(names)
        for name in wanted - {EVERYTHING}:
            DatastreamName.parse(name)
        return cls(wanted - {EVERYTHING}, EVERYTHING in wanted)


def read_instances(path: Path | str, system: SystemName) -> Instances:
    """Read an instances file; names get the system's name in front unless they have it already.

    Raises:
        InstanceFileError: naming file, JSON pointer, problem and remedy.
    """
    return _InstanceReader(Path(path), system, INSTANCE_EXAMPLE).instances()


def read_mappings(path: Path | str, system: SystemName) -> dict[str, DatastreamName]:
    """Read a mappings file: which Datastream, registered before, a quantity stands for.

    The Thing may be its name or a key under `Things` of the same file, so that an instances file serves as
    well.

    Raises:
        InstanceFileError: naming file, JSON pointer, problem and remedy.
    """
    return _InstanceReader(Path(path), system, MAPPING_EXAMPLE).mappings()


def wanted_subscription(path: Path | str | None, datastreams: Iterable[str] | None) -> Subscription:
    """Take a subscription from a file or from names; from `subscriptions.json` when neither is given.

    Raises:
        ConfigurationError: both are given.
        InvalidNameError: a name is not that of a Datastream.
        SubscriptionFileError: the file is wrong or missing.
    """
    if datastreams is None:
        return read_subscription(path or DEFAULT_SUBSCRIPTION_FILE)
    if path is not None:
        raise ConfigurationError("pass subscription_file or datastreams, not both", setting="datastreams")
    return Subscription.of(datastreams)


def read_subscription(path: Path | str) -> Subscription:
    """Read a subscriptions file.

    Raises:
        SubscriptionFileError: naming file, JSON pointer, problem and remedy.
    """
    reader = FileReader(Path(path), SubscriptionFileError, SUBSCRIPTION_EXAMPLE)
    document = reader.document()
    reader.only(document, ("subscribed_datastreams", "subscribed_logs"), "")
    reader.required(document, "subscribed_datastreams", "")
    names = _name_list(reader, document, "subscribed_datastreams")
    for index, name in enumerate(names):
        if name != EVERYTHING:
            reader.checked(DatastreamName.parse, name, f"/subscribed_datastreams/{index}")
    logs = _name_list(reader, document, "subscribed_logs")
    for index, name in enumerate(logs):
        reader.checked(SystemName.parse, name, f"/subscribed_logs/{index}")
    return Subscription(
        frozenset(names) - {EVERYTHING}, EVERYTHING in names, tuple(SystemName.parse(name) for name in logs)
    )


def _name_list(reader: FileReader, document: Mapping[str, object], key: str) -> list[str]:
    value = document.get(key, [])
    if not isinstance(value, list):
        reader.fail(f"/{key}", f"is {kind_of(value)}, not a list", f"A whole file: {SUBSCRIPTION_EXAMPLE}")
    for index, name in enumerate(value):
        if not isinstance(name, str):
            reader.fail(f"/{key}/{index}", f"is {kind_of(name)}, not text", "Put the name in double quotes")
    return value


class _InstanceReader:
    def __init__(self, path: Path, system: SystemName, example: str) -> None:
        self._file = FileReader(path, InstanceFileError, example)
        self._system = system

    def instances(self) -> Instances:
        file, document = self._file, self._file.document()
        file.only(document, ("Things", "Sensors", "Datastreams"), "")
        things = {key: self._thing(body, pointer) for key, body, pointer in self._members(document, "Things")}
        sensors = {
            key: self._sensor(body, pointer) for key, body, pointer in self._members(document, "Sensors")
        }
        datastreams = {
            key: self._datastream(body, pointer, things, sensors)
            for key, body, pointer in self._members(document, "Datastreams")
        }
        self._check_unique("/Things", things)
        self._check_unique("/Sensors", sensors)
        self._check_unique("/Datastreams", datastreams)
        self._check_observed_properties(datastreams)
        return Instances(things, sensors, datastreams)

    def mappings(self) -> dict[str, DatastreamName]:
        document = self._file.document()
        members = self._members(document, "Things") if "Things" in document else []
        things = {
            key: self._local_name(self._file.text_at(body, "name", pointer)) for key, body, pointer in members
        }
        names = {}
        for quantity, body, pointer in self._members(document, "Datastreams"):
            named = self._file.text_at(body, "Thing", pointer)
            thing = things.get(named) or self._local_name(named)
            self._file.checked(check_thing, thing, join(pointer, "Thing"))
            datastream = self._file.text_at(body, "name", pointer)
            self._file.checked(check_datastream, datastream, join(pointer, "name"))
            names[quantity] = DatastreamName(self._system, thing, datastream)
        return names

    def _members(self, document: JsonMapping, section: str) -> list[tuple[str, dict[str, object], str]]:
        members = self._file.object_at(document, section, "")
        pointer = f"/{section}"
        return [(key, self._file.object_at(members, key, pointer), join(pointer, key)) for key in members]

    def _thing(self, body: JsonMapping, pointer: str) -> Thing:
        self._file.only(body, ("name", "description", "properties", "Location"), pointer)
        name = self._local_name(self._file.text_at(body, "name", pointer))
        self._file.checked(check_thing, name, join(pointer, "name"))
        return Thing(
            f"{self._system}.{name}",
            self._file.text_at(body, "description", pointer),
            self._properties(body, pointer),
            location=self._location(body, pointer) if "Location" in body else None,
        )

    def _location(self, thing: JsonMapping, pointer: str) -> Location:
        body, below = self._file.object_at(thing, "Location", pointer), join(pointer, "Location")
        self._file.only(body, ("latitude", "longitude", "name"), below)
        return Location(
            self._file.number_at(body, "latitude", below, most=90),
            self._file.number_at(body, "longitude", below, most=180),
            self._file.text_at(body, "name", below) if "name" in body else "",
        )

    def _sensor(self, body: JsonMapping, pointer: str) -> Sensor:
        allowed = ("name", "description", "encodingType", "metadata", "properties")
        self._file.only(body, allowed, pointer)
        return Sensor(
            self._full_name(body, pointer),
            self._file.text_at(body, "description", pointer),
            self._file.text_at(body, "encodingType", pointer),
            self._file.required(body, "metadata", pointer),
            self._properties(body, pointer),
        )

    def _observed_property(self, body: JsonMapping, pointer: str) -> ObservedProperty:
        self._file.only(body, ("name", "description", "definition", "properties"), pointer)
        return ObservedProperty(
            self._full_name(body, pointer),
            self._file.text_at(body, "description", pointer),
            self._file.text_at(body, "definition", pointer),
            self._properties(body, pointer),
        )

    def _datastream(
        self, body: JsonMapping, pointer: str, things: Mapping[str, Thing], sensors: Mapping[str, Sensor]
    ) -> Datastream:
        file = self._file
        file.only(body, _DATASTREAM_KEYS, pointer)
        local = file.text_at(body, "name", pointer)
        file.checked(check_datastream, local, join(pointer, "name"))
        thing = self._linked(body, "Thing", things, pointer)
        property_pointer = join(pointer, "ObservedProperty")
        return Datastream(
            name=f"{thing.name}.{local}",
            description=file.text_at(body, "description", pointer),
            observation_type=self._observation_type(body, pointer),
            unit_of_measurement=self._unit(body, pointer),
            thing=thing,
            sensor=self._linked(body, "Sensor", sensors, pointer),
            observed_property=self._observed_property(
                file.object_at(body, "ObservedProperty", pointer), property_pointer
            ),
            properties=self._properties(body, pointer),
        )

    def _linked(self, body: JsonMapping, kind: str, known: Mapping[str, _Linked], pointer: str) -> _Linked:
        key = self._file.text_at(body, kind, pointer)
        if key not in known:
            listed = ", ".join(repr(name) for name in known) or "none"
            self._file.fail(
                join(pointer, kind), f"names {key!r}, which is no key of /{kind}s", f"Known are: {listed}"
            )
        return known[key]

    def _observation_type(self, body: JsonMapping, pointer: str) -> ObservationType:
        uri = self._file.text_at(body, "observationType", pointer)
        try:
            return ObservationType(uri.removeprefix(OBSERVATION_TYPE_PREFIX))
        except ValueError:
            known = ", ".join(ObservationType)
            self._file.fail(
                join(pointer, "observationType"),
                f"is {uri!r}, which is no observation type",
                f"Write {OBSERVATION_TYPE_PREFIX} and one of {known}",
            )

    def _unit(self, body: JsonMapping, pointer: str) -> UnitOfMeasurement:
        unit = self._file.object_at(body, "unitOfMeasurement", pointer)
        below = join(pointer, "unitOfMeasurement")
        self._file.only(unit, ("name", "symbol", "definition", "abbreviation"), below)
        for key in ("name", "symbol", "definition"):
            self._file.required(unit, key, below)
        for key, value in unit.items():
            if value is not None and not isinstance(value, str):
                self._file.fail(
                    join(below, key), f"is {kind_of(value)}, not text", "Write text, or null for none"
                )
        parts = {key: str(value) for key, value in unit.items() if value is not None}
        return UnitOfMeasurement(
            parts.get("name"), parts.get("symbol"), parts.get("definition"), parts.get("abbreviation")
        )

    def _properties(self, body: JsonMapping, pointer: str) -> dict[str, object]:
        return self._file.object_at(body, "properties", pointer) if "properties" in body else {}

    def _local_name(self, name: str) -> str:
        return name.removeprefix(f"{self._system}.")

    def _full_name(self, body: JsonMapping, pointer: str) -> str:
        local = self._local_name(self._file.text_at(body, "name", pointer))
        self._file.checked(check_datastream, local, join(pointer, "name"))
        return f"{self._system}.{local}"

    def _check_unique(self, pointer: str, entities: Mapping[str, Thing | Sensor | Datastream]) -> None:
        first: dict[str, str] = {}
        for key, entity in entities.items():
            other = first.setdefault(entity.name, key)
            if other != key:
                self._file.fail(
                    join(pointer, key),
                    f"has the same name as {other!r}: {entity.name!r}",
                    "Rename one of them",
                )

    def _check_observed_properties(self, datastreams: Mapping[str, Datastream]) -> None:
        first: dict[str, tuple[str, ObservedProperty]] = {}
        for key, datastream in datastreams.items():
            observed = datastream.observed_property
            other, known = first.setdefault(observed.name, (key, observed))
            if known != observed:
                self._file.fail(
                    join(join("/Datastreams", key), "ObservedProperty"),
                    f"has the same name as that of {other!r}, but another description or definition",
                    "Make them equal, or rename one",
                )
