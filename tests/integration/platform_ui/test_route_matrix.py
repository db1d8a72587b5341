"""Every route of the site for every role, out of the route table: who is let in, and what all others get.

Each request runs in a transaction that is rolled back, so none changes the answer of another one.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import urlencode

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker

from platform_ui.accounts.models import User
from platform_ui.acl_settings import Principals
from platform_ui.db import Sessions
from platform_ui.explain.asking import Knowledge, Question, answer
from platform_ui.pki.authority import Authority
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from streamhub.preview import LastRecords
from tests.integration.platform_ui.beginnings import begin
from tests.integration.platform_ui.doubles import MemoryRunner, MemoryStatus, MemoryTopics
from tests.integration.platform_ui.role_world import APP, World, close_site, make_world, new_site
from tests.integration.platform_ui.route_rules import PEOPLE, TABLE, Case, Outcome, Role
from tests.integration.platform_ui.route_table import Served, served_routes

pytestmark = pytest.mark.postgres
PASSPHRASE = "a passphrase of the tests 4711"


class _NoRecords:
    """A broker without records."""

    def last(self, system: str, most: int, /) -> LastRecords:
        del system, most
        return LastRecords([])


class _EndedTails:
    """Live tails that end at once."""

    watchers = 0

    async def follow(self, system: str) -> AsyncIterator[str | None]:
        if not system:
            yield None


class _Tokens:
    """An administration of SensorThings that knows nobody."""

    def principals(self) -> dict[str, object]:
        return {}

    def put_principal(self, name: str, rights: object) -> None:
        del name, rights

    def create_token(self, name: str, note: str) -> str:
        return f"dtwin_{name}{note}"

    def revoke_token(self, name: str, number: int) -> None:
        del name, number


@pytest.fixture(scope="module")
def matrix_settings(
    new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> PlatformSettings:
    url = begin(new_database("matrix"))
    folder = tmp_path_factory.mktemp("matrix")
    Authority.create(folder / "pki", PASSPHRASE)
    return PlatformSettings(
        database_url=url,
        secret_key="0123456789abcdef" * 4,
        kafka_bootstrap_servers="127.0.0.1:9",
        sensorthings_url="http://127.0.0.1:9",
        runner_directory=folder / "runner",
        pki_directory=folder / "pki",
        pki_passphrase=PASSPHRASE,
        mode=Mode.PRODUCTION,
        attempts_per_address=100_000,
    )


@pytest.fixture(scope="module")
def world(matrix_settings: PlatformSettings) -> World:
    return make_world(matrix_settings)


@pytest.fixture
async def site(matrix_settings: PlatformSettings) -> AsyncIterator[FastAPI]:
    app = new_site(matrix_settings)
    app.state.tails, app.state.records, app.state.access = _EndedTails(), _NoRecords(), _Tokens()
    yield app
    await close_site(app)


def outcome_of(answer: httpx2.Response) -> Outcome:
    """Tell what an answer amounts to; a service that is not there answers 502 or 503 to those let in.

    Who is sent to the log-in with another cookie was logged out by the request.
    """
    status = answer.status_code
    location = answer.headers.get("location", "")
    if status == HTTPStatus.UNAUTHORIZED or (
        location.startswith("/login") and "set-cookie" not in answer.headers
    ):
        return Outcome.LOG_IN
    known = {
        HTTPStatus.FORBIDDEN: Outcome.FORBIDDEN,
        HTTPStatus.NOT_FOUND: Outcome.HIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY: Outcome.FORM,
        HTTPStatus.CONFLICT: Outcome.CONFLICT,
        HTTPStatus.BAD_GATEWAY: Outcome.DONE,
        HTTPStatus.SERVICE_UNAVAILABLE: Outcome.DONE,
    }
    if status in known:
        return known[HTTPStatus(status)]
    return Outcome.DONE if status < HTTPStatus.BAD_REQUEST else Outcome.BROKEN


@asynccontextmanager
async def _undone(site: FastAPI, world: World) -> AsyncIterator[None]:
    """Let nothing that happens inside stay."""
    sessions: Sessions = site.state.sessions
    system = world.values["system"]
    runner, topics = site.state.runner, site.state.topics
    assert isinstance(runner, MemoryRunner)
    assert isinstance(topics, MemoryTopics)
    runner.statuses = {f"{system}.{APP}": MemoryStatus(f"{system}.{APP}")}
    topics.names = {f"{system}.{end}" for end in ("int", "ext", "log")}
    async with site.state.engine.connect() as connection:
        transaction = await connection.begin()
        site.state.sessions = async_sessionmaker(
            bind=connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        try:
            yield
        finally:
            site.state.sessions = sessions
            await transaction.rollback()


async def ask(site: FastAPI, world: World, route: Served, role: Role, case: Case) -> httpx2.Response:
    """Ask a route as somebody, and undo what it did."""
    values = world.values | (world.proof(role) if "request" in case.fields else {})
    fields = {
        name: value.format(**values) if isinstance(value, str) else value
        for name, value in case.fields.items()
    }
    transport = httpx2.ASGITransport(app=site, raise_app_exceptions=False)
    headers = dict(world.headers[role])
    content = None
    if fields:
        is_api = route.path.startswith("/api/")
        content = json.dumps(fields) if is_api else urlencode(fields)
        kind = "application/json" if is_api else "application/x-www-form-urlencoded"
        headers["content-type"] = kind
    client = httpx2.AsyncClient(transport=transport, base_url="http://site.test")
    async with _undone(site, world), client as http:
        return await http.request(route.method, world.address(route), headers=headers, content=content)


def _accepted(expected: Outcome, case: Case) -> frozenset[Outcome]:
    """Return what an outcome may look like: being let in may end in a conflict, or on the log-in for all."""
    if expected is not Outcome.DONE:
        return frozenset({expected})
    return frozenset({Outcome.DONE, Outcome.CONFLICT} | ({Outcome.LOG_IN} if case.rule.is_open else set()))


def test_every_route_has_a_rule_and_every_rule_a_route(site: FastAPI) -> None:
    routes = {str(route) for route in served_routes(site)}
    assert routes - set(TABLE) == set(), "routes without a rule"
    assert set(TABLE) - routes == set(), "rules without a route"


_WHOLE = {Role.VISITOR, Role.PARTNER}
"""Those to whom most is forbidden try every route; each of the others tries a fifth of them."""


@pytest.mark.parametrize("is_whole", [False, pytest.param(True, marks=pytest.mark.extended)])
@pytest.mark.parametrize("role", Role, ids=lambda role: role.name.lower())
async def test_a_role_gets_from_every_route_what_its_rule_says(
    site: FastAPI, world: World, role: Role, *, is_whole: bool
) -> None:
    faults, checked = [], 0
    step = 1 if is_whole or role in _WHOLE else 5
    for route in served_routes(site)[list(Role).index(role) % step :: step]:
        case = TABLE[str(route)]
        answer = await ask(site, world, route, role, case)
        expected, found = case.expected(role, route), outcome_of(answer)
        checked += 1
        if found not in _accepted(expected, case):
            faults.append(f"{route} [{case.rule.name}]: {found}, expected {expected} ({answer.status_code})")
    assert not faults, f"{len(faults)} of {checked} routes:\n" + "\n".join(faults)
    assert checked > 100 / step


@pytest.mark.parametrize("role", sorted(PEOPLE), ids=lambda role: role.name.lower())
async def test_explain_says_of_each_rule_what_the_routes_do(site: FastAPI, world: World, role: Role) -> None:
    rules = {case.rule.question: case.rule for case in TABLE.values() if case.rule.question}
    assert len(rules) > 10
    runner = site.state.runner
    assert isinstance(runner, MemoryRunner)
    runner.statuses = {f"{world.values['system']}.{APP}": MemoryStatus(f"{world.values['system']}.{APP}")}
    async with site.state.sessions() as session:
        user = (await session.scalars(select(User).where(User.email == world.emails[role]))).one()
        knowledge = Knowledge(session, runner, Principals.CERTIFICATES, user)
        for text, rule in rules.items():
            action, _, resource = text.format(**world.values).rpartition(" ")
            ruling = await answer(Question(user.email, action, resource), knowledge)
            assert ruling.is_allowed == (role in rule.allowed), "\n".join(ruling.lines())
            assert ruling.clauses if ruling.is_allowed else ruling.missing, text
