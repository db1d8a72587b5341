"""The short memory before a reader of topics."""

import asyncio

import pytest

from platform_ui.client_logs.reading import MEMORY_S, Lookback, RememberingReader
from platform_ui.errors import BrokerError


class Reader:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.fails = False

    def last(self, topic: str, most: int, /) -> Lookback:
        self.asked.append((topic, most))
        if self.fails:
            raise BrokerError("no")
        return Lookback(is_whole=len(self.asked) == 1)


async def test_several_parts_of_a_page_ask_the_broker_once() -> None:
    reader = Reader()
    remembering = RememberingReader(reader, lambda: 100.0)
    found = await asyncio.gather(*(remembering.last("a.log") for _ in range(5)))
    assert len(reader.asked) == 1
    assert all(one.is_whole for one in found)


async def test_what_is_old_is_asked_anew() -> None:
    reader, clock = Reader(), [100.0]
    remembering = RememberingReader(reader, lambda: clock[0])
    await remembering.last("a.log")
    clock[0] += MEMORY_S
    assert not (await remembering.last("a.log")).is_whole


async def test_a_failure_is_not_remembered() -> None:
    reader = Reader()
    reader.fails = True
    remembering = RememberingReader(reader, lambda: 100.0)
    with pytest.raises(BrokerError):
        await remembering.last("a.log")
    reader.fails = False
    await remembering.last("a.log")
    assert len(reader.asked) == 2
