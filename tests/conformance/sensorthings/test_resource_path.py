"""Requirements class "resource-path": the landing page, and every form of address.

Source: OGC 18-088, clause 9.2.
"""

import json

import pytest

from tests.conformance.sensorthings.requirements import SETS, count_of, observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, datastream, thing

LARGEST_ID = 2**63 - 1


@pytest.fixture(scope="module")
def stream(api: Api) -> str:
    """A Datastream with two Observations; a null in its unit."""
    return stream_of(api, observation(1, 0), observation("two", 1, resultTime="2020-02-01T00:00:00Z"))


def test_resource_path_landing_page_lists_the_sets(api: Api) -> None:
    """req/resource-path/resource-path-to-entities: the service root."""
    page = api.read("")

    assert {one["name"]: one["url"] for one in page["value"]} == {name: f"{api.root}/{name}" for name in SETS}
    claimed = page["serverSettings"]["conformance"]
    assert len(set(claimed)) == len(claimed) > 0
    assert all(one.startswith(("http://", "https://", "urn:")) for one in claimed)
    assert api.read("/") == page


@pytest.mark.parametrize("set_name", SETS)
def test_resource_path_to_a_set(api: Api, set_name: str) -> None:
    """req/resource-path/resource-path-to-entities: usage 2, a collection."""
    assert isinstance(api.read(set_name)["value"], list)


@pytest.mark.parametrize("set_name", SETS)
def test_resource_path_to_an_entity_that_is_not_there(api: Api, set_name: str) -> None:
    """req/resource-path/resource-path-to-entities: usage 3, an entity; 404."""
    for key in (LARGEST_ID, LARGEST_ID + 1, 0, "'a'", "'it''s'", "-1", "1.5", "x", ""):
        assert api.refuse("GET", f"{set_name}({key})")["status"] in {400, 404}, key
    assert api.refuse("GET", f"{set_name}({LARGEST_ID})")["status"] == 404


def test_resource_path_to_an_unknown_set(api: Api) -> None:
    """req/resource-path/resource-path-to-entities: 404 for what is not in the model."""
    for path in ("Nothings", "things", "Things(1)(2)", "Things/name", "Things()", "Thing(1)", "Things(1"):
        assert api.refuse("GET", path)["status"] in {400, 404}, path


def test_resource_path_to_a_property(api: Api, stream: str) -> None:
    """req/resource-path/resource-path-to-entities: usage 4, a property."""
    assert api.read(f"{stream}/name") == {"name": "Air Temperature"}
    assert api.read(f"{stream}/unitOfMeasurement/symbol") == {"symbol": "°C"}
    assert api.refuse("GET", f"{stream}/colour")["status"] == 404
    assert api.refuse("GET", f"{stream}/unitOfMeasurement/colour")["status"] == 404
    assert api.refuse("GET", f"Things({LARGEST_ID})/name")["status"] == 404


@pytest.mark.parametrize(
    "path",
    [
        "Observations?$filter=result eq 1 -> /resultTime",
        "Observations?$filter=result eq 1 -> /resultTime/$value",
        "Observations?$filter=result eq 1 -> /parameters",
        "Observations?$filter=result eq 1 -> /validTime",
    ],
)
def test_resource_path_to_a_null_property_has_no_content(api: Api, stream: str, path: str) -> None:
    """req/resource-path/resource-path-to-entities: usage 4; 204 when the property is null."""
    where, _, rest = path.partition(" -> ")
    (one,) = api.read(f"{stream}/{where}")["value"]

    answer = api.send("GET", f"{path_of(one, 'Observations')}{rest}")

    assert (answer.status_code, answer.content) == (204, b"")


def test_resource_path_to_other_null_properties_has_no_content(api: Api) -> None:
    """req/resource-path/resource-path-to-entities: usage 4; null in any entity, and inside a value."""
    empty = stream_of(api)
    made = api.create("Things", {"name": "T", "description": "t"})

    for path in (
        "phenomenonTime",
        "resultTime",
        "observedArea",
        "properties",
        "unitOfMeasurement/definition",
    ):
        assert api.send("GET", f"{empty}/{path}").status_code == 204, path
    assert api.send("GET", f"{path_of(made, 'Things')}/properties").status_code == 204


def test_resource_path_to_the_null_result_has_no_content(api: Api) -> None:
    """req/resource-path/resource-path-to-entities: usage 4; a result may be null itself."""
    empty = stream_of(api, observation(None))
    (one,) = api.read(f"{empty}/Observations")["value"]

    assert api.send("GET", f"{path_of(one, 'Observations')}/result").status_code == 204


def test_resource_path_to_the_bare_value(api: Api, stream: str) -> None:
    """req/resource-path/resource-path-to-entities: usage 5, $value."""
    text = api.send("GET", f"{stream}/name/$value")
    unit = api.send("GET", f"{stream}/unitOfMeasurement/$value")
    symbol = api.send("GET", f"{stream}/unitOfMeasurement/symbol/$value")
    (one,) = api.read(f"{stream}/Observations?$filter=result eq 1")["value"]
    number = api.send("GET", f"{path_of(one, 'Observations')}/result/$value")

    assert (text.status_code, text.text) == (200, "Air Temperature")
    assert text.headers["content-type"].startswith("text/plain")
    assert json.loads(unit.text)["symbol"] == symbol.text == "°C"
    assert float(number.text) == 1


def test_resource_path_to_related_entities(api: Api, stream: str) -> None:
    """req/resource-path/resource-path-to-entities: usage 6, navigation over relations of any depth."""
    owner = api.read(f"{stream}/Thing")
    (one, two) = api.read(f"{stream}/Observations?$orderby=phenomenonTime")["value"]

    assert api.read(f"{path_of(one, 'Observations')}/Datastream/Thing") == owner
    assert api.read(f"{path_of(owner, 'Things')}/{stream}/Observations({two['@iot.id']})/result") == {
        "result": "two"
    }
    (place,) = api.read(f"{path_of(one, 'Observations')}/Datastream/Thing/Locations")["value"]
    assert place["name"] == "Salzburg"
    deep = f"{path_of(one, 'Observations')}/Datastream/Thing/Datastreams/Observations"
    assert api.refuse("GET", deep)["status"] in {400, 404}, "a set in the middle of a path"


def test_resource_path_ids_inside_are_checked_against_their_parent(api: Api, stream: str) -> None:
    """req/resource-path/resource-path-to-entities: usage 6; 404 when it is not under its parent."""
    other = stream_of(api, observation(9))
    (foreign,) = api.read(f"{other}/Observations")["value"]
    owner = api.read(f"{stream}/Thing")

    assert api.refuse("GET", f"{stream}/{path_of(foreign, 'Observations')}")["status"] == 404
    assert api.refuse("GET", f"{path_of(owner, 'Things')}/{other}")["status"] == 404
    assert api.refuse("GET", f"{path_of(owner, 'Things')}/{other}/Observations")["status"] == 404
    assert api.refuse("GET", f"{path_of(owner, 'Things')}/{other}/Sensor/name")["status"] == 404


def test_resource_path_to_references(api: Api, stream: str) -> None:
    """req/resource-path/resource-path-to-entities: usage 7, $ref."""
    rows = api.read(f"{stream}/Observations")["value"]

    assert api.read(f"{stream}/Observations/$ref")["value"] == [
        {"@iot.selfLink": row["@iot.selfLink"]} for row in rows
    ]
    assert api.read(f"{stream}/Thing/$ref") == {"@iot.selfLink": api.read(f"{stream}/Thing")["@iot.selfLink"]}
    counted = api.read(f"{stream}/Observations/$ref?$top=1&$count=true&$filter=result eq 1")
    assert (len(counted["value"]), counted["@iot.count"]) == (1, 1)


def test_resource_path_to_references_pages_to_the_end(api: Api) -> None:
    """req/request-data/pagination: the next link of references leads to references."""
    stream = stream_of(api, *(observation(number, number) for number in range(5)))
    links: list[str] = []
    url = f"{stream}/Observations/$ref?$top=2"
    while url:
        page = api.read(url)
        assert all(set(one) == {"@iot.selfLink"} for one in page["value"])
        links += [one["@iot.selfLink"] for one in page["value"]]
        url = page.get("@iot.nextLink")

    assert sorted(links) == sorted(
        one["@iot.selfLink"] for one in api.read(f"{stream}/Observations")["value"]
    )


def test_resource_path_set_of_nothing_is_empty(api: Api) -> None:
    """req/resource-path/resource-path-to-entities: usage 6; an empty set is an empty list."""
    made = api.create("Things", {"name": "T", "description": "t"})

    for relation in SETS["Things"]:
        page = api.read(f"{path_of(made, 'Things')}/{relation}?$count=true")
        assert page == {"@iot.count": 0, "value": []}


def test_resource_path_both_versions_serve_the_same_data(api: Api) -> None:
    """req/resource-path/resource-path-to-entities: usage 1, the service root of each version."""
    made = api.create("Things", thing("both", Datastreams=[datastream()]))
    older = api.root.replace("/v1.1", "/v1.0")

    read = api.read(f"{older}/{path_of(made, 'Things')}")
    assert read["name"] == "both"
    assert read["@iot.selfLink"].startswith(f"{older}/")
    assert read["Datastreams@iot.navigationLink"].startswith(f"{older}/")
    assert count_of(api, f"{older}/Things") == count_of(api, "Things")


@pytest.mark.parametrize("path", ["", "Things", "Things?$top=1", "Things?$filter=name eq 'no'&$count=true"])
def test_resource_path_head_is_get_without_a_body(api: Api, path: str) -> None:
    """RFC 9110, clause 9.3.2: HEAD answers as GET would, without the body."""
    head, get = api.send("HEAD", path), api.send("GET", path)

    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert api.send("HEAD", f"Things({LARGEST_ID})").status_code == 404
