"""The platform's process is killed and started again while stream apps run: they do not notice."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx2
import psutil
import pytest

from platform_ui.app import create_app
from platform_ui.settings import PlatformSettings
from setup.local.ports import any_free_port
from tests.integration.platform_ui.agreements import with_system
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryTopics
from tests.integration.platform_ui.test_rules import second_system
from tests.integration.streamhub.conftest import Daemon
from tests.integration.streamhub.flows import Flow, eventually

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]
Word = Callable[[], str]
APPS = 10


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    runner = Daemon(tmp_path / "runner")
    yield runner
    runner.directory.shutdown(60)
    runner.process.wait(60)


class Platform:
    """The real process, `python -m platform_ui serve`; it may not do anything on the broker."""

    def __init__(self, settings: PlatformSettings) -> None:
        self._port = any_free_port()
        self.settings = settings
        self._environment = {
            "PATH": os.environ["PATH"],
            "DTWIN_PLATFORM__DATABASE_URL": settings.database_url,
            "DTWIN_PLATFORM__SECRET_KEY": settings.secret_key,
            "DTWIN_PLATFORM__PORT": str(self._port),
            "DTWIN_PLATFORM__ATTEMPTS_PER_ADDRESS": "100000",
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "DTWIN_SENSORTHINGS__URL": settings.sensorthings_url,
            "DTWIN_RUNNER__DIRECTORY": str(settings.runner_directory),
        }
        self._process: subprocess.Popen[bytes]

    def start(self) -> httpx2.Client:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "platform_ui", "serve", "--no-migrate"],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client = httpx2.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=60)

        def answers() -> bool:
            try:
                return client.get("/health/live").status_code == 200
            except httpx2.TransportError:
                return False

        eventually(answers, 120, "the start of the platform")
        return client

    def kill(self) -> None:
        """End it as a power cut would; once more does nothing."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)


@pytest.fixture
def platform(settings: PlatformSettings, kafka_bootstrap: str, daemon: Daemon) -> Iterator[Platform]:
    process = Platform(
        replace(settings, kafka_bootstrap_servers=kafka_bootstrap, runner_directory=daemon.directory.path)
    )
    yield process
    process.kill()


async def deploy_apps(settings: PlatformSettings, daemon: Daemon, word: Word) -> tuple[str, str]:
    """Make ten apps through the pages, for the real runner; return their source and their owner."""
    site = create_app(settings, topics=MemoryTopics(), runner=daemon.directory, metadata=MemoryMetadata())
    browser = Browser(httpx2.ASGITransport(app=site))
    source = await with_system(browser, word)
    target = await second_system(browser, source)
    Flow(settings.kafka_bootstrap_servers, source, target)
    for number in range(APPS):
        fields = {"name": f"app{number}", "target_system": target, "statement": "SELECT * FROM *;"}
        await browser.add(f"/systems/{source}/apps/new", **fields)
        page = f"/systems/{source}/apps/app{number}"
        await browser.post(f"{page}/deploy", page)
    email = (await browser.get("/api/v1/session")).json()["email"]
    await browser.http.aclose()
    await site.state.units.close()
    await site.state.engine.dispose()
    return source, email


def states_of(client: httpx2.Client) -> dict[str, tuple[str, int, str]]:
    """Return the state, the restarts and the start of each app, as the API tells them."""
    items = client.get("/api/v1/apps").json()["items"]
    return {one["name"]: (one["state"], one["restarts"], one["started_at"]) for one in items}


@pytest.mark.extended
async def test_ten_apps_run_on_and_are_shown_rightly_when_the_platform_is_killed(
    platform: Platform, daemon: Daemon, word: Word
) -> None:
    daemon.start()
    source, email = await deploy_apps(platform.settings, daemon, word)
    ids = [f"{source}.app{number}" for number in range(APPS)]
    pids = {app_id: daemon.directory.wait(app_id, {"running"}, 90).pid for app_id in ids}
    with closing(platform.start()) as client:
        password = {"email": email, "password": "a long password"}
        token = client.post("/api/v1/tokens", json=password).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        before = states_of(client)
    assert {state for state, _, _ in before.values()} == {"running"}
    platform.kill()
    assert all(pid is not None and psutil.pid_exists(pid) for pid in pids.values())
    with closing(platform.start()) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        eventually(lambda: states_of(client) == before, what="the right states")
    # What the platform does by itself has had its turn too: nothing is deployed anew.
    present = {status.app_id: status for status in daemon.directory.list()}
    assert {app_id: present[app_id].pid for app_id in ids} == pids
    assert len(before) == APPS
