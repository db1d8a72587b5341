"""Measures what flows, every few seconds, for all pages together.

What lives here: when broker and runner are asked, and that a page never waits for either. What does not: how
(``offsets``), and what the figures mean (``figures``).

The interval adapts: measuring takes at most a tenth of the time. When the broker or the runner is away, the
figures of before stay, with their age, and the reason is in `FlowSnapshot.trouble`.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Final, cast

from fastapi import Depends, Request

from platform_ui.changes import Bell
from platform_ui.db import now
from platform_ui.errors import BrokerError, RunnerError
from platform_ui.flows.figures import AppHistory, AppRate, Flows, FlowSnapshot, History, TopicRate
from platform_ui.flows.offsets import DEAD_LETTERS, OffsetPort
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.streams.running import states_of

_log = logging.getLogger(__name__)

INTERVAL_S: Final = 3.0
SHARE: Final = 0.1
"""The part of the time that measuring may take."""
LONGEST_PAUSE_S: Final = 15.0
METADATA_S: Final = 60.0
HOURLY_S: Final = 60.0
HOUR: Final = timedelta(hours=1)


class FlowSampler:
    """Keeps the figures for as long as it runs.

    Args:
        runner: The runner of stream apps.
        offsets: The broker; nothing where there is none, then only apps are looked at.
        clock: The present time.
        monotonic: A clock for durations [s].
    """

    def __init__(
        self,
        runner: StreamRunner,
        offsets: OffsetPort | None = None,
        *,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bell = Bell()
        """Rung when systems may have come or gone."""
        self._runner = runner
        self._offsets = offsets
        self._clock = clock
        self._monotonic = monotonic
        self._history = History()
        self._app_history = AppHistory()
        self._partitions: dict[str, int] = {}
        self._moved: dict[str, datetime] = {}
        self._last_hour: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self._metadata_due = self._hour_due = -1.0
        self._snapshot = FlowSnapshot()

    def snapshot(self) -> FlowSnapshot:
        """Return what was last measured, at once; it says itself whether it is stale."""
        return self._snapshot.aged(self._clock())

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(self.pause_s)

    @property
    def pause_s(self) -> float:
        """How long to wait before the next time [s]."""
        if self._snapshot.trouble:  # what took long was waiting
            return INTERVAL_S
        return min(LONGEST_PAUSE_S, max(INTERVAL_S, self._snapshot.took_s / SHARE))

    async def sample(self) -> FlowSnapshot:
        """Measure once; what cannot be measured keeps its last figures."""
        began = self._monotonic()
        if self.bell.is_rung and await self.bell.wait(INTERVAL_S):
            self._metadata_due = -1.0
        troubles: list[str] = []
        at = self._clock()
        topics: Mapping[str, TopicRate] = self._snapshot.topics
        apps: Mapping[str, AppRate] = self._snapshot.apps
        measured = self._snapshot.at
        try:
            apps = self._app_history.add(at, await states_of(self._runner))
        except RunnerError as error:
            troubles.append(error.detail)
        if self._offsets is None:
            measured = at if not troubles else measured
        else:
            try:
                topics = await asyncio.to_thread(self._measure, self._offsets)
                measured = self._clock()
            except BrokerError as error:
                troubles.append(error.detail)
                self._metadata_due = -1.0
        self._note(troubles)
        took_s = self._monotonic() - began
        self._snapshot = replace(
            self._snapshot, at=measured, topics=topics, apps=apps, trouble=" ".join(troubles), took_s=took_s
        )
        return self.snapshot()

    def _measure(self, offsets: OffsetPort) -> dict[str, TopicRate]:
        """Ask the broker; called in a thread, never twice at a time."""
        present = self._monotonic()
        if present >= self._metadata_due:
            self._partitions = offsets.partitions()
            self._metadata_due = present + METADATA_S
        totals = offsets.totals(self._partitions)
        refused = {name: total for name, total in totals.items() if name.endswith(DEAD_LETTERS)}
        if present >= self._hour_due or refused != self._refused:  # what was refused is said at once
            self._refused = refused
            self._look_back(offsets, totals)
            self._hour_due = present + HOURLY_S
        self._history.add(self._clock(), totals, self._moved)
        return self._history.rates(self._last_hour)

    def _look_back(self, offsets: OffsetPort, totals: Mapping[str, int]) -> None:
        """Ask what counts alone do not tell: what came in the last hour, and when quiet topics moved."""
        used = {name: self._partitions[name] for name, total in totals.items() if total}
        refused = {name: count for name, count in used.items() if name.endswith(DEAD_LETTERS)}
        unused = {name: 0 for name in totals if name.endswith(DEAD_LETTERS) and name not in refused}
        self._last_hour = unused | offsets.since(refused, totals, self._clock() - HOUR)
        unknown = {name: count for name, count in used.items() if name not in self._moved}
        self._moved |= offsets.last_moved(unknown)

    def _note(self, troubles: list[str]) -> None:
        trouble = " ".join(troubles)
        if trouble and trouble != self._snapshot.trouble:
            _log.warning("flows cannot be measured: %s", trouble)
        if not trouble and self._snapshot.trouble:
            _log.warning("flows are measured again")


def _flows(request: Request) -> Flows:
    return cast(Flows, request.app.state.flows)


CurrentFlows = Annotated[Flows, Depends(_flows)]
