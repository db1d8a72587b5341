"""Common spellings of units that are no UCUM codes, and the codes they stand for.

Lives here: the table and putting a written unit into the form of a code. Does not live here: judging codes
(``codes``). Source: UCUM 2.1, section "Tables of Terminal Symbols", for the codes on the right.
"""

import re

__all__ = ["AMBIGUOUS", "CODES_OF_SPELLINGS", "as_code"]

CODES_OF_SPELLINGS: dict[str, str] = {
    # temperatures
    **dict.fromkeys(("°C", "℃", "degC", "deg C", "deg_C", "celsius", "Celsius", "degree Celsius"), "Cel"),
    **dict.fromkeys(("°F", "℉", "degF", "deg F", "deg_F", "fahrenheit", "Fahrenheit"), "[degF]"),
    **dict.fromkeys(("°K", "kelvin", "Kelvin"), "K"),
    # angles
    **dict.fromkeys(("°", "º", "degree", "degrees", "Degrees"), "deg"),
    **dict.fromkeys(("radian", "radians"), "rad"),
    # turning; one turn is counted, not an angle of 2 pi
    **dict.fromkeys(("rpm", "RPM", "r/min", "rev/min"), "1/min"),
    # force, torque, pressure
    **dict.fromkeys(("Nm", "N m", "newton metre", "newton meter"), "N.m"),
    **dict.fromkeys(("kNm",), "kN.m"),
    **dict.fromkeys(("psi", "PSI"), "[psi]"),
    "mmHg": "mm[Hg]",
    # speed
    **dict.fromkeys(("kmh", "km/hr", "kph"), "km/h"),
    **dict.fromkeys(("mph", "mi/h"), "[mi_i]/h"),
    **dict.fromkeys(("kn", "knot", "knots"), "[kn_i]"),
    # energy, power, electricity
    **{f"{prefix}Wh": f"{prefix}W.h" for prefix in ("", "k", "M", "G")},
    **{f"{prefix}Ah": f"{prefix}A.h" for prefix in ("", "m")},
    **{f"{prefix}VA": f"{prefix}V.A" for prefix in ("", "k")},
    **dict.fromkeys(("Ω", "Ω", "ohm"), "Ohm"),
    # time
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
    **dict.fromkeys(("hr", "hour", "hours"), "h"),
    **dict.fromkeys(("minute", "minutes"), "min"),
    **dict.fromkeys(("day", "days"), "d"),
    # length, mass, volume
    **dict.fromkeys(("metre", "meter", "meters", "metres"), "m"),
    **dict.fromkeys(("foot", "feet"), "[ft_i]"),
    **dict.fromkeys(("inch", "inches"), "[in_i]"),
    **dict.fromkeys(("mi", "mile", "miles"), "[mi_i]"),
    **dict.fromkeys(("lb", "lbs"), "[lb_av]"),
    **dict.fromkeys(("litre", "liter", "ltr"), "L"),
    # light
    **dict.fromkeys(("lux", "Lux"), "lx"),
    # shares and counts
    **dict.fromkeys(("percent", "pct", "%RH", "% RH"), "%"),
    **dict.fromkeys(("ppm",), "[ppm]"),
    **dict.fromkeys(("ppb",), "[ppb]"),
    **dict.fromkeys(("count", "counts", "unitless", "dimensionless", "-"), "1"),
}
"""UCUM code of each spelling; only spellings that UCUM itself does not give another meaning."""

AMBIGUOUS = frozenset({"C", "F", "ft", "U/min"})
"""UCUM codes (coulomb, farad, femtotonne, enzyme units) that device makers rather mean otherwise."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SIGNS = {"µ": "u", "μ": "u", "·": ".", "⋅": ".", "×": ".", "−": "-", "**": "", "^": ""}  # noqa: RUF001
_FACTOR = re.compile(r"[^./()\s]+")
_POWER = re.compile(r"(.*?[^\d+-])([+-]?\d+)?")


def as_code(text: str) -> str:
    """Rewrite a common spelling as a UCUM code, factor by factor: ``m s^-2`` is ``m.s-2``.

    What the table does not know stays as it is, so the result may be no code.
    """
    trimmed = " ".join(text.split())
    known = CODES_OF_SPELLINGS.get(trimmed)
    if known is not None:
        return known
    plain = trimmed.translate(_SUPERSCRIPTS)
    for sign, code in _SIGNS.items():
        plain = plain.replace(sign, code)
    plain = re.sub(r"\s*([./*])\s*", lambda found: "." if found[1] == "*" else found[1], plain)
    return _FACTOR.sub(_factor_as_code, plain).replace(" ", ".")


def _factor_as_code(found: re.Match[str]) -> str:
    parts = _POWER.fullmatch(found[0])
    if parts is None:
        return found[0]
    code = CODES_OF_SPELLINGS.get(parts[1])
    if code is None or (parts[2] and not code.isalpha()):
        return found[0]
    return (f"({code})" if "." in code or "/" in code else code) + (parts[2] or "")
