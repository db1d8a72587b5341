"""Unit codes and spellings: what they mean, and what is refused."""

import math
import subprocess
import sys
from fractions import Fraction

import pytest

from streamhub.query.units import UnitError, conversion, parse_code, parse_unit, unit_name, unit_or_none
from streamhub.query.units.spellings import CODES_OF_SPELLINGS, as_code

CONVERSIONS = (
    # from, to, number, converted
    ("Cel", "K", 20, 293.15),
    ("K", "Cel", 293.15, 20),
    ("[degF]", "Cel", 32, 0),
    ("[degF]", "Cel", 212, 100),
    ("Cel", "[degF]", -40, -40),
    ("[degF]", "K", 32, 273.15),
    ("km/h", "m/s", 90, 25),
    ("1/min", "Hz", 90, 1.5),
    ("deg", "rad", 180, math.pi),
    ("'", "deg", 90, 1.5),
    ("''", "'", 90, 1.5),
    ("%", "1", 50, 0.5),
    ("kW.h", "J", 1, 3_600_000),
    ("N.m", "J", 2, 2),
    ("[in_i]", "cm", 1, 2.54),
    ("mm[Hg]", "Pa", 760, 101_325.014),
    ("bar", "[psi]", 1, 14.503_773_773),
    ("umol/m2/s", "mol/(m2.s)", 1e6, 1),
    ("{rot}/min", "1/min", 7, 7),
    ("m{above_ground}", "km", 1500, 1.5),
    ("10*3.m", "km", 2, 2),
)


@pytest.mark.parametrize(("source", "target", "number", "converted"), CONVERSIONS)
def test_a_number_is_converted(source: str, target: str, number: float, converted: float) -> None:
    factor, offset = conversion(source, target)
    assert factor * number + offset == pytest.approx(converted, rel=1e-8, abs=1e-12)


def test_a_unit_converted_to_itself_is_left_alone_to_the_last_bit() -> None:
    assert conversion("[degF]", "[degF]") == (1.0, 0.0)
    assert conversion("Cel", "K") == (1.0, 273.15)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("m", "s", "'m' cannot be converted to 's': length is not time"),
        ("N.m", "W", "'N.m' cannot be converted to 'W': length2.mass.time-2 is not length2.mass.time-3"),
        ("dB", "1", "not a linear scale"),
        ("degC", "K", "'degC' is no UCUM unit; write 'Cel'"),
        ("Cel", "kelvin", "'kelvin' is no UCUM unit; write 'K'"),
        ("10*999", "10*-999", "for a number"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_reason(source: str, target: str, message: str) -> None:
    with pytest.raises(UnitError) as refused:
        conversion(source, target)
    assert message in str(refused.value)


@pytest.mark.parametrize("code", ["", " ", "foo", "m/", "m s", "m^2", "{", "N..m", "Cel/m", "kCel", "²"])
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(UnitError, match="is no UCUM unit"):
        parse_code(code)


@pytest.mark.parametrize("code", ["10*99999999", "m" * 101, "m9999"])
def test_a_code_that_would_take_all_memory_is_refused(code: str) -> None:
    with pytest.raises(UnitError, match="digits"):
        parse_code(code)


@pytest.mark.parametrize(("spelling", "code"), CODES_OF_SPELLINGS.items())
def test_every_spelling_stands_for_a_code_and_is_none_itself(spelling: str, code: str) -> None:
    assert parse_unit(spelling) == parse_code(code)
    with pytest.raises(UnitError):
        parse_code(spelling)


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("m/s²", "m/s2"),
        ("m s^-2", "m.s-2"),
        ("m·s⁻²", "m.s-2"),
        ("m * s**-2", "m.s-2"),
        ("µg/m³", "ug/m3"),
        ("°C", "Cel"),
        ("J/(kg K)", "J/(kg.K)"),
        ("kWh / day", "(kW.h)/d"),
        ("rpm", "1/min"),
        (" % ", "%"),
        ("litre/hour", "L/h"),
    ],
)
def test_a_spelling_is_rewritten_factor_by_factor(spelling: str, code: str) -> None:
    assert as_code(spelling) == code
    assert parse_unit(spelling) == parse_code(code)


def test_a_code_keeps_its_meaning_although_a_spelling_looks_like_it() -> None:
    assert parse_unit("C").is_same_as(parse_code("A.s"))
    assert parse_unit("h").is_same_as(parse_code("60.min"))


@pytest.mark.parametrize("text", [None, "", "  ", "foo", "°Q", "C", "ft"])
def test_a_unit_of_a_device_that_nobody_knows_is_none(text: str | None) -> None:
    assert unit_or_none(text) is None


def test_angles_are_numbers_and_turns_are_counted() -> None:
    assert parse_code("rad").dimension == ()
    assert parse_code("rad/s").has_dimension_of(parse_code("1/min"))
    assert parse_unit("rpm").factor == Fraction(1, 60)


def test_a_scale_and_a_zero_are_two_things() -> None:
    celsius, kelvin = parse_code("Cel"), parse_code("K")
    assert celsius.has_own_zero
    assert not kelvin.has_own_zero
    assert celsius.has_scale_of(kelvin)
    assert not celsius.is_same_as(kelvin)
    assert not celsius.has_scale_of(parse_code("[degF]"))


def test_units_are_multiplied_divided_and_raised() -> None:
    torque, speed = parse_code("N.m"), parse_code("rad/s")
    assert (torque * speed).is_same_as(parse_code("W"))
    assert (parse_code("m") / parse_code("s")).is_same_as(parse_code("m/s"))
    assert (parse_code("km") ** Fraction(2)).is_same_as(parse_code("km2"))
    assert (parse_code("km2") ** Fraction(1, 2)).is_same_as(parse_code("km"))
    assert (parse_code("m") ** Fraction(0)).dimension == ()


@pytest.mark.parametrize("code", ["Cel", "dB"])
def test_a_unit_without_a_natural_zero_has_no_products(code: str) -> None:
    unit = parse_code(code)
    with pytest.raises(UnitError, match="cannot be multiplied"):
        unit * parse_code("m")
    with pytest.raises(UnitError, match="cannot be multiplied"):
        parse_code("m") / unit
    with pytest.raises(UnitError, match="cannot be multiplied"):
        unit ** Fraction(2)


def test_a_power_that_would_take_all_memory_is_refused() -> None:
    with pytest.raises(UnitError, match="too large"):
        parse_code("km") ** Fraction(100_000)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("W", "watt"),
        ("Cel", "degree Celsius"),
        ("m/s", "meter / second"),
        ("'", "arc minute"),
        ("[pH]", "[pH]"),
    ],
)
def test_a_code_has_a_name_in_words(code: str, name: str) -> None:
    assert unit_name(code) == name


@pytest.mark.parametrize("numpy", [True, False])
def test_logarithmic_units_are_known_as_such_with_and_without_numpy(numpy: bool) -> None:
    program = "" if numpy else "import sys; sys.modules['numpy'] = None\n"
    program += "from streamhub.query.units import parse_code\n"
    program += "print([parse_code(code).is_linear for code in ('dB', 'Np', 'B[W]', 'Cel', 'N.m')])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "[False, False, False, True, True]\n"


def test_a_code_whose_size_nobody_knows_is_equal_to_itself_alone() -> None:
    acidity = parse_code("[pH]")
    assert acidity.is_same_as(parse_code("[pH]"))
    assert not acidity.is_same_as(parse_code("1"))
    assert not acidity.is_same_as(parse_code("[iU]"))
    with pytest.raises(UnitError, match="cannot be converted"):
        conversion("[pH]", "mol/L")
