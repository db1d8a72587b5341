"""Who sees what: every kind of principal against every way of reading, on every entity type.

The cells come from the description of the entity types, so a new type is covered without a change here. What
is expected comes from who made an entity; the service is asked without a look into its tables.
"""

from urllib.parse import quote

import pytest

from sensorthings.model.entities import ENTITY_TYPES, EntityType, Relation, target_of
from tests.certificates import DAY
from tests.integration.sensorthings.samples import Json
from tests.integration.sensorthings.tenants import (
    ADMIN_TOKEN,
    ALPHA,
    BETA,
    GAMMA,
    REFUSED,
    SIGHTS,
    World,
    bearer,
    client_cert,
)

pytestmark = pytest.mark.postgres

each_type = pytest.mark.parametrize("entity", ENTITY_TYPES, ids=lambda one: one.set_name)
each_reader = pytest.mark.parametrize("who", SIGHTS)
each_relation = pytest.mark.parametrize(
    ("entity", "relation"),
    [(one, relation) for one in ENTITY_TYPES for relation in one.relations],
    ids=lambda one: one.name,
)


@each_type
@each_reader
def test_a_set_holds_what_one_may_see_and_its_count_tells_no_more(
    world: World, who: str, entity: EntityType
) -> None:
    expected = world.visible(who, entity)
    found = world.all_ids(who, entity.set_name)
    assert sorted(found) == sorted(expected)
    assert world.read(who, f"{entity.set_name}?$count=true&$top=0")["@iot.count"] == len(expected)
    references = world.read(who, f"{entity.set_name}/$ref?$top=1000")["value"]
    assert len(references) == len(expected)


@each_type
@each_reader
def test_an_entity_that_one_may_not_see_is_like_one_that_is_not_there(
    world: World, who: str, entity: EntityType
) -> None:
    expected = world.visible(who, entity)
    property_name = entity.properties[0].name
    for identifier in world.everything(entity):
        for ending in ("", f"/{property_name}", f"/{property_name}/$value", "?$select=id"):
            address = f"{entity.set_name}({identifier}){ending}"
            answer = world.ask(who, "GET", address)
            if identifier in expected:
                assert answer.status_code == 200, answer.text
            else:
                missing = world.ask(who, "GET", address.replace(f"({identifier})", "(987654321)"))
                assert answer.status_code == missing.status_code == 404
                known, unknown = f"({identifier})", "(987654321)"
                assert answer.text.replace(known, "(#)") == missing.text.replace(unknown, "(#)")


@each_relation
@each_reader
def test_a_path_leads_from_what_one_sees_to_what_one_sees(
    world: World, who: str, entity: EntityType, relation: Relation
) -> None:
    expected, beyond = world.visible(who, entity), world.visible(who, target_of(relation))
    for identifier in world.everything(entity):
        path = f"{entity.set_name}({identifier})/{relation.name}"
        there = [one for one in world.tied(entity, relation, identifier) if one in beyond]
        if identifier not in expected:
            for address in (path, f"{path}/$ref", f"{path}?$count=true"):
                assert world.ask(who, "GET", address).status_code in (400, 404)
        elif relation.is_to_many:
            assert sorted(world.all_ids(who, path)) == sorted(there)
            assert world.read(who, f"{path}?$count=true&$top=0")["@iot.count"] == len(there)
        else:
            answer = world.ask(who, "GET", path)
            assert answer.status_code == (200 if there else 404), answer.text


@each_relation
@each_reader
def test_filters_and_orders_over_relations_know_only_what_one_sees(
    world: World, who: str, entity: EntityType, relation: Relation
) -> None:
    expected, beyond = world.visible(who, entity), world.visible(who, target_of(relation))
    tied = {one: set(world.tied(entity, relation, one)) for one in world.everything(entity)}
    for target in world.everything(target_of(relation)):
        found = world.all_ids(who, entity.set_name, f"{relation.name}/id eq {target}")
        wanted = {one for one in expected if target in tied[one]} if target in beyond else set()
        assert set(found) == wanted, f"{relation.name} {target}"
    if not relation.is_to_many:
        ordered = world.read(who, f"{entity.set_name}?$orderby={relation.name}/id desc&$top=1000")
        assert {one["@iot.id"] for one in ordered["value"]} == expected


@each_relation
@each_reader
def test_an_expansion_holds_only_what_one_sees(
    world: World, who: str, entity: EntityType, relation: Relation
) -> None:
    beyond = world.visible(who, target_of(relation))
    inner = "($count=true;$top=2)" if relation.is_to_many else ""
    for item in world.read(who, f"{entity.set_name}?$expand={relation.name}{inner}&$top=1000")["value"]:
        there = [one for one in world.tied(entity, relation, item["@iot.id"]) if one in beyond]
        expanded = item.get(relation.name)
        if relation.is_to_many:
            assert item[f"{relation.name}@iot.count"] == len(there)
            assert {one["@iot.id"] for one in expanded} <= set(there)
            assert len(expanded) == min(2, len(there))
        else:
            assert [expanded["@iot.id"]] == there if there else not expanded


@each_reader
def test_aggregates_count_what_one_sees(world: World, who: str) -> None:
    single = set().union(*(world.streams[one] for one in world.visible(who, by_set("Datastreams"))))
    single &= world.visible(who, by_set("Observations"))
    answer = world.read(who, "Observations?bucket=P1D&aggregate=count,sum&$top=1000")
    assert sum(bucket["count"] for bucket in answer["value"]) == len(single)


def by_set(name: str) -> EntityType:
    return next(one for one in ENTITY_TYPES if one.set_name == name)


@each_type
@pytest.mark.parametrize("who", REFUSED)
def test_those_who_are_not_known_learn_nothing(world: World, who: str, entity: EntityType) -> None:
    known, unknown = min(world.everything(entity)), 987654321
    for ending in ("", "?$count=true&$top=0", f"({known})", f"({unknown})", f"({known})/name", "/$ref"):
        answer = world.ask(who, "GET", f"{entity.set_name}{ending}")
        assert answer.status_code == 401, answer.text
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "hint" in answer.json()


@pytest.mark.parametrize("form", ["json", "multipart"])
@each_reader
def test_a_batch_sees_no_more_than_its_sender(world: World, who: str, form: str) -> None:
    streams = by_set("Datastreams")
    expected = world.visible(who, streams)
    ids = sorted(world.everything(streams))
    if form == "json":
        requests = [{"id": str(one), "method": "get", "url": f"Datastreams({one})"} for one in ids]
        answer = world.ask(who, "POST", "$batch", {"requests": requests})
        assert answer.status_code == 200, answer.text
        statuses = {int(one["id"]): one["status"] for one in answer.json()["responses"]}
    else:
        parts = "".join(
            "--b\r\nContent-Type: application/http\r\n\r\n"
            f"GET /v1.1/Datastreams({one}) HTTP/1.1\r\nHost: x\r\n\r\n\r\n"
            for one in ids
        )
        answer = world.http.post(
            f"{world.url}/v1.1/$batch",
            content=f"{parts}--b--\r\n",
            headers=world.headers[who] | {"Content-Type": "multipart/mixed;boundary=b"},
        )
        assert answer.status_code == 200, answer.text
        found = [int(line.split()[1]) for line in answer.text.splitlines() if line.startswith("HTTP/1.1 ")]
        statuses = dict(zip(ids, found, strict=True))
    assert statuses == {one: 200 if one in expected else 404 for one in ids}


def test_a_batch_cannot_act_for_somebody_else(world: World) -> None:
    stream = min(world.owned[ALPHA]["Datastreams"])
    stolen = {"Authorization": f"Bearer {ADMIN_TOKEN[:-1]}", "DTWIN-Act-As": f"{ALPHA}.client"}
    request = {"id": "1", "method": "get", "url": f"Datastreams({stream})", "headers": stolen}
    answer = world.ask("beta user", "POST", "$batch", {"requests": [request]})
    assert answer.json()["responses"][0]["status"] in (401, 403, 404)


def test_only_an_admin_may_act_for_somebody_else(world: World) -> None:
    answer = world.ask("beta user", "GET", "Things", headers={"DTWIN-Act-As": f"{ALPHA}.client"})
    assert answer.status_code == 403
    unknown = world.ask("admin", "GET", "Things", headers={"DTWIN-Act-As": "no.such.one"})
    assert unknown.status_code == 403


def test_an_admin_who_acts_for_somebody_else_is_no_admin_meanwhile(world: World) -> None:
    answer = world.administer("GET", "principals", who="admin as alpha")
    assert answer.status_code == 403


def test_a_filter_that_fails_on_a_hidden_row_does_not_betray_it(world: World) -> None:
    """An error instead of an answer would tell that the row is there, and what is in it."""
    secret = world.read("admin", f"Things({min(world.owned[ALPHA]['Things'])})")["name"]
    length = len(secret)
    probes = {
        "Things": [
            f"1 div (length(name) sub {length}) gt 0",
            f"1 mod (length(name) sub {length}) eq 0",
            f"1e308 mul (length(name) sub {length - 1}) mul 1e10 gt 0",
            f"substring(name, {length - 1} sub length(name)) eq 'x'",
            "properties/owner gt 5",
            "properties/owner add 1 gt 5",
            "date(properties/owner) eq 2026-01-01",
        ],
        "Observations": [
            "1 div (result sub 21) gt 0",
            "1e308 mul result mul 1e10 gt 0",
            "parameters/owner add 1 gt 0",
            "parameters/owner gt 2026-01-01T00:00:00Z",
        ],
        "Locations": ["geo.distance(location, geography'POINT(0 0)') gt 0"],
    }
    for set_name, conditions in probes.items():
        for condition in conditions:
            # The same answer as one gets who sees nothing at all of the kind.
            path = f"{set_name}?$count=true&$filter={quote(condition)}"
            answers = {
                who: world.ask(who, "GET", path).status_code for who in ("nobody's client", "beta user")
            }
            assert answers["nobody's client"] in (200, 400, 501), condition
            hidden = world.ask("nobody's client", "GET", path)
            if hidden.status_code == 200:
                assert hidden.json()["@iot.count"] == 0, condition
            else:
                # Refused because of its text, not because of a row: also where there are other rows.
                assert answers["beta user"] == hidden.status_code, condition


def test_a_share_ends_within_two_seconds(world: World) -> None:
    stream = max(world.owned[BETA]["Datastreams"])
    put = world.administer("PUT", "shares/contract-2", {"system": GAMMA, "datastreams": [stream]})
    assert put.status_code == 200, put.text
    assert world.ask("gamma consumer", "GET", f"Datastreams({stream})/Thing").status_code == 200
    assert world.administer("DELETE", "shares/contract-2").status_code == 204
    assert world.ask("gamma consumer", "GET", f"Datastreams({stream})/Thing").status_code == 404


def test_one_of_two_contracts_about_the_same_datastream_may_end(world: World) -> None:
    stream = max(world.owned[BETA]["Datastreams"])
    for contract in ("first", "second"):
        world.administer("PUT", f"shares/{contract}", {"system": GAMMA, "datastreams": [stream]})
    world.administer("DELETE", "shares/first")
    assert world.ask("gamma consumer", "GET", f"Datastreams({stream})").status_code == 200
    world.administer("DELETE", "shares/second")
    assert world.ask("gamma consumer", "GET", f"Datastreams({stream})").status_code == 404


def test_a_revoked_token_counts_no_more(world: World) -> None:
    made = world.token(f"{ALPHA}.client")
    world.headers["soon revoked"] = bearer(made["token"])
    assert world.ask("soon revoked", "GET", "Things").status_code == 200
    assert world.administer("DELETE", f"principals/{ALPHA}.client/tokens/{made['id']}").status_code == 204
    assert world.ask("soon revoked", "GET", "Things").status_code == 401


def test_a_removed_principal_is_a_stranger(world: World) -> None:
    world.principal("leaver@alpha.example", grants={ALPHA: True})
    world.headers["leaver"] = bearer(world.token("leaver@alpha.example")["token"])
    assert world.ask("leaver", "GET", "Things?$count=true").json()["@iot.count"] == 2
    world.principal("leaver@alpha.example")
    assert world.ask("leaver", "GET", "Things?$count=true").json()["@iot.count"] == 0
    assert world.administer("DELETE", "principals/leaver%40alpha.example").status_code == 204
    assert world.ask("leaver", "GET", "Things").status_code == 401


@pytest.mark.parametrize("who", [one for one in SIGHTS if one != "admin"])
def test_only_admins_administer(world: World, who: str) -> None:
    requests: list[tuple[str, str, Json]] = [
        ("GET", "principals", None),
        ("PUT", "principals/evil", {"is_admin": True}),
        ("DELETE", f"principals/{ALPHA}.client", None),
        ("GET", f"principals/{ALPHA}.client/tokens", None),
        ("POST", f"principals/{ALPHA}.client/tokens", {}),
        ("DELETE", f"principals/{ALPHA}.client/tokens", None),
        ("GET", "shares", None),
        ("PUT", "shares/mine", {"system": GAMMA, "datastreams": []}),
        ("DELETE", "shares/contract-1", None),
    ]
    for method, path, body in requests:
        assert world.administer(method, path, body, who=who).status_code == 403, path


def test_certificates_count_only_as_their_authority_signed_them(world: World) -> None:
    alpha = f"{ALPHA}.client"
    bad = {
        "expired": world.authority.sign(alpha, lifetime=-DAY),
        "for servers": world.authority.sign(alpha, server=True),
        "of nobody": world.authority.sign("some.body.we.know.not"),
        "of two": world.authority.sign(alpha, f"{BETA}.client"),
    }
    for what, signed in bad.items():
        world.headers[what] = client_cert(signed.der)
        assert world.ask(what, "GET", "Things").status_code == 401, what
    world.headers["garbage"] = {"Client-Cert": ":AAAA:"}
    assert world.ask("garbage", "GET", "Things").status_code == 401


def test_everybody_may_ask_who_they_are(world: World) -> None:
    answer = world.administer("GET", "me", who="gamma consumer").json()
    assert answer["name"] == f"{GAMMA}.client"
    assert answer["grants"] == [{"system": GAMMA, "write": True}]
    assert answer["shared_datastreams"] == sorted(world.owned["shared"]["Datastreams"])
    assert world.administer("GET", "me", who="stranger").status_code == 401
