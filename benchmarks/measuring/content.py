"""What two sides hold, as counts and hashes that can be compared.

A hash is the sum of the SHA-256 of every line, so that order does not matter and repetition does. What the
line of a record says is the benchmark's business.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Message

from benchmarks.measuring.topics import read_committed

_MODULUS: Final = 2**256


class Content(NamedTuple):
    """What one side holds.

    Attributes:
        number: Number of lines.
        digest: Their hash.
    """

    number: int
    digest: str


def content_of(lines: Iterable[bytes]) -> Content:
    """Count and hash lines."""
    number = total = 0
    for line in lines:
        number += 1
        total = (total + int.from_bytes(hashlib.sha256(line).digest())) % _MODULUS
    return Content(number, f"{total:064x}")


def distinct_records(bootstrap_servers: str, topics: Sequence[str]) -> Iterator[tuple[str, Message]]:
    """Read topics with a plain consumer: dt-id and record; those with one dt-id come once."""
    seen: set[bytes] = set()
    for topic in topics:
        for message in read_committed(bootstrap_servers, topic):
            identifier = dict(message.headers() or ())["dt-id"]
            assert isinstance(identifier, bytes)  # noqa: S101 - as every producer here sends it
            if identifier not in seen:
                seen.add(identifier)
                yield identifier.decode(), message
