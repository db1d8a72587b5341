"""Limits of bodies, before any handler sees them."""

import time
from http import HTTPStatus

import pytest
from starlette.types import Message, Receive

from platform_ui.browser.limits import (
    MAX_BODY_BYTES,
    MAX_JSON_DEPTH,
    RefusedError,
    check_length,
    json_depth,
    read_body,
)


def arriving(*messages: Message) -> Receive:
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    return receive


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        (b"", 0),
        (b"1", 0),
        (b"[]", 1),
        (b'{"a": [1, {"b": 2}]}', 3),
        (b'["[[[[", "\\"[[", {}]', 2),
        (b"[[[", 3),
        (b'"[[', 0),
        (b'"\\', 0),
    ],
)
def test_depth_counts_brackets_outside_of_strings(text: bytes, depth: int) -> None:
    assert json_depth(text) == depth


@pytest.mark.parametrize("piece", [b'"\\"', b'\\"', b'"', b"[", b'["\\\\', b"\\"])
def test_no_input_is_read_in_more_than_linear_time(piece: bytes) -> None:
    began = time.process_time()  # what else the machine does says nothing of it
    json_depth(piece * (MAX_BODY_BYTES // len(piece)))
    assert time.process_time() - began < 5


async def test_a_body_in_parts_is_given_again_whole() -> None:
    receive = await read_body(arriving(part(b"ab", more=True), part(b"c")), {}, 1)
    assert await receive() == part(b"abc")


async def test_a_body_beyond_the_limit_is_refused_even_when_its_length_was_not_stated() -> None:
    chunks = [part(b"x" * MAX_BODY_BYTES, more=True), part(b"x")]
    with pytest.raises(RefusedError) as refused:
        await read_body(arriving(*chunks), {}, 1)
    assert refused.value.refusal.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE


async def test_a_client_that_leaves_in_the_middle_is_told_to_the_handler_as_gone() -> None:
    receive = await read_body(arriving(part(b"ab", more=True), {"type": "http.disconnect"}), {}, 1)
    assert await receive() == {"type": "http.disconnect"}


async def test_json_that_is_nested_too_deeply_is_refused() -> None:
    headers = {"content-type": "application/json"}
    fits = b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH
    await read_body(arriving(part(fits)), headers, 1)
    with pytest.raises(RefusedError) as refused:
        await read_body(arriving(part(b"[" + fits + b"]")), headers, 1)
    assert refused.value.refusal.code == "http.too_deep"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"transfer-encoding": "chunked"}, HTTPStatus.LENGTH_REQUIRED),
        ({"content-length": str(MAX_BODY_BYTES + 1)}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ({"content-length": "5", "content-encoding": "gzip"}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    ],
)
def test_headers_alone_may_be_enough_to_refuse(headers: dict[str, str], status: HTTPStatus) -> None:
    with pytest.raises(RefusedError) as refused:
        check_length(headers)
    assert refused.value.refusal.status is status
