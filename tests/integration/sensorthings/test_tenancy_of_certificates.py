"""Whose a client certificate is: the name in UID or CN, the kind in OU, and the epoch that counts."""

from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.integration.sensorthings.samples import Json
from tests.integration.sensorthings.tenants import ALPHA, BETA, World, client_cert

pytestmark = pytest.mark.postgres
NAME = f"{ALPHA}.truck"
LONG = f"{ALPHA}.{'t' * 64}"


def subject(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def ours(uid: str, kind: str = "client") -> x509.Name:
    """A subject as the platform makes them."""
    return subject(
        (NameOID.ORGANIZATION_NAME, "dt"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, f"dt-{kind}"),
        (NameOID.COMMON_NAME, uid[:64]),
        (NameOID.USER_ID, uid),
    )


def put(world: World, certificate: str | None = None, name: str = NAME) -> int:
    body: dict[str, Json] = {"home": ALPHA, "grants": [{"system": ALPHA, "write": True}]}
    if certificate is not None:
        body["certificate"] = certificate
    return world.administer("PUT", f"principals/{name}", body).status_code


def status(world: World, name: x509.Name) -> int:
    world.headers["holder"] = client_cert(world.authority.sign(subject=name).der)
    return world.ask("holder", "GET", "Things").status_code


@pytest.fixture
def truck(world: World) -> Iterator[str]:
    """A principal of its own."""
    assert put(world) == 201
    yield NAME
    world.administer("DELETE", f"principals/{NAME}")


def test_a_certificate_of_the_platforms_form_tells_its_client_app(world: World, truck: str) -> None:
    assert status(world, ours(truck)) == 200
    assert world.administer("GET", "me", who="holder").json()["name"] == truck


def test_a_name_that_does_not_fit_into_a_common_name_is_read_from_the_uid(world: World) -> None:
    assert put(world, name=LONG) == 201
    assert status(world, ours(LONG)) == 200
    assert world.administer("GET", "me", who="holder").json()["name"] == LONG
    # The shortened common name alone is somebody else's.
    assert status(world, subject((NameOID.COMMON_NAME, LONG[:64]))) == 401
    world.administer("DELETE", f"principals/{LONG}")


@pytest.mark.parametrize("kind", ["app", "service", "broker", "clients", ""])
def test_certificates_of_stream_apps_and_services_are_not_those_of_client_apps(
    world: World, truck: str, kind: str
) -> None:
    assert status(world, ours(truck, kind)) == 401


def test_two_names_are_none(world: World, truck: str) -> None:
    both = [(NameOID.USER_ID, truck), (NameOID.USER_ID, f"{BETA}.client"), (NameOID.COMMON_NAME, truck)]
    assert status(world, subject(*both)) == 401


def test_a_uid_counts_before_the_common_name(world: World, truck: str) -> None:
    parts = [(NameOID.USER_ID, "some.body.we.know.not"), (NameOID.COMMON_NAME, truck)]
    assert status(world, subject(*parts)) == 401


def test_only_certificates_of_the_current_epoch_count(world: World, truck: str) -> None:
    assert put(world, f"{truck}~2") == 200
    assert status(world, ours(truck)) == 401
    assert status(world, subject((NameOID.COMMON_NAME, truck))) == 401
    assert status(world, ours(f"{truck}~2")) == 200
    assert world.administer("GET", "me", who="holder").json()["name"] == truck
    assert put(world, f"{truck}~3") == 200
    assert status(world, ours(f"{truck}~2")) == 401
    shown = world.administer("GET", "principals").json()["principals"]
    assert [one["certificate"] for one in shown if one["name"] == truck] == [f"{truck}~3"]


def test_a_token_ends_with_the_certificates_of_its_epoch(world: World, truck: str) -> None:
    def token() -> str:
        made = world.administer("POST", f"principals/{truck}/tokens", {"label": "test"})
        return f"Bearer {made.json()['token']}"

    def answer(bearer: str) -> int:
        world.headers["bearer"] = {"Authorization": bearer}
        return world.ask("bearer", "GET", "Things").status_code

    early = token()
    assert put(world, truck) == 200, "the first certificates end nothing"
    assert answer(early) == 200
    assert put(world, truck) == 200, "the same ones end nothing"
    assert answer(early) == 200
    assert put(world, f"{truck}~2") == 200
    late = token()
    assert (answer(early), answer(late)) == (401, 200)


def test_an_administrator_acts_for_somebody_of_a_later_epoch_by_name(world: World, truck: str) -> None:
    assert put(world, f"{truck}~2") == 200
    world.headers["acting"] = world.headers["admin"] | {"DTWIN-Act-As": truck}
    assert world.ask("acting", "GET", "Things").status_code == 200
    world.headers["acting"] = world.headers["admin"] | {"DTWIN-Act-As": f"{truck}~2"}
    assert world.ask("acting", "GET", "Things").status_code == 403


def test_a_certificate_is_of_one_principal_only(world: World, truck: str) -> None:
    assert put(world, f"{truck}~2") == 200
    assert put(world, f"{truck}~2", name=f"{ALPHA}.bus") == 400
    assert world.administer("GET", "principals").text.count("bus") == 0


def test_the_name_of_one_is_not_the_certificate_of_another(world: World, truck: str) -> None:
    """A principal that is named like another's certificate does not get that one's requests."""
    assert put(world, f"{truck}~2") == 200
    assert put(world, name=f"{truck}~2") == 201
    assert status(world, ours(f"{truck}~2")) == 200
    assert world.administer("GET", "me", who="holder").json()["name"] == truck
    world.administer("DELETE", f"principals/{truck}~2")
