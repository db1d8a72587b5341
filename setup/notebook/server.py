"""JupyterLab as a process: its settings, its kernel, until it ends.

What lives here: files of one run, in a folder that nobody else may enter, and the process. What does not:
what the kernel is connected to (`connection`).

No secret is an argument or in a log: JupyterLab reads its token from a file, and opens the browser by a file
of its own.

Source: Jupyter Server, "Config file and command line options"; jupyter_client, "Kernel specs".
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from setup.errors import PartNotReadyError
from setup.local.paths import clone_folder
from setup.local.ports import LOOPBACK
from setup.local.processes import ProcessIdentity, log_tail, start_process
from setup.local.secret_files import write_secret

KERNEL: Final = "python3"
"""Name of the kernel: the one that every notebook asks for."""
READY_TIMEOUT_S: Final = 60.0
_END_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.1
_LONGEST_SOCKET_PATH: Final = 103
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Run by each kernel before the first cell.
_START_LINES: Final = ("import adapters.frames as dtwin",)
# What JupyterLab would ask everybody at their first visit.
_DEFAULTS: Final = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
}


@dataclass(frozen=True, slots=True)
class LabSettings:
    """What one run of JupyterLab is told.

    Attributes:
        run: Folder of its files, closed to others.
        notebooks: What it shows.
        port: Where it listens, on loopback.
        kernel: Variables of the kernels.
        opens_browser: Whether it opens a browser.
        first: Notebook that is shown first; empty for none.
        token: By which the browser is known.
    """

    run: Path
    notebooks: Path
    port: int
    kernel: Mapping[str, str]
    opens_browser: bool = True
    first: str = ""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def address(self) -> str:
        """Where it is, with the token: for the person at this terminal only."""
        return f"http://{LOOPBACK}:{self.port}{self._path}?token={self.token}"

    @property
    def runtime(self) -> Path:
        """Folder of what runs: connections, cookies."""
        return self.run / "runtime"

    @property
    def transport(self) -> str:
        """How kernels are reached: by Unix sockets that nobody else may open, else by signed TCP.

        Source: unix(7): a socket's path has at most 108 bytes, on some systems 104, with a zero at the end.
        """
        longest = self.runtime / f"kernel-{uuid.UUID(int=0)}-ipc-5"
        return "ipc" if len(os.fsencode(longest)) <= _LONGEST_SOCKET_PATH else "tcp"

    @property
    def _path(self) -> str:
        return f"/lab/tree/{self.first}" if self.first else "/lab"

    def configuration(self) -> dict[str, Any]:
        """Return JupyterLab's settings."""
        return {
            "ServerApp": {
                "ip": LOOPBACK,
                "port": self.port,
                "port_retries": 0,
                "root_dir": str(self.notebooks),
                "open_browser": self.opens_browser,
                "default_url": self._path,
                "allow_root": True,
                "log_level": "WARN",
            },
            "IdentityProvider": {"token": self.token},
            "KernelManager": {"transport": self.transport},
            # Nothing is fetched from elsewhere.
            "LabApp": {
                "news_url": None,
                "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
                "extension_manager": "readonly",
                "app_settings_dir": str(self.run / "lab"),
            },
        }


def write_kernel(folder: Path, environment: Mapping[str, str]) -> Path:
    """Describe a Python that knows `dtwin`, and is connected; return the folder for JUPYTER_PATH.

    Args:
        folder: Where it goes.
        environment: Variables of the kernels.
    """
    spec = {
        "argv": [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            f"--IPKernelApp.exec_lines={json.dumps(_START_LINES)}",
            "--matplotlib=inline",
        ],
        "display_name": "Python (Digital Twin Stack)",
        "language": "python",
        "env": {**_import_path(), **environment},
        "metadata": {"debugger": True},
    }
    place = folder / "kernels" / KERNEL
    place.mkdir(parents=True, exist_ok=True)
    (place / "kernel.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")
    return folder


def _import_path() -> dict[str, str]:
    """Let kernels import the rooms of a clone, from any folder."""
    clone = clone_folder()
    if clone is None:
        return {}
    rest = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{clone}{os.pathsep}{rest}" if rest else str(clone)}


class Lab:
    """A running JupyterLab.

    Args:
        settings: What it is told.
    """

    def __init__(self, settings: LabSettings) -> None:
        self._settings = settings
        self._log = settings.run / "jupyterlab.log"
        self._process: ProcessIdentity | None = None

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            PartNotReadyError: It does not, and why.
        """
        settings = self._settings
        configuration = settings.run / "jupyter_server_config.json"
        write_secret(configuration, json.dumps(settings.configuration()))
        kernels = write_kernel(settings.run / "data", settings.kernel)
        defaults = settings.run / "lab" / "overrides.json"
        defaults.parent.mkdir(exist_ok=True)
        defaults.write_text(json.dumps(_DEFAULTS), encoding="utf-8")
        self._process = start_process(
            [sys.executable, "-m", "jupyterlab", f"--config={configuration}"],
            log_file=self._log,
            environment=self._environment(kernels),
            folder=settings.notebooks,
        )
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._answers():
            if not self.is_running() or time.monotonic() > deadline:
                raise PartNotReadyError(
                    f"JupyterLab did not come up at port {settings.port}. It says:\n{log_tail(self._log, 20)}"
                )
            time.sleep(_POLL_S)

    def _environment(self, kernels: Path) -> dict[str, str]:
        # Settings of the stack reach kernels by their description only: there may be secrets among ours.
        ours = {name: value for name, value in os.environ.items() if not name.startswith("DTWIN_")}
        rest = ours.get("JUPYTER_PATH")
        runtime = self._settings.runtime
        runtime.mkdir(mode=0o700, exist_ok=True)
        return ours | {
            "JUPYTER_PATH": f"{kernels}{os.pathsep}{rest}" if rest else str(kernels),
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "JUPYTER_PLATFORM_DIRS": "1",
        }

    def _answers(self) -> bool:
        try:
            with _DIRECT.open(f"http://{LOOPBACK}:{self._settings.port}/api", timeout=2.0) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004 - OK
        except (urllib.error.URLError, OSError):
            return False

    def is_running(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None and self._process.is_running()

    def wait(self) -> None:
        """Return when it has ended by itself, as by *Shut Down* in its menu."""
        while self.is_running():
            time.sleep(_POLL_S)

    def end(self) -> None:
        """End it with its kernels."""
        if self._process is not None:
            kernels = self._process.descendants()
            self._process.end(timeout_s=_END_TIMEOUT_S)
            for kernel in kernels:
                if kernel.is_running():
                    kernel.kill()
