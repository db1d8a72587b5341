"""The SensorThings service as the MQTT extension uses it: POST, GET and the feed of changes, over HTTP.

What lives here: requests and what their answers mean. What does not: what is sent (`creating`) and read
(`updates`). The client's own port (`client.metadata.server`) reads and writes entities by name; this passes
on bytes that others have written.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx2

from client.errors import SensorThingsError, UnavailableError
from client.messaging.records import HEADER_ID
from client.metadata.server import parse_addresses

ACT_AS: Final = "dtwin-act-as"
_TIMEOUT_S: Final = 30.0
_CONNECTIONS: Final = 16
_OK: Final = 200
_ERROR: Final = 400
_NOT_FOUND: Final = 404
_SERVER_ERROR: Final = 500
# Nothing is wrong with what was sent; it may be right the next time.
_TRY_AGAIN: Final = frozenset({401, 408, 425, 429})
_SHOWN_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to a POST.

    Attributes:
        status: HTTP status, 2xx or 4xx.
        location: Address of what was made; None where nothing was.
        problem: What is wrong (RFC 9457), where something is.
    """

    status: int
    location: str | None
    problem: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Entities of one set that were created or changed alike.

    Attributes:
        set_name: Such as `Things`.
        ids: Their ids.
        properties: Names of the properties that changed; None when the entities are new.
    """

    set_name: str
    ids: tuple[int, ...]
    properties: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Changes:
    """A part of the feed.

    Attributes:
        cursor: Where to go on.
        is_new: Whether the service did not know the reader, so that earlier changes are not there.
        changes: In order.
    """

    cursor: str
    is_new: bool
    changes: tuple[Change, ...]


class Service(Protocol):
    """What the MQTT extension needs of a SensorThings service; thread-safe.

    Every operation raises UnavailableError when the service does not answer, or not now.
    """

    def root(self, version: str) -> str:
        """Give the address of a version as the service writes it into links."""
        ...

    def post(self, version: str, path: str, body: bytes, *, record_id: str, system: str | None) -> Posted:
        """Create an entity.

        Args:
            version: `v1.1` or `v1.0`.
            path: Set to create it in.
            body: JSON.
            record_id: Its `dt-id`: repeated, it makes nothing more.
            system: On whose behalf; None for the bridge's own.
        """
        ...

    def get(self, version: str, path: str, query: Mapping[str, str], *, system: str | None) -> Any:  # noqa: ANN401 - JSON
        """Read; None where nothing is there, as far as the system sees.

        Args:
            version: `v1.1` or `v1.0`.
            path: What to read.
            query: Options.
            system: Whose eyes; None for the bridge's own.

        Raises:
            SensorThingsError: The service refuses the request.
        """
        ...

    def changes(self, reader: str, after: str | None, *, wait_s: float, limit: int) -> Changes:
        """Read what was created and changed, and say that everything up to `after` is done.

        Args:
            reader: Name under which the service remembers the place.
            after: Cursor of the last part; None to go on where the service remembers.
            wait_s: Longest wait for a change [s].
            limit: About how many entities.
        """
        ...

    def forget(self, reader: str) -> None:
        """Stop following changes."""
        ...

    def owner(self, stream: int) -> str | None:
        """Name the system that a Datastream or MultiDatastream belongs to; None where there is none."""
        ...


class HttpService:
    """A SensorThings service over HTTP, with connections that are kept; a `Service`.

    Args:
        address: Address, with or without a version.
        token: Token of the bridge; None for none.
        acts: Whether the token is an admin's, which acts on behalf of systems; at a site it is a client's.
        http: A client to use instead of an own one.

    Raises:
        ConfigurationError: The address is none.
    """

    def __init__(
        self, address: str, token: str | None, *, acts: bool = True, http: httpx2.Client | None = None
    ) -> None:
        self._acts = acts
        self._base = parse_addresses(address)[0].rsplit("/v1.", 1)[0].rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = http or httpx2.Client(
            timeout=_TIMEOUT_S,
            limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
        )
        self._roots: dict[str, str] = {}

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def root(self, version: str) -> str:
        """Give the address of a version as the service writes it; see `Service`."""
        if version not in self._roots:
            sets = self._json("GET", f"/{version}")["value"]
            self._roots[version] = str(sets[0]["url"]).rpartition("/")[0]
        return self._roots[version]

    def post(self, version: str, path: str, body: bytes, *, record_id: str, system: str | None) -> Posted:
        """Create an entity; see `Service`."""
        headers = {"Content-Type": "application/json", HEADER_ID: record_id, **self._acting(system)}
        answer = self._send("POST", f"/{version}/{path}", content=body, headers=headers)
        return Posted(answer.status_code, answer.headers.get("location"), _problem(answer))

    def get(self, version: str, path: str, query: Mapping[str, str], *, system: str | None) -> Any:  # noqa: ANN401 - JSON
        """Read; see `Service`."""
        answer = self._send(
            "GET", f"/{version}/{quote(path, safe='/()')}", params=dict(query), headers=self._acting(system)
        )
        if answer.status_code in (204, _NOT_FOUND):
            return None
        if answer.status_code != _OK:
            raise SensorThingsError(f"GET {path} is refused: {_problem(answer).get('detail')}")
        return json.loads(answer.content)

    def changes(self, reader: str, after: str | None, *, wait_s: float, limit: int) -> Changes:
        """Read what was created and changed; see `Service`."""
        place = {} if after is None else {"after": after}
        found = self._json(
            "GET", _reader(reader), params={"wait_s": str(wait_s), "limit": str(limit), **place}
        )
        changes = tuple(_change(one) for one in found["changes"])
        return Changes(str(found["cursor"]), bool(found["is_new"]), changes)

    def forget(self, reader: str) -> None:
        """Stop following changes; see `Service`."""
        self._send("DELETE", _reader(reader))

    def owner(self, stream: int) -> str | None:
        """Name the system that a Datastream belongs to; see `Service`."""
        system = self._json("GET", f"/changes/v1/owners/{stream}")["system"]
        return None if system is None else str(system)

    def principals(self) -> Mapping[str, bool]:
        """Give all principals by name, and whether they may use any system; for an admin's token.

        Raises:
            UnavailableError: The service does not answer, or not to us.
            SensorThingsError: It is another service.
        """
        found = self._json("GET", "/access/v1/principals")
        try:
            return {str(one["name"]): bool(one["grants"]) for one in found["principals"]}
        except (KeyError, TypeError) as error:
            raise SensorThingsError(f"{self._base} does not list principals as our service does") from error

    def _acting(self, system: str | None) -> dict[str, str]:
        return {ACT_AS: quote(system, safe="")} if self._acts and system is not None else {}

    def _json(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON
        answer = self._send(method, path, **more)
        if answer.status_code != _OK:
            raise UnavailableError(
                f"{self._base}{path} answers {answer.status_code}: {_problem(answer).get('detail')}. "
                "Check that it is our SensorThings service, and the token"
            )
        return json.loads(answer.content)

    def _send(self, method: str, path: str, **more: Any) -> httpx2.Response:  # noqa: ANN401 - of httpx2
        headers = {**self._headers, **more.pop("headers", {})}
        try:
            answer = self._http.request(method, f"{self._base}{path}", headers=headers, **more)
        except httpx2.HTTPError as error:
            raise UnavailableError(
                f"the SensorThings service at {self._base} does not answer: {error}"
            ) from error
        if answer.status_code >= _SERVER_ERROR or answer.status_code in _TRY_AGAIN:
            detail = _problem(answer).get("detail", "")
            raise UnavailableError(f"{self._base}{path} answers {answer.status_code}: {detail}")
        return answer


def _change(document: Mapping[str, Any]) -> Change:
    properties = document.get("properties")
    return Change(
        str(document["set"]), tuple(document["ids"]), None if properties is None else tuple(properties)
    )


def _reader(name: str) -> str:
    return f"/changes/v1/readers/{quote(name, safe='')}"


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    if answer.status_code < _ERROR:
        return {}
    try:
        document = json.loads(answer.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return {"code": f"http.{answer.status_code}", "detail": answer.text[:_SHOWN_CHARACTERS]}
    return document
