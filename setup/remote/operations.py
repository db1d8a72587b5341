"""What each operation of the API takes and answers; read from a file that is made of its description.

What lives here: the operations. What does not: which command uses which (``verbs``). The file is written by
``python -m tests.house.remote_operations``.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from setup.remote.connection import Body, Connection, Request, quoted

FILE: Final = Path(__file__).with_name("operations.json")
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_PLURALS: Final = {"companies": "company"}


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter, or a member of a body.

    Attributes:
        name: As the API calls it.
        kind: `text`, `whole`, `number`, `truth`, `texts`, or `object` for JSON.
        help: What it means.
        choices: What it may be; empty when that is open.
        is_needed: Whether it must be given.
    """

    name: str
    kind: str
    help: str
    choices: tuple[str, ...]
    is_needed: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API.

    Attributes:
        name: Its `operationId`.
        method: In upper case.
        path: Below the API's base, with names in braces.
        summary: What it does.
        query: Parameters that are its own.
        body: Members of the JSON that it takes.
        takes_document: Whether it takes any JSON instead.
        answer: `pages` or `list` of items, `object`, `file`, `stream` of events, or `nothing`.
        members: Of each item, or of the object.
        can_be_tried: Whether it takes `dry_run`.
        can_be_repeated: Whether it takes `Idempotency-Key`.
    """

    name: str
    method: str
    path: str
    summary: str
    query: tuple[Value, ...]
    body: tuple[Value, ...]
    takes_document: bool
    answer: str
    members: tuple[str, ...]
    can_be_tried: bool
    can_be_repeated: bool

    @property
    def places(self) -> dict[str, str]:
        """The names in the path, each with the word for what it names: `{"name": "system"}`."""
        segments = self.path.split("/")
        found: dict[str, str] = {}
        for before, segment in itertools.pairwise(segments):
            for name in _PLACEHOLDER.findall(segment):
                found[name] = _PLURALS.get(before, before.removesuffix("s"))
        return found

    def address(self, names: Mapping[str, object]) -> str:
        """Return the path with the names filled in."""
        return _PLACEHOLDER.sub(lambda found: quoted(names[found[1]]), self.path)

    def request(
        self,
        names: Mapping[str, object],
        body: Body | None = None,
        query: Mapping[str, Any] | None = None,
        content: bytes | None = None,
    ) -> Request:
        """Return a request for it.

        Args:
            names: What stands for the names in the path.
            body: Members of the JSON; left out when it takes none.
            query: Parameters.
            content: A whole document instead of the members.
        """
        sent = (body or {}) if self.body else None
        return Request(
            self.method, self.address(names), query, sent, content, is_repeatable=self.can_be_repeated
        )


def call(
    connection: Connection,
    name: str,
    names: Mapping[str, object] | None = None,
    body: Body | None = None,
    query: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401 - whatever the operation answers
    """Do an operation and return what is in the answer; None when it is empty.

    Raises:
        RemoteError: it was refused, or there is no answer.
    """
    return connection.json(operations()[name].request(names or {}, body, query))


def items(
    connection: Connection, name: str, names: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """Return all items of a list.

    Raises:
        RemoteError: it was refused, or there is no answer.
    """
    return list(connection.items(operations()[name].address(names or {})))


@functools.cache
def operations() -> Mapping[str, Operation]:
    """Return all operations by their ids."""
    content: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: _operation(name, entry) for name, entry in content.items()}


def _operation(name: str, entry: dict[str, Any]) -> Operation:
    values = {part: tuple(_value(one) for one in entry.pop(part)) for part in ("query", "body")}
    members = tuple(entry.pop("members"))
    return Operation(name=name, members=members, query=values["query"], body=values["body"], **entry)


def _value(entry: dict[str, Any]) -> Value:
    return Value(choices=tuple(entry.pop("choices")), **entry)
