"""The join as a stream app, from the command line, on a real broker."""

import collections
import json
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.streamhub.flows import AppProcess, Flow, eventually, headers_of
from tests.integration.streamhub.joins import LEFT, RIGHT, JoinFlow, Sample, alternating, expected_pairs

NewFlow = Callable[..., Flow]
StartApp = Callable[..., AppProcess]


def check(flow: JoinFlow, samples: list[Sample], within_ms: int | None) -> None:
    counts = collections.Counter(flow.received_pairs())
    assert [pair for pair, count in counts.items() if count > 1] == []
    assert set(counts) == expected_pairs(samples, within_ms)


def test_two_quantities_of_one_machine_are_joined_and_arrive_as_a_datastream_of_the_target(
    new_flow: NewFlow, start_app: StartApp
) -> None:
    flow = JoinFlow(new_flow())
    samples = alternating(2_000)
    flow.produce(samples)
    app = start_app(flow.flow, statement=flow.statement())
    app.wait_consumed(4_000)
    assert app.end(signal.SIGTERM) == 0
    check(flow, samples, 50)
    record = flow.flow.received()[0]
    assert record.key == f"{flow.flow.target}.app1.power".encode()
    value = json.loads(record.value or b"")
    assert value["result"] == (value["left_number"] % 100 + 1) * (value["right_number"] % 100 + 1)
    assert value["phenomenonTime"].startswith("2026-01-02T03:04:05")
    headers = headers_of(record)
    assert headers["dt-app"] == f"{flow.flow.source}.app1"
    assert len(headers["dt-id"]) == 36
    progress = app.progress()
    assert progress["joined"] == 4_000
    assert progress["tuples"] == len(expected_pairs(samples, 50))
    assert progress["late"] == 0


@pytest.mark.extended
def test_two_systems_with_several_partitions_are_joined_in_the_order_of_their_time(
    new_flow: NewFlow, start_app: StartApp, unique_system: Callable[[], str]
) -> None:
    flow = JoinFlow(new_flow(partitions=3), unique_system(), partitions=3)
    things = ["Mill", "Lathe", "Saw", "Drill", "Press"]
    samples = [
        Sample(side, index, index * 7 + shift, things[index % 5])
        for index in range(3_000)
        for side, shift in ((LEFT, 0), (RIGHT, 3))
    ]
    flow.produce(samples)
    app = start_app(flow.flow, statement=flow.statement())
    app.wait_consumed(6_000)
    assert app.end(signal.SIGTERM) == 0
    assert app.progress()["late"] == 0
    check(flow, samples, 50)


def test_what_the_join_remembers_outlives_the_process(new_flow: NewFlow, start_app: StartApp) -> None:
    flow = JoinFlow(new_flow())
    samples = alternating(300)
    # One side far ahead: all of it has to be remembered when the process ends.
    ahead = [sample for sample in samples if sample.side == LEFT]
    flow.produce(ahead)
    first = start_app(flow.flow, statement=flow.statement())
    first.wait_consumed(300)
    first.end(signal.SIGKILL)
    flow.produce([sample for sample in samples if sample.side == RIGHT][:150])
    second = start_app(flow.flow, statement=flow.statement())
    second.wait_consumed(150)
    assert second.end(signal.SIGTERM) == 0
    flow.produce([sample for sample in samples if sample.side == RIGHT][150:])
    third = start_app(flow.flow, statement=flow.statement())
    third.wait_consumed(150)
    assert third.end(signal.SIGTERM) == 0
    check(flow, samples, 50)


def consumed(*apps: AppProcess) -> int:
    return sum(int(str(app.progress().get("consumed", 0))) for app in apps)


@pytest.mark.extended
def test_records_of_one_thing_are_joined_with_those_of_the_same_thing_by_two_copies(
    new_flow: NewFlow, start_app: StartApp, tmp_path: Path
) -> None:
    flow = JoinFlow(new_flow(partitions=4), partitions=4)
    things = ["Mill", "Lathe", "Saw", "Drill", "Press", "Robot"]
    by_thing = {thing: alternating(300, thing=thing) for thing in things}
    samples = [sample for group in zip(*by_thing.values(), strict=True) for sample in group]
    statement = flow.statement("WITHIN 50 ms ON l.thing = r.thing")
    one = start_app(flow.flow, "--spread", statement=statement)
    flow.produce(samples[:1_000])
    one.wait_consumed(1_000)
    folder = tmp_path / "two"
    folder.mkdir()
    two = start_app(flow.flow, "--copy", "1", "--spread", statement=statement, folder=folder)
    eventually(lambda: two.progress().get("state") == "running", what="joining the group")
    flow.produce(samples[1_000:2_500])
    two.wait_consumed(1)
    assert two.end(signal.SIGTERM) == 0
    flow.produce(samples[2_500:])
    eventually(lambda: one.progress().get("lag") == 0 and consumed(one, two) == len(samples), what="the end")
    assert one.end(signal.SIGTERM) == 0
    received = collections.Counter(
        (record.key, value["left_number"], value["right_number"])
        for record in flow.flow.received()
        for value in [json.loads(record.value or b"")]
    )
    expected = {
        (f"{flow.flow.target}.{thing}.power".encode(), *pair)
        for thing, group in by_thing.items()
        for pair in expected_pairs(group, 50)
    }
    assert max(received.values()) == 1
    assert set(received) == expected


def test_late_records_are_put_in_their_place_within_the_lateness_and_counted_beyond(
    new_flow: NewFlow, start_app: StartApp
) -> None:
    flow = JoinFlow(new_flow())
    ordered = alternating(1_000)
    source = random.Random(7)
    shuffled = [
        sample
        for _, _, sample in sorted(
            (sample.time_ms + source.randint(0, 60), index, sample) for index, sample in enumerate(ordered)
        )
    ]
    beyond = Sample(LEFT, 5_000, 100)
    end = [Sample(side, 6_000, 10**6) for side in (LEFT, RIGHT)]
    flow.produce([*shuffled, beyond, *end])
    app = start_app(flow.flow, statement=flow.statement().replace(";", " LATENESS 100 ms;"))
    app.wait_consumed(len(ordered) + 3)
    assert app.end(signal.SIGTERM) == 0
    assert app.progress()["late"] == 1
    check(flow, ordered, 50)


@pytest.mark.extended
@pytest.mark.slow
def test_killing_a_join_that_holds_records_back_loses_and_repeats_nothing(
    new_flow: NewFlow, start_app: StartApp
) -> None:
    flow = JoinFlow(new_flow(partitions=2), partitions=2)
    things = ["Mill", "Lathe", "Saw"]
    samples = [
        Sample(side, index, index * 7 + shift, things[index % 3])
        for index in range(6_000)
        for side, shift in ((LEFT, 0), (RIGHT, 3))
    ]
    statement = flow.statement().replace(";", " LATENESS 40 ms;")
    end = [
        Sample(side, 9_000 + index, 10**6 + index, thing)
        for index, thing in enumerate(things)
        for side in (LEFT, RIGHT)
    ]
    moments = random.Random(3)
    chunk = 2_000
    for start in range(0, len(samples), chunk):
        flow.produce(samples[start : start + chunk])
        app = start_app(flow.flow, statement=statement)
        app.wait_consumed(moments.randint(1, chunk))
        app.end(signal.SIGKILL)
    flow.produce(end)
    app = start_app(flow.flow, statement=statement)

    def is_done() -> bool:
        return app.progress().get("lag") == 0 and app.progress().get("held") is not None

    eventually(is_done, what="the end of the lag")
    app.end(signal.SIGTERM)
    counts = collections.Counter(pair for pair in flow.received_pairs() if max(pair) < 9_000)
    assert [pair for pair, count in counts.items() if count > 1] == []
    assert set(counts) == {pair for pair in expected_pairs([*samples, *end], 50) if max(pair) < 9_000}
