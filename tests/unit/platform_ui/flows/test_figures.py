"""Rates from counts."""

from datetime import UTC, datetime, timedelta

from platform_ui.flows.figures import AppHistory, AppRate, FlowSnapshot, History
from streamhub.engine.progress import AppProgress
from streamhub.runner.directory import AppStatus
from streamhub.runner.folder import State

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def seen(
    consumed: int,
    forwarded: int = 0,
    lag: int | None = 0,
    *,
    started_at: datetime = NOON,
    state: State = "running",
) -> AppStatus:
    progress = AppProgress(
        pid=1, state="running", updated_at=NOON, consumed=consumed, forwarded=forwarded, lag=lag
    )
    return AppStatus(
        app_id="a.bb.cc.dd.app", desired="running", state=state, started_at=started_at, progress=progress
    )


def test_a_topic_that_was_seen_once_has_no_rate() -> None:
    history = History()
    history.add(NOON, {"t": 5}, {})
    assert history.rates({})["t"].rate_per_s is None
    assert history.rates({})["t"].total == 5


def test_the_rate_is_that_of_the_last_seconds_only() -> None:
    history = History()
    for step in range(40):
        history.add(after(3 * step), {"t": 1000 if step else 0}, {})
    assert history.rates({})["t"].rate_per_s == 0
    history.add(after(120), {"t": 1150}, {})
    assert history.rates({})["t"].rate_per_s == 10


def test_a_topic_that_was_made_anew_has_no_rate_rather_than_a_negative_one() -> None:
    history = History()
    history.add(NOON, {"t": 900}, {})
    history.add(after(3), {"t": 4}, {})
    assert history.rates({})["t"].rate_per_s is None


def test_a_topic_that_moves_says_when_and_one_that_does_not_keeps_what_the_broker_said() -> None:
    history = History()
    long_ago = after(-5000)
    history.add(NOON, {"still": 5, "moves": 5}, {"still": long_ago, "moves": long_ago})
    history.add(after(3), {"still": 5, "moves": 6}, {"still": long_ago, "moves": long_ago})
    rates = history.rates({})
    assert rates["still"].last_moved == long_ago
    assert rates["moves"].last_moved == after(3)


def test_a_topic_that_is_gone_is_forgotten() -> None:
    history = History()
    history.add(NOON, {"t": 5}, {})
    history.add(after(3), {"t": 6}, {})
    history.add(after(6), {}, {})
    assert history.rates({}) == {}


def rates_of(*lags: int | None, step_s: float = 3.0) -> list[AppRate]:
    history = AppHistory()
    return [
        history.add(after(step_s * number), {"a": seen(10 * number, 4 * number, lag)})["a"]
        for number, lag in enumerate(lags)
    ]


def test_rates_of_an_app_are_differences_of_its_counters() -> None:
    found = rates_of(0, 0, 0)
    assert found[0].consumed_per_s is None
    assert found[-1].consumed_per_s == 10 / 3
    assert found[-1].forwarded_per_s == 4 / 3


def test_a_restart_begins_the_rates_of_an_app_anew() -> None:
    history = AppHistory()
    history.add(NOON, {"a": seen(1000)})
    fresh = history.add(after(3), {"a": seen(2, started_at=after(2))})["a"]
    assert fresh.consumed_per_s is None
    assert fresh.consumed == 2


def test_an_app_that_does_not_run_moves_nothing() -> None:
    history = AppHistory()
    history.add(NOON, {"a": seen(10)})
    still = history.add(after(3), {"a": seen(10, state="stopped")})["a"]
    assert still.consumed_per_s == 0


def test_a_lag_that_grows_for_a_minute_is_falling_behind() -> None:
    found = rates_of(*(100 * number for number in range(25)))
    assert found[-1].is_falling_behind
    assert not found[5].is_falling_behind


def test_a_lag_that_breathes_is_not_falling_behind() -> None:
    assert not any(rate.is_falling_behind for rate in rates_of(*([0, 500] * 20)))


def test_a_lag_that_nobody_knows_is_not_falling_behind() -> None:
    assert not any(rate.is_falling_behind for rate in rates_of(*([None] * 30)))


def test_figures_become_stale_with_time() -> None:
    snapshot = FlowSnapshot(at=NOON)
    assert not snapshot.aged(after(5)).is_stale
    assert snapshot.aged(after(3600)).is_stale
    assert FlowSnapshot().aged(NOON).is_stale
