"""What is declared, permitted and observed, and where these differ."""

from dataclasses import replace
from datetime import timedelta

from platform_ui.flows.figures import AppRate, FlowSnapshot, TopicRate
from platform_ui.lineage.observed import Observation, count
from platform_ui.lineage.world.differences import GRACE, differences_of
from platform_ui.lineage.world.facts import AppFact, Use
from platform_ui.lineage.world.graph import Line, Truth
from platform_ui.lineage.world.truths import World, lines_of
from tests.unit.platform_ui.lineage.worlds import (
    CAR,
    CONTRACT,
    HOME,
    INSIDE,
    LAB,
    LONG_AGO,
    NOON,
    SHARE,
    SPEED,
    facts,
    record,
    snapshot,
)

RUNS = AppRate("running", consumed=10, forwarded=4, last_progress=NOON)
ENDED = replace(CONTRACT, is_in_force=False, ended_at=NOON)


def truths(world: World) -> dict[tuple[str, str], tuple[Truth, ...]]:
    return {(line.start, line.end): line.truths for line in lines_of(world)}


def text_of(line: Line, truth: Truth) -> str:
    return " ".join(one.text for one in line.evidence if one.truth is truth)


def kinds(world: World) -> list[str]:
    return [one.kind for one in differences_of(world, NOON)]


def test_an_app_that_runs_by_its_contract_has_all_three_truths() -> None:
    found = truths(World(facts(SHARE), snapshot(share=RUNS)))
    assert found == {(CAR, SHARE.app_id): tuple(Truth), (SHARE.app_id, LAB): tuple(Truth)}


def test_permission_names_the_access_rule_and_the_contract() -> None:
    reading = lines_of(World(facts(SHARE)))[0]
    assert f"lets share read {CAR}.int" in text_of(reading, Truth.PERMITTED)
    assert "(c-1), version 1" in text_of(reading, Truth.PERMITTED)


def test_an_app_without_its_contract_is_declared_only() -> None:
    app = replace(SHARE, uses={CAR: Use("c-1", is_in_force=False)})
    assert set(truths(World(facts(app, contracts=(ENDED,)))).values()) == {(Truth.DECLARED,)}


def test_inside_one_company_no_contract_is_needed() -> None:
    found = truths(World(facts(INSIDE, contracts=())))
    assert found[INSIDE.app_id, HOME] == (Truth.DECLARED, Truth.PERMITTED)


def test_a_contract_that_nobody_carries_is_a_line_of_its_own() -> None:
    (line,) = lines_of(World(facts()))
    assert (line.start, line.end, line.how, line.truths) == (CAR, LAB, "may be shared", (Truth.PERMITTED,))
    assert "Observations" in text_of(line, Truth.PERMITTED)


def test_headers_of_records_are_evidence_with_how_many_were_looked_at() -> None:
    seen = count(
        LAB, [record(SPEED, app=SHARE.app_id, contract="c-1", origin=f"{CAR}.int/0/3"), record(SPEED)]
    )
    world = World(facts(SHARE), observation=Observation({LAB: seen}))
    assert "1 of the last 2 records" in text_of(lines_of(world)[1], Truth.OBSERVED)
    assert lines_of(world)[0].truths == tuple(Truth)


def test_looking_back_nothing_is_observed_and_nothing_differs() -> None:
    world = World(facts(SHARE), snapshot(share=RUNS), is_past=True)
    assert Truth.OBSERVED not in truths(world)[CAR, SHARE.app_id]
    assert kinds(world) == []


def test_nothing_differs_where_all_truths_agree() -> None:
    assert kinds(World(facts(SHARE), snapshot(share=RUNS))) == []


def test_an_app_that_does_not_run_is_told() -> None:
    world = World(facts(INSIDE, contracts=()))
    assert kinds(world) == ["declared_not_running"]
    assert kinds(replace(world, snapshot=snapshot(inside=AppRate("failed")))) == ["declared_not_running"]
    assert kinds(replace(world, snapshot=snapshot(inside=RUNS))) == []


def test_an_app_that_runs_without_its_contract_is_told_first() -> None:
    app = replace(SHARE, uses={CAR: Use("c-1", is_in_force=False)})
    found = kinds(World(facts(app, INSIDE, contracts=(ENDED,)), snapshot(share=RUNS)))
    assert found[:2] == ["observed_not_permitted", "declared_not_permitted"]


def test_records_that_came_by_an_ended_contract_are_told_after_a_grace() -> None:
    def world(late: timedelta) -> World:
        headers = {"app": SHARE.app_id, "contract": "c-1", "origin": f"{CAR}.int/0/3"}
        seen = count(LAB, [record(SPEED, NOON + late, **headers)])
        return World(facts(contracts=(ENDED,)), observation=Observation({LAB: seen}))

    assert "observed_not_permitted" in kinds(world(GRACE * 2))
    assert "observed_not_permitted" not in kinds(world(GRACE / 2))


def test_records_of_an_app_that_is_not_declared_are_told_and_drawn() -> None:
    seen = count(LAB, [record(SPEED, app=f"{CAR}.gone", origin=f"{CAR}.int/0/3")])
    world = World(facts(contracts=()), observation=Observation({LAB: seen}))
    assert kinds(world) == ["observed_not_declared"]
    assert truths(world) == {(CAR, LAB): (Truth.OBSERVED,)}


def test_a_contract_that_nobody_has_carried_for_thirty_days_is_told() -> None:
    assert kinds(World(facts())) == ["permitted_not_used"]
    young = replace(CONTRACT, since=NOON - timedelta(days=29))
    assert kinds(World(facts(contracts=(young,)))) == []


def test_a_contract_counts_as_used_as_long_as_its_app_or_its_records_move() -> None:
    still = AppRate("running", last_progress=LONG_AGO)
    assert kinds(World(facts(SHARE), snapshot(share=still))) == ["permitted_not_used"]
    seen = count(LAB, [record(SPEED, app=SHARE.app_id, contract="c-1")])
    moved = World(facts(SHARE), snapshot(share=still), Observation({LAB: seen}))
    assert kinds(moved) == []


def test_the_target_topic_tells_of_an_app_of_which_the_runner_knows_nothing() -> None:
    moved = FlowSnapshot(NOON, {f"{LAB}.ext": TopicRate(last_moved=NOON)})
    assert "permitted_not_used" not in kinds(World(facts(SHARE), moved))
    assert "permitted_not_used" in kinds(World(facts(SHARE)))


def test_of_an_app_that_reads_several_systems_only_the_sum_is_observed() -> None:
    app = AppFact("both", (CAR, HOME), HOME, "")
    lines = lines_of(World(facts(app), snapshot(both=replace(RUNS, consumed_per_s=3.0))))
    assert "of its sources together" in text_of(lines[0], Truth.OBSERVED)
    assert lines[0].rate_per_s is None
