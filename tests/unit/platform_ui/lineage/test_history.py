"""How contracts and apps were at a time."""

from datetime import UTC, datetime, timedelta

from platform_ui.contracts.models import Contract, ContractVersion
from platform_ui.lineage.history import (
    Rollback,
    StatementVersion,
    contracts_at,
    moments_of,
    statement_at,
    uses_of,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONTRACT = Contract(id="c-1", provider="a.bb.cc.dd", consumer="a.ff.cc.dd", ended_at=NOON + 5 * HOUR)


def version(number: int, in_force_at: datetime | None, ends_at: datetime | None = None) -> ContractVersion:
    return ContractVersion(
        contract_id="c-1",
        number=number,
        datastreams=[],
        fields=[],
        predicate=f"result < {number}",
        purpose=f"Purpose {number}",
        ends_at=ends_at,
        in_force_at=in_force_at,
    )


ROWS = [(CONTRACT, version(1, NOON)), (CONTRACT, version(2, NOON + 2 * HOUR))]
SAVED = [StatementVersion(1, NOON, "one", ("c-1",)), StatementVersion(2, NOON + HOUR, "two", ())]
BACK = [Rollback("a.bb.cc.dd.app", NOON + 3 * HOUR, 1)]


def test_a_contract_is_not_there_before_it_came_into_force() -> None:
    assert contracts_at(ROWS, NOON - HOUR) == {}


def test_the_version_of_the_time_counts() -> None:
    assert contracts_at(ROWS, NOON + HOUR)["c-1"].version == 1
    later = contracts_at(ROWS, NOON + 3 * HOUR)["c-1"]
    assert (later.version, later.since, later.is_in_force) == (2, NOON, True)


def test_a_contract_that_has_ended_is_known_but_does_not_hold() -> None:
    ended = contracts_at(ROWS, NOON + 6 * HOUR)["c-1"]
    assert (ended.is_in_force, ended.ended_at) == (False, NOON + 5 * HOUR)
    over = contracts_at([(CONTRACT, version(1, NOON, NOON + HOUR))], NOON + HOUR)["c-1"]
    assert (over.is_in_force, over.ended_at) == (False, NOON + HOUR)


def test_the_statement_of_the_time_is_the_last_one_saved_or_gone_back_to() -> None:
    def number(hours: int) -> int | None:
        found = statement_at(SAVED, BACK, NOON + hours * HOUR)
        return found.number if found else None

    assert [number(hours) for hours in (-1, 0, 1, 2, 3, 4)] == [None, 1, 2, 2, 1, 1]


def test_a_contract_with_another_receiver_does_not_hold_for_an_app() -> None:
    held = contracts_at(ROWS, NOON)
    assert uses_of(["c-1", "c-unknown"], held, "a.ff.cc.dd")["a.bb.cc.dd"].is_in_force
    assert not uses_of(["c-1"], held, "a.gg.cc.dd")["a.bb.cc.dd"].is_in_force


def test_moments_are_the_changes_of_the_past_the_newest_first() -> None:
    found = moments_of(ROWS, {"a.bb.cc.dd.app": SAVED}, BACK, NOON + 4 * HOUR)
    assert [moment.text for moment in found] == [
        "app went back to version 1",
        "version 2 of “dd → dd: Purpose 2” (c-1) came into force",
        "version 2 of app was saved",
        "version 1 of “dd → dd: Purpose 2” (c-1) came into force",
        "version 1 of app was saved",
    ]


def test_what_was_done_to_a_deleted_app_of_the_same_name_is_none_of_this_one() -> None:
    before = [Rollback(BACK[0].app_id, SAVED[0].since - HOUR, 1)]
    assert statement_at(SAVED, before, SAVED[0].since - HOUR / 2) is None
    assert statement_at(SAVED, before, SAVED[0].since) == SAVED[0]
