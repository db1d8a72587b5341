"""The virtual environment of the Quix peer: made once, in the user's cache."""

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from setup.local.paths import cache_folder, exclusive_lock

QUIX_STREAMS: Final = "quixstreams==3.28.0"
FILTER_PROGRAM: Final = Path(__file__).with_name("filter_program.py")
JOIN_PROGRAM: Final = Path(__file__).with_name("join_program.py")


def quix_python() -> str:
    """Return a Python that has Quix Streams; installs it when it is not there.

    Raises:
        SystemExit: pip could not install it.
    """
    folder = cache_folder() / "benchmarks" / f"quix-{QUIX_STREAMS.rpartition('=')[2]}"
    python = folder / "bin" / "python"
    done = folder / "installed"
    with exclusive_lock(folder.with_suffix(".lock")):
        if not done.exists():
            venv.create(folder, with_pip=True, clear=True)
            installing = [str(python), "-m", "pip", "install", "--quiet", QUIX_STREAMS]
            if subprocess.run(installing, check=False, stdout=sys.stderr).returncode:
                raise SystemExit(f"{QUIX_STREAMS} could not be installed: is there a network?")
            done.touch()
    return str(python)
