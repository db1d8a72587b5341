"""What a batch holds, whatever the form it came in.

What lives here: parts, groups, results, and the rules that hold for both forms. What does not: reading a form
(`json_form`, `multipart`), running (`running`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sensorthings.errors import BodyError
from sensorthings.http.messages import Answer

MAX_PARTS: Final = 10_000
"""Most requests in a batch."""
FIRST_ERROR: Final = 400
"""Statuses from here on are errors."""


@dataclass(frozen=True, slots=True)
class Part:
    """One request inside a batch.

    Attributes:
        place: Where it is in the batch, for messages.
        method: In capitals.
        url: As it was sent: relative to the version, or absolute.
        headers: By lower-case name.
        body: As it was sent.
        identifier: By which other parts refer to it; None when it has none.
        depends_on: Identifiers of parts or names of groups without whose success it is not run.
        condition: Text of its `if`; None when it has none.
    """

    place: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    identifier: str | None = None
    depends_on: tuple[str, ...] = ()
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Parts that succeed or fail together.

    Attributes:
        place: Where it is in the batch, for messages.
        parts: In their order.
        name: By which other parts refer to it; None when it has none.
    """

    place: str
    parts: tuple[Part, ...]
    name: str | None = None


Item = Part | Group


@dataclass(frozen=True, slots=True)
class Result:
    """A part with its answer."""

    part: Part
    answer: Answer

    @property
    def is_error(self) -> bool:
        """Whether the part failed."""
        return self.answer.status >= FIRST_ERROR


@dataclass(frozen=True, slots=True)
class GroupResult:
    """A group with the answers of its parts."""

    group: Group
    results: tuple[Result, ...]

    @property
    def failure(self) -> Result | None:
        """The part that made the group fail; None when it succeeded."""
        failed = [one for one in self.results if one.is_error]
        own = (one for one in failed if one.answer.status != FAILED_DEPENDENCY)
        return next(own, failed[0] if failed else None)

    @property
    def is_error(self) -> bool:
        """Whether the group failed, and nothing of it was kept."""
        return any(one.is_error for one in self.results)


FAILED_DEPENDENCY: Final = 424
"""Status of a part that was not run, or not kept, because another one failed (RFC 4918, clause 11.4)."""
ItemResult = Result | GroupResult


def parts_of(item: Item) -> tuple[Part, ...]:
    """Give the parts of an item."""
    return item.parts if isinstance(item, Group) else (item,)


def check_items(items: Iterable[Item]) -> None:
    """Check what holds for batches in both forms.

    A change set of the multipart form, which has no name, may use the Content-IDs of another one again.

    Raises:
        BodyError: Too many parts, an identifier that is given twice, or a dependency on nothing before it.
    """
    known: set[str] = set()
    count = 0
    for item in items:
        is_change_set = isinstance(item, Group) and item.name is None
        taken: set[str] = set() if is_change_set else known
        for part in parts_of(item):
            count += 1
            if count > MAX_PARTS:
                raise too_long(part.place)
            _check_dependencies(part, known | taken if is_change_set else known)
            _remember(part.identifier, taken, part.place)
        known |= taken
        if isinstance(item, Group):
            _remember(item.name, known, item.place)


def _check_dependencies(part: Part, known: set[str]) -> None:
    for name in part.depends_on:
        if name not in known:
            raise BodyError(
                "batch.dependency", f"nothing before this request is called {name[:80]!r}", place=part.place
            )


def _remember(name: str | None, known: set[str], place: str) -> None:
    if name is None:
        return
    if name in known:
        raise BodyError("batch.identifier", f"the identifier {name[:80]!r} is given twice", place=place)
    known.add(name)


def too_long(place: str) -> BodyError:
    """Say that a batch has too many requests."""
    return BodyError(
        "batch.too_long", f"more than {MAX_PARTS} requests", place=place, hint="Send several batches."
    )
