"""The folder that notebooks live in, and the examples that it begins with.

What lives here: copying. What does not: the notebooks (`demo_applications.analytics`, the floor above).
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from setup.errors import PartMissingError, SetupError

FOLDER = "dtwin-notebooks"
FIRST = "first-steps.ipynb"


def default_folder() -> Path:
    """Return where notebooks are when the user says nothing: `~/dtwin-notebooks`."""
    return Path.home() / FOLDER


def examples() -> list[Path]:
    """Return the notebooks that come with this installation.

    Raises:
        PartMissingError: There are none.
    """
    # By name: the demo applications are the floor above this one.
    found = importlib.util.find_spec("demo_applications.analytics")
    places = [] if found is None else list(found.submodule_search_locations or ())
    notebooks = sorted(path for place in places for path in (Path(place) / "notebooks").glob("*.ipynb"))
    if not notebooks:
        raise PartMissingError(
            "This installation has no example notebooks: install it whole with "
            "pip install 'digital-twin-stack[analytics]'."
        )
    return notebooks


def fill(folder: Path) -> bool:
    """Make a folder with the examples, unless there are files in it; return whether it was filled.

    Raises:
        SetupError: It cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            return False
        for notebook in examples():
            shutil.copyfile(notebook, folder / notebook.name)
    except OSError as error:
        raise SetupError(
            f"The notebooks cannot be put into {folder}: {error.strerror}. Choose another --folder."
        ) from error
    return True
