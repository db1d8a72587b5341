"""`dtwin notebook` beside the running demo: JupyterLab in a browser, the first cell, its plot."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from setup.local.ports import any_free_port
from tests.acceptance.demo import Demo, wait_for
from tests.acceptance.starting import EXTENDED

CLONE = Path(__file__).parents[2]
READY_S = 120.0

pytestmark = EXTENDED


@pytest.fixture
def lab(demo: Demo, tmp_path: Path) -> Iterator[str]:
    """What the command prints; at the end it has left nothing behind."""
    said = tmp_path / "notebook.log"
    temporary = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))  # Unix sockets have short paths only
    given = ("DTWIN_SENSORTHINGS__", "DTWIN_ELASTICSEARCH__")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(given)}
    with said.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "setup", "notebook", "--no-browser"),
                *("--port", str(any_free_port()), "--folder", str(tmp_path / "notebooks")),
            ],
            env=environment | {"DTWIN_HOME": str(demo.home), "TMPDIR": str(temporary)},
            cwd=CLONE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + READY_S
        while "Stop with Ctrl-C" not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.2)
        yield said.read_text()
        logs = "".join(path.read_text() for path in temporary.rglob("*.log"))
        assert _token(said.read_text()) not in logs
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    left = [path.name for path in temporary.iterdir()]
    shutil.rmtree(temporary)
    assert not [name for name in left if name.startswith("dtwin-notebook-")], "a token is among such files"


def _token(said: str) -> str:
    found = re.search(r"token=(\S+)", said)
    assert found, said
    return found[1]


def test_the_plot_of_the_first_cell_appears(page: Page, demo: Demo, lab: str) -> None:
    assert "As            at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics.datastack-adapter" in lab
    address = re.search(r"JupyterLab\s+(http://127\.0\.0\.1:\S+)", lab)
    assert address, lab
    wait_for(lambda: _both_cars_were_recorded(demo), timeout_s=60.0)

    page.goto(address[1])
    expect(page.get_by_text(re.compile(r"\| Idle"))).to_be_visible(timeout=90_000)
    page.locator(".jp-Notebook .jp-CodeCell .jp-InputArea-editor").first.click()
    page.keyboard.press("Control+Enter")
    plot = page.locator(".jp-CodeCell .jp-OutputArea img").first
    expect(plot).to_be_visible(timeout=60_000)
    size = plot.bounding_box()
    assert size is not None
    assert size["width"] > 300
    pictures = os.environ.get("DTWIN_TEST_SCREENSHOTS")
    if pictures:
        page.screenshot(path=f"{pictures}/notebook.png")


def test_nobody_enters_without_the_token(lab: str) -> None:
    address = re.search(r"(http://127\.0\.0\.1:\d+)/lab", lab)
    assert address, lab
    assert httpx2.get(f"{address[1]}/api/contents", timeout=60).status_code == 403
    inside = httpx2.get(
        f"{address[1]}/api/contents", headers={"Authorization": f"token {_token(lab)}"}, timeout=60
    )
    assert {"first-steps.ipynb", "road-quality.ipynb"} == {item["name"] for item in inside.json()["content"]}


def _both_cars_were_recorded(demo: Demo) -> bool:
    token = (demo.home / "secrets" / "sensorthings_admin_token").read_text().strip()
    names = [f"cz.icecars.iot4cps-wp5-CarFleet.Car{number}.Main.Air Temperature" for number in (1, 2)]
    return all(
        httpx2.get(
            f"{demo.sensorthings}/v1.1/Observations",
            params={"$filter": f"Datastream/name eq '{name}'", "$top": "5"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30.0,
        ).json()["value"][4:]
        for name in names
    )
