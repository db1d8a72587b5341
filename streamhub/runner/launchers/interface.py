"""What the supervisor needs of whatever runs apps: processes, containers, pods.

What lives here: the interface and what an end looks like. What does not: any technology (the siblings), and
when to start or end something (`supervisor`).
"""

from dataclasses import dataclass
from typing import Protocol

from streamhub.runner.folder import AppFolder, ProcessRecord
from streamhub.runner.limits import AppLimits

__all__ = ["End", "Launcher"]


@dataclass(frozen=True, slots=True)
class End:
    """How something that ran has ended.

    Attributes:
        code: Exit code, negative for a signal; None when that cannot be known.
        is_out_of_memory: Whether it was ended because it took more memory than it may.
        cause: Why it ended, or never began, where that is known beyond the code.
    """

    code: int | None = None
    is_out_of_memory: bool = False
    cause: str | None = None


class Launcher(Protocol):
    """Runs apps; no call waits for an engine or a network, because all apps are looked after in one loop."""

    @property
    def name(self) -> str:
        """The word by which it is chosen."""
        ...

    def start(self, folder: AppFolder) -> ProcessRecord:
        """Start the app of a folder, within the limits that are written there.

        Raises:
            OSError: its files cannot be written, or it cannot be started.
        """
        ...

    def find(self, folder: AppFolder) -> ProcessRecord | None:
        """Find what runs of an app although no record tells of it."""
        ...

    def is_alive(self, record: ProcessRecord) -> bool:
        """Whether this very one still runs, or is still being started."""
        ...

    def waits_for(self, record: ProcessRecord) -> str | None:
        """Why it does not run yet; None when it does."""
        ...

    def end_of(self, record: ProcessRecord) -> End:
        """Tell how it ended, and clear away what is left of it; called once, when it is not alive."""
        ...

    def send(self, record: ProcessRecord, signal_number: int) -> None:
        """Ask it to end (SIGTERM) or end it (SIGKILL), if it still runs."""
        ...

    def memory_bytes(self, record: ProcessRecord) -> int | None:
        """Memory that it takes [bytes]; None when somebody else holds it to its limit."""
        ...

    def apply(self, record: ProcessRecord, limits: AppLimits) -> bool:
        """Hold what runs to other limits; say whether that can be done without starting it anew."""
        ...

    def close(self) -> None:
        """Finish what was asked for and let go of the engine; what runs goes on."""
        ...
