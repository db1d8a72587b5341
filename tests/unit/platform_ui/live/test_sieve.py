"""Which records match, and which may be seen at all."""

import json

import pytest

from platform_ui.live.sieve import Sieve, fault_of
from platform_ui.systems.records import TopicRecord
from streamhub.contracts import ContractTerms
from streamhub.errors import QueryError

SYSTEM = "cz.icecars.Fleet.Car1"


def record(offset: int, result: object, name: str = "Main.Speed", **members: object) -> TopicRecord:
    value = json.dumps({"result": result, **members}).encode()
    headers = (("dt-id", b"id"), ("x-inner", b"secret"))
    return TopicRecord(
        f"{SYSTEM}.int", 0, offset, 1_000 + offset, f"{SYSTEM}.{name}".encode(), value, headers
    )


def terms(**fields: object) -> ContractTerms:
    return ContractTerms(id="c-1", provider=SYSTEM, **fields)  # type: ignore[arg-type]


def test_without_a_filter_everything_passes_even_what_is_no_json() -> None:
    batch = [record(0, 1), record(1, 2)._replace(value=b"\xff")]
    found = Sieve().take(batch)
    assert [place for place, _ in found.matched] == [0, 1]
    assert found.unusable == []


def test_a_filter_takes_what_matches_and_counts_what_it_cannot_judge() -> None:
    batch = [record(0, 1), record(1, 9), record(2, 2)._replace(value=b"no JSON"), record(3, 3)]
    found = Sieve("result < 4").take(batch)
    assert [place for place, _ in found.matched] == [0, 3]
    assert found.unusable == [2]
    assert found.visible == [0, 1, 2, 3]


def test_what_a_contract_keeps_back_is_as_if_it_was_not_there() -> None:
    batch = [record(0, 1), record(1, 2, "Main.Position"), record(2, 3)._replace(value=b"no JSON")]
    sieve = Sieve("", terms(datastreams=(f"{SYSTEM}.Main.Speed",), predicate="result < 2"))
    found = sieve.take(batch)
    assert found.visible == [0]
    assert found.unusable == []


def test_what_a_contract_hides_is_neither_in_the_value_nor_in_the_headers() -> None:
    ((_, seen),) = (
        Sieve("", terms(fields=("quality",))).take([record(0, 1, quality="ok", driver="Eve")]).matched
    )
    assert json.loads(seen.value or b"") == {"result": 1, "quality": "ok"}
    assert seen.headers == (("dt-id", b"id"),)


def test_a_filter_may_not_look_at_what_a_contract_hides() -> None:
    with pytest.raises(QueryError, match="may not leave by contract c-1") as caught:
        Sieve("result < 4 AND driver = 'Eve'", terms(fields=("quality",)))
    assert caught.value.column == 16


def test_records_outside_the_time_of_a_contract_are_not_seen() -> None:
    early, late = record(0, 1), record(1, 1)._replace(timestamp_ms=2_000_000_000_000)
    sieve = Sieve("", terms(starts_at="2026-01-01T00:00:00Z"))
    assert sieve.take([early, late]).visible == [1]


def test_a_fault_knows_its_place_in_what_was_typed() -> None:
    fault = fault_of("result << 4")
    assert fault is not None
    assert (fault.line, fault.column) == (1, 9)
    assert fault_of("result < 4") is None
    assert fault_of("  ") is None
