"""What needs somebody."""

from datetime import UTC, datetime, timedelta

import pytest

from platform_ui.contracts.titles import ContractTitle
from platform_ui.flows.figures import AppRate, FlowSnapshot, TopicRate
from platform_ui.flows.graph import AppFact, Facts, Scope, SystemFact
from platform_ui.flows.troubles import (
    EndingCertificate,
    EndingContract,
    Trouble,
    UnsignedContract,
    Weight,
    Worries,
    find_troubles,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CAR, ROAD = "cz.icecars.Fleet.Car1", "is.iceland.Traffic.Road"
APP = AppFact("warn", (CAR,), ROAD)


def found(
    snapshot: FlowSnapshot | None = None,
    worries: Worries | None = None,
    *,
    clients: int = 1,
    scope: Scope | None = None,
) -> list[Trouble]:
    facts = Facts([SystemFact(CAR, clients=clients), SystemFact(ROAD)], [APP])
    return find_troubles(facts, worries or Worries(), snapshot or FlowSnapshot(), scope or Scope(), NOON)


def test_nothing_needs_anybody_when_all_is_well() -> None:
    moving = {f"{CAR}.int": TopicRate(1.0, 5, NOON), f"{CAR}.int.dlq": TopicRate(0.0, 0, None, 0)}
    assert found(FlowSnapshot(NOON, moving, {APP.app_id: AppRate("running")})) == []


@pytest.mark.parametrize("state", ["failed", "backing_off"])
def test_an_app_that_fails_comes_with_its_cause_and_its_page(state: str) -> None:
    (trouble,) = found(FlowSnapshot(apps={APP.app_id: AppRate(state, cause="no such topic")}))
    assert (trouble.weight, trouble.kind, trouble.detail) == (Weight.BROKEN, f"app_{state}", "no such topic")
    assert trouble.url == f"/systems/{CAR}/apps/warn"


def test_an_app_that_nobody_looks_after_is_told() -> None:
    (trouble,) = found(FlowSnapshot(apps={APP.app_id: AppRate("unknown")}))
    assert trouble.kind == "app_unwatched"


def test_an_app_that_falls_behind_is_told_with_what_waits() -> None:
    (trouble,) = found(FlowSnapshot(apps={APP.app_id: AppRate("running", lag=1200, is_falling_behind=True)}))
    assert "1,200 records wait" in trouble.text


def test_records_refused_in_the_last_hour_are_told_and_older_ones_are_not() -> None:
    (trouble,) = found(FlowSnapshot(topics={f"{CAR}.int.dlq": TopicRate(0.0, 9, NOON, 1)}))
    assert trouble.text == f"1 record was refused in {CAR} in the last hour."
    assert found(FlowSnapshot(topics={f"{CAR}.int.dlq": TopicRate(0.0, 9, NOON, 0)})) == []


def test_devices_that_fell_silent_are_told_but_not_those_that_never_spoke() -> None:
    quiet = FlowSnapshot(topics={f"{CAR}.int": TopicRate(0.0, 9, NOON - timedelta(hours=1))})
    (trouble,) = found(quiet)
    assert trouble.kind == "system_silent"
    assert found(quiet, clients=0) == []
    assert found(FlowSnapshot(topics={f"{CAR}.int": TopicRate(0.0, 0)})) == []


def test_a_system_is_half_made_only_when_it_stays_so() -> None:
    assert found(worries=Worries(half_made={CAR: NOON})) == []
    (trouble,) = found(worries=Worries(half_made={CAR: NOON - timedelta(minutes=5)}))
    assert trouble.weight is Weight.BROKEN


def test_contracts_that_end_or_wait_are_told_with_their_pages() -> None:
    ending = EndingContract(ContractTitle("c-1", CAR, ROAD, "Warn of ice"), NOON + timedelta(days=3))
    unsigned = UnsignedContract(ContractTitle("c-2", CAR, ROAD, "Plan the winter service"))
    troubles = found(worries=Worries([ending], [unsigned]))
    assert [(trouble.kind, trouble.url) for trouble in troubles] == [
        ("contract_ending", "/contracts/c-1"),
        ("contract_to_sign", "/contracts/c-2"),
    ]
    assert troubles[0].text == f"The contract “{ending.title}” ends in 3 days."
    assert "Plan the winter service" in troubles[1].text


def test_a_certificate_that_is_over_is_worse_than_one_that_will_be() -> None:
    soon = EndingCertificate(CAR, "car_1", NOON + timedelta(days=1))
    over = EndingCertificate(CAR, "car_2", NOON - timedelta(days=2))
    troubles = found(worries=Worries(certificates=[soon, over]))
    assert [(trouble.weight, trouble.object_name[-5:]) for trouble in troubles] == [
        (Weight.BROKEN, "car_2"),
        (Weight.AT_RISK, "car_1"),
    ]
    assert "ended 2 days ago" in troubles[0].text


def test_figures_that_cannot_be_had_come_first() -> None:
    snapshot = FlowSnapshot(apps={APP.app_id: AppRate("failed")}, trouble="Kafka does not answer.")
    (told,) = [trouble for trouble in found(snapshot) if trouble.kind == "not_measured"]
    assert snapshot.trouble not in f"{told.text} {told.detail}", "where the broker is, is not for everybody"


def test_another_part_is_not_bothered() -> None:
    snapshot = FlowSnapshot(apps={APP.app_id: AppRate("failed")})
    assert found(snapshot, scope=Scope("at.other")) == []
    assert len(found(snapshot, scope=Scope("is.iceland"))) == 1
