"""Units of measurement: reading UCUM codes, converting, and the algebra of units.

Lives here: units (``unit``), their codes and the spellings of device makers (``codes``, ``spellings``). Does
not live here: the units of the values in a statement (``streamhub.query.quantities``). Nothing here is needed
while records flow.
"""

from streamhub.query.units.codes import conversion, parse_code, parse_unit, unit_name, unit_or_none
from streamhub.query.units.errors import UnitError
from streamhub.query.units.unit import ONE, Unit

__all__ = ["ONE", "Unit", "UnitError", "conversion", "parse_code", "parse_unit", "unit_name", "unit_or_none"]
