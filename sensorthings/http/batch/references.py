"""References from one part of a batch to entities that parts before it made or read.

What lives here: `$name` in addresses, bodies and conditions, and what it stands for. What does not: running.

A reference stands where an id or an entity can: as the first step of an address (`$1/Datastreams`), as a key
(`Things($1)`), and in links (`{"Thing": {"@iot.id": "$1"}}`; a data array's column `FeatureOfInterest/id`).
Texts anywhere else are data and stay what they are: the names of relations begin with a capital, those of
properties do not, so a link is found without knowing the entity.

Source: OGC 18-088, clause 11.2.2; OData JSON Format 4.01, clause 19.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from sensorthings.errors import BodyError, RequestError
from sensorthings.http.batch.parts import FAILED_DEPENDENCY, FIRST_ERROR, Part
from sensorthings.http.messages import Answer

_FIRST_STEP: Final = re.compile(r"^/?\$([^/?(]+)(?=[/?]|$)")
_KEY: Final = re.compile(r"\(\$([^)/?]+)\)")
_ENTITY: Final = re.compile(r"/([A-Za-z]+\((\d+)\))$")
_CONDITION: Final = re.compile(
    r"^\s*(?P<not>not\s+)?\$(?P<name>[^\s/]+)(?:\s+(?P<operator>eq|ne)\s+null)?\s*$"
)
_SYSTEM: Final = frozenset({"batch", "ref", "value", "metadata", "root", "entity", "all", "crossjoin"})
_LINK: Final = "@iot.id"
_COLUMN: Final = "FeatureOfInterest/id"


@dataclass(frozen=True, slots=True)
class Target:
    """An entity that a reference stands for: its path below the version, and its id."""

    path: str
    identifier: int


@dataclass(slots=True)
class References:
    """What the parts so far have made or read, by their identifiers.

    Attributes:
        targets: Entities by the identifier of the part.
        failed: Identifiers of parts and names of groups that failed.
    """

    targets: dict[str, Target] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    _bodies: dict[str, bytes] = field(default_factory=dict)
    """What was read, by the identifier of the part; looked into only when somebody refers to it."""

    def copy(self) -> "References":
        """Give a copy, for parts that may have to be run again."""
        return References(dict(self.targets), set(self.failed), dict(self._bodies))

    def note(self, part: Part, answer: Answer) -> None:
        """Remember what a part did."""
        if part.identifier is None:
            return
        # A change set may use the identifier of another one again: then the newest is meant.
        self.targets.pop(part.identifier, None)
        self._bodies.pop(part.identifier, None)
        self.failed.discard(part.identifier)
        if answer.status >= FIRST_ERROR:
            self.failed.add(part.identifier)
        elif (target := _target_at(answer.headers.get("Location"))) is not None:
            self.targets[part.identifier] = target
        elif part.method == "GET":
            self._bodies[part.identifier] = answer.body

    def find(self, name: str) -> Target | None:
        """Find the entity that a part made or read; None when there is none."""
        if name in self._bodies:
            target = _target_at(_link_in(self._bodies.pop(name)))
            if target is not None:
                self.targets[name] = target
        return self.targets.get(name)

    def check_dependencies(self, part: Part) -> None:
        """Refuse a part whose dependencies failed.

        Raises:
            RequestError: One of them did (424).
        """
        for name in part.depends_on:
            if name in self.failed:
                raise failed_dependency(f"Request {name} failed, and this one depends on it.")

    def holds(self, condition: str) -> bool:
        """Tell whether the condition of a part holds: `$a`, `not $a`, `$a ne null` or `$a eq null`.

        Raises:
            RequestError: The condition is none of these (501).
        """
        found = _CONDITION.match(condition)
        if found is None:
            raise RequestError(
                501,
                "batch.condition",
                f"The condition {condition[:80]!r} is not served here.",
                "Served are: $a, not $a, $a eq null, $a ne null.",
            )
        is_there = self.find(found["name"]) is not None
        return is_there == ((found["not"] is None) == (found["operator"] != "eq"))

    def address(self, part: Part) -> str:
        """Give the address of a part with its references resolved.

        Raises:
            RequestError: One of them stands for nothing.
        """
        url, mark, query = part.url.partition("?")
        if "$" not in url:
            return part.url

        def first(match: re.Match[str]) -> str:
            name = match[1]
            if name in _SYSTEM and self.find(name) is None:
                return match[0]
            return self._target(name, part.place).path

        url = _FIRST_STEP.sub(first, url)
        url = _KEY.sub(lambda match: f"({self._target(match[1], part.place).identifier})", url)
        return f"{url}{mark}{query}"

    def body(self, part: Part) -> bytes:
        """Give the body of a part with its references resolved.

        Raises:
            RequestError: One of them stands for nothing.
        """
        if b'"$' not in part.body:
            return part.body
        try:
            parsed = orjson.loads(part.body)
        except orjson.JSONDecodeError:
            # Whoever reads the body next says what is wrong with it.
            return part.body
        return orjson.dumps(self._resolved(parsed, part.place))

    def _resolved(self, value: Any, place: str) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, list):
            return [self._resolved(one, place) for one in value]
        if not isinstance(value, dict):
            return value
        columns = _columns(value)
        if columns:
            return self._resolved({**value, "dataArray": None}, place) | {
                "dataArray": [self._row(row, columns, place) for row in value["dataArray"]]
            }
        return {name: self._member(name, one, place) for name, one in value.items()}

    def _member(self, name: str, value: Any, place: str) -> Any:  # noqa: ANN401 - any JSON value
        if name == _LINK:
            return self._id(value, place)
        return self._resolved(value, place) if name[:1].isupper() else value

    def _row(self, row: object, columns: list[int], place: str) -> object:
        if not isinstance(row, list):
            return row
        changed = list(row)
        for at in columns:
            if at < len(changed):
                changed[at] = self._id(changed[at], place)
        return changed

    def _id(self, value: Any, place: str) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, str) and value.startswith("$"):
            return self._target(value[1:], place).identifier
        return value

    def _target(self, name: str, place: str) -> Target:
        target = self.find(name)
        if target is not None:
            return target
        if name in self.failed:
            raise failed_dependency(f"Request {name} failed, and this one refers to its entity.")
        raise BodyError(
            "batch.reference",
            f"no request before this one made or read an entity as {name[:80]!r}",
            place=place,
            hint="Give the other request an id (Content-ID in multipart), and send it before.",
        )


def failed_dependency(detail: str) -> RequestError:
    """Say that a part was not run, or not kept, because of another one."""
    return RequestError(
        FAILED_DEPENDENCY, "batch.failed_dependency", detail, "Correct the other request and send all again."
    )


def _columns(value: Mapping[str, Any]) -> list[int]:
    names, rows = value.get("components"), value.get("dataArray")
    if not isinstance(names, list) or not isinstance(rows, list):
        return []
    return [at for at, name in enumerate(names) if name == _COLUMN]


def _target_at(link: str | None) -> Target | None:
    found = _ENTITY.search(link) if link else None
    return Target(found[1], int(found[2])) if found else None


def _link_in(body: bytes) -> str | None:
    """Give the link of an entity that was read, or of the first one of a set."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(parsed, dict) and isinstance(parsed.get("value"), list) and parsed["value"]:
        parsed = parsed["value"][0]
    link = parsed.get("@iot.selfLink") if isinstance(parsed, dict) else None
    return link if isinstance(link, str) else None
