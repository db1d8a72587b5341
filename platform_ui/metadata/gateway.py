"""The one way from the pages to the SensorThings service, in the name of one person.

What lives here: which paths may be asked for, which headers are sent, limits of size and time, what is passed
back. What does not: what a person may see or change: the service decides that by the name that is sent along.
The explorer only reads; asset pages also write (``write``), after the platform has checked the person's part.

How it works: the answer goes on as it came, RFC 9457 problems included. Links in it keep the service's own
address, because that is what people copy into their programs; the pages follow them through this gateway.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import Final
from urllib.parse import quote

import httpx2

from platform_ui.errors import MetadataError, NotFoundError, PlatformError
from platform_ui.metadata.description import is_readable
from platform_ui.outgoing import trusted
from platform_ui.settings import PlatformSettings

VERSION: Final = "v1.1"
BATCH: Final = "$batch"
TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 3.0
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_QUERY_CHARACTERS: Final = 16_384
MAX_AT_ONCE: Final = 20
_PASSED_TYPES: Final = frozenset(
    {"application/json", "application/geo+json", "application/problem+json", "text/plain", "text/csv"}
)
# Characters of OData paths that need no escape in a path; RFC 3986, clause 3.3 "Path".
_PATH_SAFE: Final = "/()'$@,:;=[]"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said, as far as it is passed on."""

    status: int
    body: bytes
    media_type: str


class AnswerTooLargeError(PlatformError):
    """The service's answer is larger than a page can use."""

    default_code = "metadata.too_large"


class Gateway:
    """Reads from the SensorThings service, and writes to it, for people who are logged in."""

    def __init__(self, settings: PlatformSettings, *, client: httpx2.AsyncClient | None = None) -> None:
        self._root = f"{settings.sensorthings_url}/{VERSION}"
        self._settings = settings
        self._client = client or httpx2.AsyncClient(
            verify=trusted(),
            timeout=httpx2.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx2.Limits(max_connections=MAX_AT_ONCE),
            follow_redirects=False,
        )

    @property
    def root(self) -> str:
        """The service's own address with its version, for people's programs."""
        return self._root

    async def read(self, path: str, query: str, person: str) -> Answer:
        """Ask the service.

        Args:
            path: Percent-decoded path below the version, without a leading slash.
            query: The query as the browser sent it, still encoded.
            person: Who asks: the name of their principal.

        Raises:
            NotFoundError: The path is none that can be read here.
            AnswerTooLargeError: The answer is larger than ``MAX_ANSWER_BYTES``.
            MetadataError: The service does not answer in time, or answers with something else than data.
        """
        if not is_readable(path) or len(query) > MAX_QUERY_CHARACTERS:
            raise NotFoundError(
                f"Nothing can be read at {path[:80]!r} here.",
                code="metadata.not_readable",
                hint="Begin with an entity set, for instance Things.",
            )
        url = f"{self._root}/{quote(path, safe=_PATH_SAFE)}".rstrip("/") + (f"?{query}" if query else "")
        return await self._send(HTTPMethod.GET, url, person)

    async def write(
        self, method: HTTPMethod, path: str, person: str, body: Mapping[str, object] | None = None
    ) -> Answer:
        """Ask the service for a change.

        Args:
            method: POST, PATCH or DELETE.
            path: Percent-decoded path below the version, or ``BATCH``.
            person: Who changes: the name of their principal.
            body: What is sent, as JSON; nothing for DELETE.

        Raises:
            NotFoundError: The path is none that can be changed here.
            AnswerTooLargeError: The answer is larger than ``MAX_ANSWER_BYTES``.
            MetadataError: The service does not answer in time, or answers with something else than data.
        """
        if path != BATCH and (not path or not is_readable(path)):
            raise NotFoundError(f"Nothing can be changed at {path[:80]!r}.", code="metadata.not_readable")
        return await self._send(method, f"{self._root}/{quote(path, safe=_PATH_SAFE)}", person, body)

    async def _send(
        self, method: HTTPMethod, url: str, person: str, body: Mapping[str, object] | None = None
    ) -> Answer:
        try:
            return await self._ask(method, url, person, body)
        except httpx2.TimeoutException as error:
            raise MetadataError(
                "The SensorThings service did not answer in time.",
                code="metadata.too_slow",
                hint="Ask for less: a narrower $filter, a smaller $top, fewer expands.",
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise MetadataError(
                "The SensorThings service does not answer.",
                code="metadata.unavailable",
                hint="Try again in a moment; dtwin status says what runs.",
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(
        self, method: HTTPMethod, url: str, person: str, sent: Mapping[str, object] | None
    ) -> Answer:
        asked = self._client.stream(method.value, url, headers=self._headers(person), json=sent)
        async with asked as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise AnswerTooLargeError(
                        f"The answer is larger than {MAX_ANSWER_BYTES // 1024**2} MiB.",
                        hint="Ask for less: a smaller $top, a $select, fewer expands.",
                    )
        if response.is_redirect:
            raise MetadataError(f"The SensorThings service answers {response.status_code}, not with data.")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in _PASSED_TYPES:
            media_type = "application/octet-stream"
        _check_known(response.status_code)
        return Answer(response.status_code, bytes(body), media_type)

    def _headers(self, person: str) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        token = self._settings.sensorthings_token
        if token:
            headers |= {"Authorization": f"Bearer {token}", "DTWIN-Act-As": quote(person, safe="@")}
        return headers


class RehearsedGateway:
    """The way to the service for a request that is only tried: it is read, and takes nothing."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def root(self) -> str:
        """The service's own address with its version."""
        return self._gateway.root

    async def read(self, path: str, query: str, person: str) -> Answer:
        """Ask the service; see ``Gateway``."""
        return await self._gateway.read(path, query, person)

    async def write(
        self, method: HTTPMethod, path: str, person: str, body: Mapping[str, object] | None = None
    ) -> Answer:
        """Change nothing, and answer as if nothing had to be."""
        del method, path, person, body
        return Answer(HTTPStatus.OK, b"{}", "application/json")


def _check_known(status: int) -> None:
    """Refuse answers that are about the platform itself: its own log-in is nothing that a person can mend."""
    if status == HTTPStatus.UNAUTHORIZED:
        raise MetadataError(
            "The SensorThings service does not know the platform.",
            code="metadata.not_known",
            hint="Set DTWIN_SENSORTHINGS__TOKEN of the platform to the service's admin token.",
        )
    # What may not be seen is not found: reading is forbidden only while a person has no rights there yet.
    if status == HTTPStatus.FORBIDDEN:
        raise MetadataError(
            "The SensorThings service does not know you yet.",
            code="metadata.not_known_yet",
            hint="Your rights are on their way there; try again in a moment.",
        )
