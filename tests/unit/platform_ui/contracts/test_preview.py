"""What would leave by a contract, in full and masked."""

from typing import Any

import msgspec
import pytest

from platform_ui.contracts.preview import SHOWN, mask, preview
from streamhub.contracts import ContractTerms
from streamhub.preview import LastRecords

SYSTEM = "is.iceland.weather.Stations"


def records(*pairs: tuple[str, Any]) -> LastRecords:
    lines = [
        msgspec.json.encode(
            {
                "topic": f"{SYSTEM}.int",
                "key": f"{SYSTEM}.s1.{name}",
                "value": value if isinstance(value, str) else msgspec.json.encode(value).decode(),
            }
        ).decode()
        for name, value in pairs
    ]
    return LastRecords(lines)


def test_counts_add_up_and_the_newest_comes_first() -> None:
    found = records(
        ("T", {"phenomenonTime": "t1", "result": 1}),
        ("T", {"phenomenonTime": "t2", "result": 9}),
        ("Wind", {"phenomenonTime": "t3", "result": 1}),
        ("T", "not JSON"),
        ("T", {"phenomenonTime": "t4", "result": 2}),
    )
    terms = ContractTerms(id="c-1", provider=SYSTEM, datastreams=(f"{SYSTEM}.s1.T",), predicate="result < 4")
    result = preview(terms, found, is_masked=False)
    assert (result.read, result.leaving, result.held_back, result.unusable) == (5, 2, 2, 1)
    assert [(one.time, one.result) for one in result.records] == [("t4", "2"), ("t1", "1")]
    assert result.datastreams == {f"{SYSTEM}.s1.T": 2}


def test_attributes_that_may_not_leave_are_not_shown() -> None:
    found = records(("T", {"result": 1, "road": "A1", "secret": 7}))
    terms = ContractTerms(id="c-1", provider=SYSTEM, fields=("road",))
    (record,) = preview(terms, found, is_masked=False).records
    assert record.attributes == (("road", "A1"),)


def test_only_some_are_shown_and_all_are_counted() -> None:
    found = records(*(("T", {"result": number}) for number in range(SHOWN + 5)))
    result = preview(ContractTerms(id="c-1", provider=SYSTEM), found, is_masked=True)
    assert (len(result.records), result.leaving) == (SHOWN, SHOWN + 5)
    assert {record.result for record in result.records} == {"##"}


@pytest.mark.parametrize(
    ("one", "other"), [(1, -123456), (0.5, -12345.25), ("a", "a longer text"), ([], [1, 2])]
)
def test_a_mask_tells_the_kind_of_a_value_alone(one: object, other: object) -> None:
    assert mask(one) == mask(other)


def test_masks_of_different_kinds_differ() -> None:
    kinds = [True, 1, 1.5, "a", [], {}, None]
    assert len({mask(value) for value in kinds}) == len(kinds)
