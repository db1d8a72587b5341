"""Running batches against a service that answers as it is told."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import pytest

from sensorthings.access.principals import ANYONE
from sensorthings.http.batch import running
from sensorthings.http.batch.parts import Group, GroupResult, Part
from sensorthings.http.batch.running import Run
from sensorthings.http.messages import Answer, Request
from sensorthings.http.ports import Service
from sensorthings.store.partitions import PartitionMissingError

BATCH = Request("POST", "$batch", "", {}, b"", "http://h/v1.1", "v1.1", ANYONE)


class _Database:
    """Counts what is committed and rolled back."""

    def __init__(self, at_commit: Exception | None = None) -> None:
        self.ends: list[str] = []
        self._at_commit = at_commit

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[object]:
        try:
            yield object()
        except BaseException:
            self.ends.append("rolled back")
            raise
        if self._at_commit is not None:
            raise self._at_commit
        self.ends.append("committed")


class _Service:
    """Answers with what it is given, one after the other; raises what is an error."""

    def __init__(self, answers: Iterable[Answer | Exception], at_commit: Exception | None = None) -> None:
        self.database = _Database(at_commit)
        self.asked: list[str] = []
        self._answers = iter(answers)

    async def answer(self, request: Request, session: object = None) -> Answer:
        self.asked.append(f"{request.path}{' in a group' if session else ''}")
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _group(*names: str) -> Group:
    return Group("g", tuple(Part(name, "POST", name, identifier=name) for name in names), "g")


def _run(service: _Service, *, stops: bool = False) -> Run:
    return Run(cast("Service", service), BATCH, stops=stops)


def _statuses(results: Any) -> list[int]:  # noqa: ANN401 - results of both kinds
    found: list[int] = []
    for one in results:
        found += _statuses(one.results) if isinstance(one, GroupResult) else [one.answer.status]
    return found


async def test_parts_of_a_group_share_a_transaction_and_others_have_none() -> None:
    service = _Service([Answer(), Answer(), Answer()])

    results = await _run(service).answer([Part("", "GET", "x"), _group("a", "b")])

    assert service.asked == ["x", "a in a group", "b in a group"]
    assert service.database.ends == ["committed"]
    assert _statuses(results) == [200, 200, 200]


async def test_an_unexpected_error_is_the_answer_of_its_part_only() -> None:
    service = _Service([ValueError("ours"), Answer()])

    results = await _run(service).answer([Part("", "GET", "x"), Part("", "GET", "y")])

    assert _statuses(results) == [500, 200]


async def test_an_answer_that_is_an_error_rolls_its_group_back() -> None:
    service = _Service([Answer(), Answer(409)])

    results = await _run(service).answer([_group("a", "b", "c")])

    assert service.database.ends == ["rolled back"]
    assert _statuses(results) == [424, 409, 424]


async def test_a_group_is_run_again_after_a_deadlock() -> None:
    service = _Service([Answer(), psycopg.errors.DeadlockDetected(), Answer(), Answer()])

    results = await _run(service).answer([_group("a", "b")])

    assert service.database.ends == ["rolled back", "committed"]
    assert _statuses(results) == [200, 200]


async def test_a_group_is_run_again_a_few_times_only() -> None:
    service = _Service([psycopg.errors.DeadlockDetected()] * 9)

    results = await _run(service).answer([_group("a", "b")])

    assert len(service.asked) == 5
    assert _statuses(results) == [503, 424]


async def test_months_that_a_group_needs_are_made_outside_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[datetime] = []

    async def make(_: object, starts: Iterable[datetime]) -> None:
        made.extend(starts)

    monkeypatch.setattr(running, "ensure_partitions", make)
    service = _Service(
        [
            PartitionMissingError([(2030, 5)]),
            Answer(201),
            PartitionMissingError([(2031, 1)]),
            Answer(201),
            Answer(201),
        ]
    )

    results = await _run(service).answer([_group("a", "b")])

    assert made == [datetime(2030, 5, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)]
    assert _statuses(results) == [201, 201]


async def test_what_fails_at_the_commit_fails_the_group() -> None:
    service = _Service([Answer(), Answer()], at_commit=psycopg.errors.UniqueViolation())

    results = await _run(service).answer([_group("a", "b")])

    assert _statuses(results) == [424, 409]


async def test_a_run_that_stops_ends_with_the_first_error() -> None:
    service = _Service([Answer(), Answer(404)])

    results = await _run(service, stops=True).answer([Part("", "GET", name) for name in "abc"])

    assert _statuses(results) == [200, 404]


async def test_parts_after_too_large_answers_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_ANSWER_BYTES", 10)
    service = _Service([Answer(200, b"x" * 11)])

    results = await _run(service).answer([Part("", "GET", "a"), Part("", "GET", "b")])

    assert service.asked == ["a"]
    assert _statuses(results) == [200, 413]


async def test_a_part_whose_condition_does_not_hold_is_not_run() -> None:
    service = _Service([])

    results = await _run(service).answer([Part("", "POST", "a", condition="$x")])

    assert service.asked == []
    assert _statuses(results) == [200]
