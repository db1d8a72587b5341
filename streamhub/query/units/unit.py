"""What a unit of measurement is: a scale and a zero over a dimension, and the algebra of the three.

Lives here: ``Unit`` and conversion between two of them. Does not live here: reading unit codes (``codes``)
and the units of expressions (``quantities``).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from streamhub.query.units.errors import UnitError

__all__ = ["ONE", "Dimension", "Unit", "convert_factors"]

Dimension: TypeAlias = tuple[tuple[str, Fraction], ...]
"""Powers of base quantities, sorted by name, none of them zero; angles have no dimension."""

_TOLERANCE = Fraction(1, 10**9)  # roots are no fractions; any two real units differ by more
_MAX_BITS = 4_096


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: ``value in base units = factor * value + offset``.

    Attributes:
        code: How it is written in UCUM.
        factor: Size in base units.
        dimension: Powers of the base quantities.
        offset: Place of its zero in base units; not 0 for temperatures such as Cel.
        is_linear: False for units that are equal to nothing but themselves: logarithms such as dB, [pH].
    """

    code: str
    factor: Fraction
    dimension: Dimension
    offset: Fraction = Fraction()
    is_linear: bool = True

    def __mul__(self, other: "Unit") -> "Unit":
        """Multiply two units that have no zero of their own."""
        code = f"{self.code}.{_bracketed(other.code)}" if self.code != "1" else other.code
        return self._combined(other, code, 1)

    def __truediv__(self, other: "Unit") -> "Unit":
        """Divide two units that have no zero of their own."""
        return self._combined(other, f"{self.code}/{_bracketed(other.code)}", -1)

    def __pow__(self, exponent: Fraction) -> "Unit":
        """Raise to a power; the code of the result is for people, UCUM has none for it."""
        self._require_plain()
        if max(self.factor.numerator, self.factor.denominator).bit_length() * abs(exponent) > _MAX_BITS:
            raise UnitError(f"'{self.code}' to the power of {exponent} is too large to be a unit")
        factor = Fraction(self.factor**exponent)
        dimension = tuple((name, power * exponent) for name, power in self.dimension if exponent)
        return Unit(_power_code(self.code, exponent), factor, dimension)

    def _combined(self, other: "Unit", code: str, sign: int) -> "Unit":
        self._require_plain()
        other._require_plain()  # noqa: SLF001 - its own class
        powers = dict(self.dimension)
        for name, power in other.dimension:
            powers[name] = powers.get(name, Fraction()) + sign * power
        dimension = tuple(sorted((name, power) for name, power in powers.items() if power))
        return Unit(code, self.factor * other.factor**sign, dimension)

    def _require_plain(self) -> None:
        if self.has_own_zero or not self.is_linear:
            raise UnitError(f"'{self.code}' cannot be multiplied, divided or raised to a power")

    @property
    def has_own_zero(self) -> bool:
        """Whether zero of this unit is something else than nothing, as with Cel and [degF]."""
        return self.offset != 0

    @property
    def base(self) -> str:
        """The dimension for people, such as ``length.time-1``."""
        return ".".join(f"{name}{'' if power == 1 else power}" for name, power in self.dimension) or "number"

    def has_dimension_of(self, other: "Unit") -> bool:
        """Tell whether both measure the same kind of quantity."""
        return self.dimension == other.dimension and self.is_linear == other.is_linear

    def has_scale_of(self, other: "Unit") -> bool:
        """Tell whether a difference of one is the same in both, wherever their zeros are."""
        if not (self.is_linear and other.is_linear):
            return self.code == other.code
        return self.has_dimension_of(other) and _are_close(self.factor, other.factor)

    def is_same_as(self, other: "Unit") -> bool:
        """Tell whether the same number means the same in both: one scale, one zero."""
        return self.has_scale_of(other) and _are_close(self.offset, other.offset)


ONE = Unit("1", Fraction(1), ())
"""The unit of pure numbers."""


def convert_factors(source: Unit, target: Unit) -> tuple[float, float]:
    """Tell how numbers of one unit become numbers of another.

    Returns:
        Factor and offset: ``target = factor * source + offset``.

    Raises:
        UnitError: The two measure different kinds of quantities, or one is logarithmic.
    """
    if source.is_same_as(target):
        return 1.0, 0.0
    if not (source.is_linear and target.is_linear):
        raise UnitError(f"'{source.code}' cannot be converted to '{target.code}': not a linear scale")
    if not source.has_dimension_of(target):
        raise UnitError(
            f"'{source.code}' cannot be converted to '{target.code}': {source.base} is not {target.base}"
        )
    factor, offset = source.factor / target.factor, (source.offset - target.offset) / target.factor
    try:
        return float(factor), float(offset)
    except OverflowError as error:
        raise UnitError(f"'{source.code}' is too many '{target.code}' for a number") from error


def _are_close(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= _TOLERANCE * max(abs(one), abs(other))


def _bracketed(code: str) -> str:
    return f"({code})" if "." in code or "/" in code else code


def _power_code(code: str, exponent: Fraction) -> str:
    if exponent == 1:
        return code
    return f"({code}){exponent}"
