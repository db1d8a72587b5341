"""A large installation, written straight into the tables, and the runner's files of its stream apps.

What lives here: rows that could have come from people, in any number. What does not: asking the site for
pages (`benchmarks.site`, and the tests that count statements).
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psutil import Process
from sqlalchemy import Engine, insert

from platform_ui import tables
from streamhub.engine.progress import AppProgress, write_atomically
from streamhub.runner.daemon import APPS, RUNNER_FILE
from streamhub.runner.folder import AppFolder, Observed
from streamhub.specification import StreamAppSpecification

_AT_ONCE = 2_000
_STATES = ("running",) * 17 + ("failed", "stopped", "backing_off")
_ENDED_EVERY, _WAITING_EVERY = 10, 7

Row = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How large an installation is; all numbers are totals but `members`, which is for each place."""

    companies: int = 40
    systems: int = 1_000
    clients: int = 10_000
    apps: int = 500
    contracts: int = 500
    members: int = 5
    entries: int = 5_000


@dataclass
class World:
    """What was made, by names.

    Attributes:
        companies: Names of the companies.
        systems: Names of the systems; that of company ``i`` begin at ``i * systems / companies``.
        apps: Ids of the stream apps.
        contracts: Ids of the contracts.
        statements: What each app runs, by id.
        targets: Where each app writes, by id.
    """

    companies: list[str] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    contracts: list[str] = field(default_factory=list)
    statements: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)


class _Seeder:
    def __init__(self, owner: uuid.UUID, word: str, size: Size) -> None:
        self.owner, self.word, self.size = owner, word, size
        self.world = World()
        self.present = datetime.now(UTC)
        self.people = [uuid.uuid4() for _ in range(size.members)]
        self.company_ids: list[uuid.UUID] = []
        self.system_ids: list[uuid.UUID] = []

    @property
    def made(self) -> Row:
        return {"created_at": self.present, "created_by": self.owner}

    def tables(self) -> Iterator[tuple[str, list[Row]]]:
        """Give the rows, table by table, in an order that foreign keys allow."""
        yield "users", self.users()
        yield "companies", self.companies()
        yield "company_members", self.members("company_id", self.company_ids, ("owner", "member"))
        yield "systems", self.systems()
        yield "system_members", self.members("system_id", self.system_ids, ("agent", "viewer"))
        yield "client_apps", self.clients()
        contracts, versions, signatures = self.contracts()
        yield "contracts", contracts
        yield "contract_versions", versions
        yield "contract_signatures", signatures
        apps, links = self.apps()
        yield "stream_apps", apps
        yield "stream_app_contracts", links
        yield "audit_entries", self.entries()

    def users(self) -> list[Row]:
        return [
            {
                "id": person,
                "email": f"{self.word}.{number}@example.org",
                "first_name": f"Person {number}",
                "last_name": "Test",
                "password_hash": "-",
                "created_at": self.present,
            }
            for number, person in enumerate(self.people)
        ]

    def companies(self) -> list[Row]:
        self.company_ids = [uuid.uuid4() for _ in range(self.size.companies)]
        self.world.companies = [f"{'abcdefgh'[i % 8]}z.{self.word}{i}" for i in range(self.size.companies)]
        return [
            {"id": key, "name": name, "description": f"Makes {name}", **self.made}
            for key, name in zip(self.company_ids, self.world.companies, strict=True)
        ]

    def members(self, column: str, places: list[uuid.UUID], roles: tuple[str, str]) -> list[Row]:
        added = {"added_at": self.present, "added_by": self.owner}
        return [
            {column: place, "user_id": person, "role": role, **added}
            for place in places
            for person, role in [
                (self.owner, roles[0]),
                *((one, roles[1]) for one in self.people),
            ]
        ]

    def systems(self) -> list[Row]:
        count, companies = self.size.systems, self.size.companies
        self.system_ids = [uuid.uuid4() for _ in range(count)]
        company_of = [i * companies // count for i in range(count)]
        self.world.systems = [
            f"{self.world.companies[company]}.Hall-{i % 5}.Machine-{i}"
            for i, company in enumerate(company_of)
        ]
        return [
            {
                "id": key,
                "company_id": self.company_ids[company],
                "name": name,
                "state": "active",
                "description": "Turns, mills and drills",
                **self.made,
            }
            for key, company, name in zip(self.system_ids, company_of, self.world.systems, strict=True)
        ]

    def clients(self) -> list[Row]:
        return [
            {
                "id": uuid.uuid4(),
                "system_id": self.system_ids[i % len(self.system_ids)],
                "name": f"client_{i // len(self.system_ids)}",
                "description": "Sends what a spindle does",
                **self.made,
            }
            for i in range(self.size.clients)
        ]

    def pair(self, number: int) -> tuple[int, int]:
        """Return the places of two systems of different companies."""
        count = len(self.system_ids)
        source = number % count
        return source, (source + count // 2) % count

    def contracts(self) -> tuple[list[Row], list[Row], list[Row]]:
        contracts, versions, signatures = list[Row](), list[Row](), list[Row]()
        for number in range(self.size.contracts):
            source, target = self.pair(number)
            key = f"c-{self.word[:9]}{number:07d}"
            is_ended, is_waiting = number % _ENDED_EVERY == 0, number % _WAITING_EVERY == 1
            state = "ended" if is_ended else "proposed" if is_waiting else "active"
            self.world.contracts.append(key)
            contracts.append(
                {
                    "id": key,
                    "provider_id": self.system_ids[source],
                    "consumer_id": self.system_ids[target],
                    "provider": self.world.systems[source],
                    "consumer": self.world.systems[target],
                    "begun_by": "consumer",
                    "state": state,
                    "version": 1,
                    "created_at": self.present - timedelta(minutes=number),
                    "outcome": "revoked" if is_ended else None,
                    "ended_at": self.present if is_ended else None,
                }
            )
            versions.append(
                {
                    "contract_id": key,
                    "number": 1,
                    "datastreams": [],
                    "predicate": "result < 15",
                    "fields": [],
                    "purpose": "To learn when a tool wears out",
                    "starts_at": None,
                    "ends_at": None,
                    "state": {"ended": "ended", "proposed": "open", "active": "in_force"}[state],
                    "digest": "0" * 64,
                    "side": "consumer",
                    "written_by": "somebody@example.org",
                    "written_at": self.present,
                    "in_force_at": self.present if state == "active" else None,
                }
            )
            sides = ("consumer",) if state == "proposed" else ("provider", "consumer")
            signatures += [self.signature(key, side) for side in sides]
        return contracts, versions, signatures

    def signature(self, key: str, side: str) -> Row:
        return {
            "contract_id": key,
            "number": 1,
            "side": side,
            "user_id": self.owner,
            "email": "somebody@example.org",
            "full_name": "Some Body",
            "digest": "0" * 64,
            "signed_at": self.present,
        }

    def apps(self) -> tuple[list[Row], list[Row]]:
        apps, links = list[Row](), list[Row]()
        for number in range(self.size.apps):
            source, target = self.pair(number)
            key, name = uuid.uuid4(), f"share_{number}"
            app_id = f"{self.world.systems[source]}.{name}"
            statement = f"SELECT * FROM {self.world.systems[source]} WHERE result < {number};"  # noqa: S608
            self.world.apps.append(app_id)
            self.world.statements[app_id] = statement
            self.world.targets[app_id] = self.world.systems[target]
            apps.append(
                {
                    "id": key,
                    "system_id": self.system_ids[source],
                    "target_system_id": self.system_ids[target],
                    "name": name,
                    "statement": statement,
                    "changed_at": self.present,
                    **self.made,
                }
            )
            if number < len(self.world.contracts):
                links.append(
                    {
                        "app_id": key,
                        "provider_system_id": self.system_ids[source],
                        "contract_id": self.world.contracts[number],
                    }
                )
        return apps, links

    def entries(self) -> list[Row]:
        return [
            {
                "at": self.present,
                "user_id": self.owner,
                "user_email": "somebody@example.org",
                "action": "client.created",
                "object_name": f"{self.world.systems[i % len(self.world.systems)]}.client_{i}",
                "detail": {},
            }
            for i in range(self.size.entries)
        ]


def seed(engine: Engine, owner: uuid.UUID, word: str, size: Size) -> World:
    """Fill the tables; the owner is an agent of every system and an owner of every company.

    Args:
        engine: a synchronous engine of the platform's database.
        owner: a registered person.
        word: makes names unique, letters and digits.
        size: how much.
    """
    seeder = _Seeder(owner, word, size)
    known: Mapping[str, Any] = tables.METADATA.tables
    with engine.begin() as connection:
        for name, rows in seeder.tables():
            for begin in range(0, len(rows), _AT_ONCE):
                connection.execute(insert(known[name]), rows[begin : begin + _AT_ONCE])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return seeder.world


def write_runner_files(directory: Path, world: World) -> None:
    """Write what a runner with all these apps would have written; this process stands for its daemon."""
    own = Process()
    present = datetime.now(UTC)
    directory.mkdir(parents=True, exist_ok=True)
    daemon = {"pid": own.pid, "created": own.create_time(), "started_at": present.isoformat()}
    write_atomically(directory / RUNNER_FILE, json.dumps(daemon))
    for number, app_id in enumerate(world.apps):
        folder = AppFolder(directory / APPS / app_id)
        folder.path.mkdir(parents=True)
        source, _, name = app_id.rpartition(".")
        specification = StreamAppSpecification(
            name=name,
            source_system=source,
            target_system=world.targets[app_id],
            statement=world.statements[app_id],
            bootstrap_servers="127.0.0.1:9092",
        )
        folder.specification.write_text(specification.to_json(), encoding="utf-8")
        state = _STATES[number % len(_STATES)]
        folder.write_desired("stopped" if state == "stopped" else "running")
        desired = folder.read_desired()
        request = desired.request if desired is not None else ""
        cause = "Kafka does not answer" if state in {"failed", "backing_off"} else None
        folder.write_observed(Observed(state, request, cause, own.pid, 0, present.isoformat()))  # type: ignore[arg-type]
        progress = AppProgress(
            pid=own.pid, state="running", updated_at=present, consumed=1_000 * number, forwarded=number, lag=3
        )
        write_atomically(folder.progress, progress.to_json())
