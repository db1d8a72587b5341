"""What goes in and out of the service: a request and an answer, without any framework.

What lives here: plain data, so that a request inside a batch is the same as one from the wire. What does not:
ASGI (`sensorthings.http.endpoint`), what a request means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sensorthings.access.principals import Principal

JSON: Final = "application/json"
VERSIONS: Final = ("v1.1", "v1.0")
"""Versions served, from the same data."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        method: In capitals.
        path: Below the version, decoded, without a leading slash.
        query: Query part, still percent-encoded.
        headers: By lower-case name.
        body: As it was sent.
        root: Address of the version as the client sees it, such as `http://host/v1.1`.
        version: As in the address.
        principal: Who asks.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    root: str
    version: str
    principal: Principal

    @property
    def media_type(self) -> str:
        """The type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def part(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> "Request":
        """Give a request of the same principal to the same address: one inside a batch."""
        return replace(self, method=method, path=path, query=query, headers=headers, body=body)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        status: HTTP status.
        body: As it is sent.
        media_type: Type of the body.
        headers: Further headers.
    """

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
