"""What the service makes by itself: HistoricalLocations, and FeaturesOfInterest out of Locations.

Source: OGC 18-088, clauses 8.2.3, 10.2.1.4 ("historical-location-auto-creation") and 8.2.8.
"""

import pytest

from tests.conformance.sensorthings.requirements import count_of, feature, observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing

OTHER = "text/plain"


@pytest.fixture
def station(api: Api) -> str:
    """A Thing in Salzburg."""
    return path_of(api.create("Things", thing()), "Things")


def places(api: Api, path: str) -> list[str]:
    return sorted(one["name"] for one in api.read(f"{path}/Locations")["value"])


def history(api: Api, station: str) -> list[list[str]]:
    """Names of the Locations of each HistoricalLocation, the oldest first."""
    page = api.read(f"{station}/HistoricalLocations?$orderby=time,id&$expand=Locations($orderby=name)")
    return [[place["name"] for place in one["Locations"]] for one in page["value"]]


def test_historical_location_is_made_with_the_thing(api: Api, station: str) -> None:
    """req/create-update-delete/historical-location-auto-creation: deep insert; the time is now."""
    assert history(api, station) == [["Salzburg"]]
    recent = "time gt now() sub duration'PT5M' and time le now()"
    assert len(api.found(f"{station}/HistoricalLocations", recent, "@iot.id")) == 1


def test_historical_location_is_not_made_without_a_location(api: Api) -> None:
    """req/create-update-delete/historical-location-auto-creation."""
    made = api.create("Things", {"name": "T", "description": "t"})

    assert history(api, path_of(made, "Things")) == []


@pytest.mark.parametrize("how", ["post", "deep", "patch", "patch of the Location"])
def test_historical_location_follows_every_move(api: Api, station: str, how: str) -> None:
    """req/create-update-delete/historical-location-auto-creation: POST, deep insert, PATCH."""
    identifier = api.read(station)["@iot.id"]
    if how == "post":
        api.create(f"{station}/Locations", location("Wien"))
    elif how == "deep":
        api.create("Locations", location("Wien") | {"Things": [{"@iot.id": identifier}]})
    elif how == "patch":
        made = api.create("Locations", location("Wien"))
        api.change(station, {"Locations": [{"@iot.id": made["@iot.id"]}]})
    else:
        made = api.create("Locations", location("Wien"))
        api.change(path_of(made, "Locations"), {"Things": [{"@iot.id": identifier}]})

    assert places(api, station) == ["Wien"]
    assert history(api, station) == [["Salzburg"], ["Wien"]]


def test_historical_location_is_not_made_when_nothing_moves(api: Api, station: str) -> None:
    """req/create-update-delete/historical-location-auto-creation: other changes leave no trace."""
    api.change(station, {"name": "renamed"})
    api.create(f"{station}/Datastreams", datastream())

    assert len(history(api, station)) == 1


def test_thing_may_have_several_locations_of_different_encoding(api: Api, station: str) -> None:
    """req/datamodel/thing/relations: the Locations of one Thing describe one place in different ways."""
    body = thing(Locations=[location("one"), location("two") | {"encodingType": OTHER}])

    made = api.create("Things", body)

    assert places(api, path_of(made, "Things")) == ["one", "two"]
    assert history(api, path_of(made, "Things")) == [["one", "two"]]
    old_name = {"encodingType": "application/vnd.geo+json"}
    made = api.create("Things", thing(Locations=[location("one"), location("two") | old_name]))
    assert places(api, path_of(made, "Things")) == ["one", "two"]
    answer = api.refuse("POST", "Things", thing(Locations=[location("one"), location("two")]))
    assert answer["code"] == "body.same_encoding"


def test_historical_location_made_by_hand_moves_the_thing_when_it_is_the_latest(
    api: Api, station: str
) -> None:
    """req/create-update-delete/historical-location-manual-creation."""
    wien = {"@iot.id": api.create("Locations", location("Wien"))["@iot.id"]}
    link = {"@iot.id": api.read(station)["@iot.id"]}

    api.create("HistoricalLocations", {"time": "2001-01-01T00:00:00Z", "Thing": link, "Locations": [wien]})
    assert places(api, station) == ["Salzburg"]
    api.create("HistoricalLocations", {"time": "2090-01-01T00:00:00Z", "Thing": link, "Locations": [wien]})

    assert places(api, station) == ["Wien"]
    assert history(api, station) == [["Wien"], ["Salzburg"], ["Wien"]]


def test_deleted_location_takes_its_history_along(api: Api, station: str) -> None:
    """req/create-update-delete/delete-entity: Location -> HistoricalLocations."""
    (place,) = api.read(f"{station}/Locations")["value"]

    api.delete(path_of(place, "Locations"))

    assert (places(api, station), history(api, station)) == ([], [])


def features_of(api: Api, stream: str) -> list[int]:
    page = api.read(f"{stream}/Observations?$orderby=id&$expand=FeatureOfInterest($select=id)")
    return [row["FeatureOfInterest"]["@iot.id"] for row in page["value"]]


def test_feature_of_interest_is_made_from_the_location_once(api: Api) -> None:
    """req/create-update-delete/create-entity: no FeatureOfInterest means that of the Thing's Location."""
    stream = stream_of(api, observation(1))
    before = count_of(api, "FeaturesOfInterest")

    for second in range(1, 4):
        api.create(f"{stream}/Observations", observation(1, second))

    assert len(set(features_of(api, stream))) == 1
    assert count_of(api, "FeaturesOfInterest") == before
    subject = api.read(f"FeaturesOfInterest({features_of(api, stream)[0]})")
    (place,) = api.read(f"{stream}/Thing/Locations")["value"]
    assert subject["feature"] == place["location"]
    assert subject["encodingType"] == place["encodingType"]


def test_feature_of_interest_is_shared_by_the_datastreams_of_a_thing(api: Api) -> None:
    """req/create-update-delete/create-entity: it belongs to the Location."""
    body = thing(Datastreams=[datastream(name, Observations=[observation(1)]) for name in ("A", "B")])
    path = path_of(api.create("Things", body), "Things")

    streams = [path_of(one, "Datastreams") for one in api.read(f"{path}/Datastreams")["value"]]

    assert features_of(api, streams[0]) == features_of(api, streams[1])


@pytest.mark.parametrize("how", ["moved", "changed"])
def test_feature_of_interest_of_another_place_is_another_one(api: Api, how: str) -> None:
    """req/create-update-delete/create-entity: a Thing elsewhere observes something else."""
    stream = stream_of(api, observation(1))
    owner = path_of(api.read(f"{stream}/Thing"), "Things")
    elsewhere: Json = {"type": "Point", "coordinates": [1.0, 1.0]}
    if how == "moved":
        api.create(f"{owner}/Locations", location("elsewhere") | {"location": elsewhere})
    else:
        (place,) = api.read(f"{owner}/Locations")["value"]
        api.change(path_of(place, "Locations"), {"location": elsewhere})

    api.create(f"{stream}/Observations", observation(2, 1))

    one, two = features_of(api, stream)
    assert one != two
    assert api.read(f"FeaturesOfInterest({two})")["feature"] == elsewhere
    assert api.read(f"FeaturesOfInterest({one})")["feature"] != elsewhere


def test_feature_of_interest_given_is_taken(api: Api) -> None:
    """req/create-update-delete/link-to-existing-entities: inline or by id."""
    stream = stream_of(api)
    made = api.create(f"{stream}/Observations", observation(1, FeatureOfInterest=feature("inline")))
    (subject,) = features_of(api, stream)

    api.create(f"{stream}/Observations", observation(2, 1, FeatureOfInterest={"@iot.id": subject}))
    api.create(f"FeaturesOfInterest({subject})/Observations", _linked(api, stream, 3))

    assert features_of(api, stream) == [subject] * 3
    assert api.read(f"{path_of(made, 'Observations')}/FeatureOfInterest")["name"] == "inline"


def test_feature_of_interest_without_a_location_is_refused(api: Api) -> None:
    """req/create-update-delete/create-entity: 400 or 409 when there is nothing to make it from."""
    made = api.create("Things", thing(Locations=[]))
    (stream,) = api.read(f"{path_of(made, 'Things')}/Datastreams")["value"]

    refused = api.refuse("POST", f"{path_of(stream, 'Datastreams')}/Observations", observation(1))

    assert refused["status"] in {400, 409}
    assert count_of(api, f"{path_of(stream, 'Datastreams')}/Observations") == 0


def test_feature_of_interest_deleted_is_made_again(api: Api) -> None:
    """req/create-update-delete/create-entity: the generated feature may be gone."""
    stream = stream_of(api, observation(1))
    (subject,) = features_of(api, stream)
    api.delete(f"FeaturesOfInterest({subject})")

    api.create(f"{stream}/Observations", observation(2, 1))

    (again,) = features_of(api, stream)
    assert again != subject


def _linked(api: Api, stream: str, second: int) -> Json:
    return observation(3, second, Datastream={"@iot.id": api.read(f"{stream}?$select=id")["@iot.id"]})
