"""Work beside the pages: what ends by a fault, and what waits."""

import asyncio
import logging
import threading

import pytest

from platform_ui.composition.background import MOST_WAITING, make_room_for_waiting, tell_end


async def _fail() -> None:
    raise ValueError("year 33658 is out of range")


async def test_work_that_ends_by_a_fault_is_told_with_the_fault(caplog: pytest.LogCaptureFixture) -> None:
    task = asyncio.create_task(_fail())
    task.add_done_callback(tell_end)
    await asyncio.wait([task])
    await asyncio.sleep(0)
    (told,) = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert told.exc_info is not None
    assert "33658" in str(told.exc_info[1])


async def test_work_that_is_done_or_told_to_end_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    tasks = [asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(asyncio.sleep(60))]
    for task in tasks:
        task.add_done_callback(tell_end)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(0)
    assert caplog.records == []


async def test_many_wait_at_a_time_without_holding_up_each_other() -> None:
    make_room_for_waiting()
    all_are_there = threading.Barrier(MOST_WAITING, timeout=60)
    await asyncio.gather(*(asyncio.to_thread(all_are_there.wait) for _ in range(MOST_WAITING)))
