"""Who sends a request: tokens, certificates, acting for somebody else, and how long it is remembered."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from sensorthings.access.authentication import Gate
from sensorthings.access.certificates import Authority, parse_networks
from sensorthings.access.principals import Principal
from sensorthings.access.sight import Sight
from sensorthings.access.tokens import NotProvenError, bearer_token, digest_of, new_token
from sensorthings.database import Database
from sensorthings.errors import ForbiddenError
from tests.certificates import DAY, Signed, TestAuthority
from tests.integration.sensorthings.tenants import client_cert

TOKEN, ADMIN = "dtwin_" + "t" * 43, "a" * 40
ROW = ("car", False, 1, [1, 2], [1], [7], [7], None, None, None)
PROXY = {"client": ("127.0.0.1", 40000)}


class Registry:
    """A database that knows one principal, by one token and by its name; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.rows: dict[object, tuple[Any, ...]] = {digest_of(TOKEN): ROW, "car": ROW}

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["Registry"]:
        yield self

    async def row(self, _statement: object, parameters: dict[str, object]) -> tuple[Any, ...] | None:
        self.asked += 1
        return self.rows.get(next(iter(parameters.values())))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def gate(registry: Registry, **more: Any) -> Gate:  # noqa: ANN401 - whatever the gate takes
    return Gate(cast("Database", registry), **{"admin_digest": digest_of(ADMIN), **more})


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", **more}


async def test_a_token_tells_the_principal_with_its_rights() -> None:
    found = await gate(Registry()).authenticate(bearer(TOKEN), {})
    assert found == Principal("car", home=1, reads=(1, 2), writes=(1,), shared=(7,), observed=(7,))
    assert found.sight is Sight.SHARED
    assert found.write_sight is Sight.WRITE
    assert found.parameters() == {"sight_systems": [1, 2], "sight_writes": [1], "sight_shared": [7]}
    assert (found.may_write(1), found.may_write(2), found.may_write(None)) == (True, False, False)


async def test_the_token_of_the_setting_is_an_admin() -> None:
    registry = Registry()
    found = await gate(registry).authenticate(bearer(ADMIN), {})
    assert found.is_admin
    assert found.sight is found.write_sight is Sight.ALL
    assert registry.asked == 0


@pytest.mark.parametrize("anonymous", ["none", "read", "write"])
@pytest.mark.parametrize("value", ["Bearer wrong", "Bearer ", "Basic YTpi", "", TOKEN])
async def test_a_wrong_proof_is_refused_even_where_strangers_are_welcome(anonymous: str, value: str) -> None:
    with pytest.raises(NotProvenError) as caught:
        await gate(Registry(), anonymous=anonymous).authenticate({"authorization": value}, {})
    assert caught.value.status == 401
    assert TOKEN not in str(caught.value)


async def test_a_stranger_is_refused_unless_a_setting_says_otherwise() -> None:
    with pytest.raises(NotProvenError, match="answers only to those it knows") as caught:
        await gate(Registry()).authenticate({}, {})
    assert "DTWIN_SENSORTHINGS__ANONYMOUS" in caught.value.hint
    reader = await gate(Registry(), anonymous="read").authenticate({}, {})
    assert (reader.sight, reader.write_sight, reader.can_write) == (Sight.ALL, Sight.WRITE, False)
    writer = await gate(Registry(), anonymous="write").authenticate({}, {})
    assert (writer.sight, writer.write_sight) == (Sight.ALL, Sight.ALL)


async def test_a_principal_is_remembered_for_a_second_only() -> None:
    registry, clock = Registry(), Clock()
    asked = gate(registry, clock=clock)
    for _ in range(3):
        await asked.authenticate(bearer(TOKEN), {})
    assert registry.asked == 1
    registry.rows.clear()
    clock.now = 0.99
    await asked.authenticate(bearer(TOKEN), {})
    clock.now = 1.0
    with pytest.raises(NotProvenError):
        await asked.authenticate(bearer(TOKEN), {})


async def test_after_a_change_nobody_is_remembered() -> None:
    registry = Registry()
    asked = gate(registry)
    await asked.authenticate(bearer(TOKEN), {})
    registry.rows.clear()
    asked.forget()
    with pytest.raises(NotProvenError):
        await asked.authenticate(bearer(TOKEN), {})


async def test_an_admin_acts_for_somebody_else_with_that_ones_rights() -> None:
    acting = await gate(Registry()).authenticate(bearer(ADMIN, **{"dtwin-act-as": "c%61r"}), {})
    assert acting == Principal("car", home=1, reads=(1, 2), writes=(1,), shared=(7,), observed=(7,))


@pytest.mark.parametrize(
    ("headers", "anonymous"),
    [
        (bearer(TOKEN, **{"dtwin-act-as": "car"}), "none"),
        (bearer(ADMIN, **{"dtwin-act-as": "nobody"}), "none"),
        ({"dtwin-act-as": "car"}, "write"),
    ],
    ids=["not an admin", "for nobody", "a stranger where all is open"],
)
async def test_acting_for_somebody_else_needs_an_admin_and_somebody(
    headers: dict[str, str], anonymous: str
) -> None:
    with pytest.raises(ForbiddenError):
        await gate(Registry(), anonymous=anonymous).authenticate(headers, {})


async def test_a_certificate_from_a_trusted_proxy_counts() -> None:
    authority = TestAuthority()
    asked = gate(
        Registry(), authority=Authority([authority.own.certificate]), proxies=parse_networks("127.0.0.0/8")
    )
    header = {name.lower(): value for name, value in client_cert(authority.sign("car").der).items()}
    assert (await asked.authenticate(header, PROXY)).name == "car"
    with pytest.raises(NotProvenError, match="answers only to those it knows"):
        await asked.authenticate(header, {"client": ("10.0.0.1", 1)})
    with pytest.raises(NotProvenError, match="answers only to those it knows"):
        await asked.authenticate(header, {})


@pytest.mark.parametrize(
    "what", ["other authority", "expired", "not yet", "server", "two names", "no name", "unknown"]
)
async def test_a_certificate_that_does_not_count_is_refused(what: str) -> None:
    authority = TestAuthority()
    makers: dict[str, Callable[[], Signed]] = {
        "other authority": lambda: TestAuthority().sign("car"),
        "expired": lambda: authority.sign("car", lifetime=-DAY),
        "not yet": lambda: authority.sign_for_later("car"),
        "server": lambda: authority.sign("car", server=True),
        "two names": lambda: authority.sign("car", "admin"),
        "no name": authority.sign,
        "unknown": lambda: authority.sign("bus"),
    }
    signed = makers[what]()
    asked = gate(
        Registry(), authority=Authority([authority.own.certificate]), proxies=parse_networks("127.0.0.1")
    )
    header = {name.lower(): value for name, value in client_cert(signed.der).items()}
    with pytest.raises(NotProvenError) as caught:
        await asked.authenticate(header, PROXY)
    assert caught.value.code == "access.certificate"


@pytest.mark.parametrize("value", ["", ":", "::", ":AAAA:", "AAAA", ":%%%:", ":" + "A" * 20_000 + ":"])
async def test_a_header_that_holds_no_certificate_is_refused(value: str) -> None:
    authority = TestAuthority()
    asked = gate(
        Registry(), authority=Authority([authority.own.certificate]), proxies=parse_networks("127.0.0.1")
    )
    with pytest.raises(NotProvenError):
        await asked.authenticate({"client-cert": value}, PROXY)


async def test_a_certificate_of_the_connection_itself_counts() -> None:
    signed = TestAuthority().sign("car")
    scope = {"extensions": {"tls": {"client_certificate": signed.der}}}
    assert (await gate(Registry()).authenticate({}, scope)).name == "car"


def test_tokens_are_long_and_never_the_same() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(token.startswith("dtwin_") and len(token) >= 49 for token in made)


def test_the_scheme_of_a_token_is_read_in_any_case() -> None:
    assert bearer_token("bearer  abc ") == "abc"
