"""Tokens: random secrets that a client shows, of which the service keeps only a digest.

What lives here: making a token, its digest, reading it from a header. What does not: where digests are kept
(`sensorthings.access.registry`).

A token has 256 random bits, so a plain SHA-256 is enough to keep it: there is nothing to guess.
Source: RFC 6750, clause 2.1 (the Authorization header).
"""

import hashlib
import hmac
import secrets

from sensorthings.errors import UnauthenticatedError

PREFIX = "dtwin_"
"""Every token starts so, so that scanners find one that was published by mistake."""
_RANDOM_BYTES = 32
_HINT = (
    "Send `Authorization: Bearer <token>`: the platform makes tokens on the page of a client. To open the "
    "service to everybody set DTWIN_SENSORTHINGS__ANONYMOUS to read or write."
)


class NotProvenError(UnauthenticatedError):
    """A request does not prove who sends it (401)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail, _HINT)
        self.code = code


def new_token() -> str:
    """Make a token."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def digest_of(token: str) -> bytes:
    """Give the digest under which a token is kept."""
    return hashlib.sha256(token.encode()).digest()


def is_same(one: bytes, other: bytes) -> bool:
    """Compare two digests in a time that tells nothing about them."""
    return hmac.compare_digest(one, other)


def bearer_token(authorization: str) -> str:
    """Take the token out of an Authorization header.

    Raises:
        NotProvenError: The header is of another scheme, or empty.
    """
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise NotProvenError("access.scheme", "The Authorization header is not of the form `Bearer <token>`.")
    return token


def unknown_token() -> NotProvenError:
    """Give the answer to a token that does not count; it is the same whatever the reason."""
    return NotProvenError("access.token", "This token is not known, has expired or was revoked.")
