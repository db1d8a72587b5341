"""What JupyterLab is told, and what notebooks begin with."""

import json
import stat
from pathlib import Path

import pytest

from setup.errors import SetupError
from setup.notebook.examples import fill
from setup.notebook.server import LabSettings, write_kernel


def test_jupyterlab_listens_on_loopback_and_fetches_nothing(tmp_path: Path) -> None:
    settings = LabSettings(
        Path("/run/lab"), tmp_path, 8888, {}, opens_browser=False, first="first-steps.ipynb"
    )
    told = settings.configuration()
    assert told["ServerApp"]["ip"] == "127.0.0.1"
    assert told["IdentityProvider"]["token"] == settings.token
    assert len(settings.token) >= 32
    assert told["LabApp"]["news_url"] is None
    assert told["KernelManager"]["transport"] == "ipc"
    assert settings.address.startswith("http://127.0.0.1:8888/lab/tree/first-steps.ipynb?token=")
    assert settings.token not in repr(settings)


def test_kernels_are_reached_by_tcp_where_a_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    for length, transport in ((45, "ipc"), (46, "tcp")):
        settings = LabSettings(Path("/" + "x" * (length - 1)), tmp_path, 1, {})
        assert settings.transport == transport, length


def test_each_run_has_a_token_of_its_own(tmp_path: Path) -> None:
    assert LabSettings(tmp_path, tmp_path, 1, {}).token != LabSettings(tmp_path, tmp_path, 1, {}).token


def test_kernels_know_dtwin_and_where_the_data_are(tmp_path: Path) -> None:
    place = write_kernel(tmp_path, {"DTWIN_SENSORTHINGS__URL": "http://127.0.0.1:8084"})
    spec = json.loads((place / "kernels" / "python3" / "kernel.json").read_text())
    assert spec["env"]["DTWIN_SENSORTHINGS__URL"] == "http://127.0.0.1:8084"
    assert '--IPKernelApp.exec_lines=["import adapters.frames as dtwin"]' in spec["argv"]


def test_an_empty_folder_is_filled_with_examples_and_a_used_one_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "notebooks"
    assert fill(folder)
    assert {path.name for path in folder.iterdir()} == {"first-steps.ipynb", "road-quality.ipynb"}
    assert all(stat.S_IMODE(path.stat().st_mode) & stat.S_IWUSR for path in folder.iterdir())
    (folder / "road-quality.ipynb").unlink()
    assert not fill(folder)
    assert not (folder / "road-quality.ipynb").exists()
    with pytest.raises(SetupError, match="Choose another --folder"):
        fill(folder / "first-steps.ipynb")
