"""Reading and rendering batches as multipart/mixed."""

import re

import pytest

from sensorthings.errors import BodyError
from sensorthings.http.batch.multipart import read_multipart_batch, render_multipart_batch
from sensorthings.http.batch.parts import FAILED_DEPENDENCY, Group, GroupResult, Part, Result
from sensorthings.http.messages import Answer

TYPE = "multipart/mixed; boundary=batch_1"
STANDARD = """--batch_1
Content-Type: application/http

GET /v1.1/Things(1)?$select=name HTTP/1.1
Host: localhost


--batch_1
Content-Type: multipart/mixed;boundary="change set"

--change set
Content-Type: application/http
Content-ID: 1

POST /v1.1/Things HTTP/1.1
Host: localhost
Content-Type: application/json
Content-Length: 5

{"name":"Neü","description":"Thing"}
--change set
Content-Type: application/http
Content-ID: <2>

PATCH /v1.1/$1 HTTP/1.1
Content-Type: application/json

{"name":"Patched"}
--change set--
--batch_1--"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_example_of_the_standard_is_read_with_either_line_end(line_end: str) -> None:
    body = STANDARD.replace("\n", line_end).encode()

    first, group = read_multipart_batch(body, TYPE)

    assert isinstance(first, Part)
    assert (first.method, first.url, first.body.strip()) == ("GET", "/v1.1/Things(1)?$select=name", b"")
    assert isinstance(group, Group)
    assert [one.identifier for one in group.parts] == ["1", "2"]
    assert group.parts[0].body == '{"name":"Neü","description":"Thing"}'.encode()
    assert group.parts[0].headers["content-type"] == "application/json"
    assert group.parts[1].url == "/v1.1/$1"


def test_blanks_in_an_address_belong_to_it() -> None:
    body = b"--batch_1\n\nGET Things?$filter=name eq 'a b' HTTP/1.1\n\n--batch_1--"

    (part,) = read_multipart_batch(body, TYPE)

    assert isinstance(part, Part)
    assert part.url == "Things?$filter=name eq 'a b'"


def test_text_around_the_parts_is_left_out() -> None:
    body = b"preamble\r\n--batch_1\r\n\r\nGET Things HTTP/1.1\r\n\r\n\r\n--batch_1--\r\nepilogue --batch_1"

    assert len(read_multipart_batch(body, TYPE)) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "place"),
    [
        (b"", TYPE, "batch"),
        (b"--batch_1--", TYPE, "batch"),
        (b"--batch_1\n\nGET Things HTTP/1.1\n\n", TYPE, "batch"),
        (b"--batch_1\n\nGET Things HTTP/1.1\n\n--batch_1--", "multipart/mixed", "batch"),
        (b"--batch_1\n\nGET Things\n\n--batch_1--", TYPE, "part 1"),
        (b"--batch_1\n\n\n--batch_1--", TYPE, "part 1"),
        (b"--batch_1\nContent-Type: text/plain\n\nGET Things HTTP/1.1\n\n--batch_1--", TYPE, "part 1"),
        (b"--batch_1\nno header\n\nGET Things HTTP/1.1\n\n--batch_1--", TYPE, "part 1"),
        (b"--batch_1\n\nGET \xff\xfe HTTP/1.1\n\n--batch_1--", TYPE, "part 1"),
        (b"--batch_1\nContent-ID: a\x01b\n\nGET x HTTP/1.1\n\n--batch_1--", TYPE, "part 1"),
        (b"--batch_1\nContent-Type: multipart/mixed\n\n--x\n--batch_1--", TYPE, "part 1"),
        (
            b"--batch_1\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nGET\n--c--\n--batch_1--",
            TYPE,
            "part 1.1",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(body: bytes, content_type: str, place: str) -> None:
    with pytest.raises(BodyError) as caught:
        read_multipart_batch(body, content_type)

    assert caught.value.place == place
    assert caught.value.code == "batch.form"


def test_answers_have_the_structure_of_the_batch() -> None:
    first, second = Part("", "GET", "x"), Part("", "POST", "y", identifier="2")
    made = Answer(201, b"{}", headers={"Location": "http://h/v1.1/Things(5)"})

    answer = render_multipart_batch(
        [Result(first, Answer(204)), GroupResult(Group("", (second,)), (Result(second, made),))]
    )

    outer = re.fullmatch(r"multipart/mixed; boundary=(\w+)", answer.media_type)
    inner = re.search(rb"boundary=(changeset_\w+)", answer.body)
    assert outer is not None
    assert inner is not None
    edge, nested = f"--{outer[1]}", f"--{inner[1].decode()}"
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    assert answer.body.decode() == "\r\n".join(
        [
            edge,
            f"{head}\r\nHTTP/1.1 204 No Content\r\n\r\n",
            edge,
            f"Content-Type: multipart/mixed; boundary={inner[1].decode()}\r\n",
            nested,
            f"{head}Content-ID: 2\r\n\r\nHTTP/1.1 201 Created\r\nLocation: http://h/v1.1/Things(5)",
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            f"{nested}--",
            "",
            f"{edge}--",
            "",
        ]
    )


def test_a_failed_change_set_has_one_answer_that_tells_why() -> None:
    parts = (Part("", "POST", "a", identifier="1"), Part("", "POST", "b", identifier="2"))
    results = (Result(parts[0], Answer(FAILED_DEPENDENCY)), Result(parts[1], Answer(400, b"{}")))

    answer = render_multipart_batch([GroupResult(Group("", parts), results)])

    assert b"changeset" not in answer.body
    assert b"Content-ID: 2" in answer.body
    assert b"400 Bad Request" in answer.body
    assert b"424" not in answer.body
