"""Who changes what: every kind of principal against every way of writing, on every entity type.

Whatever is refused must leave everything as it was: the whole content is compared before and after.
"""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from sensorthings.model.entities import BY_NAME, ENTITY_TYPES, EntityType, Relation, target_of
from tests.integration.sensorthings.samples import Json
from tests.integration.sensorthings.tenants import (
    ALPHA,
    BETA,
    REFUSED,
    SIGHTS,
    SYSTEMS,
    World,
    new_body,
)

pytestmark = pytest.mark.postgres

MISSING = 987654321
OUTSIDERS = ("beta user", "gamma consumer", "delta consumer", "nobody's client", "alpha reader")
each_type = pytest.mark.parametrize("entity", ENTITY_TYPES, ids=lambda one: one.set_name)
each_outsider = pytest.mark.parametrize("who", OUTSIDERS)


@pytest.fixture
def untouched(world: World) -> Iterator[None]:
    """Nothing of any company is changed by the test."""
    before = content(world)
    yield
    assert content(world) == before


def content(world: World) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for entity in ENTITY_TYPES:
        many = [f"{one.name}($select=id)" for one in entity.relations]
        path = f"{entity.set_name}?$top=1000&$orderby=id&$count=true&$expand={','.join(many)}"
        found[entity.set_name] = world.read("admin", path)
    return found


def patch_of(entity: EntityType) -> dict[str, Json]:
    texts: dict[str, Json] = {"name": "stolen", "description": "stolen"}
    own = {name: value for name, value in texts.items() if entity.find_property(name)}
    return own or ({"result": 99} if entity.name == "Observation" else {"time": "2030-01-01T00:00:00Z"})


def links_of(world: World, entity: EntityType, owner: str) -> dict[str, int]:
    """The entities of a company that a new one needs."""
    needed = [one for one in entity.relations if one.is_mandatory]
    if entity.name == "Observation":
        # Of the two it may have, one is enough.
        needed = [one for one in entity.relations if one.name in ("Datastream", "FeatureOfInterest")]
    return {one.name: min(world.owned[owner][target_of(one).set_name]) for one in needed}


def alike(world: World, who: str, ids: tuple[int, int], send: Callable[[int], httpx2.Response]) -> bool:
    """Whether the answers about a hidden and a missing entity differ in nothing but the id."""
    hidden, missing = (send(one) for one in ids)
    texts = [
        answer.text.replace(f"({one})", "#").replace(f" {one}", "#")
        for answer, one in zip((hidden, missing), ids, strict=True)
    ]
    assert hidden.status_code in (400, 403, 404), f"{who}: {hidden.status_code} {hidden.text}"
    return hidden.status_code == missing.status_code and texts[0] == texts[1]


@each_type
@each_outsider
@pytest.mark.usefixtures("untouched")
def test_what_belongs_to_others_is_not_changed(world: World, who: str, entity: EntityType) -> None:
    visible = world.visible(who, entity)
    body = new_body(entity, links_of(world, entity, ALPHA), "stolen")
    patch_document = [{"op": "replace", "path": "/description", "value": "stolen"}]
    for identifier in world.owned[ALPHA][entity.set_name]:
        path = f"{entity.set_name}({identifier})"
        answers = {
            "PATCH": world.ask(who, "PATCH", path, patch_of(entity)),
            "PUT": world.ask(who, "PUT", path, body),
            "DELETE": world.ask(who, "DELETE", path),
            "JSON Patch": world.ask(
                who, "PATCH", path, patch_document, {"Content-Type": "application/json-patch+json"}
            ),
        }
        expected = 403 if identifier in visible else 404
        assert {name: one.status_code for name, one in answers.items()} == dict.fromkeys(answers, expected)


@each_type
@pytest.mark.parametrize("who", REFUSED)
@pytest.mark.usefixtures("untouched")
def test_those_who_are_not_known_change_nothing(world: World, who: str, entity: EntityType) -> None:
    path = f"{entity.set_name}({min(world.owned[ALPHA][entity.set_name])})"
    body = new_body(entity, links_of(world, entity, ALPHA), "stolen")
    requests: list[tuple[str, str, Json]] = [
        ("POST", entity.set_name, body),
        ("PATCH", path, patch_of(entity)),
        ("PUT", path, body),
        ("DELETE", path, None),
        ("DELETE", f"{entity.set_name}?$filter=id gt 0", None),
        ("POST", "$batch", {"requests": [{"id": "1", "method": "delete", "url": path}]}),
        ("POST", "CreateObservations", []),
    ]
    for method, address, document in requests:
        assert world.ask(who, method, address, document).status_code == 401, address


@each_type
@each_outsider
@pytest.mark.usefixtures("untouched")
def test_a_link_to_what_one_may_not_change_is_like_one_to_nothing(
    world: World, who: str, entity: EntityType
) -> None:
    """In a body, one relation after the other; the others lead to what is one's own."""
    for relation in entity.relations:
        target = target_of(relation)
        home = BETA if who == "beta user" else "cc.gamma.work.Three"
        own = links_of(world, entity, home)
        hidden = world.owned[ALPHA][target.set_name] - world.visible(who, target)

        def post(
            identifier: int, relation: Relation = relation, own: dict[str, int] = own
        ) -> httpx2.Response:
            return world.ask(
                who, "POST", entity.set_name, new_body(entity, {**own, relation.name: identifier}, "x")
            )

        for identifier in sorted(hidden)[:1]:
            assert alike(world, who, (identifier, MISSING), post), relation.name
        for identifier in sorted(world.owned[ALPHA][target.set_name] & world.visible(who, target))[:1]:
            answer = post(identifier)
            assert answer.status_code in (400, 403), f"{relation.name}: {answer.status_code} {answer.text}"


@each_type
@each_outsider
@pytest.mark.usefixtures("untouched")
def test_nothing_is_created_below_what_one_may_not_change(world: World, who: str, entity: EntityType) -> None:
    for relation in entity.relations:
        if not relation.is_to_many:
            continue
        target = target_of(relation)
        home = BETA if who == "beta user" else "cc.gamma.work.Three"
        links = {name: one for name, one in links_of(world, target, home).items() if name != relation.inverse}
        body = new_body(target, links, "x")

        def post(identifier: int, name: str = relation.name, body: dict[str, Json] = body) -> httpx2.Response:
            return world.ask(who, "POST", f"{entity.set_name}({identifier})/{name}", body)

        identifier = min(world.owned[ALPHA][entity.set_name])
        if identifier in world.visible(who, entity):
            assert post(identifier).status_code in (400, 403, 405)
        else:
            assert alike(world, who, (identifier, MISSING), post), relation.name


@each_type
@each_outsider
@pytest.mark.usefixtures("untouched")
def test_references_of_others_are_neither_made_nor_removed(
    world: World, who: str, entity: EntityType
) -> None:
    for relation in entity.relations:
        identifier = min(world.owned[ALPHA][entity.set_name])
        other = min(world.owned[ALPHA][target_of(relation).set_name])
        path = f"{entity.set_name}({identifier})/{relation.name}"
        reference = {"@iot.id": other}
        for method, address, body in (
            ("POST", f"{path}/$ref", reference),
            ("PUT", f"{path}/$ref", reference),
            ("DELETE", f"{path}/$ref", None),
            ("DELETE", f"{path}({other})/$ref", None),
            ("DELETE", f"{path}/$ref?$id={target_of(relation).set_name}({other})", None),
            ("DELETE", f"{path}({other})", None),
        ):
            answer = world.ask(who, method, address, body)
            assert answer.status_code in (400, 403, 404, 405, 501), f"{method} {address} {answer.text}"


@each_outsider
@pytest.mark.usefixtures("untouched")
def test_a_filtered_delete_takes_only_what_is_ones_own(world: World, who: str) -> None:
    ids = sorted(world.owned[ALPHA]["Observations"])
    answer = world.ask(who, "DELETE", f"Observations?$filter=id ge {ids[0]} and id le {ids[-1]}")
    assert answer.status_code in (200, 204, 400, 403, 404, 405, 501), answer.text


@each_outsider
@pytest.mark.usefixtures("untouched")
def test_a_data_array_row_for_a_foreign_datastream_fails_like_one_for_none(world: World, who: str) -> None:
    def send(identifier: int) -> httpx2.Response:
        row = {
            "Datastream": {"@iot.id": identifier},
            "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray": [["2026-04-01T00:00:00Z", 1, min(world.owned[BETA]["FeaturesOfInterest"])]],
        }
        return world.ask(who, "POST", "CreateObservations", [row])

    hidden, missing = send(max(world.owned[ALPHA]["Datastreams"])), send(MISSING)
    assert hidden.status_code == missing.status_code
    assert hidden.text == missing.text or hidden.status_code in (400, 403)
    assert "Observations(" not in hidden.text


@each_outsider
@pytest.mark.usefixtures("untouched")
def test_a_batch_changes_no_more_than_its_sender(world: World, who: str) -> None:
    requests = []
    for entity in ENTITY_TYPES:
        identifier = min(world.owned[ALPHA][entity.set_name])
        address = f"{entity.set_name}({identifier})"
        requests.append(
            {"id": f"p{entity.name}", "method": "patch", "url": address, "body": patch_of(entity)}
        )
        requests.append({"id": f"d{entity.name}", "method": "delete", "url": address})
    answer = world.ask(who, "POST", "$batch", {"requests": requests})
    statuses = {one["id"]: one["status"] for one in answer.json()["responses"]}
    assert set(statuses.values()) <= {403, 404}


@each_type
@pytest.mark.usefixtures("untouched")
def test_a_chosen_id_that_is_taken_by_others_tells_nothing_of_them(world: World, entity: EntityType) -> None:
    """An id has to be unique in the service; that it is taken may be told, never by whom or as what."""
    identifier = min(world.owned[ALPHA][entity.set_name])
    body = new_body(entity, links_of(world, entity, BETA), f"{BETA}.x") | {"@iot.id": identifier}
    answer = world.ask("beta user", "POST", entity.set_name, body)
    assert answer.status_code in (400, 403, 409), answer.text
    assert "alpha" not in answer.text


@pytest.mark.parametrize(
    "entity",
    [one for one in ENTITY_TYPES if one.find_property("name")],
    ids=lambda one: one.set_name,
)
def test_an_upsert_by_a_name_of_others_makes_ones_own(world: World, entity: EntityType) -> None:
    foreign = min(world.owned[ALPHA][entity.set_name])
    name = world.read("admin", f"{entity.set_name}({foreign})")["name"]
    before = world.read("admin", f"{entity.set_name}({foreign})")
    body = new_body(entity, links_of(world, entity, BETA), name)
    answer = world.ask("beta user", "POST", f"{entity.set_name}?upsert=true", body)
    assert answer.status_code == 201, answer.text
    made = answer.json()["@iot.id"]
    assert made != foreign
    assert world.read("admin", f"{entity.set_name}({foreign})") == before
    assert world.ask("alpha client", "GET", f"{entity.set_name}({made})").status_code == 404
    assert world.ask("beta user", "DELETE", f"{entity.set_name}({made})").status_code == 200


@pytest.mark.parametrize("who", ["alpha client", "alpha certificate", "admin as alpha", "admin"])
@each_type
def test_what_is_ones_own_is_made_changed_and_removed(world: World, who: str, entity: EntityType) -> None:
    body = new_body(entity, links_of(world, entity, ALPHA), f"{ALPHA}.new")
    made = world.ask(who, "POST", entity.set_name, body)
    assert made.status_code == 201, made.text
    path = f"{entity.set_name}({made.json()['@iot.id']})"
    assert world.ask("alpha reader", "GET", path).status_code == 200, "it belongs to alpha"
    assert world.ask("beta user", "GET", path).status_code == 404
    assert world.ask(who, "PATCH", path, patch_of(entity)).status_code == 200
    assert world.ask("alpha reader", "PATCH", path, patch_of(entity)).status_code == 403
    assert world.ask(who, "DELETE", path).status_code == 200
    assert world.ask(who, "GET", path).status_code == 404


@pytest.mark.usefixtures("untouched")
def test_what_is_common_is_linked_by_all_and_changed_by_admins_only(world: World) -> None:
    common = min(world.owned["common"]["ObservedProperties"])
    for who in SIGHTS:
        if who != "admin":
            path = f"ObservedProperties({common})"
            assert world.ask(who, "PATCH", path, {"description": "mine"}).status_code == 403
            assert world.ask(who, "DELETE", path).status_code == 403
    links = links_of(world, BY_NAME["Datastream"], ALPHA) | {"ObservedProperty": common}
    made = world.ask("alpha client", "POST", "Datastreams", new_body(BY_NAME["Datastream"], links, "x"))
    assert made.status_code == 201, made.text
    path = f"Datastreams({made.json()['@iot.id']})"
    assert world.ask("beta user", "GET", f"ObservedProperties({common})/Datastreams").json()["value"] == []
    assert world.ask("alpha client", "DELETE", path).status_code == 200


def test_nobody_without_a_system_makes_anything(world: World) -> None:
    body = new_body(BY_NAME["Thing"], {}, f"{ALPHA}.x")
    assert world.ask("nobody's client", "POST", "Things", body).status_code == 403
    assert world.ask("alpha reader", "POST", "Things", body).status_code == 403


def test_a_name_of_another_system_does_not_put_an_entity_there(world: World) -> None:
    made = world.ask("beta user", "POST", "Things", new_body(BY_NAME["Thing"], {}, f"{ALPHA}.Trojan"))
    assert made.status_code == 201, made.text
    path = f"Things({made.json()['@iot.id']})"
    assert world.ask("alpha client", "GET", path).status_code == 404
    assert world.ask("beta user", "DELETE", path).status_code == 200


def test_deleting_ones_own_takes_nothing_of_others_along(world: World) -> None:
    """Somebody of two systems may not tie them so that one's deletion empties the other."""
    world.principal("both@example.org", home=ALPHA, grants={ALPHA: True, BETA: True})
    token = world.token("both@example.org")["token"]
    world.headers["both"] = {"Authorization": f"Bearer {token}"}
    links = links_of(world, BY_NAME["Datastream"], ALPHA) | {
        "Sensor": min(world.owned[BETA]["Sensors"]),
    }
    made = world.ask("both", "POST", "Datastreams", new_body(BY_NAME["Datastream"], links, "tied"))
    assert made.status_code in (400, 403), "a Datastream of alpha with a Sensor of beta"


def test_every_company_still_has_what_it_had(world: World) -> None:
    for entity in ENTITY_TYPES:
        for owner in SYSTEMS:
            for identifier in world.owned[owner][entity.set_name]:
                assert world.ask("admin", "GET", f"{entity.set_name}({identifier})").status_code == 200
