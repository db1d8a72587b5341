"""What is known of the unit of a value while a statement is computed, and how two such values meet.

Lives here: ``Quantity``, ``Mixed`` and their algebra. Does not live here: walking over a statement
(``checking``).

A value in a unit with a zero of its own (Cel) is a point on a scale, the difference of two is a distance on
it, and half the sum of two is a point again. So each such value carries how many of these zeros are in it:
1 for a point, 0 for a distance, 2 for the sum of two points, which means nothing until it is halved. A
plain number beside a point may be a point or a distance; then both counts are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from streamhub.query.units.unit import ONE, Unit

__all__ = ["Knowledge", "Mixed", "Quantity", "product", "quotient", "total"]

_MAX_COUNTS = 32
_DISTANCE, _POINT = Fraction(0), Fraction(1)
_Counts: TypeAlias = frozenset[Fraction] | None


@dataclass(frozen=True, slots=True)
class Mixed:
    """Values of several units, of which nothing can be computed.

    Attributes:
        examples: Full names of two Datastreams and the codes of their units.
    """

    examples: tuple[tuple[str, str], tuple[str, str]]

    def __str__(self) -> str:
        """Say which units there are and where."""
        return " and ".join(f"in {code} ('{name}')" for name, code in self.examples)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value whose unit is known.

    Attributes:
        unit: Its unit; None for a plain number, which takes the unit of whatever it meets.
        value: The number itself where the text tells.
        is_scaled: Whether a plain factor may have changed the scale, as in ``60 * seconds``.
        zeros: How many zeros of the unit may be in it; None when that is not known.
    """

    unit: Unit | None = None
    value: Fraction | None = None
    is_scaled: bool = False
    zeros: _Counts = frozenset({_DISTANCE})

    @classmethod
    def of(cls, unit: Unit) -> "Quantity":
        """Return a value as a device measures it."""
        return cls(unit, zeros=frozenset({_POINT if unit.has_own_zero else _DISTANCE}))

    @property
    def is_distance(self) -> bool:
        """Whether it may be multiplied: zero of it is nothing."""
        return self.zeros is None or _DISTANCE in self.zeros

    @property
    def is_meaningful(self) -> bool:
        """Whether it is a point or a distance on the scale of its unit."""
        return self.is_distance or self.zeros is None or _POINT in self.zeros

    def has_dimension_of(self, other: "Quantity") -> bool:
        """Tell whether both measure the same kind of quantity; a plain number fits everywhere."""
        if self.unit is None or other.unit is None:
            return True
        return self.unit.has_dimension_of(other.unit)

    def can_meet(self, other: "Quantity") -> bool:
        """Tell whether the two may be added or compared: same dimension, same scale, same zero."""
        if self.unit is None or other.unit is None:
            return True
        is_loose = self.is_scaled or other.is_scaled
        if not (self.has_dimension_of(other) if is_loose else self.unit.has_scale_of(other.unit)):
            return False
        return self.unit.offset == other.unit.offset or (self.is_distance and other.is_distance)

    def can_equal(self, other: "Quantity") -> bool:
        """Tell whether the two may be compared: they can meet, and both are points or both distances."""
        if not self.can_meet(other):
            return False
        if self.unit is None or other.unit is None or self.zeros is None or other.zeros is None:
            return True
        return bool(self.zeros & other.zeros)

    def can_be_called(self, unit: Unit) -> bool:
        """Tell whether numbers in this quantity are numbers in a unit; a distance may have any zero."""
        if self.can_equal(Quantity.of(unit)):
            return True
        return self.is_distance and self.can_meet(Quantity(_plain(unit)))

    def __str__(self) -> str:
        """Return the code of the unit."""
        if self.unit is None:
            return "a plain number"
        return self.unit.code


Knowledge: TypeAlias = Quantity | Mixed | None
"""What is known of a value; None for nothing."""


def total(left: Quantity, right: Quantity, sign: int) -> Quantity:
    """Add (sign 1) or subtract (sign -1) two quantities that can meet."""
    if left.unit is None and right.unit is None:
        return Quantity(value=_computed(left, right, lambda a, b: a + sign * b))
    is_scaled = left.is_scaled or right.is_scaled
    if left.unit is None:
        zeros = _counted(_BOTH, right.zeros, lambda a, b: a + sign * b)
        return Quantity(
            right.unit, None, is_scaled, zeros if right.unit and right.unit.offset else right.zeros
        )
    if right.unit is None:
        zeros = _counted(left.zeros, _BOTH, lambda a, b: a + sign * b)
        return Quantity(left.unit, None, is_scaled, zeros if left.unit.offset else left.zeros)
    unit = right.unit if left.unit.has_own_zero else left.unit
    return Quantity(unit, None, is_scaled, _counted(left.zeros, right.zeros, lambda a, b: a + sign * b))


_BOTH: _Counts = frozenset({_DISTANCE, _POINT})


def product(left: Quantity, right: Quantity) -> Quantity:
    """Multiply two quantities.

    Raises:
        UnitError: A unit cannot be multiplied.
    """
    if left.unit is None and right.unit is None:
        return Quantity(value=_computed(left, right, lambda a, b: a * b))
    if left.unit is None:
        return _scaled(right, left.value)
    if right.unit is None:
        return _scaled(left, right.value)
    return Quantity(_plain(left.unit) * _plain(right.unit), is_scaled=left.is_scaled or right.is_scaled)


def quotient(left: Quantity, right: Quantity) -> Quantity:
    """Divide two quantities.

    Raises:
        UnitError: A unit cannot be divided.
    """
    if right.unit is None:
        inverse = 1 / right.value if right.value else None
        return product(left, replace(right, value=inverse))
    is_scaled = left.is_scaled or right.is_scaled or (left.unit is None and left.value != 1)
    dividend = ONE if left.unit is None else _plain(left.unit)
    return Quantity(dividend / _plain(right.unit), is_scaled=is_scaled)


def _scaled(quantity: Quantity, factor: Fraction | None) -> Quantity:
    zeros = quantity.zeros
    if factor is None:
        zeros = frozenset({_DISTANCE})  # only a distance gets here: see the check of products
    elif zeros is not None:
        zeros = frozenset(count * factor for count in zeros)
    is_scaled = quantity.is_scaled or factor is None or abs(factor) != 1
    return Quantity(quantity.unit, None, is_scaled, zeros)


def _plain(unit: Unit) -> Unit:
    """Return the unit of distances on the scale of a unit."""
    return replace(unit, offset=Fraction(0)) if unit.has_own_zero else unit


def _computed(
    left: Quantity, right: Quantity, compute: Callable[[Fraction, Fraction], Fraction]
) -> Fraction | None:
    if left.value is None or right.value is None:
        return None
    return compute(left.value, right.value)


def _counted(left: _Counts, right: _Counts, compute: Callable[[Fraction, Fraction], Fraction]) -> _Counts:
    if left is None or right is None:
        return None
    counts = frozenset(compute(a, b) for a in left for b in right)
    return counts if len(counts) <= _MAX_COUNTS else None
