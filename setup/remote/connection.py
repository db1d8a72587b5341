"""Requests to the API of a platform: tokens, pages of lists, problems, repeating what got no answer.

What lives here: one connection. What does not: which operations there are (``operations``), whom it acts for
(``configuration``).

Source: RFC 9110 for methods and statuses, RFC 6750 clause 2.1 for the token, RFC 9457 for problems.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import httpx2

from setup.remote.configuration import Configuration
from setup.remote.errors import LoggedOutError, PlatformUnreachableError, ProblemError
from setup.remote.profiles import Profile, ProfileFile

Body = dict[str, Any]

API: Final = "/api/v1"
TIMEOUT_S: Final = 60.0
PAGE_SIZE: Final = 1000
EARLY_S: Final = 30.0  # a token that ends while a request is on its way would be refused
_TRIES: Final = 3
_PAUSE_S: Final = 0.2
_UNAUTHORIZED: Final = 401
_FIRST_ERROR: Final = 400
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: In upper case.
        path: Below the API's base; names are already quoted.
        query: Parameters.
        body: What is sent as JSON; None for nothing.
        content: What is sent as it is, instead.
        is_repeatable: Whether the same key makes a repeat harmless (`Idempotency-Key`).
    """

    method: str
    path: str
    query: Mapping[str, Any] | None = None
    body: Body | None = None
    content: bytes | None = None
    is_repeatable: bool = False


class Connection:
    """A platform, as one person or program sees it."""

    def __init__(
        self, configuration: Configuration, profiles: ProfileFile, http: httpx2.Client | None = None
    ) -> None:
        self.url = configuration.url.text
        self._name = configuration.profile.text
        self._token = configuration.token.text
        self._stored = configuration.stored
        self._profiles = profiles
        is_local = urlsplit(self.url).hostname in _LOOPBACK  # a proxy would look for it on its own machine
        self._http = http or httpx2.Client(timeout=TIMEOUT_S, trust_env=not is_local)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, request: Request) -> httpx2.Response:
        """Send a request as the person, and return the answer.

        Raises:
            LoggedOutError: nobody is logged in.
            PlatformUnreachableError: there is no answer.
            ProblemError: it was refused.
        """
        headers = self._headers(request) | {"Authorization": f"Bearer {self._current_token()}"}
        return self._checked(self._send(request, headers))

    def ask_openly(self, request: Request) -> httpx2.Response:
        """Send a request as nobody: a log-in.

        Raises:
            PlatformUnreachableError: there is no answer.
            ProblemError: it was refused.
        """
        return self._checked(self._send(request, self._headers(request)))

    def json(self, request: Request) -> Any:  # noqa: ANN401 - whatever the operation answers
        """Send a request as the person, and return what is in the answer; None when it is empty.

        Raises:
            RemoteError: as `ask` does.
        """
        answer = self.ask(request)
        return answer.json() if answer.content else None

    def items(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        limit: int = 0,
        *,
        older: str = "page_token",
    ) -> Iterator[Body]:
        """Give the items of a list, page after page.

        Args:
            path: Below the API's base.
            query: Parameters besides the place in the list.
            limit: The most that are wanted; 0 for all.
            older: Parameter by which the list goes on.

        Raises:
            RemoteError: as `ask` does.
        """
        asked = dict(query or {})
        if older == "page_token":
            asked["page_size"] = min(limit or PAGE_SIZE, PAGE_SIZE)
        given = 0
        while True:
            page = self.json(Request("GET", path, asked))
            for item in page["items"]:
                yield item
                given += 1
                if given == limit:
                    return
            if not page.get("next_page_token"):
                return
            asked[older] = page["next_page_token"]

    @contextlib.contextmanager
    def stream(self, request: Request, after: str = "") -> Iterator[httpx2.Response]:
        """Give an answer that goes on as long as the block.

        Args:
            request: A GET of events.
            after: Id of the last event that is known; empty for none.

        Raises:
            RemoteError: as `ask` does.
        """
        headers = {"Authorization": f"Bearer {self._current_token()}", "Accept": "text/event-stream"}
        if after:
            headers["Last-Event-ID"] = after
        forever = httpx2.Timeout(TIMEOUT_S, read=None)
        try:
            with self._http.stream(
                request.method, self._address(request), params=request.query, headers=headers, timeout=forever
            ) as answer:
                if answer.status_code >= _FIRST_ERROR:
                    answer.read()
                yield self._checked(answer)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _current_token(self) -> str:
        if not self._token:
            raise LoggedOutError(f"Nobody is logged in at {self.url}.\n  What to do: dtwin login {self.url}")
        stored = self._stored
        if stored is not None and stored.refresh_token and stored.expires_at - EARLY_S < time.time():
            self._renew(stored)
        return self._token

    def _renew(self, stored: Profile) -> None:
        """Get the next tokens; a refresh token counts once, so commands renew one after the other."""
        with self._profiles.lock():
            fresh = self._profiles.read().known.get(self._name, stored)
            if fresh.expires_at - EARLY_S < time.time():
                body = {"refresh_token": fresh.refresh_token}
                try:
                    answer = self.ask_openly(Request("POST", "/tokens/refresh", body=body)).json()
                except ProblemError as error:
                    if error.status != _UNAUTHORIZED:
                        raise
                    raise LoggedOutError(
                        f"The log-in at {self.url} has ended.\n  What to do: dtwin login {self.url}"
                    ) from error
                fresh = with_tokens(fresh, answer)
                self._profiles.replace(self._name, fresh)
        self._stored, self._token = fresh, fresh.token

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {"Accept": "application/json, application/problem+json;q=0.9, */*;q=0.5"}
        if request.is_repeatable:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if request.body is not None or request.content is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def _send(self, request: Request, headers: Mapping[str, str]) -> httpx2.Response:
        content = request.content if request.body is None else json.dumps(request.body).encode()
        tries = _TRIES if request.is_repeatable or request.method == "GET" else 1
        for left in reversed(range(tries)):
            try:
                return self._http.request(
                    request.method,
                    self._address(request),
                    params=request.query,
                    content=content,
                    headers=dict(headers),
                )
            except httpx2.TransportError as error:
                if not left:
                    raise self._unreachable(error) from error
                time.sleep(_PAUSE_S)
        raise AssertionError("unreachable")  # pragma: no cover

    def _address(self, request: Request) -> str:
        return f"{self.url}{API}{request.path}"

    def _unreachable(self, error: httpx2.TransportError) -> PlatformUnreachableError:
        return PlatformUnreachableError(
            f"No platform answers at {self.url}: {str(error) or type(error).__name__}.\n"
            "  What to do: dtwin config show --origin tells where the address comes from; dtwin up starts a "
            "platform on this machine."
        )

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code < _FIRST_ERROR:
            return answer
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        raise ProblemError(answer.status_code, problem if isinstance(problem, dict) else {}, self.url)


def with_tokens(profile: Profile, answer: Mapping[str, Any]) -> Profile:
    """Return a profile with the tokens of an answer."""
    return replace(
        profile,
        token=answer["access_token"],
        refresh_token=answer["refresh_token"],
        expires_at=round(time.time() + answer["expires_in"], 1),
    )


def quoted(name: object) -> str:
    """Return a name as one segment of a path."""
    return quote(str(name), safe="")
