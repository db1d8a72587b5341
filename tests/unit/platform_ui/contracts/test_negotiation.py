"""How long contracts last, and what differs between two versions."""

from datetime import UTC, datetime

import pytest

from platform_ui.contracts.models import ContractVersion
from platform_ui.contracts.negotiation import Change, Duration, changes_between, end_of

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def version(number: int, **terms: object) -> ContractVersion:
    common: dict[str, object] = {
        "datastreams": [],
        "predicate": "",
        "fields": [],
        "purpose": "p",
        "starts_at": None,
        "ends_at": None,
    }
    return ContractVersion(number=number, **(common | terms))


@pytest.mark.parametrize(
    ("duration", "start", "end"),
    [
        (Duration.WEEK, NOON, datetime(2026, 2, 7, 12, tzinfo=UTC)),
        (Duration.MONTH, NOON, datetime(2026, 2, 28, 12, tzinfo=UTC)),
        (Duration.MONTH, datetime(2026, 12, 5, tzinfo=UTC), datetime(2027, 1, 5, tzinfo=UTC)),
        (Duration.YEAR, datetime(2028, 2, 29, tzinfo=UTC), datetime(2029, 2, 28, tzinfo=UTC)),
        (Duration.OPEN, NOON, None),
    ],
)
def test_a_duration_ends_at_the_same_time_of_a_later_day(
    duration: Duration, start: datetime, end: datetime | None
) -> None:
    assert end_of(duration, start) == end


def test_lists_tell_what_came_what_went_and_what_stayed() -> None:
    older = version(1, datastreams=["a", "b"])
    newer = version(2, datastreams=["b", "c"], ends_at=NOON)
    assert changes_between(older, newer) == [
        Change("datastreams", "Datastreams", ("a",), ("c",), ("b",)),
        Change("ends_at", "Until", ("revoked",), ("2026-01-31T12:00:00Z",)),
    ]


def test_the_same_terms_differ_in_nothing() -> None:
    assert changes_between(version(1, fields=["x"]), version(2, fields=["x"])) == []
