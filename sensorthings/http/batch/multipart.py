"""Batches as multipart/mixed of application/http: from a body to parts, from results to a body.

What lives here: the form, on bytes. What does not: running.

Lines may end in CRLF or LF. A part's body ends at the next delimiter: its Content-Length is not believed,
because clients count characters where they should count bytes. A failed change set is answered by one
response that stands for all its requests, as OData has it.

Source: OGC 18-088, clause 11.2; OData 4.0 Part 1, clauses 11.7.2 to 11.7.4; RFC 2046, clause 5.1.
"""

import re
from collections.abc import Iterable, Mapping
from email.message import Message
from http import HTTPStatus
from itertools import pairwise
from secrets import token_hex
from typing import Final

from sensorthings.errors import BodyError
from sensorthings.http.batch.parts import (
    MAX_PARTS,
    Group,
    GroupResult,
    Item,
    ItemResult,
    Part,
    Result,
    too_long,
)
from sensorthings.http.messages import Answer

MEDIA_TYPE: Final = "multipart/mixed"
_HTTP: Final = "application/http"
_LINE: Final = re.compile(rb"\r?\n")
_REQUEST_LINE: Final = re.compile(r"^(?P<method>[A-Za-z]+)[ \t]+(?P<url>.+?)[ \t]+HTTP/\d(\.\d)?[ \t]*$")
_BOUNDARY_CHARACTERS: Final = 200
_HINT: Final = "See OGC 18-088, clause 11.2.1, for an example."


def read_multipart_batch(body: bytes, content_type: str) -> list[Item]:
    """Read a batch.

    Args:
        body: As it was sent.
        content_type: Header of the request, with its boundary.

    Raises:
        BodyError: It cannot be read.
    """
    return [_read_item(one, f"part {at}") for at, one in enumerate(_split(body, content_type, "batch"), 1)]


def _read_item(raw: bytes, place: str) -> Item:
    headers, content = _head(raw, place)
    content_type = headers.get("content-type", _HTTP)
    if _name(content_type) == MEDIA_TYPE:
        pieces = _split(content, content_type, place)
        parts = [_read_part(one, f"{place}.{at}") for at, one in enumerate(pieces, 1)]
        return Group(place, tuple(parts))
    return _read_part(raw, place)


def _read_part(raw: bytes, place: str) -> Part:
    headers, content = _head(raw, place)
    content_type = headers.get("content-type", _HTTP)
    if _name(content_type) != _HTTP:
        raise _wrong(f"{content_type[:80]!r} is not {_HTTP}", place)
    line, _, rest = _cut(content.lstrip(b"\r\n"))
    found = _REQUEST_LINE.match(_text(line, place))
    if found is None:
        raise _wrong("a request line is needed, as GET Things(1) HTTP/1.1", place)
    inner, body = _head(rest, place)
    identifier = headers.get("content-id") or inner.get("content-id")
    if identifier is not None and not identifier.isprintable():
        raise _wrong("the Content-ID holds control characters", place)
    return Part(
        place,
        found["method"].upper(),
        found["url"].strip(),
        inner,
        body,
        identifier.strip("<>") if identifier else None,
    )


def _split(body: bytes, content_type: str, place: str) -> list[bytes]:
    """Give what is between the delimiters."""
    mark = re.escape(_boundary(content_type, place).encode("latin-1"))
    delimiter = re.compile(rb"(?:^|\r?\n)--" + mark + rb"(?P<end>--)?[ \t]*(?=\r?\n|$)")
    found = list(delimiter.finditer(body))
    last = next((at for at, one in enumerate(found) if one["end"]), None)
    if last is None:
        raise _wrong("the closing delimiter is missing: --boundary--", place)
    if last > MAX_PARTS:
        raise too_long(place)
    if last == 0:
        raise _wrong("there are no parts", place)
    return [
        _without_first_break(body[one.end() : following.start()])
        for one, following in pairwise(found[: last + 1])
    ]


def _without_first_break(raw: bytes) -> bytes:
    found = _LINE.match(raw)
    return raw[found.end() :] if found else raw


def _boundary(content_type: str, place: str) -> str:
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if not boundary or len(boundary) > _BOUNDARY_CHARACTERS or not boundary.isascii():
        raise _wrong("the Content-Type has no boundary, as in multipart/mixed; boundary=batch_1", place)
    return boundary


def _head(raw: bytes, place: str) -> tuple[dict[str, str], bytes]:
    """Take header lines up to the first empty line; gives them by lower-case name, and the rest."""
    headers: dict[str, str] = {}
    rest = raw
    while rest:
        line, is_ended, rest = _cut(rest)
        if not line.strip():
            return headers, rest
        name, colon, value = _text(line, place).partition(":")
        if not colon or not name.strip() or not is_ended:
            raise _wrong(f"{name[:80]!r} is no header line; an empty line ends the headers", place)
        headers[name.strip().lower()] = value.strip()
    return headers, b""


def _cut(raw: bytes) -> tuple[bytes, bool, bytes]:
    found = _LINE.search(raw)
    return (raw, False, b"") if found is None else (raw[: found.start()], True, raw[found.end() :])


def _text(line: bytes, place: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise _wrong("a line is not UTF-8", place) from None


def _name(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _wrong(detail: str, place: str) -> BodyError:
    return BodyError("batch.form", detail, place=place, hint=_HINT)


def render_multipart_batch(results: Iterable[ItemResult]) -> Answer:
    """Make the answer to a batch."""
    boundary = f"batch_{token_hex(16)}"
    parts = [_render_group(one) if isinstance(one, GroupResult) else _render(one) for one in results]
    return Answer(200, _joined(parts, boundary), f"{MEDIA_TYPE}; boundary={boundary}")


def _render_group(item: GroupResult) -> bytes:
    if item.failure is not None:
        return _render(item.failure)
    boundary = f"changeset_{token_hex(16)}"
    head = f"Content-Type: {MEDIA_TYPE}; boundary={boundary}\r\n\r\n".encode()
    return head + _joined([_render(one) for one in item.results], boundary)


def _joined(parts: Iterable[bytes], boundary: str) -> bytes:
    delimiter = f"--{boundary}".encode()
    lines = [line for part in parts for line in (delimiter, part)]
    return b"\r\n".join([*lines, delimiter + b"--", b""])


def _render(result: Result) -> bytes:
    answer = result.answer
    outer = {"Content-Type": _HTTP, "Content-Transfer-Encoding": "binary"}
    if result.part.identifier is not None:
        outer["Content-ID"] = result.part.identifier
    inner = dict(answer.headers)
    if answer.body:
        inner |= {"Content-Type": answer.media_type, "Content-Length": str(len(answer.body))}
    status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    return f"{_lines(outer)}\r\n{status}{_lines(inner)}\r\n".encode() + answer.body


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
