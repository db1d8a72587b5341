"""Lag, rates and metrics, made from a lane that only has figures and an admin that only has answers."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streamhub.engine.counters import RecordCounts
from streamhub.engine.lane import BatchLane
from streamhub.engine.observer import LaneObserver, ProgressCollector
from streamhub.engine.progress import read_progress

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class FakeLane:
    committed: RecordCounts = field(default_factory=RecordCounts)
    positions: Mapping[tuple[str, int], int] = field(default_factory=dict)
    trouble: str | None = None
    turned_at: float = 0.0
    newest_ms: int = 0
    is_assigned: bool = True


@dataclass
class FakeAdmin:
    ends: dict[int, int] = field(default_factory=dict)
    is_away: bool = False
    is_silent: bool = False

    def list_offsets(
        self, places: Mapping[TopicPartition, object], **_: object
    ) -> dict[TopicPartition, "Future[object]"]:
        answers: dict[TopicPartition, Future[object]] = {}
        for place in places:
            answer = answers[place] = Future()
            if self.is_away:
                answer.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
            elif not self.is_silent:
                answer.set_result(SimpleNamespace(offset=self.ends[place.partition]))
        return answers


class World:
    def __init__(self, path: Path | None = None) -> None:
        self.lane = FakeLane()
        self.admin = FakeAdmin()
        self.now = 0.0
        self.observer = LaneObserver(
            cast("BatchLane", self.lane),
            cast("AdminClient", self.admin),
            path,
            monotonic=lambda: self.now,
            now=lambda: START + timedelta(seconds=self.now),
        )

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.lane.turned_at = self.now
        self.observer.observe()


def test_the_lag_is_what_lies_between_the_positions_and_the_ends() -> None:
    world = World()
    world.lane.positions = {("t", 0): 10, ("t", 1): 5}
    world.admin.ends = {0: 17, 1: 5}
    world.after(1)
    world.after(1)
    assert world.observer.latest.lag == 7
    world.lane.positions = {("t", 0): 17, ("t", 1): 5}
    world.after(1)
    assert world.observer.latest.lag == 0


def test_the_lag_in_seconds_is_the_age_of_the_record_read_last_while_others_wait() -> None:
    world = World()
    world.lane.positions = {("t", 0): 10}
    world.admin.ends = {0: 17}
    world.lane.newest_ms = int(START.timestamp() * 1000) - 3_000
    world.after(1)
    world.after(1)
    assert world.observer.latest.lag_s == 5.0
    world.lane.positions = {("t", 0): 17}
    world.after(1)
    assert world.observer.latest.lag_s == 0.0


def test_the_hit_rate_is_groups_found_per_record_joined() -> None:
    world = World()
    world.after(1)
    assert world.observer.latest.hit_rate is None
    world.lane.committed = RecordCounts(joined=200, tuples=150, held=7, late=2)
    world.after(1)
    latest = world.observer.latest
    assert (latest.hit_rate, latest.held, latest.late) == (0.75, 7, 2)


def test_the_lag_is_unknown_while_kafka_is_away() -> None:
    world = World()
    world.lane.positions = {("t", 0): 10}
    world.admin.ends = {0: 17}
    world.after(1)
    world.after(1)
    world.admin.is_away = True
    for _ in range(12):
        world.after(1)
    assert world.observer.latest.lag is None


def test_an_unanswered_question_is_not_asked_again() -> None:
    world = World()
    world.lane.positions = {("t", 0): 10}
    world.admin.is_silent = True
    world.after(1)
    first = world.observer._asked
    world.after(1)
    assert world.observer._asked is first


def test_a_copy_without_partitions_has_no_lag_and_one_that_has_not_joined_an_unknown_one() -> None:
    world = World()
    world.after(1)
    assert (world.observer.latest.state, world.observer.latest.lag) == ("running", 0)
    world.lane.is_assigned = False
    world.after(1)
    assert (world.observer.latest.state, world.observer.latest.lag) == ("starting", None)


def test_rates_are_those_of_the_last_seconds() -> None:
    world = World()
    for second in range(1, 21):
        world.lane.committed = RecordCounts(consumed=1000 * second, forwarded=250 * second)
        world.after(1)
    assert world.observer.latest.input_rate == 1000.0
    assert world.observer.latest.output_rate == 250.0
    world.after(10)
    assert world.observer.latest.input_rate == 0.0


def test_last_progress_is_when_something_moved() -> None:
    world = World()
    world.lane.committed = RecordCounts(consumed=1)
    world.after(5)
    world.after(30)
    assert world.observer.latest.last_progress == START + timedelta(seconds=5)
    world.lane.positions = {("t", 0): 3}
    world.admin.ends = {0: 3}
    world.after(1)
    assert world.observer.latest.last_progress == START + timedelta(seconds=36)


def test_progress_is_written_to_its_file_and_a_lost_folder_does_not_end_the_app(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    world = World(folder / "progress.json")
    world.lane.committed = RecordCounts(consumed=3)
    world.after(1)
    assert read_progress(folder / "progress.json") == world.observer.latest
    (folder / "progress.json").unlink()
    folder.rmdir()
    world.after(1)
    assert world.observer.latest.consumed == 3


def test_metrics_carry_the_counts_with_the_error_codes() -> None:
    world = World()
    world.lane.committed.dead_letters["record.not_json"] = 4
    world.lane.committed.consumed = 10
    world.after(1)
    samples = {
        (sample.name, sample.labels.get("code")): sample.value
        for family in ProgressCollector("aa.bb.cc.dd.app", world.observer).collect()
        for sample in family.samples
    }
    assert samples["dtwin_app_records_consumed_total", None] == 10
    assert samples["dtwin_app_records_dead_lettered_total", "record.not_json"] == 4
    assert samples["dtwin_app_lag_records", None] == 0
