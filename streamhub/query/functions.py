"""The functions that a statement can call: one table, read by the checker, the emitter and the documentation.

Lives here: names, arity, kinds of arguments and results, and what each computes. Does not live here:
calling them. All numbers are IEEE doubles, angles are radians, coordinates are degrees (WGS 84), time parts
are in UTC.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from streamhub.query.values import MismatchError, finite, power

__all__ = ["FUNCTIONS", "Function", "Kind"]

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth [m] (IUGG, R1)."""


class Kind(Enum):
    """What a value is, as far as the text of a statement tells."""

    NUMBER = "a number"
    TEXT = "a text"
    TRUTH = "TRUE or FALSE"
    INSTANT = "a time"
    ANY = "anything"


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language.

    Attributes:
        parameters: Kind of each parameter, in order; the last one repeats when ``variadic``.
        result: Kind of the result.
        compute: What it does with values that are already of these kinds.
        summary: One line for the reference.
        least: Smallest number of arguments.
        variadic: Whether more arguments than parameters may follow.
    """

    parameters: tuple[Kind, ...]
    result: Kind
    compute: Callable[..., object]
    summary: str
    least: int
    variadic: bool = False

    def kind_of(self, index: int) -> Kind:
        """Tell the kind of the argument at an index, counted from 0."""
        return self.parameters[min(index, len(self.parameters) - 1)]

    @property
    def arity(self) -> str:
        """Say how many arguments there are, in words."""
        if self.variadic:
            return f"at least {self.least}"
        most = len(self.parameters)
        return f"{self.least} to {most}" if most != self.least else str(most)


def _rounded(value: float, digits: float = 0.0) -> float:
    """Round half away from zero, as SQL does and Python does not."""
    if not -_MAX_ROUND_DIGITS <= digits <= _MAX_ROUND_DIGITS:
        raise MismatchError
    scale = 10.0 ** int(digits)
    return math.copysign(math.floor(abs(value) * scale + 0.5) / scale, value)


_MAX_ROUND_DIGITS = 15  # a double has no more


def _distance_m(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Measure along the great circle [m], haversine on a sphere: within 0.6 % of the ellipsoid."""
    phi, other_phi = math.radians(_latitude(latitude)), math.radians(_latitude(other_latitude))
    half_lambda = math.radians(finite(other_longitude) - finite(longitude)) / 2
    across = math.sin((other_phi - phi) / 2) ** 2
    across += math.cos(phi) * math.cos(other_phi) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(across)))


def _latitude(degrees: float) -> float:
    if not -90 <= degrees <= 90:  # noqa: PLR2004 - the poles
        raise MismatchError
    return degrees


def _smallest(*values: float) -> float:
    return min(finite(value) for value in values)


def _largest(*values: float) -> float:
    return max(finite(value) for value in values)


def _part(name: str) -> Callable[[datetime], float]:
    return lambda moment: float(getattr(moment.astimezone(UTC), name))


def _second(moment: datetime) -> float:
    return moment.second + moment.microsecond / 1_000_000


def _numeric(
    compute: Callable[..., float], summary: str, most: int = 1, least: int | None = None
) -> Function:
    return Function((Kind.NUMBER,) * most, Kind.NUMBER, compute, summary, most if least is None else least)


def _of_time(compute: Callable[[datetime], float], summary: str) -> Function:
    return Function((Kind.INSTANT,), Kind.NUMBER, compute, summary, 1)


def _of_text(compute: Callable[[str], object], result: Kind, summary: str) -> Function:
    return Function((Kind.TEXT,), result, compute, summary, 1)


def _or_zero(*, positive: bool) -> Callable[[float], float]:
    return (lambda value: max(value, 0.0)) if positive else (lambda value: min(value, 0.0))


def _converted(value: float, from_unit: str, to_unit: str) -> float:
    from streamhub.query.units import conversion  # noqa: PLC0415 - only who converts pays for it

    factor, offset = conversion(from_unit, to_unit)
    return factor * value + offset


FUNCTIONS: dict[str, Function] = {
    "abs": _numeric(abs, "absolute value"),
    "acos": _numeric(math.acos, "arc cosine [rad]"),
    "asin": _numeric(math.asin, "arc sine [rad]"),
    "atan": _numeric(math.atan, "arc tangent [rad]"),
    "atan2": _numeric(math.atan2, "angle of the point (x, y), as atan2(y, x) [rad]", 2),
    "ceil": _numeric(lambda value: float(math.ceil(value)), "next whole number upwards"),
    "coalesce": Function(
        (Kind.ANY,), Kind.ANY, lambda *_: None, "first argument that is there", 1, variadic=True
    ),
    "convert": Function(
        (Kind.NUMBER, Kind.TEXT, Kind.TEXT),
        Kind.NUMBER,
        _converted,
        "a value in another unit (UCUM): value, unit it has, unit it gets",
        3,
    ),
    "cos": _numeric(math.cos, "cosine of an angle [rad]"),
    "day": _of_time(_part("day"), "day of the month, 1 to 31"),
    "degrees": _numeric(math.degrees, "radians to degrees"),
    "distance_m": _numeric(
        _distance_m, "great-circle distance of two points [m]: lat, lon, lat, lon [deg]", 4
    ),
    "exp": _numeric(math.exp, "e to the power"),
    "floor": _numeric(lambda value: float(math.floor(value)), "next whole number downwards"),
    "hour": _of_time(_part("hour"), "hour of the day, 0 to 23"),
    "length": _of_text(lambda value: float(len(value)), Kind.NUMBER, "number of characters"),
    "ln": _numeric(math.log, "natural logarithm"),
    "log10": _numeric(math.log10, "logarithm to base 10"),
    "lower": _of_text(str.lower, Kind.TEXT, "in small letters"),
    "max": Function((Kind.NUMBER,), Kind.NUMBER, _largest, "largest of its arguments", 1, variadic=True),
    "min": Function((Kind.NUMBER,), Kind.NUMBER, _smallest, "smallest of its arguments", 1, variadic=True),
    "minute": _of_time(_part("minute"), "minute of the hour, 0 to 59"),
    "month": _of_time(_part("month"), "month of the year, 1 to 12"),
    "neg": _numeric(_or_zero(positive=False), "the value when negative, else 0"),
    "pi": Function((), Kind.NUMBER, lambda: math.pi, "3.14159...", 0),
    "pos": _numeric(_or_zero(positive=True), "the value when positive, else 0"),
    "power": _numeric(power, "first argument to the power of the second, as ^", 2),
    "radians": _numeric(math.radians, "degrees to radians"),
    "round": _numeric(_rounded, "nearest number with so many decimals (0), halves away from zero", 2, 1),
    "second": _of_time(_second, "second of the minute with its fraction, 0 to 59.999999"),
    "sign": _numeric(lambda value: float((value > 0) - (value < 0)), "-1, 0 or 1"),
    "sin": _numeric(math.sin, "sine of an angle [rad]"),
    "sqrt": _numeric(math.sqrt, "square root"),
    "tan": _numeric(math.tan, "tangent of an angle [rad]"),
    "upper": _of_text(str.upper, Kind.TEXT, "in capital letters"),
    "year": _of_time(_part("year"), "year"),
}
"""Every function by its lower-case name."""
