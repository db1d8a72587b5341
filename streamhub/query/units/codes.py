"""Unit codes of UCUM, read by the libraries ``ucumvert`` (grammar, table) and ``pint`` (arithmetic).

Lives here: from a text to a ``Unit``. Does not live here: what units do (``unit``). The two libraries take
about a second to load, so they are loaded when the first unit is read and not before.
Source: Unified Code for Units of Measure (UCUM) 2.1, case-sensitive codes.
"""

import re
from fractions import Fraction
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

from lark.exceptions import LarkError, VisitError

from streamhub.query.units.errors import UnitError
from streamhub.query.units.spellings import AMBIGUOUS, as_code
from streamhub.query.units.unit import Unit, convert_factors

__all__ = ["conversion", "parse_code", "parse_unit", "unit_name", "unit_or_none"]

_MAX_CHARACTERS: Final = 100
_MAX_DIGITS: Final = 3  # powers of ten are computed exactly; 10*999999999 would take all memory
_LONG_NUMBER: Final = re.compile(rf"\d{{{_MAX_DIGITS + 1}}}")
_REMEMBERED: Final = 4_096
_ANNOTATION_ALONE: Final = re.compile(r"(?<![^./(])\{[^{}]*\}")
_BASE_NAMES: Final = {
    "kilogram": "mass",
    "meter": "length",
    "second": "time",
    "ampere": "current",
    "kelvin": "temperature",
    "mole": "amount",
    "candela": "luminosity",
    "bit": "information",
}
_ANGLE: Final = "radian"  # a number in the SI: radians come and go in every formula of turning things
# The library reads these two as parts of an hour.
_ARC: Final = {"'": 60, "''": 3600}
_ARC_NAMES: Final = {"'": "arc minute", "''": "arc second"}


def conversion(from_unit: str, to_unit: str) -> tuple[float, float]:
    """Tell how numbers of one unit become numbers of another.

    Args:
        from_unit: UCUM code of the numbers that are there.
        to_unit: UCUM code of the numbers that are wanted.

    Returns:
        Factor and offset: ``wanted = factor * there + offset``.

    Raises:
        UnitError: One is no UCUM code, or the two measure different kinds of quantities.
    """
    return convert_factors(parse_code(from_unit), parse_code(to_unit))


def parse_unit(text: str) -> Unit:
    """Read a unit as device makers write it: a UCUM code, or one of the common spellings.

    A text that is a UCUM code means what UCUM says, also where a spelling looks like it (``C`` is coulomb).

    Raises:
        UnitError: It is neither.
    """
    try:
        return parse_code(text)
    except UnitError as error:
        code = as_code(text)
        if code == text:
            raise
        try:
            return parse_code(code)
        except UnitError:
            raise error from None


def unit_or_none(text: str | None) -> Unit | None:
    """Read a unit of a device; None when it has none or nobody knows what it means."""
    if text is None or not text.strip() or text in AMBIGUOUS:
        return None
    try:
        return parse_unit(text)
    except UnitError:
        return None


@lru_cache(_REMEMBERED)
def parse_code(code: str) -> Unit:
    """Read a UCUM code.

    Raises:
        UnitError: It is none; the message names the code that a common spelling stands for.
    """
    if len(code) > _MAX_CHARACTERS or _LONG_NUMBER.search(code):
        raise UnitError(
            f"'{code[:20]}...' is no unit: longer than {_MAX_CHARACTERS} characters, "
            f"or with a number of more than {_MAX_DIGITS} digits"
        )
    if code in _ARC:
        degree = parse_code("deg")
        return Unit(code, degree.factor / _ARC[code], degree.dimension)
    try:
        read = _read(code)
        base = _registry().get_base_units(read.units)[1]
    except _reading_errors() as error:
        if _is_undefined(error):
            return Unit(code, Fraction(1), ((code, Fraction(1)),), is_linear=False)
        raise UnitError(_refusal(code)) from error
    return _measured(code, read, base)


def unit_name(code: str) -> str:
    """Say a UCUM code in English words: ``watt``, ``meter / second``.

    Raises:
        UnitError: It is no UCUM code.
    """
    unit = parse_code(code)
    if code in _ARC_NAMES:
        return _ARC_NAMES[code]
    if unit.dimension and unit.dimension[0][0] == code:  # the library has no name for it
        return code
    return str(_read(code).units).replace("_", " ")


def _read(code: str) -> Any:  # noqa: ANN401 - class made at run time
    return _registry().from_ucum(_ANNOTATION_ALONE.sub("1", code))


def _measured(code: str, read: Any, base: Any) -> Unit:  # noqa: ANN401 - classes made at run time
    quantity = _registry().Quantity
    powers = {
        _BASE_NAMES.get(name, name): Fraction(power)
        for name, power in quantity(1, base).unit_items()
        if name != _ANGLE
    }
    dimension = tuple(sorted(powers.items()))

    def in_base_units(number: int) -> Fraction:
        return Fraction(quantity(number * Fraction(read.magnitude), read.units).to_base_units().magnitude)

    try:
        offset, one, two = in_base_units(0), in_base_units(1), in_base_units(2)
    except TypeError:  # numpy, where it is there, takes no logarithm of a fraction
        return Unit(code, Fraction(1), dimension, is_linear=False)
    if two - one != one - offset:
        return Unit(code, Fraction(1), dimension, is_linear=False)
    return Unit(code, one - offset, dimension, offset)


def _refusal(code: str) -> str:
    suggestion = as_code(code)
    if suggestion != code:
        try:
            parse_code(suggestion)
        except UnitError:
            pass
        else:
            return f"'{code}' is no UCUM unit; write '{suggestion}'"
    return f"'{code}' is no UCUM unit, such as 'Cel', 'm/s', 'N.m', '1/min' or '%'"


def _registry() -> Any:  # noqa: ANN401 - the library's registry class is made at run time
    return import_module("streamhub.query.units.registry").REGISTRY


def _is_undefined(error: Exception) -> bool:
    """Tell whether a text is a code that the library knows the grammar, but not the size of, such as [pH]."""
    undefined: type[Exception] = import_module("pint.errors").UndefinedUnitError
    return isinstance(error, VisitError) and isinstance(error.orig_exc, undefined)


@cache
def _reading_errors() -> tuple[type[Exception], ...]:
    pint_error: type[Exception] = import_module("pint.errors").PintError
    # The library lets errors of its own slips through, for odd texts, besides those it declares.
    return (LarkError, pint_error, AttributeError, ValueError, TypeError, ZeroDivisionError, OverflowError)
