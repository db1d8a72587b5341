"""MultiDatastreams: made, linked, changed, deleted, and their Observations."""

from collections.abc import Callable

import pytest

from tests.integration.sensorthings.samples import Api, Json, area_around

NewThing = Callable[..., tuple[str, str]]
UNIT = {"name": "degree Celsius", "symbol": "°C", "definition": None}
TYPE = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
COMPLEX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"


def _property(name: str) -> dict[str, Json]:
    return {"name": name, "definition": f"http://x.org/{name}", "description": "p"}


def _multi(**more: Json) -> dict[str, Json]:
    return {
        "name": "Wind",
        "description": "speed and direction",
        "unitOfMeasurements": [UNIT, {"name": "degree", "symbol": "deg", "definition": None}],
        "multiObservationDataTypes": [TYPE, TYPE],
        "Sensor": {"name": "S", "description": "s", "encodingType": "text/html", "metadata": "m"},
        "ObservedProperties": [_property("speed"), _property("direction")],
    } | more


def _made(api: Api, path: str, **more: Json) -> str:
    return f"MultiDatastreams({api.create(f'{path}/MultiDatastreams', _multi(**more))['@iot.id']})"


def _properties(api: Api, path: str) -> list[str]:
    return [one["name"] for one in api.read(f"{path}/ObservedProperties")["value"]]


def test_multi_datastream_has_its_properties_in_order(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    wind = _made(api, path)
    shown = api.read(f"{wind}?$expand=Thing,ObservedProperties")
    speed, direction = shown["ObservedProperties"]

    other = _made(
        api,
        path,
        ObservedProperties=[{"@iot.id": direction["@iot.id"]}, {"@iot.id": speed["@iot.id"]}],
    )
    twice = _made(api, path, ObservedProperties=[{"@iot.id": speed["@iot.id"]}] * 2)

    assert shown["observationType"] == COMPLEX
    assert shown["Thing"]["@iot.selfLink"] == f"{api.root}/{path}"
    assert _properties(api, wind) == ["speed", "direction"]
    assert _properties(api, other) == ["direction", "speed"]
    assert _properties(api, twice) == ["speed", "speed"]
    assert len(api.read(f"{path}/MultiDatastreams")["value"]) == 3
    assert len(api.read(f"{path}/Datastreams")["value"]) == 1


def test_deep_insert_makes_multi_datastreams_with_observations(api: Api, new_thing: NewThing) -> None:
    observation = {"result": [3, 180], "phenomenonTime": "2020-01-01T00:00:00Z"}
    path, _ = new_thing(MultiDatastreams=[_multi(Observations=[observation])])

    shown = api.read(f"{path}/MultiDatastreams?$expand=Observations/FeatureOfInterest")["value"][0]

    assert shown["Observations"][0]["result"] == [3, 180]
    assert shown["Observations"][0]["FeatureOfInterest"]["name"] == "Salzburg"
    assert shown["phenomenonTime"] == "2020-01-01T00:00:00Z/2020-01-01T00:00:00Z"
    assert shown["observedArea"] == area_around(13.05, 47.8)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"unitOfMeasurements": [UNIT]}, "body.parts"),
        ({"multiObservationDataTypes": [TYPE]}, "body.parts"),
        ({"ObservedProperties": [_property("speed")]}, "body.parts"),
        ({"ObservedProperties": []}, "body.missing_link"),
        ({"ObservedProperties": [{"@iot.id": 999_999_999}] * 2}, "body.link_missing"),
        ({"unitOfMeasurements": "C"}, "body.type"),
        ({"unitOfMeasurement": UNIT}, "body.unknown_property"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    api: Api, new_thing: NewThing, change: dict[str, Json], code: str
) -> None:
    path, _ = new_thing()

    assert api.refuse("POST", f"{path}/MultiDatastreams", _multi(**change))["code"] == code
    assert api.read(f"{path}/MultiDatastreams")["value"] == []


def test_observation_belongs_to_one_of_the_two(api: Api, new_thing: NewThing) -> None:
    path, stream = new_thing()
    wind = _made(api, path)
    number = int(wind.removeprefix("MultiDatastreams(").removesuffix(")"))
    plain = int(stream.removeprefix("Datastreams(").removesuffix(")"))

    made = api.create("Observations", {"result": [1, 2], "MultiDatastream": {"@iot.id": number}})
    address = f"Observations({made['@iot.id']})"

    assert "Datastream@iot.navigationLink" not in made
    assert api.read(f"{address}/MultiDatastream")["name"] == "Wind"
    assert api.refuse("GET", f"{address}/Datastream")["status"] == 404

    def refused(**links: int) -> str:
        body = {"result": [1, 2]} | {name: {"@iot.id": link} for name, link in links.items()}
        code = api.refuse("POST", "Observations", body)["code"]
        assert isinstance(code, str)
        return code

    assert refused(Datastream=number) == "body.link_missing"
    assert refused(MultiDatastream=plain) == "body.link_missing"
    assert refused(Datastream=plain, MultiDatastream=number) == "body.two_links"
    assert api.refuse("GET", f"Datastreams({number})")["status"] == 404


@pytest.mark.parametrize("result", [5, None, [1], [1, 2, 3], {"a": 1}])
def test_result_has_one_value_for_each_part(api: Api, new_thing: NewThing, result: Json) -> None:
    path, _ = new_thing()
    wind = _made(api, path)
    made = api.create(f"{wind}/Observations", {"result": [1, 2]})

    posted = api.refuse("POST", f"{wind}/Observations", {"result": result})
    patched = api.refuse("PATCH", f"Observations({made['@iot.id']})", {"result": result})

    assert (posted["code"], patched["code"]) == ("body.result_size", "body.result_size")


def test_parts_are_added_together(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    wind = _made(api, path)
    third = {"@iot.id": api.create("ObservedProperties", _property("gust"))["@iot.id"]}
    units, types = [UNIT] * 3, [TYPE] * 3

    assert api.refuse("PATCH", wind, {"unitOfMeasurements": units})["code"] == "body.parts"
    assert api.refuse("PATCH", wind, {"ObservedProperties": [third]})["code"] == "body.parts"
    api.change(
        wind,
        {"unitOfMeasurements": units, "multiObservationDataTypes": types, "ObservedProperties": [third]},
    )
    assert _properties(api, wind) == ["speed", "direction", "gust"]
    api.change(wind, {"ObservedProperties": [third] * 3})

    assert _properties(api, wind) == ["gust", "gust", "gust"]


def test_number_of_parts_stays_once_there_are_observations(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    wind = _made(api, path)
    api.create(f"{wind}/Observations", {"result": [1, 2]})
    third = {"@iot.id": api.create("ObservedProperties", _property("gust"))["@iot.id"]}
    body = {
        "unitOfMeasurements": [UNIT] * 3,
        "multiObservationDataTypes": [TYPE] * 3,
        "ObservedProperties": [third],
    }

    assert api.refuse("PATCH", wind, body)["code"] == "body.parts"


def test_times_follow_the_observations_of_a_multi_datastream(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    wind = _made(api, path)
    first = api.create(f"{wind}/Observations", {"result": [1, 2], "phenomenonTime": "2020-01-01T00:00:00Z"})
    api.create(f"{wind}/Observations", {"result": [1, 2], "phenomenonTime": "2020-01-02T00:00:00Z"})
    both = api.read(wind)["phenomenonTime"]

    api.delete(f"Observations({first['@iot.id']})")

    assert both == "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z"
    assert api.read(wind)["phenomenonTime"] == "2020-01-02T00:00:00Z/2020-01-02T00:00:00Z"


@pytest.mark.parametrize("owner", ["Thing", "Sensor", "ObservedProperties"])
def test_multi_datastream_goes_with_what_it_needs(api: Api, new_thing: NewThing, owner: str) -> None:
    path, _ = new_thing()
    wind = _made(api, path)
    made = api.create(f"{wind}/Observations", {"result": [1, 2]})
    found = api.read(f"{wind}/{owner}")
    address = found["value"][0]["@iot.selfLink"] if "value" in found else found["@iot.selfLink"]

    api.delete(address)

    assert api.refuse("GET", wind)["status"] == 404
    assert api.refuse("GET", f"Observations({made['@iot.id']})")["status"] == 404


def test_order_of_properties_is_not_changed_by_single_links(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    wind = _made(api, path)
    first = api.read(f"{wind}/ObservedProperties")["value"][0]["@iot.id"]

    problem = api.refuse("DELETE", f"{wind}/ObservedProperties({first})/$ref")

    assert problem["code"] == "body.ordered_link"
    assert _properties(api, wind) == ["speed", "direction"]
