"""The bare wheel in an empty environment runs the README's device program from another folder."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from client.messaging.topics import SystemName
from tests.kafka_clients import connection

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def readme_blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture(scope="module")
def device_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an empty environment in which only the bare wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        text=True,
    )
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    return python


def test_the_bare_wheel_brings_at_most_three_direct_dependencies(device_python: Path) -> None:
    script = (
        "import importlib.metadata as m\n"
        "print('\\n'.join(r for r in m.requires('digital-twin-stack') if 'extra ==' not in r))"
    )
    done = subprocess.run(
        [device_python, "-c", script], check=True, capture_output=True, text=True, cwd=device_python.parent
    )
    assert 1 <= len(done.stdout.split("\n")[:-1]) <= 3, done.stdout


def test_the_readme_program_stores_its_record(
    device_python: Path,
    tmp_path: Path,
    kafka_bootstrap: str,
    sensorthings_url: str,
    unique_system: Callable[[], str],
) -> None:
    system = SystemName.parse(unique_system())
    admin = AdminClient(connection(kafka_bootstrap))
    for future in admin.create_topics([NewTopic(topic, 1, 1) for topic in system.topics.all()]).values():
        future.result(timeout=30)

    (instances,) = readme_blocks("json")
    (tmp_path / "instances.json").write_text(instances, encoding="utf-8")
    (tmp_path / "subscriptions.json").write_text(json.dumps({"subscribed_datastreams": ["*"]}))
    program, _by_mqtt = readme_blocks("python")
    program = program.replace("cz.icecars.iot4cps-wp5-CarFleet.Car1", str(system))
    program = program.replace("localhost:8084", sensorthings_url.removeprefix("http://"))
    program = program.replace("localhost:9092", kafka_bootstrap)
    (tmp_path / "device.py").write_text(program, encoding="utf-8")

    environment = {
        key: value
        for key, value in os.environ.items()
        if key.startswith("DTWIN_KAFKA__S") or not key.startswith(("DTWIN_", "PYTHON"))
    }
    done = subprocess.run(
        [device_python, "device.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "stored at offset 0" in done.stdout
