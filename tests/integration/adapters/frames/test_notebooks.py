"""The example notebooks run from top to bottom, as `dtwin notebook` runs them, on the drive of two cars."""

import asyncio
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from setup.notebook.examples import examples
from setup.notebook.server import write_kernel
from tests.integration.adapters.frames.cars import World

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def executed(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, NotebookNode]:
    """All of them, side by side."""
    folder = tmp_path_factory.mktemp("notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(write_kernel(folder / "data", world.environment)))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
        return asyncio.run(_run_all(folder))


async def _run_all(folder: Path) -> dict[str, NotebookNode]:
    return dict(await asyncio.gather(*(_run(path, folder) for path in examples())))


async def _run(path: Path, folder: Path) -> tuple[str, NotebookNode]:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=240,
        startup_timeout=240,
        resources={"metadata": {"path": str(folder)}},
        kernel_name="python3",
    )
    await client.async_execute()
    return path.name, notebook


def plots(notebook: NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def outputs(notebook: NotebookNode) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def test_examples_are_stored_without_outputs_and_ask_for_the_kernel_that_is_there() -> None:
    assert [path.name for path in examples()] == ["first-steps.ipynb", "road-quality.ipynb"]
    for path in examples():
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert not outputs(notebook)
        assert notebook.metadata.kernelspec.name == "python3"


def test_first_steps_plots_in_its_first_cell_and_lists_what_is_shared(
    executed: dict[str, NotebookNode],
) -> None:
    notebook = executed["first-steps.ipynb"]
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "image/png" in first.outputs[-1]["data"]
    assert plots(notebook) == 2
    said = "".join(str(output.get("data", {}).get("text/plain", "")) for output in outputs(notebook))
    assert "Air Temperature" in said
    assert "Latitude" not in said
    assert not [output for output in outputs(notebook) if output.output_type == "stream"]


def test_road_quality_maps_the_drive_and_names_the_worst_stretches(
    executed: dict[str, NotebookNode], world: World
) -> None:
    notebook = executed["road-quality.ipynb"]
    assert plots(notebook) == 3
    tables = [
        output["data"]["text/plain"] for output in outputs(notebook) if "text/html" in output.get("data", {})
    ]
    counts, worst = tables
    rows = world.rows[world.names[2, "acceleration"]]
    strongest = max(row[1] for row in rows)
    assert f"{strongest:.2f}".rstrip("0") in counts
    assert "risk" in worst
    north = {
        f"{row[2]['latitude']:.3f}"
        for number in (1, 2)
        for row in world.rows[world.names[number, "acceleration"]]
    }
    named = {line.split()[0] for line in worst.splitlines()[2:] if line[:1].isdigit()}
    assert named
    assert {f"{float(value):.3f}" for value in named} <= north
