"""What the platform needs of the runner of stream apps; ``streamhub.runner.RunnerDirectory`` is the real one.

What lives here: protocols only. All calls touch files and are short; the service calls them in a thread.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from streamhub.runner.credentials import AppCredentials
from streamhub.specification import StreamAppSpecification


class Progress(Protocol):
    """How far a stream app has come since it was started; counts of records, rates per second."""

    @property
    def consumed(self) -> int:
        """Records read."""

    @property
    def forwarded(self) -> int:
        """Records written to the target."""

    @property
    def dead_lettered(self) -> int:
        """Records that could not be used."""

    @property
    def lag(self) -> int | None:
        """Records that wait; nothing when it is not known."""

    @property
    def last_progress(self) -> datetime | None:
        """When the app last moved."""


class Status(Protocol):
    """What is wanted of a stream app and what is seen of it."""

    @property
    def app_id(self) -> str:
        """``<source system>.<name>``."""

    @property
    def desired(self) -> str:
        """``running`` or ``stopped``."""

    @property
    def state(self) -> str:
        """``starting running stopping stopped backing_off failed unknown``."""

    @property
    def cause(self) -> str | None:
        """Why the state is what it is, when that is not obvious."""

    @property
    def restarts(self) -> int:
        """How often the runner has started the app again by itself."""

    @property
    def started_at(self) -> datetime | None:
        """When the present process was started."""

    @property
    def progress(self) -> Progress | None:
        """The counters, when the app has reported any."""


class StreamRunner(Protocol):
    """Starts, watches and stops stream apps."""

    def deploy(
        self, specification: StreamAppSpecification, /, credentials: AppCredentials | None = None
    ) -> object:
        """Want an app to run as specified; restarts it when the specification or the credentials changed."""

    def stop(self, app_id: str, /) -> object:
        """Want an app to stand still."""

    def remove(self, app_id: str, /) -> object:
        """Stop an app and forget it."""

    def specification(self, app_id: str, /) -> StreamAppSpecification | None:
        """Return what an app was deployed with; nothing when it never was."""

    def status(self, app_id: str, /) -> Status | None:
        """Return what is known of an app; nothing when it was never deployed."""

    def list(self) -> "Sequence[Status]":
        """Return what is known of all apps."""

    def log_tail(self, app_id: str, /, lines: int = 200) -> "Sequence[str]":
        """Return the last lines an app has logged."""
