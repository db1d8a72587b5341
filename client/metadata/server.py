"""The SensorThings service over HTTP, and the port it implements.

What lives here: `MetadataServer` (the port) and `SensorThingsServer` (httpx2, retries by tenacity). What does
not: JSON of entities (`wire`), which entities to send (`catalogue`).
Source: OGC 18-088, clauses 9 (requesting data) and 10 (create, update, delete).
"""

import copy
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import httpx2
from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from client.errors import (
    AccessRefusedError,
    ConfigurationError,
    DigitalTwinError,
    EntityNotFoundError,
    EntityRejectedError,
    SensorThingsError,
    UnavailableError,
)
from client.metadata.entities import Entity
from client.metadata.token import TOKEN_VARIABLE, checked_token
from client.metadata.wire import (
    DATASTREAM_EXPANSION,
    DATASTREAMS,
    LOCATIONS,
    NEXT_LINK,
    JsonObject,
    differences,
    entity_id,
    entity_set,
    expansion,
    id_in_link,
    move_of,
    to_wire,
)

_log = logging.getLogger(__name__)

DEFAULT_PATH: Final = "/v1.1"
_SHOWN_CHARACTERS: Final = 300
_TOO_MANY_REQUESTS: Final = 429
_REQUEST_TIMEOUT: Final = 408
_NOT_FOUND: Final = 404
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500
_Answer = TypeVar("_Answer")
_EntityT = TypeVar("_EntityT", bound=Entity)


class MetadataServer(Protocol):
    """What the client needs from a SensorThings service; thread-safe."""

    def check(self) -> None:
        """Make sure that the service answers.

        Raises:
            UnavailableError: when it does not.
        """
        ...

    def upsert(self, entity: _EntityT) -> _EntityT:
        """Create an entity, or change the one of that name where it differs; returns it with its id.

        Raises:
            SensorThingsError: its children say why.
        """
        ...

    def datastream(self, name: str, *, patient: bool = True) -> JsonObject | None:
        """Look a Datastream up by its full name, with its Thing, Sensor, ObservedProperty; None if missing.

        Args:
            name: Full name.
            patient: Whether to try again while the service is unavailable.

        Raises:
            SensorThingsError: its children say why.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class SensorThingsServer:
    """A SensorThings service by HTTP; several addresses are tried in order while one is unavailable.

    Args:
        base_url: `host:port` or an http(s) URL, several separated by commas; the path is /v1.1 when none is
            given.
        timeout_s: Longest wait for one answer [s].
        retry_s: How long a request is repeated while the service is unavailable [s].
        impatient_timeout_s: Longest wait for one answer where the caller may not be held up [s].
        token: By which the service knows the client; sent to these addresses only. None for none.
        http: A client to use instead of an own one, for example with other TLS settings.

    Raises:
        ConfigurationError: when an address is not of that form.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = 10.0,
        retry_s: float = 30.0,
        impatient_timeout_s: float = 2.0,
        token: str | None = None,
        http: httpx2.Client | None = None,
    ) -> None:
        self.base_urls = parse_addresses(base_url)
        token = checked_token(token, "sensorthings_token")
        self._authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._preferred = 0
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._impatient_timeout_s = impatient_timeout_s
        self.sleep: Callable[[float], None] = time.sleep  # tests need not wait
        self._http = http or httpx2.Client(timeout=timeout_s, follow_redirects=True)

    def check(self) -> None:
        """Make sure that the service answers; see the port."""
        document = self._patiently(lambda: self._json("GET", ""))
        if not isinstance(document.get("value"), list):
            raise SensorThingsError(
                f"{self._url('')} answers, but not as SensorThings 1.1 does. Check gost_servers and its path"
            )

    def upsert(self, entity: _EntityT) -> _EntityT:
        """Create an entity or change what differs; see the port.

        A POST whose answer was lost is not simply repeated: the name is looked up again first, so that
        nothing is made twice.
        """
        return self._patiently(lambda: self._upsert_once(entity))

    def _upsert_once(self, entity: _EntityT) -> _EntityT:
        entities, body = entity_set(entity), to_wire(entity)
        present = self._find(entities, entity.name, expansion(entity))
        if present is None:
            return replace(entity, iot_id=self._create(entities, body))
        iot_id = entity_id(present)
        if iot_id is None:
            raise SensorThingsError(f"{self._url(entities)} has an entity {entity.name!r} without an id")
        changes, move = move_of(differences(body, present))
        address = f"{entities}({_key(iot_id)})"
        if changes:
            self._request("PATCH", address, changes)
        if move is not None:
            self._request("POST", f"{address}/{LOCATIONS}", move)
        return replace(entity, iot_id=iot_id)

    def _create(self, entities: str, body: JsonObject) -> int | str:
        answer = self._request("POST", entities, body)
        iot_id = id_in_link(answer.headers.get("Location", "")) if "Location" in answer.headers else None
        if iot_id is None and answer.content:
            iot_id = entity_id(_document(answer))
        if iot_id is None:
            created = self._find(entities, str(body["name"]), None)
            iot_id = None if created is None else entity_id(created)
        if iot_id is None:
            raise SensorThingsError(
                f"{self._url(entities)} accepted {body['name']!r}, but does not say its id"
            )
        return iot_id

    def datastream(self, name: str, *, patient: bool = True) -> JsonObject | None:
        """Look a Datastream up by its full name; see the port."""
        if patient:
            return self._patiently(lambda: self._find(DATASTREAMS, name, DATASTREAM_EXPANSION))
        return self._hurried().datastream(name)

    def search(
        self, entities: str, condition: str, *, select: Sequence[str], expand: str | None = None
    ) -> list[JsonObject]:
        """List the entities of a set for which a condition holds, by id, however many pages that takes.

        Args:
            entities: Entity set, for example `Datastreams`.
            condition: What stands in `$filter`. A service that ignores it answers with more.
            select: Attributes that are needed, for example `("id", "name")`.
            expand: What stands in `$expand`, for example `Thing($expand=Locations)`; None for nothing.

        Raises:
            SensorThingsError: its children say why.

        Source: OGC 18-088, clause 9.3.3 "System Query Options".
        """
        query = f"?$filter={quote(condition, safe='')}&$select={','.join(select)}&$orderby=id&$top=1000"
        if expand is not None:
            query += f"&$expand={expand}"
        return self._patiently(lambda: list(self._pages(entities + query)))

    def document(self, path: str) -> JsonObject:
        """Get a document, patiently.

        Args:
            path: Below the address of the service, with its query.

        Raises:
            SensorThingsError: its children say why.
        """
        return self._patiently(lambda: self._json("GET", path))

    def acting_as(self, principal: str) -> "SensorThingsServer":
        """Give the same service, asked for somebody else, with that one's rights only; admins may do so.

        Without a token it is the service as it is: there are no rights to change.

        Args:
            principal: Name of the one.
        """
        acting = copy.copy(self)
        if self._authorization:
            acting._authorization = self._authorization | {"DTWIN-Act-As": quote(principal, safe="@")}  # noqa: SLF001 - its own class
        return acting

    def _hurried(self) -> "SensorThingsServer":
        hurried = copy.copy(self)
        hurried._timeout_s, hurried._retry_s = self._impatient_timeout_s, 0.0  # noqa: SLF001 - its own class
        return hurried

    def _find(self, entities: str, name: str, expand: str | None) -> JsonObject | None:
        literal = name.replace("'", "''")
        condition = quote(f"name eq '{literal}'", safe="")
        query = f"?$filter={condition}&$orderby=id&$top=100"
        if expand is not None:
            query += f"&$expand={expand}"
        # A service that ignores $filter answers with everything; the lowest id wins, whoever asks.
        return next((found for found in self._pages(entities + query) if found.get("name") == name), None)

    def _pages(self, path: str) -> Iterator[JsonObject]:
        seen: set[str] = set()
        link: str | None = path
        while link is not None:
            if link in seen:
                raise SensorThingsError(f"{self._url(path)} pages in a circle: {link} comes twice")
            seen.add(link)
            page = self._json("GET", link)
            members = page.get("value")
            if not isinstance(members, list):
                raise SensorThingsError(
                    f"{self._url(link)} answers without a list of entities. Check gost_servers"
                )
            yield from (member for member in members if isinstance(member, dict))
            following = page.get(NEXT_LINK)
            link = following if isinstance(following, str) else None

    def _json(self, method: str, path: str) -> JsonObject:
        return _document(self._request(method, path, None))

    def _request(self, method: str, path: str, body: Mapping[str, object] | None) -> httpx2.Response:
        """Ask the address that answered last; what changes nothing is asked at the others, too."""
        others = len(self.base_urls) - 1 if method == "GET" and not _is_absolute(path) else 0
        while True:
            try:
                return self._request_once(method, self._url(path), body)
            except UnavailableError:
                self._preferred = (self._preferred + 1) % len(self.base_urls)
                if others == 0:
                    raise
                others -= 1

    def _request_once(self, method: str, url: str, body: Mapping[str, object] | None) -> httpx2.Response:
        try:
            answer = self._http.request(
                method, url, json=body, timeout=self._timeout_s, headers=self._headers(url)
            )
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
            raise UnavailableError(
                f"SensorThings does not answer at {url}: {reason}. "
                "Check gost_servers, or start the local stack with: dtwin up"
            ) from error
        except httpx2.HTTPError as error:
            raise SensorThingsError(f"{method} {url} failed: {error}") from error
        if answer.status_code >= _BAD_REQUEST:
            raise _refusal(method, url, answer)
        return answer

    def _headers(self, url: str) -> Mapping[str, str]:
        # A link to the next page may lead anywhere; the token goes to nobody else.
        is_ours = any(_origin(url) == _origin(base) for base in self.base_urls)
        return self._authorization if is_ours else {}

    def _url(self, path: str) -> str:
        if _is_absolute(path):
            return path
        base = self.base_urls[self._preferred]
        return f"{base}/{path}" if path else base

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        retrying = Retrying(
            sleep=self.sleep,
            stop=stop_after_delay(self._retry_s),
            wait=wait_exponential(multiplier=0.2, max=5) + wait_random(0, 0.2),
            retry=retry_if_exception(lambda error: isinstance(error, DigitalTwinError) and error.retriable),
            before_sleep=before_sleep_log(_log, logging.INFO),
            reraise=True,
        )
        return retrying(ask)

    def close(self) -> None:
        """Close the connections; see the port."""
        self._http.close()


def parse_addresses(text: str) -> tuple[str, ...]:
    """Read `gost_servers`: `host:port` or http(s) URLs, separated by commas; the path is /v1.1 by default.

    Raises:
        ConfigurationError: when an address is not of that form.
    """
    addresses = [_address(part.strip()) for part in text.split(",") if part.strip()]
    if not addresses:
        raise ConfigurationError(
            "gost_servers is empty. Pass host:port, for example localhost:8084", setting="gost_servers"
        )
    return tuple(addresses)


def _address(text: str) -> str:
    url = text if "://" in text else f"http://{text}"
    parts = urlsplit(url)
    try:
        is_complete = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if not is_complete or parts.query or parts.fragment or any(character.isspace() for character in text):
        raise ConfigurationError(
            f"gost_servers {text!r} is not host:port or an http(s) URL, for example localhost:8084 "
            "or https://sensors.example.com/v1.1",
            setting="gost_servers",
        )
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or DEFAULT_PATH}"


def _is_absolute(path: str) -> bool:
    return path.startswith(("http://", "https://"))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _key(iot_id: int | str) -> str:
    if isinstance(iot_id, int):
        return str(iot_id)
    return quote("'" + iot_id.replace("'", "''") + "'")


def _document(answer: httpx2.Response) -> JsonObject:
    try:
        document = answer.json()
    except ValueError as error:
        raise SensorThingsError(
            f"{answer.request.url} answers with something that is not JSON. Check gost_servers and its path"
        ) from error
    if not isinstance(document, dict):
        raise SensorThingsError(
            f"{answer.request.url} answers with a JSON {type(document).__name__}, not an object"
        )
    return document


def _refusal(method: str, url: str, answer: httpx2.Response) -> SensorThingsError:
    status = answer.status_code
    said = answer.text[:_SHOWN_CHARACTERS].strip() or answer.reason_phrase
    if status >= _SERVER_ERROR or status in {_TOO_MANY_REQUESTS, _REQUEST_TIMEOUT}:
        return UnavailableError(
            f"{method} {url} answers {status}: {said}. Try again later, or look at its log"
        )
    if status == _NOT_FOUND:
        return EntityNotFoundError(f"{method} {url} answers 404: {said}. Check gost_servers and its path")
    if status == _UNAUTHORIZED:
        return AccessRefusedError(
            f"{method} {url} answers 401: SensorThings does not know this client. Pass sensorthings_token, "
            f"or set {TOKEN_VARIABLE} (or ..._FILE): the client's page in the platform makes tokens",
            status=status,
        )
    if status == _FORBIDDEN:
        return AccessRefusedError(
            f"{method} {url} answers 403: {said}. Check that the token belongs to a client of this system",
            status=status,
        )
    return EntityRejectedError(f"{method} {url} answers {status}: {said}", status=status)
