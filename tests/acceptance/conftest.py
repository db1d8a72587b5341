"""The demo as `dtwin demo` starts it, once for all tests that need it, and a browser page on its platform."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from setup.local.ports import any_free_port
from tests.acceptance.demo import Demo

CLONE = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
READY_TIMEOUT_S = 240.0


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("demo") / "home"
    ports = {f"DTWIN_{part}__PORT": str(any_free_port()) for part in ("KAFKA", "SENSORTHINGS", "PLATFORM")}
    given = ("DTWIN_KAFKA__", "DTWIN_POSTGRES__URL", "DTWIN_SENSORTHINGS__URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(given)} | ports
    log = home.parent / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "setup", "demo", "--no-browser", "--purge"],
            env=environment | {"DTWIN_HOME": str(home)},
            cwd=CLONE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait_until_introduced(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=90)
    assert not home.exists(), "--purge left data"


def _wait_until_introduced(process: subprocess.Popen[bytes], log: Path) -> Demo:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        said = log.read_text(encoding="utf-8", errors="replace")
        platform = re.search(r"Platform\s+(http\S+)", said)
        kafka = re.search(r"Kafka\s+(\S+:\d+)", said)
        things = re.search(r"SensorThings\s+(http\S+)/v1.1", said)
        if "The stack runs" in said and platform and kafka and things and "crossed from one company" in said:
            return Demo(platform[1], kafka[1], things[1], log.parent / "home")
        time.sleep(0.2)
    pytest.fail(f"the demo did not come up:\n{log.read_text(encoding='utf-8', errors='replace')}")


@pytest.fixture
def page(demo: Demo) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        context = browser.new_context(base_url=demo.platform, viewport={"width": 1280, "height": 900})
        yield context.new_page()
        browser.close()
