"""Bulks: documents sent together, until Elasticsearch has taken or refused each of them.

What lives here: sending, and trying again. What does not: what the answers mean (`answers`), what is in a
bulk and when it is sent (`sink`), where refused records go (`streamhub.engine.sinks.letters`).

Every document is to be made, not written over: one that is there already is answered with 409, which is as
good. So a bulk may be sent again whenever it is not known what became of it.
"""

import logging
import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from elastic_transport import SerializationError, TransportError
from elasticsearch import ApiError

from adapters.elasticsearch.answers import (
    BAD_REQUEST,
    CONFLICT,
    CREATED,
    OK,
    TOO_LARGE,
    WANTED,
    WANTED_OF_STREAM,
    Answer,
    NoAnswerError,
    describe,
    read_answers,
)
from adapters.elasticsearch.documents import action, dated_index
from adapters.elasticsearch.indices import Asked, Indices, StreamState, may_be_older
from adapters.elasticsearch.schema import Kind
from streamhub.engine.records import TimedRecord
from streamhub.engine.sinks.letters import Refusal
from streamhub.engine.work import Partition
from streamhub.errors import StreamAppError

_log = logging.getLogger(__name__)

CODE_REJECTED: Final = "document.rejected"
_HEADERS: Final = {"accept": "application/json", "content-type": "application/x-ndjson"}
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0


class Item(NamedTuple):
    """A record on its way.

    Attributes:
        message: The record.
        identifier: Id of its document, which begins with the record's own.
        date: Year, month and day of its phenomenonTime, in UTC.
        body: Its document.
    """

    message: TimedRecord
    identifier: str
    date: tuple[int, int, int]
    body: bytes


@dataclass(slots=True)
class Bulk:
    """Records that were read one after the other.

    Attributes:
        items: Those that have a document.
        refusals: Those that have none, and why.
        positions: Next offset to read of each partition once these are settled.
        consumed: How many records were read for it.
        without_metadata: How many documents lack metadata.
        size: Bytes of its documents.
    """

    items: list[Item] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    positions: Mapping[Partition, int] = field(default_factory=dict)
    consumed: int = 0
    without_metadata: int = 0
    size: int = 0


@dataclass(slots=True)
class Outcome:
    """What became of a bulk.

    Attributes:
        created: Documents that are new.
        present: Documents that were there already.
        refusals: Records whose documents were refused.
    """

    created: int = 0
    present: int = 0
    refusals: list[Refusal] = field(default_factory=list)


class StoppedError(StreamAppError):
    """Say that the sink was stopped while it waited; what is not acknowledged is read again."""


_PASSING: Final = (TransportError, ApiError, SerializationError, NoAnswerError, ValueError, KeyError)
"""What a server that is away, starting or being renewed answers with."""


class BulkWriter:
    """Sends bulks, each in a thread of its own.

    Attributes:
        requests: How many bulks were sent, repetitions included.
        repetitions: How many of them were sent because of a failure before.
    """

    def __init__(
        self,
        client: Asked,
        indices: Indices,
        stopping: threading.Event,
        *,
        is_replay: bool = False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._indices = indices
        self._stopping = stopping
        self._is_replay = is_replay
        self._jitter = jitter
        self._lock = threading.Lock()
        self._troubles: dict[int, str] = {}
        self.requests = 0
        self.repetitions = 0

    @property
    def trouble(self) -> str | None:
        """Why a bulk waits; None when none does."""
        return next(iter(list(self._troubles.values())), None)

    def prepare(self) -> None:
        """Make ready what documents need, so that a server that does not answer is told before there are any.

        Tried until it answers or the sink is stopped.
        """
        wait_s = _FIRST_WAIT_S
        try:
            while not self._stopping.is_set():
                try:
                    self._indices.ready()
                except _PASSING as error:
                    self._wait(describe(error), wait_s)
                    wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                else:
                    return
        except StoppedError:
            return
        finally:
            self._forget_trouble()

    def write(self, items: Sequence[Item]) -> Outcome:
        """Send documents until each is taken or refused; tried for ever.

        Raises:
            StoppedError: The sink was stopped while it waited to try again.
        """
        outcome = Outcome()
        left, wait_s = items, _FIRST_WAIT_S
        try:
            while left:
                before = len(left)
                left, reason = self._try(left, outcome)
                if left:
                    wait_s = _FIRST_WAIT_S if len(left) < before else min(wait_s * 2, _LONGEST_WAIT_S)
                    self._wait(reason, wait_s)
        finally:
            self._forget_trouble()
        return outcome

    def _forget_trouble(self) -> None:
        with self._lock:
            self._troubles.pop(threading.get_ident(), None)

    def _try(self, items: Sequence[Item], outcome: Outcome) -> tuple[Sequence[Item], str]:
        """Send documents once; gives what is left of them, and why."""
        try:
            return self._write_once(items, outcome)
        except _PASSING as error:
            # It may have come back without what was prepared.
            self._indices.forget()
            return items, describe(error)

    def _wait(self, reason: str, wait_s: float) -> None:
        with self._lock:
            is_first = not self._troubles
            self._troubles[threading.get_ident()] = f"waiting for Elasticsearch: {reason}"
        if is_first:
            _log.warning("waiting for Elasticsearch: %s", reason, extra={"action": "trouble"})
        self.repetitions += 1
        if self._stopping.wait(wait_s * (0.5 + self._jitter() / 2)):
            raise StoppedError(f"stopped while waiting for Elasticsearch: {reason}")

    def _write_once(self, items: Sequence[Item], outcome: Outcome) -> tuple[Sequence[Item], str]:
        """Send documents once; gives what is left of them, and why.

        Raises:
            ApiError: They were refused together.
            TransportError: It is not known what became of them.
        """
        kind = self._indices.ready()
        state = self._indices.state() if kind is Kind.STREAM else None
        new = self._without_present(items, state) if state is not None and state.older else items
        left: tuple[Sequence[Item], str] = (), ""
        if new:
            try:
                answer = self._send(new, kind)
            except ApiError as error:
                if error.meta.status not in {BAD_REQUEST, TOO_LARGE}:
                    raise
                left = self._split(new, outcome, error)
            else:
                left = self._sort_out(new, read_answers(answer, len(new)), outcome, state)
        # At the end: what fails before is tried again with all of them.
        outcome.present += len(items) - len(new)
        return left

    def _send(self, items: Sequence[Item], kind: Kind) -> object:
        indices, self.requests = self._indices, self.requests + 1
        parts: list[bytes] = []
        if kind is Kind.STREAM:
            for item in items:
                parts += (action(item.identifier, None), item.body, b"\n")
            path, wanted = f"/{indices.alias}/_bulk", WANTED_OF_STREAM
        else:
            system, period = indices.system, indices.period
            for item in items:
                parts += (action(item.identifier, dated_index(system, period, *item.date)), item.body, b"\n")
            path, wanted = "/_bulk", WANTED
        body: object = self._client.perform_request(
            "POST", path, params=wanted, headers=_HEADERS, body=b"".join(parts)
        ).body
        return body

    def _split(self, items: Sequence[Item], outcome: Outcome, error: ApiError) -> tuple[Sequence[Item], str]:
        """Halve what was refused as a whole, down to the one that is the reason.

        Raises:
            ApiError: The server refuses more than documents.
        """
        if len(items) == 1:
            # A proxy that refuses everything is not the fault of a document.
            self._indices.forget()
            self._indices.ready()
            outcome.refusals.append(Refusal(items[0].message, CODE_REJECTED, describe(error)))
            return (), ""
        middle = len(items) // 2
        # Each half for itself: what has become of the first is known, whatever becomes of the second.
        first, reason = self._try(items[:middle], outcome)
        second, other = (items[middle:], reason) if reason else self._try(items[middle:], outcome)
        return [*first, *second], reason or other

    def _sort_out(
        self, items: Sequence[Item], answers: Sequence[Answer], outcome: Outcome, state: StreamState | None
    ) -> tuple[Sequence[Item], str]:
        left: list[Item] = []
        reason, present = "", 0
        refusals: list[Refusal] = []
        created: list[tuple[Item, str]] = []
        for item, said in zip(items, answers, strict=True):
            if said.status in {CREATED, OK}:
                created.append((item, said.place))
            elif said.status == CONFLICT:
                present += 1
            elif said.is_the_document_s_fault:
                refusals.append(Refusal(item.message, CODE_REJECTED, said.reason))
            else:
                left.append(item)
                reason = reason or said.reason
        doubled = 0 if state is None else self._take_back(created, state)
        outcome.created += len(created) - doubled
        outcome.present += present + doubled
        outcome.refusals += refusals
        return left, reason

    def _without_present(self, items: Sequence[Item], state: StreamState) -> Sequence[Item]:
        """Leave out what an older index of the data stream holds already."""
        asked = {item.identifier for item in items if self._is_doubtful(item, state.since_ms)}
        present = self._only_once(asked)
        return [item for item in items if item.identifier not in present] if present else items

    def _is_doubtful(self, item: Item, since_ms: int) -> bool:
        return self._is_replay or may_be_older(item.message.timestamp()[1], item.identifier, since_ms)

    def _take_back(self, created: Sequence[tuple[Item, str]], known: StreamState) -> int:
        """Remove what an older index holds too: a new index began after it was looked for. Gives how many.

        Args:
            created: Documents, and the index that each is in now.
            known: How the data stream was when they were looked for.
        """
        surprising = [item for item, index in created if index != known.newest]
        if not surprising:
            return 0
        state = self._indices.state(now=True)
        asked = {item.identifier for item in surprising if self._is_doubtful(item, state.since_ms)}
        return len(self._only_once(asked) if state.older else ())

    def _only_once(self, identifiers: Collection[str]) -> Collection[str]:
        """Tell which documents an older index holds, and remove them from the indices after that one.

        One may be twice: a sink that was killed, or lost its connection, could not take back what a new index
        had doubled.
        """
        held = self._indices.holders(identifiers)
        for identifier, indices in held.items():
            for index in indices[1:]:
                self._indices.delete(index, identifier)
        return held
