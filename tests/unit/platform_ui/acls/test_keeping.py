"""The keeper of access rules while Kafka is away: how long that is a beginning, and what it says."""

import asyncio
from typing import Any, cast

from platform_ui.acls.connection import UNREACHABLE
from platform_ui.acls.keeper import STARTING_S, AclKeeper
from platform_ui.errors import BrokerError
from tests.unit.platform_ui.acls.memory import MemoryAcls


class Away(AclKeeper):
    """A keeper whose broker does not answer, at a time that the test chooses."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.asked = asyncio.Event()
        super().__init__(cast(Any, None), MemoryAcls(), clock=lambda: self.time_s)

    async def turn(self) -> None:
        self.asked.set()
        raise BrokerError("Kafka at 127.0.0.1:9092 does not answer.", code=UNREACHABLE)


async def asked_once_more(keeper: Away) -> None:
    """Wait until the keeper has asked and noted what came of it."""
    async with asyncio.timeout(60):
        await keeper.asked.wait()
    keeper.asked.clear()
    await asyncio.sleep(0)


async def test_a_kafka_that_is_not_up_yet_in_the_first_seconds_is_no_failure() -> None:
    keeper = Away()
    running = asyncio.create_task(keeper.run())
    try:
        await asked_once_more(keeper)
        assert keeper.pulse.failed_at is None
        keeper.time_s = STARTING_S
        keeper.bell.ring()
        await asked_once_more(keeper)
        assert keeper.pulse.is_failing
        assert keeper.pulse.error == "Kafka at 127.0.0.1:9092 does not answer."
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_kafka_that_went_away_is_a_failure_at_once() -> None:
    keeper = Away()
    keeper.pulse.beat()
    running = asyncio.create_task(keeper.run())
    try:
        await asked_once_more(keeper)
        assert keeper.pulse.is_failing
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
