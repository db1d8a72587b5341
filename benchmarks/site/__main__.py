"""Server time of every list, the pages of a company and a system, and home, on a large installation.

`python -m benchmarks.site` starts a database, writes 40 companies, 1,000 systems, 10,000 client apps, 500
stream apps and 500 contracts into it, all of which one person sees, and the runner's files of the apps. Then
it asks the site for each page, in this process, without a network: what is measured is what the server does.
CPU is the median processor time of this process, that of PostgreSQL not included; it depends least on what
else runs. There is no broker: figures of flows are not measured.
"""

import argparse
import asyncio
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx2
from sqlalchemy import Engine, create_engine, select

from benchmarks.site.seeding import Size, World, seed, write_runner_files
from client.messaging.security import KafkaSecurity
from platform_ui import db
from platform_ui.accounts.models import User
from platform_ui.app import create_app
from platform_ui.broker import KafkaTopics
from platform_ui.browser.server import spare_pauses
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from setup.local.postgres import LocalPostgres, create_database, database_url

_START_S = 60.0
_NOWHERE = "127.0.0.1:9"
_AIM_MS = 200.0
_LOG_IN = {"email": "bench@example.org", "password": "a long password"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.site", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="requests of each page")
    parser.add_argument("--scale", type=float, default=1.0, help="of the installation")
    parser.add_argument("--only", default="", help="pages with this in their address")
    options = parser.parse_args()
    scaled = {name: max(2, int(number * options.scale)) for name, number in vars(Size()).items()}
    scratch = tempfile.TemporaryDirectory(prefix="dtwin-bench-", ignore_cleanup_errors=True)
    with scratch as folder, _database(Path(folder)) as url:
        asyncio.run(_measure(url, Path(folder), Size(**scaled), options.rounds, options.only))


@contextmanager
def _database(folder: Path) -> Iterator[str]:
    server = LocalPostgres(folder / "postgres", durable=False)
    try:
        server.start()
        server.wait_ready(_START_S)
        create_database(server.url(), "platform")
        url = database_url(server.url(), "platform")
        db.migrate(url)
        yield url
    finally:
        server.stop()
        server.remove()


async def _measure(url: str, folder: Path, size: Size, rounds: int, only: str) -> None:
    settings = PlatformSettings(
        database_url=url,
        secret_key=secrets.token_hex(32),
        kafka_bootstrap_servers=_NOWHERE,
        sensorthings_url="http://127.0.0.1:9",
        runner_directory=folder / "runner",
        mode=Mode.PRODUCTION,
        attempts_per_address=100_000,
    )
    # A given administrator of topics lets the site ask no broker.
    app = create_app(settings, topics=KafkaTopics(_NOWHERE, KafkaSecurity()))
    spare_pauses()
    transport = httpx2.ASGITransport(app=app)
    engine = create_engine(url)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://site.test", follow_redirects=True
    ) as http:
        await _set_up(http, app.state.first_run.new_code())
        world = await _world(http, engine, size)
        write_runner_files(settings.runner_directory, world)
        print(f"{'page':64s} {'KiB':>6} {'CPU':>7} {'first':>7} {'p50':>7} {'p95':>7}  [ms]")
        slow = [path for path in _pages(world) if only in path and not await _time(http, path, rounds)]
    engine.dispose()
    await app.state.engine.dispose()
    print(f"over {_AIM_MS:g} ms at p95: {', '.join(slow) or 'none'}")


async def _set_up(http: httpx2.AsyncClient, code: str) -> None:
    """Make the first person of a fresh platform."""
    name = {"first_name": "Bench", "last_name": "Mark", "code": code}
    answer = await http.post("/api/v1/setup", json=name | _LOG_IN | {"confirm": _LOG_IN["password"]})
    if answer.status_code != HTTPStatus.CREATED:
        raise SystemExit(f"setting the platform up was answered with {answer.status_code}")


async def _world(http: httpx2.AsyncClient, engine: Engine, size: Size) -> World:
    """Log the person in, in whose name all is registered."""
    page = await http.get("/login")
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page.text)
    if token is None:
        raise SystemExit("the page for logging in has no form")
    answer = await http.post("/login", data=_LOG_IN | {"csrf_token": token[1]})
    if answer.status_code != HTTPStatus.OK:
        raise SystemExit(f"logging in was answered with {answer.status_code}")
    with engine.connect() as connection:
        owner = connection.execute(select(User.id)).scalar_one()
    began = time.perf_counter()
    world = seed(engine, owner, "bench", size)
    print(f"registered in {time.perf_counter() - began:.1f} s: {size}")
    return world


def _pages(world: World) -> list[str]:
    company, system = world.companies[0], world.systems[0]
    return [
        "/dashboard",
        "/companies",
        f"/companies/{company}",
        "/systems",
        f"/systems?under={company}",
        "/systems?q=machine-1",
        f"/systems/{system}",
        f"/systems/{system}?show=clients",
        f"/systems/{system}?show=apps",
        f"/systems/{system}?show=contracts",
        f"/systems/{system}?show=rules",
        "/clients",
        "/clients?q=client_7",
        "/apps",
        "/apps?state=failed",
        "/contracts",
        "/contracts?state=waiting&q=hall-3",
        "/api/v1/companies",
        "/api/v1/systems",
        "/api/v1/systems?page_size=1000",
        "/api/v1/clients",
        "/api/v1/clients?page_size=1000",
        "/api/v1/apps",
        "/api/v1/contracts",
    ]


async def _time(http: httpx2.AsyncClient, path: str, rounds: int) -> bool:
    """Print the times of one page; return whether it keeps to the aim."""
    times, busy, size = list[float](), list[float](), 0
    for _ in range(rounds + 1):
        began, used = time.perf_counter(), time.process_time()
        answer = await http.get(path)
        times.append((time.perf_counter() - began) * 1000)
        busy.append((time.process_time() - used) * 1000)
        if answer.status_code != HTTPStatus.OK:
            raise SystemExit(f"{path} was answered with {answer.status_code}: {answer.text[:500]}")
        size = len(answer.content)
    first, *rest = times
    p95 = statistics.quantiles(rest, n=20)[-1]
    figures = (statistics.median(busy[1:]), first, statistics.median(rest), p95)
    print(f"{path:64s} {size / 1024:6.0f} " + " ".join(f"{figure:7.0f}" for figure in figures))
    return p95 <= _AIM_MS


if __name__ == "__main__":
    main()
