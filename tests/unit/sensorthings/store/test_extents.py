"""What new Observations span."""

from datetime import UTC, datetime, timedelta

from sensorthings.store.batches import NewObservation
from sensorthings.store.extents import Extent, extents_of

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_rows_are_taken_together_by_datastream() -> None:
    rows = [
        NewObservation(1, 10, MOMENT, MOMENT + 5 * HOUR, 1, MOMENT),
        NewObservation(2, 10, MOMENT, MOMENT, 1),
        NewObservation(1, 11, MOMENT - HOUR, MOMENT, 1, MOMENT + HOUR),
        NewObservation(1, 10, MOMENT + HOUR, MOMENT + HOUR, 1),
    ]
    assert extents_of(rows) == {
        1: Extent(MOMENT - HOUR, MOMENT + 5 * HOUR, MOMENT, MOMENT + HOUR, {10, 11}),
        2: Extent(MOMENT, MOMENT, None, None, {10}),
    }
