"""Which processes of this machine belong to a stack that a test has started."""

from pathlib import Path

import psutil


def processes_of(home: Path) -> list[list[str]]:
    """Return the command lines of living processes that name a home, or were started with it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and (
                str(home) in " ".join(process.cmdline()) or process.environ().get("DTWIN_HOME") == str(home)
            ):
                found.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
