"""The lane in its worker, with a lane that only waits: no end goes unnoticed."""

import asyncio
import threading
from typing import cast

import pytest

from streamhub.apps.lane_service import LaneService
from streamhub.engine.lane import BatchLane
from streamhub.engine.observer import LaneObserver
from streamhub.errors import StreamAppError


class WaitingLane:
    def __init__(self) -> None:
        self.stopped = threading.Event()

    def run(self) -> None:
        self.stopped.wait()

    def stop(self) -> None:
        self.stopped.set()


class IdleObserver:
    def observe(self) -> None:
        """Measure nothing."""

    def stopping(self) -> None:
        """Stay idle."""


def test_a_watch_that_fails_is_a_failure_of_the_app_although_the_lane_ends_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamhub.apps.lane_service._OBSERVE_INTERVAL_S", 0.0)
    reports: list[object] = []

    def report(progress: object) -> None:
        reports.append(progress)
        if len(reports) == 1:
            raise BrokenPipeError("the terminal is gone")

    lane = WaitingLane()
    service = LaneService(cast("BatchLane", lane), cast("LaneObserver", IdleObserver()), report)

    async def work() -> None:
        await service.start()
        await service._crashed.wait()
        await service.stop()

    asyncio.run(work())
    assert lane.stopped.is_set()
    assert isinstance(service.failure, StreamAppError)
    assert str(service.failure).startswith(
        "watching the lane failed: BrokenPipeError('the terminal is gone')"
    )


def test_a_lane_that_is_stopped_in_order_has_no_failure() -> None:
    lane = WaitingLane()
    service = LaneService(cast("BatchLane", lane), cast("LaneObserver", IdleObserver()), lambda _: None)

    async def work() -> None:
        await service.start()
        await service.stop()

    asyncio.run(work())
    assert service.failure is None
