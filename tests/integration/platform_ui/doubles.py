"""Doubles of the two outside parts that most tests of the platform do not need for real, and a browser."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx2

from client.messaging.topics import SystemTopics
from client.metadata.wire import JsonObject
from client.testing import InMemorySensorThings
from platform_ui.errors import BrokerError, ConflictError
from streamhub.runner import AppCredentials
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


@dataclass
class MemoryStatus:
    app_id: str
    desired: str = "running"
    state: str = "running"
    cause: str | None = None
    restarts: int = 0
    started_at: datetime | None = None
    progress: MemoryProgress | None = field(default_factory=MemoryProgress)


class MemoryRunner:
    """A runner in memory; fails on demand."""

    def __init__(self) -> None:
        self.specifications: dict[str, StreamAppSpecification] = {}
        self.credentials: dict[str, AppCredentials] = {}
        self.statuses: dict[str, MemoryStatus] = {}
        self.logs: dict[str, list[str]] = {}
        self.fails = False

    def _try(self) -> None:
        if self.fails:
            raise OSError("no space left")

    def deploy(
        self, specification: StreamAppSpecification, /, credentials: AppCredentials | None = None
    ) -> None:
        self._try()
        if credentials is not None:
            self.credentials[specification.app_id] = credentials
        self.specifications[specification.app_id] = specification
        self.statuses[specification.app_id] = MemoryStatus(specification.app_id)

    def stop(self, app_id: str, /) -> None:
        self._try()
        self.statuses[app_id].desired = self.statuses[app_id].state = "stopped"

    def remove(self, app_id: str, /) -> None:
        self._try()
        del self.statuses[app_id]

    def specification(self, app_id: str, /) -> StreamAppSpecification | None:
        return self.specifications.get(app_id)

    def status(self, app_id: str, /) -> MemoryStatus | None:
        return self.statuses.get(app_id)

    def log_tail(self, app_id: str, /, lines: int = 200) -> Sequence[str]:
        return self.logs.get(app_id, [])[-lines:]

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
