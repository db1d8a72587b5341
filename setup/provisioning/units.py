"""Units as Grafana knows them, for the UCUM codes that Datastreams have.

What lives here: the table. What does not: units of the query language (``streamhub.query``). A unit that
Grafana has no word for is shown as it is written, behind the number.

Source: UCUM 2.1, case sensitive codes; Grafana's value formats.
"""

from typing import Final

_UNITS: Final = {
    # temperature, share, angle
    "Cel": "celsius",
    "[degF]": "fahrenheit",
    "K": "kelvin",
    "%": "percent",
    "deg": "degree",
    "rad": "radian",
    # length, area, volume, mass
    "mm": "lengthmm",
    "m": "lengthm",
    "km": "lengthkm",
    "[ft_i]": "lengthft",
    "[mi_i]": "lengthmi",
    "m2": "areaM2",
    "L": "litre",
    "l": "litre",
    "mL": "mlitre",
    "m3": "m3",
    "dm3": "dm3",
    "mg": "massmg",
    "g": "massg",
    "kg": "masskg",
    "t": "masst",
    # motion, force
    "m/s": "velocityms",
    "km/h": "velocitykmh",
    "[mi_i]/h": "velocitymph",
    "[kn_i]": "velocityknot",
    "m/s2": "accMS2",
    "[g]": "accG",
    "N": "forceN",
    "kN": "forcekN",
    "N.m": "forceNm",
    "kN.m": "forcekNm",
    # pressure, flow
    "hPa": "pressurehpa",
    "kPa": "pressurekpa",
    "bar": "pressurebar",
    "mbar": "pressurembar",
    "[psi]": "pressurepsi",
    "L/min": "flowlpm",
    "m3/s": "flowcms",
    "L/h": "litreh",
    # electricity, energy, light
    "V": "volt",
    "mV": "mvolt",
    "kV": "kvolt",
    "A": "amp",
    "mA": "mamp",
    "kA": "kamp",
    "Ohm": "ohm",
    "W": "watt",
    "mW": "mwatt",
    "kW": "kwatt",
    "MW": "megwatt",
    "W/m2": "Wm2",
    "V.A": "voltamp",
    "J": "joule",
    "W.h": "watth",
    "kW.h": "kwatth",
    "A.h": "amph",
    "eV": "ev",
    "F": "farad",
    "lx": "lux",
    "lm": "lumens",
    # time, frequency, data
    "Hz": "hertz",
    "ns": "ns",
    "us": "\u00b5s",
    "ms": "ms",
    "s": "s",
    "min": "m",
    "h": "h",
    "d": "d",
    "By": "decbytes",
    "bit": "decbits",
    "dB": "dB",
    "[ppm]": "ppm",
    "1": "none",
}
_WRITTEN: Final = {
    "°C": "Cel",
    "°F": "[degF]",
    "°": "deg",
    "Ω": "Ohm",
    "Nm": "N.m",
    "kWh": "kW.h",
    "Wh": "W.h",
}


def grafana_unit(code: str, symbol: str = "") -> str:
    """Return the word for a unit in Grafana.

    Args:
        code: UCUM code, as far as it is known.
        symbol: As the unit is written; empty for none.

    >>> grafana_unit("Cel"), grafana_unit("", "°C"), grafana_unit("{rev}/min", "rpm"), grafana_unit("")
    ('celsius', 'celsius', 'suffix: rpm', 'none')
    """
    for text in (code, symbol):
        known = _UNITS.get(_WRITTEN.get(text, text))
        if known is not None:
            return known
    shown = symbol or code
    return f"suffix: {shown}" if shown else "none"


def known_units() -> frozenset[str]:
    """Return all words of Grafana that are used here."""
    return frozenset(_UNITS.values())
