"""References between the parts of a batch, and their addresses."""

from collections.abc import Callable

import orjson
import pytest

from sensorthings.access.principals import ANYONE
from sensorthings.errors import BodyError, RequestError
from sensorthings.http.batch.addresses import Address, read_address
from sensorthings.http.batch.parts import Part
from sensorthings.http.batch.references import References
from sensorthings.http.messages import Answer, Request

BATCH = Request("POST", "$batch", "", {}, b"", "http://h:1/sta/v1.1", "v1.1", ANYONE)


def _references() -> References:
    references = References()
    made = Answer(201, b"{}", headers={"Location": "http://h/v1.1/Things(5)"})
    references.note(Part("", "POST", "Things", identifier="t"), made)
    references.note(Part("", "POST", "Things", identifier="broken"), Answer(400))
    return references


def _body(body: object) -> object:
    return orjson.loads(_references().body(Part("", "POST", "x", body=orjson.dumps(body))))


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("$t", "Things(5)"),
        ("/$t/Datastreams?$top=1", "Things(5)/Datastreams?$top=1"),
        ("Things($t)/name", "Things(5)/name"),
        ("Things(1)/Datastreams/$ref", "Things(1)/Datastreams/$ref"),
        ("Things(1)/name/$value", "Things(1)/name/$value"),
        ("$batch", "$batch"),
        ("Things?$filter=name eq '$t'", "Things?$filter=name eq '$t'"),
    ],
)
def test_references_in_addresses_stand_for_the_entity(url: str, resolved: str) -> None:
    assert _references().address(Part("", "GET", url)) == resolved


def test_references_in_links_stand_for_the_id() -> None:
    body = {"Thing": {"@iot.id": "$t"}, "Locations": [{"@iot.id": "$t"}, {"Things": [{"@iot.id": "$t"}]}]}

    assert _body(body) == {
        "Thing": {"@iot.id": 5},
        "Locations": [{"@iot.id": 5}, {"Things": [{"@iot.id": 5}]}],
    }


def test_references_in_data_arrays_stand_for_the_id() -> None:
    rows = [["$t", "$t"], [1, 2], ["only"], 3]
    array = {"Datastream": {"@iot.id": "$t"}, "components": ["result", "FeatureOfInterest/id"]}

    assert _body([array | {"dataArray": rows}]) == [
        {
            "Datastream": {"@iot.id": 5},
            "components": ["result", "FeatureOfInterest/id"],
            "dataArray": [["$t", 5], [1, 2], ["only"], 3],
        }
    ]


def test_texts_that_look_like_references_stay_data() -> None:
    body = {"name": "$t", "properties": {"@iot.id": "$t", "Thing": {"@iot.id": "$t"}}, "result": "$t"}

    assert _body(body) == body


def test_an_unknown_reference_is_a_mistake_in_the_part() -> None:
    with pytest.raises(BodyError, match="unknown"):
        _body({"Thing": {"@iot.id": "$unknown"}})


@pytest.mark.parametrize(
    ("ask", "part"),
    [
        (References.address, Part("", "GET", "$broken")),
        (References.body, Part("", "GET", "x", body=b'{"Thing": {"@iot.id": "$broken"}}')),
        (References.check_dependencies, Part("", "GET", "x", depends_on=("broken",))),
    ],
)
def test_what_depends_on_a_failed_part_fails_with_it(
    ask: Callable[[References, Part], object], part: Part
) -> None:
    with pytest.raises(RequestError) as caught:
        ask(_references(), part)

    assert caught.value.status == 424


@pytest.mark.parametrize(
    "body",
    [
        b'{"@iot.selfLink": "http://h/v1.1/Sensors(9)"}',
        b'{"value": [{"@iot.selfLink": "http://h/v1.1/Sensors(9)"}, {}]}',
    ],
)
def test_an_entity_that_was_read_can_be_referred_to(body: bytes) -> None:
    references = References()

    references.note(Part("", "GET", "Sensors", identifier="s"), Answer(200, body))

    assert references.address(Part("", "GET", "$s/name")) == "Sensors(9)/name"


@pytest.mark.parametrize("body", [b"text", b"[]", b'{"value": []}', b'{"value": [1]}', b'{"value": "$"}'])
def test_an_answer_without_an_entity_makes_no_reference(body: bytes) -> None:
    references = References()

    references.note(Part("", "GET", "Sensors", identifier="s"), Answer(200, body))

    assert references.find("s") is None


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("$t", True),
        ("not $t", False),
        ("$t ne null", True),
        ("$t eq null", False),
        ("$u", False),
        ("not $u", True),
        ("$u eq null", True),
        ("$u ne null", False),
        ("not $u eq null", False),
    ],
)
def test_conditions_ask_whether_a_part_made_or_found_an_entity(condition: str, *, holds: bool) -> None:
    assert _references().holds(condition) is holds


def test_other_conditions_are_not_served() -> None:
    with pytest.raises(RequestError) as caught:
        _references().holds("$t/name eq 'x'")

    assert caught.value.status == 501


@pytest.mark.parametrize(
    ("url", "version", "path", "query"),
    [
        ("Things(1)", "v1.1", "Things(1)", ""),
        ("/Things(1)", "v1.1", "Things(1)", ""),
        ("/v1.1/Things?$top=1", "v1.1", "Things", "$top=1"),
        ("/sta/v1.0/Things", "v1.0", "Things", ""),
        (
            "http://h:1/sta/v1.1/Things?$filter=name%20eq%20'%C3%BC?'",
            "v1.1",
            "Things",
            "$filter=name%20eq%20'%C3%BC?'",
        ),
        ("%24batch", "v1.1", "$batch", ""),
        ("/v1.1", "v1.1", "", ""),
    ],
)
def test_addresses_are_relative_or_absolute(url: str, version: str, path: str, query: str) -> None:
    assert read_address(url, BATCH) == Address(f"http://h:1/sta/{version}", version, path, query)


@pytest.mark.parametrize("url", ["http://elsewhere/v1.1/Things", "http://h:1/st/v1.1/Things", "Things/%ff"])
def test_addresses_of_other_services_are_refused(url: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_address(url, BATCH)

    assert caught.value.status == 400
