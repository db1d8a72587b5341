"""Records as they passed: what a person asked for, out of what they may see, and how far was looked.

What lives here: looking back with a filter, one record, units. What does not: who may see what (``scope``),
Kafka (``reading``), records on their way (``following``).
"""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from platform_ui.errors import BrokerError, InvalidRequestError
from platform_ui.live.forms import LiveForm, Tab
from platform_ui.live.reading import Begin, Edge, Lookback, Positions, RecordLog, following, gone
from platform_ui.live.records import LiveRecord, show
from platform_ui.live.scope import Scope
from platform_ui.live.sieve import Sieve, Sifted
from platform_ui.systems.records import TopicRecord
from platform_ui.systems.sight import kafka_time
from platform_ui.systems.units import UnitDirectory
from streamhub.errors import QueryError

LOOKED_AT: Final = 5_000
"""So many records are looked at for one answer where a filter chooses [1]."""
UNITS_S: Final = 1.5
REFUSED: Final = "live.filter_refused"
_asked: Final[set[asyncio.Task[dict[str, str]]]] = set()  # tasks that nobody holds may be collected
NO_BROKER: Final = "This platform runs without a broker, so there are no records to see."


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and how far was looked.

    Attributes:
        records: What matches, the oldest first.
        read: Records that were looked at [1].
        matched: Those of them that match [1]; more than `records` when only the newest are given.
        unusable: Those of them that the filter cannot judge [1].
        is_whole: Whether there are none before the first that was looked at.
        is_cut: Whether there are more behind the last that was looked at.
        looked_back_to: When Kafka got the first of them.
        positions: Where to go on, by partition.
    """

    records: Sequence[LiveRecord] = ()
    read: int = 0
    matched: int = 0
    unusable: int = 0
    is_whole: bool = True
    is_cut: bool = False
    looked_back_to: datetime | None = None
    positions: Positions = field(default_factory=dict)


def sieve_for(scope: Scope, text: str) -> Sieve:
    """Return the filter of a person.

    Raises:
        InvalidRequestError: it cannot be read, or looks at what a contract hides; with the place.
    """
    try:
        return Sieve(text, scope.terms)
    except QueryError as error:
        fault: dict[str, str | int] = {
            "parameter": "filter",
            "detail": error.render(),
            "line": error.line,
            "column": error.column,
        }
        refusal = InvalidRequestError([fault])
        refusal.code = REFUSED
        raise refusal from error


async def look_back(
    log: RecordLog | None, scope: Scope, form: LiveForm, begin: Begin, *, most: int = LOOKED_AT
) -> Found:
    """Look back into a topic.

    Args:
        log: reads it.
        scope: what the person may see.
        form: what they ask for.
        begin: where.
        most: look at so many records at most.

    Raises:
        InvalidRequestError: the filter is refused.
        ForbiddenError: the topic is not theirs to see.
        BrokerError: the broker does not give the records.
    """
    topic = scope.topic(form.topic)
    sieve = sieve_for(scope, form.filter)
    if log is None:
        raise BrokerError(NO_BROKER)
    number = form.limit if sieve.is_open and begin is Edge.LATEST else max(most, form.limit)
    found = await asyncio.to_thread(log.read, topic, begin, number)
    return await asyncio.to_thread(_chosen, found, sieve, form, begin)


def _chosen(found: Lookback, sieve: Sieve, form: LiveForm, begin: Begin) -> Found:
    sifted = sieve.take(found.records)
    if begin is Edge.LATEST:
        kept = sifted.matched[-form.limit :]
        return _summary(found, sifted, kept, form.topic, found.ends)
    kept, is_cut = sifted.matched[: form.limit], not found.is_complete
    end = len(found.records)
    if len(sifted.matched) > form.limit:
        end, is_cut = kept[-1][0] + 1, True
    passed = found.records[:end]
    positions = following(found.starts, passed) if is_cut else found.ends
    seen = Sifted(
        kept,
        sifted.visible[: bisect_left(sifted.visible, end)],
        [place for place in sifted.unusable if place < end],
    )
    return replace(_summary(found, seen, kept, form.topic, positions), is_cut=is_cut)


def _summary(
    found: Lookback, sifted: Sifted, kept: Sequence[tuple[int, TopicRecord]], tab: Tab, positions: Positions
) -> Found:
    first = found.records[sifted.visible[0]] if sifted.visible else None
    return Found(
        [show(record, tab) for _, record in kept],
        read=len(sifted.visible),
        matched=len(sifted.matched),
        unusable=len(sifted.unusable),
        is_whole=found.is_whole,
        is_cut=not found.is_complete,
        looked_back_to=kafka_time(first.timestamp_ms) if first else None,
        positions=positions,
    )


async def one_record(
    log: RecordLog | None, scope: Scope, tab: Tab, partition: int, offset: int
) -> LiveRecord:
    """Return one record as the person may see it.

    Raises:
        ForbiddenError: the topic is not theirs to see.
        NotFoundError: it is not there, not any more, or kept back by the contract.
        BrokerError: the broker does not give it.
    """
    topic = scope.topic(tab)
    if log is None:
        raise BrokerError(NO_BROKER)
    record = await asyncio.to_thread(log.at, topic, partition, offset)
    matched = Sieve("", scope.terms).take([record]).matched
    if not matched:
        raise gone(topic, partition, offset)
    return show(matched[0][1], tab)


async def with_units(records: Iterable[LiveRecord], units: UnitDirectory, seen_as: str) -> list[LiveRecord]:
    """Return records with the symbols of their units, as far as they are known in a short time.

    What is not known by then is asked on, so that it is known the next time.

    Args:
        records: what is shown.
        units: knows units.
        seen_as: full name of the system for which they are shown.
    """
    shown = list(records)
    names = {one.sight.name for one in shown if one.sight.thing}
    if any(units.known(name, seen_as) is None for name in names):
        task = asyncio.create_task(units.resolve(names, seen_as))
        _asked.add(task)
        task.add_done_callback(_asked.discard)
        await asyncio.wait([task], timeout=UNITS_S)
    return [replace(one, unit=units.known(one.sight.name, seen_as) or "") for one in shown]
