"""Units in a statement: what unit each value has, and whether the values of a statement can meet.

Lives here: the units of sources (``streams``), the algebra of values with units (``quantity``), and the check
of a statement (``checking``). Does not live here: units themselves (``streamhub.query.units``) and asking
anybody for the units of Datastreams. Nothing here is needed while records flow.
"""

from streamhub.query.quantities.checking import check_units, depends_on_units
from streamhub.query.quantities.streams import datastreams_of

__all__ = ["check_units", "datastreams_of", "depends_on_units"]
