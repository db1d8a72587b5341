"""Doubles of the two outside parts that most tests of the platform do not need for real, and a browser."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2

from client.messaging.topics import SystemTopics
from client.metadata.wire import JsonObject
from client.testing import InMemorySensorThings
from platform_ui.errors import BrokerError, ConflictError
from streamhub.runner import AppCredentials
from streamhub.runner.limits import AppLimits
from streamhub.specification import StreamAppSpecification


class MemoryTopics:
    """Topics in memory; fails on demand."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.fails = False

    def create(self, topics: SystemTopics, *, adopt: bool = False) -> None:
        if self.fails:
            raise BrokerError("Kafka does not answer.")
        if not adopt and self.names & set(topics.all()):
            raise ConflictError("The topic exists.", code="broker.topic_exists")
        self.names |= set(topics.all())

    def remove(self, topics: SystemTopics) -> None:
        if self.fails:
            self.names.discard(topics.internal)  # a broker may stop half-way
            self.fails = False
            raise BrokerError("Kafka stopped answering.")
        self.names -= set(topics.all())

    def missing(self, topics: SystemTopics) -> tuple[str, ...]:
        return tuple(name for name in topics.all() if name not in self.names)

    def check(self) -> int:
        if self.fails:
            raise BrokerError("Kafka does not answer.")
        return 1


@dataclass
class MemoryProgress:
    consumed: int = 10
    forwarded: int = 4
    dead_lettered: int = 1
    lag: int | None = 0
    last_progress: datetime | None = None
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    pid: int = 100
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    input_rate: float = 2.0
    output_rate: float = 1.0
    lag_s: float | None = 0.0
    joined: int = 0
    tuples: int = 0
    hit_rate: float | None = None
    held: int = 0
    late: int = 0
    dropped: int = 0
    mismatches: int = 0
    missing: int = 0
    cpu_s: float = 1.5
    memory_bytes: int | None = 50_000_000
    trouble: str | None = None


@dataclass
class MemoryLogPart:
    lines: Sequence[str]
    cursor: str


@dataclass
class MemoryStatus:
    app_id: str
    desired: str = "running"
    state: str = "running"
    cause: str | None = None
    restarts: int = 0
    started_at: datetime | None = None
    progress: MemoryProgress | None = field(default_factory=MemoryProgress)
    asked_at: datetime | None = None
    failures: int = 0
    next_start_at: datetime | None = None
    ended_at: datetime | None = None
    end: str | None = None


class MemoryRunner:
    """A runner in memory; fails on demand."""

    def __init__(self) -> None:
        self.specifications: dict[str, StreamAppSpecification] = {}
        self.credentials: dict[str, AppCredentials] = {}
        self.statuses: dict[str, MemoryStatus] = {}
        self.limits: dict[str, AppLimits] = {}
        self.logs: dict[str, list[str]] = {}
        self.on_read: Callable[[], object] = lambda: None
        self.fails = False

    def _try(self) -> None:
        if self.fails:
            raise OSError("no space left")

    def deploy(
        self,
        specification: StreamAppSpecification,
        /,
        credentials: AppCredentials | None = None,
        limits: AppLimits | None = None,
    ) -> None:
        self._try()
        if limits is not None:
            self.limits[specification.app_id] = limits
        if credentials is not None:
            self.credentials[specification.app_id] = credentials
        self.specifications[specification.app_id] = specification
        self.statuses[specification.app_id] = MemoryStatus(specification.app_id)

    def limit(self, app_id: str, limits: AppLimits, /) -> None:
        self._try()
        self.limits[app_id] = limits

    def stop(self, app_id: str, /) -> None:
        self._try()
        self.statuses[app_id].desired = self.statuses[app_id].state = "stopped"

    def restart(self, app_id: str, /) -> None:
        self._try()
        self.statuses[app_id] = MemoryStatus(app_id, state="stopping")

    def read_log(self, app_id: str, /, cursor: str = "", lines: int = 200) -> MemoryLogPart:
        self.on_read()
        known = self.logs.get(app_id, [])
        found = known[int(cursor) :] if cursor else known[-lines:]
        return MemoryLogPart(found, str(len(known)))

    def remove(self, app_id: str, /) -> None:
        self._try()
        del self.statuses[app_id]

    def specification(self, app_id: str, /) -> StreamAppSpecification | None:
        return self.specifications.get(app_id)

    def status(self, app_id: str, /) -> MemoryStatus | None:
        return self.statuses.get(app_id)

    def is_alive(self) -> bool:
        return not self.fails

    def list(self) -> Sequence[MemoryStatus]:
        return list(self.statuses.values())


class MemoryMetadata(InMemorySensorThings):
    """A SensorThings service in memory that can be searched: it ignores the condition, as some do."""

    def search(self, entities: str, condition: str, *, select: Sequence[str]) -> list[JsonObject]:
        del condition, select
        self._note(f"search {entities}")
        return list(self.entities.get(entities, {}).values())


class Browser:
    """Walks through the site as a browser without JavaScript does: cookies, forms, redirects."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self.http = httpx2.AsyncClient(
            transport=transport, base_url="http://site.test", follow_redirects=True
        )

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.http.get(path, headers=headers)

    async def post(self, path: str, page: str = "/login", **fields: str) -> httpx2.Response:
        """Fill in the form of a page and send it."""
        form = await self.http.get(page)
        found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', form.text)
        assert found, f"{page} has no form: {form.status_code}"
        return await self.http.post(path, data={"csrf_token": found[1], **fields})

    async def sign_up(self, name: str) -> str:
        email = f"{name}@example.com"
        answer = await self.post(
            "/signup",
            "/signup",
            first_name=name.title(),
            last_name="Test",
            email=email,
            password="a long password",
            confirm="a long password",
        )
        assert answer.url.path == "/dashboard", answer.text
        return email

    async def add(self, path: str, **fields: str) -> httpx2.Response:
        """Fill in the form that lives at the address that it is sent to."""
        return await self.post(path, path, **fields)
