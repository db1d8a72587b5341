from datetime import UTC, datetime, timedelta

from streamhub.engine.progress import AppProgress
from streamhub.runner.watch import StallWatch

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(
    now: float, *, consumed: int = 0, lag: int | None = 0, turn_age_s: float = 0.0, trouble: str | None = None
) -> AppProgress:
    return AppProgress(
        pid=1,
        state="running",
        updated_at=START + timedelta(seconds=now),
        consumed=consumed,
        position=consumed,
        lag=lag,
        turn_age_s=turn_age_s,
        trouble=trouble,
    )


def test_an_app_that_lags_and_does_not_move_is_stalled_and_the_waiting_records_are_named() -> None:
    watch = StallWatch(30, 0)
    assert watch.judge(at(1, consumed=5, lag=10), 1) is None
    assert watch.judge(at(31, consumed=5, lag=12), 31) is None
    assert watch.judge(at(32, consumed=5, lag=13), 32) == "no progress for 31 s while 13 records wait"


def test_an_app_that_lags_and_moves_is_not_stalled() -> None:
    watch = StallWatch(30, 0)
    for second in range(0, 200, 10):
        assert watch.judge(at(second, consumed=second, lag=1000), second) is None


def test_an_idle_app_may_rest_and_its_time_counts_from_the_first_waiting_record() -> None:
    watch = StallWatch(30, 0)
    for second in range(1000):
        assert watch.judge(at(second), second) is None
    assert watch.judge(at(1020, lag=5), 1020) is None
    assert watch.judge(at(1031, lag=5), 1031) is not None


def test_an_app_whose_lag_is_unknown_because_kafka_is_away_is_not_stalled() -> None:
    watch = StallWatch(30, 0)
    watch.judge(at(0, lag=10), 0)
    for second in range(1, 1000):
        assert watch.judge(at(second, lag=None), second) is None


def test_an_app_that_no_longer_writes_is_stalled() -> None:
    watch = StallWatch(30, 0)
    last = at(5, lag=7)
    assert watch.judge(last, 5) is None
    assert watch.judge(last, 35) is None
    assert watch.judge(last, 36) == "no sign of life for 31 s while 7 records wait"


def test_a_loop_that_does_not_turn_is_stalled_even_without_lag() -> None:
    watch = StallWatch(30, 0)
    assert watch.judge(at(1, turn_age_s=30.5), 1) == "its loop has not turned for 30 s"


def test_a_process_that_never_speaks_has_longer_to_start() -> None:
    watch = StallWatch(3, 100)
    assert watch.judge(None, 140) is None
    assert watch.judge(None, 146) == "no sign of life 46 s after its start"


def test_what_kafka_complains_about_is_part_of_the_cause() -> None:
    watch = StallWatch(1, 0)
    watch.judge(at(0, lag=1, trouble="not authorized"), 0)
    cause = watch.judge(at(2, lag=1, trouble="not authorized"), 2)
    assert cause == "no progress for 2 s while 1 records wait (not authorized)"
