"""The registry of the unit libraries: importing this module makes it, which takes about a second.

Lives here: the one registry of a process. Does not live here: reading codes with it (``codes``).

A module of its own, because Python imports a module once however many threads ask for it at the same time;
two threads that made the registry at once found it half made.
"""

from fractions import Fraction
from typing import Any, Final

from ucumvert import PintUcumRegistry

__all__ = ["REGISTRY"]

REGISTRY: Final[Any] = PintUcumRegistry(non_int_type=Fraction)
