"""Access rules of a large installation: from nothing, without a change, and one revocation.

`python -m benchmarks.acls` starts a broker with an authorizer and a database, registers 1,000 systems with 10
client apps each, and measures what `dtwin acl apply` does: reading the registry, compiling, asking the
broker, changing it. Nothing of it is sped up for the measurement.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka import Producer
from sqlalchemy import create_engine, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.measuring.broker import BROKER_START_S, end_in_order_when_terminated
from client.messaging.security import KafkaSecurity
from platform_ui import db, tables
from platform_ui.acl_settings import Principals
from platform_ui.acls import keeper
from platform_ui.acls.kafka_port import AclPort, KafkaAcls
from platform_ui.credentials.models import Credential
from setup.local.kafka import LocalKafka
from setup.local.postgres import LocalPostgres, create_database, database_url

_INSERTED_AT_ONCE = 5_000
_PRODUCERS = 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acls", description=__doc__)
    parser.add_argument("--systems", type=int, default=1_000, help="number of systems")
    parser.add_argument("--clients", type=int, default=10, help="client apps of each system")
    parser.add_argument("--rounds", type=int, default=3, help="runs without a change")
    options = parser.parse_args()
    end_in_order_when_terminated()
    with _services() as (broker, url):
        _register(url, options.systems, options.clients)
        port = KafkaAcls(broker.bootstrap_servers, KafkaSecurity.from_environment(broker.environment()))
        asyncio.run(_measure(url, port, options.rounds))
        print(f"idempotent producer ready after   {_producer_start_s(broker) * 1000:9.0f} ms (median)")


async def _measure(url: str, port: AclPort, rounds: int) -> None:
    engine = db.create_engine(url)
    sessions = db.create_sessions(engine)

    async def run() -> tuple[float, keeper.Comparison]:
        began = time.perf_counter()
        async with sessions() as session:
            found = await keeper.apply(session, port, Principals.CERTIFICATES)
        return time.perf_counter() - began, found

    took, found = await run()
    print(f"entries                           {len(found.wanted):9,}")
    print(f"from nothing                      {took:9.2f} s ({len(found.plan.creations):,} made)")
    times = [await run() for _ in range(rounds)]
    if any(not comparison.plan.is_empty for _, comparison in times):
        raise SystemExit("a run without a change found something to do")
    print(
        f"without a change                  {statistics.median(taken for taken, _ in times):9.2f} s (median)"
    )
    await _measure_keeper(sessions, port)
    async with sessions() as session:
        await session.execute(update(Credential).values(epoch=2).where(Credential.name.like("at.bench.%1")))
        await session.commit()
    took, found = await run()
    print(f"every tenth client app revoked    {took:9.2f} s ({len(found.plan.deletions):,} removed)")
    await engine.dispose()


async def _measure_keeper(sessions: db.Sessions, port: AclPort) -> None:
    acl_keeper = keeper.AclKeeper(sessions, port)
    await acl_keeper.turn()
    async with sessions() as session:
        await _block_one(session)
    began = time.perf_counter()
    await acl_keeper.turn()
    print(f"one client app blocked, keeper    {time.perf_counter() - began:9.2f} s until the broker has it")


async def _block_one(session: AsyncSession) -> None:
    one = Credential.name == "at.bench.Workcenter.S0.client-0"
    await session.execute(update(Credential).values(blocked_at=datetime.now(UTC)).where(one))
    await session.commit()


def _producer_start_s(broker: LocalKafka) -> float:
    """Measure connection, TLS and producer id of a super user, next to all these entries."""
    times = []
    for _ in range(_PRODUCERS):
        began = time.perf_counter()
        producer = Producer({**broker.client_settings(), "transactional.id": f"bench-{uuid.uuid4()}"})
        producer.init_transactions(10)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


@contextmanager
def _services() -> Iterator[tuple[LocalKafka, str]]:
    with tempfile.TemporaryDirectory(prefix="dtwin-bench-", ignore_cleanup_errors=True) as folder:
        broker = LocalKafka(Path(folder) / "kafka")
        server = LocalPostgres(Path(folder) / "postgres", durable=False)
        try:
            broker.start()
            server.start()
            server.wait_ready(BROKER_START_S)
            broker.wait_ready(BROKER_START_S)
            create_database(server.url(), "platform")
            url = database_url(server.url(), "platform")
            db.migrate(url)
            yield broker, url
        finally:
            broker.stop()
            server.stop()
            server.remove()


def _register(url: str, systems: int, clients: int) -> None:
    """Write systems, client apps, credentials and a certificate for each straight into the tables."""
    present = datetime.now(UTC)
    person, company = uuid.uuid4(), uuid.uuid4()
    known = tables.METADATA.tables
    rows: dict[str, list[dict[str, object]]] = {
        "users": [
            {
                "id": person,
                "email": "bench@example.org",
                "first_name": "Bench",
                "last_name": "Mark",
                "password_hash": "-",
                "created_at": present,
            }
        ],
        "companies": [
            {
                "id": company,
                "name": "at.bench",
                "requires_second_factor": False,
                "description": "",
                "created_at": present,
                "created_by": person,
            }
        ],
    }
    for name in ("systems", "client_apps", "credentials", "certificates"):
        rows[name] = []
    for number in range(systems):
        system, system_id = f"at.bench.Workcenter.S{number}", uuid.uuid4()
        common = {"description": "", "created_at": present, "created_by": person}
        rows["systems"].append(
            {"id": system_id, "company_id": company, "name": system, "state": "active", **common}
        )
        for client in range(clients):
            app = f"client-{client}"
            rows["client_apps"].append(
                {"id": uuid.uuid4(), "system_id": system_id, "name": app, "metadata_uri": "", **common}
            )
            holder = {"kind": "client", "name": f"{system}.{app}", "epoch": 1}
            rows["credentials"].append({**holder, "created_at": present})
            rows["certificates"].append(
                {
                    **holder,
                    "serial": uuid.uuid4().hex,
                    "not_before": present,
                    "not_after": present + timedelta(days=30),
                    "issued_at": present,
                    "issued_by": "bench@example.org",
                    "origin": "archive",
                    "revoked_reason": "",
                }
            )
    engine = create_engine(url)
    with engine.begin() as connection:
        for table, found in rows.items():
            for first in range(0, len(found), _INSERTED_AT_ONCE):
                connection.execute(insert(known[table]), found[first : first + _INSERTED_AT_ONCE])
    engine.dispose()


if __name__ == "__main__":
    main()
