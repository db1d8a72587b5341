"""Recorded records on their way through a join: held back, sorted, joined, shown.

Lives here: ``JoinedReplay``. Does not live here: reading the lines (``replay``), who pairs with whom
(``streamhub.join``). It does what the engine does with every topic in one partition; at the end of the lines
all records that are held back are released, and no pair is settled that only a later record could settle.
"""

import heapq
from collections.abc import Hashable, Iterator
from typing import Any

import msgspec

from streamhub.join.series import SeriesJoin
from streamhub.query.derivation.derivation import Derivation
from streamhub.query.derivation.streams import Route
from streamhub.query.execution.rows import READING_ERRORS, reason_for
from streamhub.query.trials import JoinCounters, OutputRecord, Refusal, RunCounters

__all__ = ["JoinedReplay"]

LINE_LATE = "line.late"
LINE_NOT_JOINED = "line.not_joined"

# Time, number of arrival, line, source, join key, record.
_Held = tuple[int, int, int, int, Hashable, Any]


class JoinedReplay:
    """The records of one run in their order of arrival: give each to ``take``, then call ``finish``.

    Attributes:
        results: What came out and was not fetched yet, in the order in which it was settled.
    """

    def __init__(self, derivation: Derivation, counters: RunCounters, refusals: list[Refusal]) -> None:
        """Start with nothing remembered.

        Args:
            derivation: The statement.
            counters: Where everything is counted.
            refusals: Takes the lines that cannot be used.
        """
        self.results: list[OutputRecord] = []
        self._derivation = derivation
        self._counters = counters
        self._joined = counters.joins = JoinCounters()
        self._refusals = refusals
        self._names = [source.alias for source in derivation.tree.streams]
        self._routes: dict[tuple[str, bytes | None], tuple[Route, ...]] = {}
        self._joins: dict[Hashable, SeriesJoin] = {}
        self._held: dict[str, list[_Held]] = {}
        self._newest: dict[str, int] = {}
        self._arrivals = 0

    def take(self, line: int, system: str, key: bytes | None, value: bytes | None) -> None:
        """Take the next record.

        Args:
            line: Number of its line.
            system: The system whose topic it came from.
            key: Its key, or None.
            value: Its value, or None.
        """
        routes = self._routes.get((system, key))
        if routes is None:
            routes = self._routes[system, key] = self._derivation.routes(system, key)
        held = self._held.setdefault(system, [])
        for route in routes:
            try:
                record = route.read(value)
            except READING_ERRORS as error:
                code, detail = reason_for(value, error)
                self._counters.rejected[code] += 1
                self._refusals.append(Refusal(line, code, detail))
                return
            join_key = route.key if route.key_of is None else route.key_of(record)
            if join_key is None:
                self._joined.unjoined += 1
                detail = f"as '{self._names[route.source]}' it lacks an attribute that ON compares"
                self._refusals.append(Refusal(line, LINE_NOT_JOINED, detail))
                continue
            self._arrivals += 1
            heapq.heappush(held, (record.time, self._arrivals, line, route.source, join_key, record))
            self._newest[system] = max(record.time, self._newest.get(system, record.time))
        if held:
            self._release(held, self._newest[system] - self._derivation.lateness)

    def finish(self) -> None:
        """Release what is held back, since no further line comes, and count what the joins forgot."""
        for system, held in self._held.items():
            self._release(held, self._newest.get(system, 0))
        for join in self._joins.values():
            join.finish()
        self._joined.dropped = sum(join.dropped for join in self._joins.values())

    def fetch(self) -> Iterator[OutputRecord]:
        """Give what came out since the last call."""
        results, self.results = self.results, []
        return iter(results)

    def _release(self, held: list[_Held], newest: int) -> None:
        """Join the records up to a time, oldest first, those of one time in their order of arrival."""
        while held and held[0][0] <= newest:
            time, _, line, source, join_key, record = heapq.heappop(held)
            join = self._joins.get(join_key)
            if join is None:
                join = self._joins[join_key] = self._join()
            if not join.adders[source](time, record):
                self._joined.late += 1
                detail = (
                    f"as '{self._names[source]}' it came too late: newer records of that stream, or "
                    "MAX LATENCY, closed its time; LATENESS sorts records that come out of order"
                )
                self._refusals.append(Refusal(line, LINE_LATE, detail))

    def _join(self) -> SeriesJoin:
        return SeriesJoin(self._derivation.withins, self._settle, self._derivation.max_latency)

    def _settle(self, joined: tuple[Any, ...]) -> None:
        self._joined.pairs += 1
        shown = self._derivation.describe(joined)
        missing, mismatches = self._derivation.take_counts()
        self._counters.missing += missing
        self._counters.mismatches += mismatches
        if shown is not None:
            self._counters.matched += 1
            written = msgspec.json.encode(shown)
            self.results.append(OutputRecord(None, shown, written))
