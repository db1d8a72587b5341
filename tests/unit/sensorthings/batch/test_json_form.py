"""Reading and rendering batches as JSON."""

import orjson
import pytest

from sensorthings.errors import BodyError
from sensorthings.http.batch.json_form import read_json_batch, render_json_batch
from sensorthings.http.batch.parts import MAX_PARTS, Group, GroupResult, Part, Result, check_items
from sensorthings.http.messages import Answer


def _read(*requests: object) -> list[Part | Group]:
    items = read_json_batch(orjson.dumps({"requests": requests}))
    check_items(items)
    return items


def _get(**more: object) -> dict[str, object]:
    return {"id": "1", "method": "get", "url": "Things"} | more


def test_a_request_becomes_a_part_with_json_as_its_media_type() -> None:
    (part,) = _read(_get(method="post", body={"name": "T"}, headers={"Prefer": "x"}))

    assert isinstance(part, Part)
    assert (part.identifier, part.method, part.url) == ("1", "POST", "Things")
    assert part.headers == {"content-type": "application/json", "prefer": "x"}
    assert orjson.loads(part.body) == {"name": "T"}


def test_a_text_is_the_body_itself_where_the_body_is_not_json() -> None:
    (part,) = _read(_get(body="a;b", headers={"Content-Type": "text/plain"}))

    assert isinstance(part, Part)
    assert part.body == b"a;b"


def test_requests_of_one_atomicity_group_become_a_group() -> None:
    items = _read(
        _get(id="0"),
        _get(id="1", atomicityGroup="g"),
        _get(id="2", atomicityGroup="g"),
        _get(id="3", atomicityGroup="h"),
    )

    assert [type(one) for one in items] == [Part, Group, Group]
    assert isinstance(items[1], Group)
    assert [one.identifier for one in items[1].parts] == ["1", "2"]


def test_whole_numbers_are_taken_as_identifiers() -> None:
    (part,) = _read(_get(id=7))

    assert isinstance(part, Part)
    assert part.identifier == "7"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"requests": {}}',
        b'{"requests": [1]}',
        b'{"requests": [{"id": "1", "url": "Things"}]}',
        b'{"requests": [{"id": "1", "method": "get"}]}',
        b'{"requests": [{"id": "1", "method": "get", "url": ""}]}',
        b'{"requests": [{"id": "1", "method": "get", "url": 5}]}',
        b'{"requests": [{"id": true, "method": "get", "url": "Things"}]}',
        b'{"requests": [{"id": "1", "method": "get", "url": "Things", "headers": {"a": 1}}]}',
        b'{"requests": [{"id": "1", "method": "get", "url": "Things", "dependsOn": "0"}]}',
        b'{"requests": [{"id": "1", "method": "get", "url": "Things", "if": 5}]}',
        b'{"requests": [{"id": "1", "method": "get", "uri": "Things"}]}',
    ],
)
def test_what_is_no_batch_is_refused_with_its_place(body: bytes) -> None:
    with pytest.raises(BodyError) as caught:
        read_json_batch(body)

    assert caught.value.status == 400


def test_a_group_that_is_interrupted_is_refused() -> None:
    with pytest.raises(BodyError, match="do not follow each other"):
        _read(_get(id="1", atomicityGroup="g"), _get(id="2"), _get(id="3", atomicityGroup="g"))


@pytest.mark.parametrize("second", [_get(id="1"), _get(id="2", atomicityGroup="1")])
def test_an_identifier_stands_for_one_thing_only(second: dict[str, object]) -> None:
    with pytest.raises(BodyError, match="given twice"):
        _read(_get(id="1"), second)


def test_a_request_depends_on_what_is_before_it_only() -> None:
    with pytest.raises(BodyError, match="nothing before"):
        _read(_get(id="1", dependsOn=["2"]), _get(id="2"))


def test_a_batch_has_a_largest_size() -> None:
    with pytest.raises(BodyError, match=f"more than {MAX_PARTS}"):
        _read(*(_get(id=str(at)) for at in range(MAX_PARTS + 1)))


def test_answers_keep_their_order_identifiers_and_groups() -> None:
    made = Answer(201, b'{"@iot.id":5}', headers={"Location": "http://h/v1.1/Things(5)"})
    first, second = Part("", "POST", "Things", identifier="a"), Part("", "GET", "x", identifier="b")

    answer = render_json_batch(
        [GroupResult(Group("", (first,), "g"), (Result(first, made),)), Result(second, Answer(204))]
    )

    assert orjson.loads(answer.body) == {
        "responses": [
            {
                "id": "a",
                "atomicityGroup": "g",
                "status": 201,
                "location": "http://h/v1.1/Things(5)",
                "headers": {"location": "http://h/v1.1/Things(5)", "content-type": "application/json"},
                "body": {"@iot.id": 5},
            },
            {"id": "b", "status": 204},
        ]
    }


def test_a_body_that_is_not_json_is_answered_as_a_text() -> None:
    part = Part("", "GET", "Things(1)/name/$value", identifier="1")

    answer = render_json_batch([Result(part, Answer(200, 'say "ü"'.encode(), "text/plain"))])

    assert orjson.loads(answer.body)["responses"][0]["body"] == 'say "ü"'


def test_an_empty_batch_has_an_empty_answer() -> None:
    assert render_json_batch(_read()).body == b'{"responses":[]}'  # type: ignore[arg-type]
