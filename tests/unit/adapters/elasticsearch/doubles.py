"""What the sink talks to, without any of it: records, a server of documents, a source, dead letters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError

from streamhub.engine.counters import RecordCounts
from streamhub.engine.records import Headers, Record
from streamhub.engine.sinks.letters import Refusal
from streamhub.engine.work import Partition
from tests.unit.adapters.records import NAME, NEW_MS, FakeRecord, observation


def dt_id(number: int, *, milliseconds: int = NEW_MS) -> str:
    """Make the text of a UUID version 7."""
    text = f"{milliseconds:012x}7000{0x8000:04x}{number:012x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def record(number: int, *, timestamp: int = NEW_MS, key: bytes | None = NAME.encode()) -> FakeRecord:
    """A record with the given number as its result, its offset and in its id."""
    headers: Headers = [("dt-id", dt_id(number).encode())]
    value = observation(result=number)
    return FakeRecord(value, headers=headers, offset=number, timestamp=timestamp, key=key)


class Answer(NamedTuple):
    body: object


def refusal(status: int, error: object = "no") -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "x", 1))
    return ApiError(str(error), meta, {"error": error, "status": status})


class FakeServer:
    """Keeps documents as Elasticsearch does, by index and id; answers in the form recorded of 7.10 and 9.

    Attributes:
        indices: Documents by index and id.
        asked: Every request: method and path.
        stream: Names of the data stream's indices, oldest first; the last is written to.
        created_ms: When the newest of them began.
        events: Called one after the other, before the bulks that are asked for.
        has_alias: Whether the name of the system is an alias of dated indices.
        reason: What it says of a document that is refused.
        refuse: Says how a document is refused: status and type; None for taken.
    """

    def __init__(self, number: str = "7.10.2", flavor: str = "oss", **version: str) -> None:
        self.version = {"number": number, "build_flavor": flavor} | version
        self.indices: dict[str, dict[str, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[object] = []
        self.stream: list[str] = []
        self.created_ms = 0
        self.has_alias = False
        self.reason = "because"
        self.events: list[Callable[[], None]] = []
        self.refuse: Callable[[Mapping[str, Any]], tuple[int, str] | None] = lambda _document: None

    def perform_request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        **_more: object,
    ) -> Answer:
        self.asked.append((method, path))
        self.bodies.append(body)
        if isinstance(body, bytes):
            return Answer(self._bulk(path, body))
        if path.endswith("_search"):
            assert isinstance(body, dict)
            wanted = body["query"]["ids"]["values"]
            found = [
                {"_index": name, "_id": one}
                for name in self.stream
                for one in wanted
                if one in self.indices.get(name, {})
            ]
            return Answer({"hits": {"hits": found}} if found else {})
        if method == "DELETE":
            _, index, _, identifier = path.split("/")
            del self.indices[index][identifier]
            return Answer({})
        if path.endswith("_refresh"):
            return Answer({"_shards": {"total": 1, "successful": 1, "failed": 0}})
        return Answer(self._about(path))

    def _about(self, path: str) -> dict[str, Any]:
        if path == "/":
            return {"version": self.version}
        if path.startswith("/_data_stream"):
            if not self.stream:
                raise refusal(404, {"type": "index_not_found_exception", "reason": "no such index"})
            return {"data_streams": [{"indices": [{"index_name": name} for name in self.stream]}]}
        if path.startswith("/_alias"):
            if not self.has_alias:
                raise refusal(404, "alias missing")
            return {"dtwin_2026.01": {"aliases": {}}}
        if path.endswith("/_settings"):
            return {self.stream[-1]: {"settings": {"index": {"creation_date": str(self.created_ms)}}}}
        return {"acknowledged": True}

    def _bulk(self, path: str, body: bytes) -> dict[str, Any]:
        if self.events:
            self.events.pop(0)()
        lines = [orjson.loads(line) for line in body.splitlines()]
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            described = action["create"]
            if path != "/_bulk" and not self.stream:
                self.stream.append(".ds-000001")
            index = described.get("_index") or self.stream[-1]
            items.append({"create": {"_index": index} | self._create(index, described["_id"], document)})
        return {"errors": any(item["create"]["status"] != 201 for item in items), "items": items}

    def _create(self, index: str, identifier: str, document: Mapping[str, Any]) -> dict[str, Any]:
        refused = self.refuse(document)
        if refused is not None:
            return {"status": refused[0], "error": {"type": refused[1], "reason": self.reason}}
        held = self.indices.setdefault(index, {})
        if identifier in held:
            return {
                "status": 409,
                "error": {"type": "version_conflict_engine_exception", "reason": "is there"},
            }
        held[identifier] = orjson.dumps(document)
        return {"status": 201}

    @property
    def documents(self) -> list[dict[str, Any]]:
        """All documents, doubled ones included."""
        return [orjson.loads(one) for index in list(self.indices.values()) for one in list(index.values())]

    @property
    def results(self) -> list[Any]:
        """Results of all documents, doubled ones included."""
        return sorted(document["result"] for document in self.documents)


class ListSource:
    """Gives batches of records, then says that it is done."""

    def __init__(self, *batches: Sequence[Record]) -> None:
        self._left = list(batches)
        self.positions: Mapping[Partition, int] = {}
        self.is_assigned = True
        self.newest_ms = 0
        self.committed: list[Mapping[Partition, int]] = []
        self.rests = 0

    @property
    def is_done(self) -> bool:
        return not self._left

    def open(self) -> None:
        pass

    def take(self, _wait_s: float, _most: int) -> Sequence[Record]:
        batch = self._left.pop(0)
        positions = dict(self.positions)
        for message in batch:
            positions[message.topic(), message.partition()] = message.offset() + 1
        self.positions = positions
        return batch

    def rest(self, _wait_s: float) -> None:
        self.rests += 1

    def has(self, _topic: str) -> bool:
        return True

    def commit(self, positions: Mapping[Partition, int]) -> None:
        self.committed.append(dict(positions))

    def close(self) -> None:
        pass


class ListLetters:
    """Keeps refused records; `events` are called before, and may raise."""

    def __init__(self) -> None:
        self.kept: list[Refusal] = []
        self.events: list[Callable[[], None]] = []

    def write(self, refusals: Sequence[Refusal], counts: RecordCounts) -> None:
        if self.events:
            self.events.pop(0)()
        self.kept += refusals
        counts.dead_letters.update(one.code for one in refusals)
