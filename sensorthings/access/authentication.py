"""Finding out who sends a request.

What lives here: the order of proofs (token, certificate, none), acting for somebody else, and the short
memory that spares a look-up for each request. What does not: tokens and certificates themselves
(`sensorthings.access.tokens`, `certificates`), and what is kept of them (`lookup`).

A token or certificate that does not count is always refused, also where anonymous access is open: whoever
shows one expects to be somebody.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from sensorthings.access.certificates import (
    CLIENT_CERT_HEADER,
    Authority,
    Network,
    certificate_in_header,
    certified_name,
    is_within,
)
from sensorthings.access.lookup import principal_by_certificate, principal_by_digest, principal_by_name
from sensorthings.access.principals import ANY_READER, ANYONE, Principal
from sensorthings.access.tokens import (
    NotProvenError,
    bearer_token,
    digest_of,
    is_same,
    unknown_token,
)
from sensorthings.database import Database
from sensorthings.errors import ForbiddenError

ACT_AS_HEADER = "dtwin-act-as"
"""Header by which an admin's request has somebody else's rights only: that one's name, percent-encoded."""
ADMIN_NAME = "platform"
"""Name of the principal whose token is a setting of the service."""
_MAX_REMEMBERED = 10_000
_Key = bytes | str | tuple[str, str]
_BY_SETTING = {"none": None, "read": ANY_READER, "write": ANYONE}


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of the connection.

    Attributes:
        host: Its address; None when unknown.
        certificate: Its certificate (DER), checked by this service's own TLS; None when it has shown none.
    """

    host: str | None = None
    certificate: bytes | None = None


def peer_of(scope: Mapping[str, Any]) -> Peer:
    """Take the other end of a connection out of an ASGI scope (certificate: `sensorthings.http.tls`)."""
    client = scope.get("client")
    certificate = scope.get("extensions", {}).get("tls", {}).get("client_certificate")
    return Peer(client[0] if client else None, certificate)


class Gate:
    """Finds out who sends a request.

    Args:
        database: Where principals are kept.
        anonymous: What a request without any proof may do: `none`, `read` or `write`.
        admin_digest: Digest of the token that makes an admin by a setting; None for none.
        memory_s: How long a found principal is remembered [s]; a revoked token counts that long at most.
        authority: Who signs the client certificates that proxies pass on; None when they do not count.
        proxies: Addresses of the proxies that are believed.
        clock: Monotonic time [s].
    """

    def __init__(
        self,
        database: Database,
        *,
        anonymous: str = "none",
        admin_digest: bytes | None = None,
        memory_s: float = 1.0,
        authority: Authority | None = None,
        proxies: tuple[Network, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._anonymous = _BY_SETTING[anonymous]
        self._admin_digest = admin_digest
        self._memory_s = memory_s
        self._authority = authority
        self._proxies = proxies
        self._clock = clock
        self._known: dict[_Key, tuple[float, Principal]] = {}

    def forget(self) -> None:
        """Look everybody up again: called when rights were changed through this process."""
        self._known.clear()

    async def authenticate(self, headers: Mapping[str, str], scope: Mapping[str, Any]) -> Principal:
        """Find out who sends a request.

        Args:
            headers: The request's headers, names in lower case.
            scope: The connection, as ASGI describes it.

        Raises:
            NotProvenError: Nobody that is known here (401).
            ForbiddenError: Acting for somebody else is not allowed, or that one is unknown (403).
        """
        principal = await self._proven(headers, peer_of(scope))
        name = headers.get(ACT_AS_HEADER)
        return principal if name is None else await self._acting(principal, unquote(name))

    async def _proven(self, headers: Mapping[str, str], peer: Peer) -> Principal:
        authorization = headers.get("authorization")
        if authorization is not None:
            return await self._by_token(bearer_token(authorization))
        name = self._certified_name(headers, peer)
        if name is not None:
            return await self._by_certificate(name)
        if self._anonymous is None:
            raise NotProvenError("access.anonymous", "This service answers only to those it knows.")
        return self._anonymous

    async def _by_token(self, token: str) -> Principal:
        digest = digest_of(token)
        if self._admin_digest is not None and is_same(digest, self._admin_digest):
            return Principal(ADMIN_NAME, is_admin=True)
        principal = self._remembered(digest)
        if principal is None:
            async with self._database.reading() as session:
                principal = await principal_by_digest(session, digest)
            if principal is None:
                raise unknown_token()
            self._remember(digest, principal)
        return principal

    async def _by_certificate(self, name: str) -> Principal:
        # Somebody may have one's name without one's certificates: these are remembered apart.
        key = ("certificate", name)
        principal = self._remembered(key)
        if principal is None:
            async with self._database.reading() as session:
                principal = await principal_by_certificate(session, name)
            if principal is None:
                raise NotProvenError(
                    "access.certificate", "Nobody is registered here by the client certificate's name."
                )
            self._remember(key, principal)
        return principal

    async def _acting(self, principal: Principal, name: str) -> Principal:
        if not principal.is_admin or principal is ANYONE:
            raise ForbiddenError("Only an admin may act for somebody else.", f"Leave {ACT_AS_HEADER} out.")
        other = await self._named(name)
        if other is None:
            raise ForbiddenError(
                "There is no principal of the name that the request acts for.",
                "Register it: PUT /access/v1/principals/{name}.",
            )
        return other

    async def _named(self, name: str) -> Principal | None:
        principal = self._remembered(name)
        if principal is None:
            async with self._database.reading() as session:
                principal = await principal_by_name(session, name)
            if principal is not None:
                self._remember(name, principal)
        return principal

    def _certified_name(self, headers: Mapping[str, str], peer: Peer) -> str | None:
        if peer.certificate is not None:
            return certified_name(peer.certificate)
        value = headers.get(CLIENT_CERT_HEADER)
        if value is None or self._authority is None or not is_within(peer.host, self._proxies):
            # From anybody else the header proves nothing: RFC 9440, clause 4.
            return None
        return self._authority.check(certificate_in_header(value), datetime.now(tz=UTC))

    def _remembered(self, key: _Key) -> Principal | None:
        known = self._known.get(key)
        return known[1] if known is not None and self._clock() < known[0] else None

    def _remember(self, key: _Key, principal: Principal) -> None:
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[key] = (self._clock() + self._memory_s, principal)
