"""The history of figures: bounded, only of what is there, and what its curves show."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from platform_ui.streams.figures import KEPT, FigureHistory, cpu_share, curve, curves
from platform_ui.streams.runner_port import Status, StreamRunner
from streamhub.engine.progress import AppProgress
from streamhub.runner import AppStatus

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class World:
    """A history, and the clock that it looks at."""

    now: datetime = START
    history: FigureHistory = field(init=False)

    def __post_init__(self) -> None:
        self.history = FigureHistory(cast(StreamRunner, None), clock=lambda: self.now)

    def note(
        self, *apps: str, seconds: float = 5.0, lag: int | None = 0, pid: int = 7, cpu_s: float = 0.0
    ) -> None:
        self.now += timedelta(seconds=seconds)
        progress = AppProgress(pid=pid, state="running", updated_at=self.now, lag=lag, cpu_s=cpu_s)
        self.history.note(cast(list[Status], [status(app, progress) for app in apps]))


def status(app_id: str, progress: AppProgress | None) -> AppStatus:
    return AppStatus(app_id=app_id, desired="running", state="running", progress=progress)


def test_the_history_of_an_app_is_bounded_and_the_oldest_go() -> None:
    world = World()
    for lag in range(KEPT + 10):
        world.note("app", lag=lag)
    samples = world.history.of("app")
    assert len(samples) == KEPT
    assert (samples[0].lag, samples[-1].lag) == (10, KEPT + 9)


def test_an_app_that_is_gone_is_forgotten() -> None:
    world = World()
    world.note("one", "two")
    world.note("two")
    assert world.history.of("one") == ()
    assert len(world.history.of("two")) == 2


def test_figures_that_were_not_measured_anew_are_not_noted_twice() -> None:
    world = World()
    old = status("app", AppProgress(pid=7, state="running", updated_at=START))
    for _ in range(3):
        world.history.note(cast(list[Status], [old]))
    assert len(world.history.of("app")) == 1
    world.history.note(cast(list[Status], [status("app", None)]))
    assert len(world.history.of("app")) == 1


def test_the_processor_share_is_that_between_two_samples_of_one_process() -> None:
    world = World()
    world.note("app", cpu_s=1.0)
    assert cpu_share(world.history.of("app")) is None
    world.note("app", cpu_s=2.0)
    assert cpu_share(world.history.of("app")) == 0.2
    world.note("app", cpu_s=0.1, pid=8)
    assert cpu_share(world.history.of("app")) is None


def test_a_curve_spans_its_field_and_leaves_out_what_is_not_known() -> None:
    world = World()
    for lag in (0, None, 10):
        world.note("app", lag=lag)
    drawn = curve(world.history.of("app"), lambda sample: sample.lag)
    assert drawn is not None
    assert (drawn.points, drawn.least, drawn.most) == ("0.0,27.0 120.0,1.0", 0, 10)


def test_one_sample_is_no_curve() -> None:
    world = World()
    world.note("app")
    assert set(curves(world.history.of("app")).values()) == {None}
