"""A SensorThings service that answers from a script and remembers what it was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.mqtt.sensorthings.service import Change, Changes, Posted
from client.errors import UnavailableError
from tests.integration.sensorthings.samples import Json

ROOT = "http://sta.example.org"


@dataclass
class FakeService:
    """A `Service`.

    Attributes:
        answers: Of POSTs, in order; 201 when there is none.
        pages: By path: entities that a GET gives.
        feed: Parts that `changes` gives, in order.
        owners: System by id of the Datastream.
        away: How many requests are not answered.
    """

    answers: list[Posted] = field(default_factory=list)
    pages: dict[str, Json] = field(default_factory=dict)
    feed: list[Changes] = field(default_factory=list)
    owners: dict[int, str | None] = field(default_factory=dict)
    away: int = 0
    posted: list[tuple[str, str, bytes, str, str | None]] = field(default_factory=list)
    got: list[tuple[str, str, dict[str, str], str | None]] = field(default_factory=list)
    read_after: list[str | None] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    asked_owners: list[int] = field(default_factory=list)

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise UnavailableError("away")

    def root(self, version: str) -> str:
        return f"{ROOT}/{version}"

    def post(self, version: str, path: str, body: bytes, *, record_id: str, system: str | None) -> Posted:
        self._answer()
        self.posted.append((version, path, body, record_id, system))
        return self.answers.pop(0) if self.answers else Posted(201, f"{ROOT}/v1.1/Observations(1)", {})

    def get(self, version: str, path: str, query: Mapping[str, str], *, system: str | None) -> Json:
        self._answer()
        self.got.append((version, path, dict(query), system))
        found = self.pages.get(path)
        return {"value": found} if isinstance(found, list) else found

    def changes(self, reader: str, after: str | None, *, wait_s: float, limit: int) -> Changes:
        self._answer()
        assert reader
        assert wait_s >= 0
        assert limit > 0
        self.read_after.append(after)
        return self.feed.pop(0) if self.feed else Changes(after or "0.0", False, ())

    def forget(self, reader: str) -> None:
        self._answer()
        self.forgotten.append(reader)

    def owner(self, stream: int) -> str | None:
        self._answer()
        self.asked_owners.append(stream)
        return self.owners.get(stream)


def part(cursor: str, *changes: Change, is_new: bool = False) -> Changes:
    """A part of the feed."""
    return Changes(cursor, is_new, changes)
