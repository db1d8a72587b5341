"""What the headers of a shared record say: to those who subscribe, and to the bridge.

What lives here: reading them. What does not: publishing (`downward`).
"""

from collections.abc import Mapping
from typing import Final

from confluent_kafka import Message

from client.messaging.records import (
    HEADER_APP,
    HEADER_CONTRACT,
    HEADER_ID,
    HEADER_ORIGIN,
    UNREADABLE_HEADERS,
    read_headers,
)

_SHOWN_HEADERS: Final = (HEADER_ID, HEADER_CONTRACT, HEADER_ORIGIN)
_LONGEST_SHOWN: Final = 1_000


Headers = Mapping[str, bytes | None]


def headers_of(message: Message) -> Headers:
    """Read the headers of a record; none where they cannot be read."""
    try:
        return dict(read_headers(message) or ())
    except UNREADABLE_HEADERS:
        return {}


def shown_headers(headers: Headers) -> list[tuple[str, str]]:
    """Give what goes with a value as user properties."""
    texts = {
        name: (headers[name] or b"").decode(errors="replace") for name in _SHOWN_HEADERS if name in headers
    }
    # Providers write some of them: a text that is too long for a property, or that a broker calls malformed,
    # would end the connection each time that the record comes again.
    return [
        (name, text) for name, text in texts.items() if len(text) <= _LONGEST_SHOWN and text.isprintable()
    ]


def bringing_app(headers: Headers) -> str:
    """Name the stream app that brought a record; empty where it does not say that."""
    return (headers.get(HEADER_APP) or b"")[:_LONGEST_SHOWN].decode(errors="replace")
