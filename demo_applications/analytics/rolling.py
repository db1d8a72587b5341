"""Rolling statistics of many Datastreams and their table.

What lives here: counting and text. What does not: Kafka (`road_analytics`).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WINDOW = 60
"""Number of the newest results that the statistics cover."""
HEADINGS = ("Datastream", "records", "last", "unit", f"mean of {WINDOW}", "lowest", "highest")


@dataclass(slots=True)
class Rolling:
    """What is known of one Datastream.

    Attributes:
        unit: Symbol of its unit; empty when it has none.
        count: Records taken in so far.
        last: Newest result.
        window: The newest results that are numbers.
    """

    unit: str
    count: int = 0
    last: object = None
    window: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def take(self, result: object) -> None:
        """Take in one result.

        Args:
            result: Any result; only numbers enter the window (True and False are not numbers here).
        """
        self.count += 1
        self.last = result
        if isinstance(result, int | float) and not isinstance(result, bool):
            self.window.append(float(result))

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the table's row, without the name."""
        last = f"{self.last:g}" if isinstance(self.last, float) else str(self.last)
        if not self.window:
            return str(self.count), last, self.unit, "", "", ""
        mean = sum(self.window) / len(self.window)
        return (
            str(self.count),
            last,
            self.unit,
            f"{mean:.3f}",
            f"{min(self.window):g}",
            f"{max(self.window):g}",
        )


class Statistics:
    """The rolling statistics of every Datastream seen."""

    def __init__(self) -> None:
        self._datastreams: dict[str, Rolling] = {}

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in one consumed record.

        Args:
            record: A record with `result` and the metadata of its Datastream.
        """
        datastream = record["Datastream"]
        unit = (datastream.get("unitOfMeasurement") or {}).get("symbol", "")
        rolling = self._datastreams.setdefault(datastream["name"], Rolling(unit))
        rolling.unit = unit or rolling.unit  # the first records may come before their metadata are known
        rolling.take(record["result"])

    def table(self) -> str:
        """Draw the table.

        Returns:
            Lines of equal columns, Datastreams in alphabetical order; a sentence while there are none.
        """
        if not self._datastreams:
            return "No records yet: is a stream app sharing records with this system?"
        rows = [
            HEADINGS,
            *((name, *rolling.cells()) for name, rolling in sorted(self._datastreams.items())),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        return "\n".join(_line(row, widths) for row in rows)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    """Align one row: the name to the left, everything else to the right."""
    name, *others = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join((name, *others)).rstrip()
