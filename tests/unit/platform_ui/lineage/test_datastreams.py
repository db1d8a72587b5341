"""Lines between Datastreams, and what of them is not shared."""

from dataclasses import replace

from platform_ui.lineage.observed import Observation, count, origins_of
from platform_ui.lineage.world.boxes import boxes_of
from platform_ui.lineage.world.datastreams import datastream_lines, with_received
from platform_ui.lineage.world.facts import Use
from platform_ui.lineage.world.graph import Truth
from platform_ui.lineage.world.truths import World
from tests.unit.platform_ui.lineage.worlds import (
    CAR,
    CONTRACT,
    HOME,
    INSIDE,
    LAB,
    SECRET,
    SHARE,
    SPEED,
    facts,
    record,
)


def test_a_shared_datastream_leads_to_itself_at_the_target() -> None:
    (line,) = datastream_lines(World(facts(SHARE)), {CAR: [SPEED, SECRET]})
    assert (line.start, line.end, line.via) == (SPEED, f"{SPEED}@{LAB}", (SHARE.app_id,))
    assert line.truths == (Truth.DECLARED, Truth.PERMITTED)


def test_what_the_contract_does_not_share_is_declared_but_not_permitted() -> None:
    app = replace(SHARE, statement="SELECT * FROM *;")
    found = {line.start: line.truths for line in datastream_lines(World(facts(app)), {CAR: [SPEED, SECRET]})}
    assert found == {SPEED: (Truth.DECLARED, Truth.PERMITTED), SECRET: (Truth.DECLARED,)}


def test_what_feeds_and_what_decides_is_told_of_each_line() -> None:
    (line,) = datastream_lines(World(facts(INSIDE)), {CAR: [SPEED]})
    assert (line.how, line.attributes, line.expression) == (
        "feeds and decides",
        ("result", "quality"),
        "result * 2",
    )
    assert line.end == f"{HOME}.Motor.twice"


def test_records_tell_which_datastreams_have_come() -> None:
    seen = count(LAB, [record(SPEED, app=SHARE.app_id)])
    world = World(facts(SHARE, seen=(LAB,)), observation=Observation({LAB: seen}))
    (line,) = datastream_lines(world, {})
    assert line.truths == tuple(Truth)
    assert with_received({}, world) == {CAR: [SPEED]}


def test_the_other_side_sees_only_the_datastreams_that_are_shared() -> None:
    app = replace(
        SHARE,
        statement=f"SELECT * FROM * WHERE name IN ('{SPEED}', '{SECRET}') AND hidden < 4;",
        is_inside=False,
    )
    contract = replace(CONTRACT, fields=("quality",))
    lines = datastream_lines(World(facts(app, contracts=(contract,), seen=(LAB,))), {})
    text = repr(lines)
    assert SPEED in text
    assert "Secret" not in text
    assert "hidden" not in text


def test_without_a_contract_in_force_the_other_side_sees_no_datastream() -> None:
    app = replace(SHARE, is_inside=False, uses={CAR: Use("c-1", is_in_force=False)})
    ended = replace(CONTRACT, is_in_force=False)
    lines = datastream_lines(World(facts(app, contracts=(ended,), seen=(LAB,))), {})
    assert {line.start for line in lines} == {f"{CAR}.*.*"}
    assert "Speed" not in repr(lines)


def test_boxes_of_others_lead_nowhere() -> None:
    own, received, foreign = boxes_of(
        World(facts(SHARE, seen=(CAR,))), [SPEED, f"{SPEED}@{LAB}", LAB], frozenset({SPEED})
    )[::-1]
    by_id = {box.id: box for box in (own, received, foreign)}
    assert by_id[SPEED].url == f"/systems/{CAR}/datastreams/{SPEED}"
    assert by_id[SPEED].is_focus
    assert by_id[f"{SPEED}@{LAB}"].detail == "Motor, as received"
    assert (by_id[LAB].url, by_id[LAB].is_foreign) == ("", True)


def test_the_origins_of_a_joined_record_are_several_systems() -> None:
    assert origins_of(f"{CAR}.int/0/3,{HOME}.int/2/9") == (CAR, HOME)
    assert origins_of("nonsense") == ()
