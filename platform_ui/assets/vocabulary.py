"""What is observed most often, offered when somebody registers a Datastream.

What lives here: common ObservedProperties with their usual units (UCUM) and a definition that others know.
What does not: which units are allowed: every code of UCUM is (``streamhub.query.units``).
Source of the definitions: QUDT 2.1 quantity kinds; of the units: UCUM 2.1.
"""

from dataclasses import dataclass
from typing import Final

_QUDT: Final = "http://qudt.org/vocab/quantitykind/"


@dataclass(frozen=True, slots=True)
class Common:
    """An ObservedProperty that many systems have.

    Attributes:
        name: What people call it.
        unit: UCUM code of its usual unit; empty for none.
        definition: Address of its meaning.
        description: A sentence about it.
    """

    name: str
    unit: str
    definition: str
    description: str


def _common(name: str, unit: str, kind: str, description: str) -> Common:
    return Common(name, unit, f"{_QUDT}{kind}", description)


COMMON: Final = (
    _common("Air Temperature", "Cel", "Temperature", "Temperature of the air."),
    _common("Temperature", "Cel", "Temperature", "Temperature of an object or a substance."),
    _common("Relative Humidity", "%", "RelativeHumidity", "Water in the air, of the most it can hold."),
    _common("Air Pressure", "hPa", "AtmosphericPressure", "Pressure of the air at its place."),
    _common("Pressure", "bar", "Pressure", "Pressure of a gas or a liquid."),
    _common("Wind Speed", "m/s", "Speed", "Speed of the wind."),
    _common("Wind Direction", "deg", "Angle", "Where the wind comes from, clockwise from north."),
    _common("Precipitation", "mm", "Precipitation", "Rain and melted snow that fell in a time."),
    _common("Speed", "km/h", "Speed", "How fast something moves."),
    _common("Acceleration", "m/s2", "Acceleration", "How fast a speed changes."),
    _common("Position", "", "PositionVector", "Where something is, as GeoJSON or as latitude and longitude."),
    _common("Latitude", "deg", "Latitude", "Angle north of the equator."),
    _common("Longitude", "deg", "Longitude", "Angle east of Greenwich."),
    _common("Altitude", "m", "Altitude", "Height above the sea."),
    _common("Distance", "m", "Distance", "How far apart two things are."),
    _common("Level", "m", "Height", "Height of a liquid or of bulk material."),
    _common("Rotational Speed", "1/min", "AngularVelocity", "Turns in a minute."),
    _common("Torque", "N.m", "Torque", "How hard something is turned."),
    _common("Force", "N", "Force", "How hard something is pushed or pulled."),
    _common("Mass", "kg", "Mass", "How much of something there is, weighed."),
    _common("Volume Flow", "L/min", "VolumeFlowRate", "Volume that flows through in a time."),
    _common("Electric Power", "W", "ElectricPower", "Electric energy in a time."),
    _common("Electric Energy", "kW.h", "Energy", "Electric energy that was used or delivered."),
    _common("Voltage", "V", "Voltage", "Electric tension between two points."),
    _common("Electric Current", "A", "ElectricCurrent", "Electric current through a wire."),
    _common("State of Charge", "%", "StateOfCharge", "Charge of a battery, of the most it can hold."),
    _common("Vibration", "mm/s", "Velocity", "Effective speed of a vibration."),
    _common("Sound Pressure Level", "dB", "SoundPressureLevel", "How loud it is."),
    _common("Illuminance", "lx", "Illuminance", "Light that falls on a surface."),
    _common("Carbon Dioxide", "[ppm]", "MoleFraction", "Carbon dioxide in the air."),
    _common("Count", "{count}", "Count", "How many."),
    _common("State", "", "Dimensionless", "In which state something is, as a word or a truth value."),
)
COMMON_BY_NAME: Final = {one.name: one for one in COMMON}
