"""Which process has an id: when it began, in words that no other process with this id has had or will have.

What lives here: that one question to the operating system. What does not: what is done with processes
(`streamhub.runner`, `setup.local.processes`).

An id alone is given again after its process has ended. The time of the beginning as people tell it changes
when somebody sets the clock, as it happens on every machine that has none of its own some time after it was
switched on: processes from before would all be taken for others, and nobody could end them.
"""

from functools import cache
from pathlib import Path
from typing import Final

import psutil

_PROC: Final = Path("/proc")
_BOOT_ID: Final = _PROC / "sys/kernel/random/boot_id"
# Of what follows the name in /proc/[pid]/stat, the name being the one field that may hold blanks.
_START_TICKS: Final = 19


def beginning_of(pid: int) -> str | None:
    """Tell when the process with an id began; None when there is none.

    On Linux these are the boot of the machine and the clock ticks since then; elsewhere what the system tells
    [s since 1970].

    Source: proc(5), /proc/[pid]/stat, field 22.
    """
    boot = _boot()
    try:
        if boot is None:
            return f"{psutil.Process(pid).create_time():.2f}"
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except (OSError, psutil.Error):
        return None
    return f"{boot} {int(stat.rpartition(b')')[2].split()[_START_TICKS])}"


@cache
def _boot() -> str | None:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # another system
        return None
