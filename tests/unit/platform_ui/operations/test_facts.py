"""What follows from what was seen of the platform, and who sees which part of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from platform_ui.flows.figures import AppRate, FlowSnapshot, TopicRate
from platform_ui.health import Pulse
from platform_ui.operations.facts import (
    Drift,
    Inside,
    Keeper,
    compare_topics,
    for_member,
    for_operator,
    health_of,
)
from platform_ui.operations.findings import Finding, Level

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OURS, THEIRS = "cz.icecars.Fleet.Car1", "at.datahouse.Lab.Roads"
TOPICS = (".int", ".ext", ".log", ".int.dlq")
SNAPSHOT = FlowSnapshot(
    at=NOON,
    is_stale=False,
    topics={f"{OURS}{end}": TopicRate() for end in TOPICS},
)


def test_topics_that_are_missing_or_of_nobody_are_told_from_those_that_are_right() -> None:
    topics = {f"{OURS}{end}": TopicRate() for end in TOPICS[1:]} | {f"{THEIRS}.int": TopicRate()}
    snapshot = replace(SNAPSHOT, topics=topics)
    found = compare_topics([(OURS, NOON - timedelta(hours=1))], snapshot, NOON)
    assert found.missing == (f"{OURS}.int",)
    assert found.surplus == (f"{THEIRS}.int",)


def test_a_system_that_was_just_made_may_be_without_topics_for_a_while() -> None:
    found = compare_topics([(OURS, NOON), (THEIRS, NOON - timedelta(seconds=5))], SNAPSHOT, NOON)
    assert found.missing == ()


def test_nothing_is_said_of_topics_by_old_figures() -> None:
    stale = replace(SNAPSHOT, is_stale=True)
    assert compare_topics([(THEIRS, NOON - timedelta(days=1))], stale, NOON).missing == ()


def test_the_longest_come_first_and_at_most_ten() -> None:
    apps = {f"{OURS}.app{number}": AppRate("running", lag=number) for number in range(15)}
    refused = {f"cz.icecars.Fleet.Car{number}.int.dlq": TopicRate(last_hour=number) for number in range(15)}
    whole = health_of(NOON, [], replace(SNAPSHOT, apps=apps, topics=refused), Inside())
    health = for_operator(whole)
    assert [lag.records for lag in health.lags] == [14, 13, 12, 11, 10, 9, 8, 7, 6, 5]
    assert [one.records for one in health.refused] == [14, 13, 12, 11, 10, 9, 8, 7, 6, 5]
    assert health.lags[0].address == f"/systems/{OURS}/apps/app14"
    member = for_member(whole, {OURS})
    assert len(member.lags) == 10
    assert [one.system for one in member.refused] == [OURS]


def test_a_member_sees_nothing_of_what_is_for_operators() -> None:
    parts = [Finding("kafka", "Kafka", Level.FAILED, "10.0.0.7:9092 is away")]
    whole = health_of(NOON, parts, SNAPSHOT, Inside(drift=Drift(count=3)))
    assert whole.troubles == 2
    assert whole.worst is Level.FAILED
    member = for_member(whole, set())
    assert member.inside is None
    assert member.troubles == 1
    assert member.findings[0].says == ""


def test_a_keeper_fails_until_it_comes_through_again() -> None:
    pulse = Pulse()
    assert not Keeper.of("one", pulse).is_failing
    pulse.miss(RuntimeError("no answer"))
    assert Keeper.of("one", pulse).is_failing
    pulse.beat()
    found = Keeper.of("one", pulse)
    assert (found.is_failing, found.error) == (False, "no answer")
