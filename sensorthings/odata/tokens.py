"""The place where a page begins, as `$skiptoken` carries it.

What lives here: reading the token. What does not: making it, which Postgres does
(`sensorthings.queries.paging`).
"""

import base64
import binascii
from typing import Final

import orjson

from sensorthings.errors import QuerySyntaxError

HINT: Final = "Follow the @iot.nextLink of the page before, as it was given."


def read_token(text: str) -> tuple[str | None, ...]:
    """Read a token.

    Raises:
        QuerySyntaxError: It is none.
    """
    try:
        values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        values = None
    if not isinstance(values, list) or not all(value is None or isinstance(value, str) for value in values):
        raise QuerySyntaxError("$skiptoken", "is no token of this service", hint=HINT)
    return tuple(values)
