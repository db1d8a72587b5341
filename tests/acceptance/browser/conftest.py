"""The whole platform for a browser: site, runner, database and broker as real processes."""

import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from setup.local.ports import any_free_port

READY_TIMEOUT_S = 120.0
ROOT = Path(__file__).parents[3]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Site:
    """A running platform."""

    url: str
    kafka_bootstrap: str


@pytest.fixture(scope="session")
def site(
    kafka_bootstrap: str,
    new_database: Callable[[str], str],
    sensorthings_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """The site in demo mode, its data loaded, with a runner beside it."""
    folder = tmp_path_factory.mktemp("site")
    port = any_free_port()
    environment = os.environ | {
        "DTWIN_PLATFORM__DATABASE_URL": new_database("browser"),
        "DTWIN_PLATFORM__MODE": "demo",
        "DTWIN_PLATFORM__PORT": str(port),
        "DTWIN_PLATFORM__SECRET_KEY": secrets.token_hex(32),
        "DTWIN_KAFKA__BOOTSTRAP_SERVERS": kafka_bootstrap,
        "DTWIN_SENSORTHINGS__URL": f"http://127.0.0.1:{any_free_port()}",  # nobody answers: units stay away
        "DTWIN_RUNNER__DIRECTORY": str(folder / "runner"),
        **authority(),
    }
    subprocess.run(
        [sys.executable, "-m", "platform_ui", "load-demo"],
        # The app that computes registers its output.
        env=environment | {"DTWIN_SENSORTHINGS__URL": sensorthings_url},
        cwd=ROOT,
        check=True,
        timeout=240,
    )
    runner = ["-m", "streamhub", "runner", "--directory", str(folder / "runner")]
    processes = []
    with (folder / "log").open("wb") as log:
        for arguments in (runner, ["-m", "platform_ui", "serve"]):
            process = subprocess.Popen(
                [sys.executable, *arguments], env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
            processes.append(process)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_ready(url, folder / "log")
            yield Site(url, kafka_bootstrap)
        finally:
            stop_apps(folder / "runner")
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=60)


def authority() -> dict[str, str]:
    """Name the authority of the fixture's broker, by which stream apps get their certificates."""
    folder = Path(os.environ.get("DTWIN_KAFKA__SSL_CA_FILE", "")).parent
    passphrase = folder / "passphrase"
    if not passphrase.is_file():
        return {}
    return {"DTWIN_PKI__DIRECTORY": str(folder), "DTWIN_PKI__PASSPHRASE_FILE": str(passphrase)}


def stop_apps(folder: Path) -> None:
    """Take away all stream apps, so that no process outlives the tests."""
    from streamhub.runner import RunnerDirectory

    runner = RunnerDirectory(folder)
    for status in runner.list():
        runner.stop(status.app_id)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(status.state != "stopped" for status in runner.list()):
        time.sleep(0.2)


def wait_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:  # noqa: S310 - our own
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"The site did not start:\n{log.read_text()[-4000:]}")


def note_fault(faults: list[str], message: ConsoleMessage) -> None:
    """Keep an error of the console; answers such as 409 are told there too, and are meant."""
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        faults.append(message.text)


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    """A fresh browser window; a script error or a breach of the content policy fails the test."""
    faults: list[str] = []
    context = chromium.new_context(base_url=site.url)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("console", lambda message: note_fault(faults, message))
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []
