"""The indices of one system on a server: made ready before the first document, and asked what they hold.

What lives here: templates and policies sent, the kind of storage found out, ids looked up in a data stream.
What does not: their contents (`schema`), documents (`bulks`).

A dated index follows from a record's own time, so a record that is read again comes to the index where it is
already, and is recognised there by its id. A data stream writes into its newest index only, and Elasticsearch
keeps ids apart in one index, not across them. So a record that may have been written before the newest index
began is looked up in the others first.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from elasticsearch import ApiError

from adapters.elasticsearch.documents import Period, index_alias
from adapters.elasticsearch.schema import (
    Kind,
    Server,
    Shape,
    index_template,
    lifecycle_policy,
    policy_name,
    read_server,
    template_name,
)

_JSON: Final = {"accept": "application/json", "content-type": "application/json"}
_KNOWN_FOR_S: Final = 5.0
# Clocks of devices stamp records; one that is ahead by more than this could hide that a record is old.
_CLOCK_ERROR_MS: Final = 3_600_000
_IDS_AT_A_TIME: Final = 5_000
# index.max_result_window, unless somebody has changed it.
_MOST_FOUND: Final = 10_000
_NOT_FOUND: Final = 404


class Asked(Protocol):
    """What is used of a client of Elasticsearch; see `elasticsearch.Elasticsearch.perform_request`."""

    def perform_request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any | None = None,  # noqa: ANN401 - as the library has it
    ) -> Any:  # noqa: ANN401 - as the library has it
        """Make a request."""


class StreamState(NamedTuple):
    """How a data stream is at the moment.

    Attributes:
        newest: The index that is written to.
        older: The indices before it.
        since_ms: When the newest began [ms since 1970].
    """

    newest: str
    older: tuple[str, ...]
    since_ms: int


_NO_STREAM: Final = StreamState("", (), 0)


class Indices:
    """The indices of one system; used by several threads."""

    def __init__(
        self,
        client: Asked,
        system: str,
        *,
        kind: Kind | None = None,
        period: Period = Period.MONTH,
        shape: Shape | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.system = system
        self.period = period
        self.alias = index_alias(system)
        self._client = client
        self._wanted = kind
        self._shape = shape or Shape()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kind: Kind | None = None
        self._state = _NO_STREAM
        self._state_until = float("-inf")

    def forget(self) -> None:
        """Make everything ready again before the next document: the server may have lost it."""
        self._kind = None

    def ready(self) -> Kind:
        """Make template and policy, unless that is done; gives how documents are kept.

        Raises:
            TransportError: The server does not answer.
            ApiError: It refuses.
            ValueError: It is something else.
        """
        with self._lock:
            if self._kind is None:
                server = read_server(self._ask("GET", "/"))
                kind = self._wanted or self._found(server)
                self._put_schema(server, kind)
                self._state_until = float("-inf")
                self._kind = kind
            return self._kind

    def _found(self, server: Server) -> Kind:
        """Give how documents are kept: as before, where there are some from before the server was renewed."""
        if server.kind is Kind.DATED:
            return Kind.DATED
        try:
            return Kind.DATED if self._ask("GET", f"/_alias/{self.alias}") else Kind.STREAM
        except ApiError as error:
            if error.meta.status != _NOT_FOUND:
                raise
        return Kind.STREAM

    def _put_schema(self, server: Server, kind: Kind) -> None:
        if kind is Kind.STREAM and server.kind is Kind.STREAM:
            self._ask("PUT", f"/_ilm/policy/{policy_name(self.system)}", lifecycle_policy(self._shape))
        template = index_template(self.system, server, kind, self._shape)
        self._ask("PUT", f"/_index_template/{template_name(self.system)}", template)

    def state(self, *, now: bool = False) -> StreamState:
        """Tell how the data stream is; looked up every few seconds.

        Args:
            now: Whether to look it up at once.
        """
        with self._lock:
            if now or self._monotonic() >= self._state_until:
                self._state = self._look_up()
                self._state_until = self._monotonic() + _KNOWN_FOR_S
            return self._state

    def _look_up(self) -> StreamState:
        try:
            streams = self._ask("GET", f"/_data_stream/{self.alias}")["data_streams"]
        except ApiError as error:
            if error.meta.status == _NOT_FOUND:  # the first document makes it
                return _NO_STREAM
            raise
        names = [str(index["index_name"]) for index in streams[0]["indices"]] if streams else []
        if not names:
            return _NO_STREAM
        newest = names[-1]
        found = self._ask("GET", f"/{newest}/_settings")
        created = int(found[newest]["settings"]["index"]["creation_date"])
        return StreamState(newest, tuple(names[:-1]), created)

    def holders(self, identifiers: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Tell which of these ids the older indices of the data stream hold.

        Returns:
            By id the indices that hold it, the oldest first; the newest is among them, but never alone.
        """
        state = self.state()
        if not identifiers or not state.older:
            return {}
        # Not index by index: a request's first line has room for some dozens of their names.
        # What was written a moment ago may not be found yet.
        _check_shards(self._ask("POST", f"/{self.alias}/_refresh", params={"ignore_unavailable": "true"}))
        wanted = list(identifiers)
        found: dict[str, list[str]] = {}
        for first in range(0, len(wanted), _IDS_AT_A_TIME):
            for index, identifier in self._search(wanted[first : first + _IDS_AT_A_TIME]):
                found.setdefault(identifier, []).append(index)
        age = {index: at for at, index in enumerate([*state.older, state.newest])}
        return {
            # One that has begun meanwhile is the newest.
            identifier: sorted(held, key=lambda index: age.get(index, len(age)))
            for identifier, held in found.items()
            if held != [state.newest]
        }

    def _search(self, few: Sequence[str]) -> list[tuple[str, str]]:
        """Give index and id of what is found.

        Raises:
            ValueError: Not every shard has answered.
        """
        body = {
            "size": _MOST_FOUND,
            "_source": False,
            "track_total_hits": False,
            "sort": ["_doc"],
            "query": {"ids": {"values": list(few)}},
        }
        narrow = {
            "ignore_unavailable": "true",
            "filter_path": "_shards.failed,timed_out,hits.hits._id,hits.hits._index",
        }
        answer = self._ask("POST", f"/{self.alias}/_search", body, narrow)
        _check_shards(answer)
        hits = answer.get("hits", {}).get("hits", ())
        if len(hits) >= _MOST_FOUND and len(few) > 1:
            # Of some there may be more than two, so that others are not among them.
            middle = len(few) // 2
            return self._search(few[:middle]) + self._search(few[middle:])
        return [(str(hit["_index"]), str(hit["_id"])) for hit in hits]

    def delete(self, index: str, identifier: str) -> None:
        """Remove one document from an index of the data stream."""
        self._ask("DELETE", f"/{index}/_doc/{identifier}")

    def _ask(
        self, method: str, path: str, body: object = None, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Make a request.

        Raises:
            ValueError: What answers is something else, such as a proxy with a page for people.
        """
        answer = self._client.perform_request(method, path, params=params, headers=_JSON, body=body).body
        if not isinstance(answer, dict):
            raise ValueError("it answers, but not as Elasticsearch does")  # noqa: TRY004 - not our types
        return answer


def _check_shards(answer: Mapping[str, Any]) -> None:
    """Let nothing be decided by what a part of the data stream says.

    Raises:
        ValueError: Not every shard has answered.
    """
    if answer.get("timed_out") or answer.get("_shards", {}).get("failed"):
        raise ValueError("not every shard of the data stream answers")


def may_be_older(kafka_ms: int, identifier: str, since_ms: int) -> bool:
    """Tell whether a record may have been written before an index began.

    The time in Kafka is that of this copy of the record. An id of version 7 or 8 tells when the record was
    made, which counts for a copy that was sent again later.

    Args:
        kafka_ms: Time of the record in Kafka [ms since 1970]; not positive when there is none.
        identifier: Id of its document, which begins with its dt-id.
        since_ms: When the index began [ms since 1970].

    Source: RFC 9562, section 5.7: the first 48 bits are milliseconds since 1970.
    """
    bound = since_ms + _CLOCK_ERROR_MS
    if kafka_ms < bound:
        return True
    is_timed = identifier[14:15] in {"7", "8"}
    return not is_timed or int(identifier[:8] + identifier[9:13], 16) < bound
