"""Running the parts of a batch: one after the other, groups all or nothing.

What lives here: transactions, what follows from a failure. What does not: what a part does; the service
answers it as if it had come alone.

Requests outside of groups are not put into one transaction on trial: it would hold its locks on Datastreams
until its end, and two batches that write to the same ones in another order would wait for each other.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import psycopg

from sensorthings.database import Session
from sensorthings.errors import RequestError
from sensorthings.http.batch.addresses import read_address
from sensorthings.http.batch.parts import FIRST_ERROR, Group, GroupResult, Item, ItemResult, Part, Result
from sensorthings.http.batch.references import References, failed_dependency
from sensorthings.http.messages import Answer, Request
from sensorthings.http.ports import Service
from sensorthings.http.problems import problem_of
from sensorthings.store.partitions import PartitionMissingError, ensure_partitions, forget_partitions

MAX_ANSWER_BYTES: Final = 128 * 1024 * 1024
"""Parts that come when the answers before them are larger together are not run [bytes]."""
_TRIES: Final = 4
"""How often a group that another request was in the way of is begun again."""
_IN_THE_WAY: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.CheckViolation,
)


class _RefusedError(Exception):
    """A part of a group was answered with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


class Run:
    """One run of a batch.

    Args:
        service: Answers the parts.
        batch: The request that the parts came in.
        stops: Whether a failure ends the run.
    """

    def __init__(self, service: Service, batch: Request, *, stops: bool) -> None:
        self._service = service
        self._batch = batch
        self._stops = stops
        self._references = References()
        self._size = 0

    async def answer(self, items: Sequence[Item]) -> list[ItemResult]:
        """Run all items; gives their results in the same order, fewer when the run was stopped."""
        results: list[ItemResult] = []
        for item in items:
            result: ItemResult
            if isinstance(item, Group):
                result = await self._group(item)
            else:
                result = await self._alone(item)
            results.append(result)
            self._size += _size_of(result)
            if self._stops and result.is_error:
                break
        return results

    async def _alone(self, part: Part) -> Result:
        try:
            answer = await self._answered(part, self._references, None)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a part is the part's own answer
            answer = problem_of(error, part.url)
        self._references.note(part, answer)
        return Result(part, answer)

    async def _group(self, group: Group) -> GroupResult:
        """Run a group, in one transaction."""
        results: list[Result] = []
        try:
            return await self._repeated(group, results)
        except _RefusedError as refusal:
            return self._failed(group, len(results), refusal.answer)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a part is the part's own answer
            return self._failed(group, len(results), problem_of(error, group.place))

    async def _repeated(self, group: Group, results: list[Result]) -> GroupResult:
        """Run a group; again where another request was in the way, or a month's partition has to be made."""
        tries = 0
        while True:
            results.clear()
            try:
                return await self._committed(group, results)
            except PartitionMissingError as error:
                # Each part may need a month of its own.
                tries += 1
                if tries > len(group.parts):
                    raise
                await ensure_partitions(self._service.database, error.starts)
            except _IN_THE_WAY as error:
                tries += 1
                if tries > _TRIES:
                    raise
                if isinstance(error, psycopg.errors.CheckViolation):
                    # A partition that was known to be there has been dropped meanwhile.
                    forget_partitions(self._service.database)

    async def _committed(self, group: Group, results: list[Result]) -> GroupResult:
        """Run a group; adds to the results part by part, so that a failure is known by its place.

        Raises:
            _RefusedError: A part was answered with an error.
            RequestError: A part cannot be served.
            psycopg.Error: What the database says.
        """
        references = self._references.copy()
        async with self._service.database.writing() as session:
            for part in group.parts:
                answer = await self._answered(part, references, session)
                if answer.status >= FIRST_ERROR:
                    raise _RefusedError(answer)
                references.note(part, answer)
                results.append(Result(part, answer))
        self._references = references
        return GroupResult(group, tuple(results))

    def _failed(self, group: Group, failed_at: int, answer: Answer) -> GroupResult:
        """Answer a group that was rolled back."""
        # What fails at the commit is told at the last part.
        failed = group.parts[min(failed_at, len(group.parts) - 1)]
        name = failed.identifier or failed.place
        other = problem_of(
            failed_dependency(f"Request {name} of the same group failed; nothing was kept."), ""
        )
        results = tuple(Result(part, answer if part is failed else other) for part in group.parts)
        for result in results:
            self._references.note(result.part, result.answer)
        if group.name is not None:
            self._references.failed.add(group.name)
        return GroupResult(group, results)

    async def _answered(self, part: Part, references: References, session: Session | None) -> Answer:
        """Let the service answer a part.

        Raises:
            RequestError: The part cannot be served.
            psycopg.Error: What the database says.
        """
        references.check_dependencies(part)
        if self._size > MAX_ANSWER_BYTES:
            raise RequestError(
                413,
                "batch.answer_too_large",
                f"The answers before this request are larger than {MAX_ANSWER_BYTES} bytes.",
                "Send the rest as another batch.",
            )
        if part.condition is not None and not references.holds(part.condition):
            return Answer(200, f"Skipped: {part.condition} does not hold.".encode(), "text/plain")
        return await self._service.answer(self._request(part, references), session)

    def _request(self, part: Part, references: References) -> Request:
        address = read_address(references.address(part), self._batch)
        if address.path.strip("/") == "$batch":
            raise RequestError(
                400, "batch.nested", "A batch cannot hold a batch.", "Send its requests themselves."
            )
        body = references.body(part)
        made = self._batch.part(part.method, address.path, address.query, part.headers, body)
        return replace(made, root=address.root, version=address.version)


def _size_of(item: ItemResult) -> int:
    if isinstance(item, GroupResult):
        return sum(_size_of(one) for one in item.results)
    return len(item.answer.body)
