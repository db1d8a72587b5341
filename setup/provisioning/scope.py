"""Which systems a run writes files for, and what it leaves as it is.

What lives here: telling by name or path. What does not: reading what there is (``registry``), the files.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

_SYSTEM_LEVELS: Final = 4


@dataclass(frozen=True, slots=True)
class Scope:
    """The systems of a run: all of them when nothing is named.

    Attributes:
        systems: Full names of systems.
        companies: Full names of companies, all systems of which are meant.
    """

    systems: Collection[str] = ()
    companies: Collection[str] = ()

    @property
    def is_everything(self) -> bool:
        """Whether it leaves nothing out."""
        return not self.systems and not self.companies

    def holds(self, system: str) -> bool:
        """Tell whether a system is meant, by its full name."""
        return self.is_everything or system in self.systems or self.holds_all_of(company_of(system))

    def holds_all_of(self, company: str) -> bool:
        """Tell whether all systems of a company are meant."""
        return self.is_everything or company in self.companies

    def leaves(self, path: str) -> bool:
        """Tell whether a file is one of a system that is not meant."""
        system = system_of_file(path)
        return system is not None and not self.holds(system)


def company_of(system: str) -> str:
    """Return the full name of a system's company.

    >>> company_of("cz.icecars.Fleet.Car1")
    'cz.icecars'
    """
    return ".".join(system.split(".")[:2])


def system_of_file(path: str) -> str | None:
    """Return the system whose file this is, `.../<company>/<system>.<ending>`; None for files of all.

    >>> system_of_file("dashboards/dtwin/cz.icecars/cz.icecars.Fleet.Car1.json")
    'cz.icecars.Fleet.Car1'
    >>> system_of_file("datasources/dtwin.yaml") is None
    True
    """
    file = PurePosixPath(path)
    is_system = file.stem.count(".") == _SYSTEM_LEVELS - 1 and company_of(file.stem) == file.parent.name
    return file.stem if is_system else None
