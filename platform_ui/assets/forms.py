"""The forms of assets; names follow the rules of the records that carry their values.

What lives here: fields and their checks, also that a unit is one of UCUM, by the code that converts units in
statements (``streamhub.query.units``). What does not: what is written from them (``writing``).
"""

import json
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from client.errors import InvalidNameError
from client.messaging.topics import (
    MAX_DATASTREAM_CHARACTERS,
    MAX_THING_CHARACTERS,
    check_datastream,
    check_thing,
)
from client.metadata.entities import ObservationType
from platform_ui.fields import Form
from streamhub.query.units import UnitError, parse_code

MAX_DESCRIPTION: Final = 2000
MAX_PROPERTIES: Final = 20_000
MAX_UNIT: Final = 100
MAX_DEFINITION: Final = 500
MAX_METADATA: Final = 2000
_WHOLE_WORLD: Final = 180.0
_POLE: Final = 90.0


def _thing_name(text: str) -> str:
    return _checked(text, check_thing)


def _datastream_name(text: str) -> str:
    return _checked(text, check_datastream)


def _checked(text: str, check: object) -> str:
    assert callable(check)  # noqa: S101 - one of the two above
    try:
        check(text)
    except InvalidNameError as error:
        raise ValueError(f"This needs {error.rule}." if error.rule != "no dot" else "No dot here.") from None
    return text


def _ucum(text: str) -> str:
    if text:
        try:
            parse_code(text)
        except UnitError as error:
            raise ValueError(f"{error}.") from None
    return text


def _object(value: object) -> object:
    """Read the properties as they were typed: a JSON object, or nothing."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return {}
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"This is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ValueError('Write a JSON object, such as {"colour": "blue"}.')  # noqa: TRY004 - pydantic's way
    return found


def _degrees(value: object) -> object:
    if isinstance(value, str):
        return value.strip().replace(",", ".") or None
    return value


Description = Annotated[str, StringConstraints(min_length=1, max_length=MAX_DESCRIPTION)]
Properties = Annotated[dict[str, object], BeforeValidator(_object)]
Latitude = Annotated[Annotated[float, Field(ge=-_POLE, le=_POLE)] | None, BeforeValidator(_degrees)]
Longitude = Annotated[
    Annotated[float, Field(ge=-_WHOLE_WORLD, le=_WHOLE_WORLD)] | None, BeforeValidator(_degrees)
]
EntityName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_DATASTREAM_CHARACTERS),
    AfterValidator(_datastream_name),
]


class ThingChangeForm(Form):
    """What can be changed of a Thing: everything but its name, which its records carry.

    Attributes:
        description: What it is.
        properties: Whatever its owner adds, as a JSON object.
        latitude: Where it is, north of the equator [degrees]; nothing when that is not told.
        longitude: Where it is, east of Greenwich [degrees].
    """

    description: Description
    properties: Properties = Field(default_factory=dict)
    latitude: Latitude = None
    longitude: Longitude = None

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("A place needs both latitude and longitude.")
        return self


class ThingForm(ThingChangeForm):
    """A new Thing of a system."""

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=MAX_THING_CHARACTERS), AfterValidator(_thing_name)
    ]


class DatastreamChangeForm(Form):
    """What can be changed of a Datastream: its meaning, not its name, which its records carry.

    Attributes:
        description: What its results tell.
        sensor: Name of its Sensor, without the system's; a new one is made when there is none.
        sensor_description: What a new Sensor is.
        sensor_metadata: Where to read about a new Sensor, or a text about it.
        observed_property: Name of what is observed; a new one is made when there is none.
        definition: Address of the meaning of a new ObservedProperty.
        unit: UCUM code; empty for results without a unit.
        observation_type: What its results are.
        properties: Whatever its owner adds, as a JSON object.
    """

    description: Description
    sensor: EntityName
    sensor_description: Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION)] = ""
    sensor_metadata: Annotated[str, StringConstraints(max_length=MAX_METADATA)] = ""
    observed_property: EntityName
    definition: Annotated[str, StringConstraints(max_length=MAX_DEFINITION)] = ""
    unit: Annotated[str, StringConstraints(max_length=MAX_UNIT), AfterValidator(_ucum)] = ""
    observation_type: ObservationType = ObservationType.MEASUREMENT
    properties: Properties = Field(default_factory=dict)


class DatastreamForm(DatastreamChangeForm):
    """A new Datastream of a Thing.

    Attributes:
        thing: Name of the Thing, without the system's.
        name: Name of the Datastream, without that of the Thing.
    """

    thing: Annotated[
        str, StringConstraints(min_length=1, max_length=MAX_THING_CHARACTERS), AfterValidator(_thing_name)
    ]
    name: EntityName
