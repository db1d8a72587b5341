"""What the platform needs of the runner of stream apps; ``streamhub.runner.RunnerDirectory`` is the real one.

What lives here: protocols only. All calls touch files and are short; the service calls them in a thread.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from streamhub.runner.credentials import AppCredentials
from streamhub.runner.limits import AppLimits
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

    @property
    def updated_at(self) -> datetime:
        """When the app wrote this."""

    @property
    def pid(self) -> int:
        """The process that wrote this."""

    @property
    def dead_letters(self) -> Mapping[str, int]:
        """Records that could not be used, by error code."""

    @property
    def input_rate(self) -> float:
        """Records read per second, over the last seconds."""

    @property
    def output_rate(self) -> float:
        """Records written per second, over the last seconds."""

    @property
    def lag_s(self) -> float | None:
        """Age of the record read last, while others wait behind it [s]; nothing when it is not known."""

    @property
    def joined(self) -> int:
        """Records that went into a join."""

    @property
    def tuples(self) -> int:
        """Groups of records that a join has found."""

    @property
    def hit_rate(self) -> float | None:
        """Groups found per record joined, over the last seconds; nothing without a join."""

    @property
    def held(self) -> int:
        """Records that joins remember now."""

    @property
    def late(self) -> int:
        """Records that came too late for their join."""

    @property
    def dropped(self) -> int:
        """Records that a join gave up after its longest latency."""

    @property
    def mismatches(self) -> int:
        """Comparisons that were false because an attribute was of another type."""

    @property
    def missing(self) -> int:
        """Comparisons that were false because an attribute was missing."""

    @property
    def cpu_s(self) -> float:
        """Processor time that the process has used [s]."""

    @property
    def memory_bytes(self) -> int | None:
        """Memory that the process holds [bytes]; nothing when it is not known."""

    @property
    def trouble(self) -> str | None:
        """Why it waits for Kafka; nothing when it does not."""


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

    @property
    def asked_at(self) -> datetime | None:
        """When somebody last said what is wanted."""

    @property
    def failures(self) -> int:
        """Ends in a row without a good run in between."""

    @property
    def next_start_at(self) -> datetime | None:
        """When it is started again, while it is backing off."""

    @property
    def ended_at(self) -> datetime | None:
        """When its last process ended."""

    @property
    def end(self) -> str | None:
        """How its last process ended."""


class LogPart(Protocol):
    """Some lines of a log, oldest first, and where to go on."""

    @property
    def lines(self) -> Sequence[str]:
        """The lines."""

    @property
    def cursor(self) -> str:
        """Where they end."""


class StreamRunner(Protocol):
    """Starts, watches and stops stream apps."""

    def deploy(
        self,
        specification: StreamAppSpecification,
        /,
        credentials: AppCredentials | None = None,
        limits: AppLimits | None = None,
    ) -> object:
        """Want an app to run as specified; restarts it when the specification or the credentials changed."""

    def limit(self, app_id: str, limits: AppLimits, /) -> object:
        """Hold an app to limits, also while it runs; nothing happens when it was never deployed."""

    def stop(self, app_id: str, /) -> object:
        """Want an app to stand still."""

    def restart(self, app_id: str, /) -> object:
        """Want an app to run in a new process; the present one commits and leaves first."""

    def remove(self, app_id: str, /) -> object:
        """Stop an app and forget it."""

    def specification(self, app_id: str, /) -> StreamAppSpecification | None:
        """Return what an app was deployed with; nothing when it never was."""

    def status(self, app_id: str, /) -> Status | None:
        """Return what is known of an app; nothing when it was never deployed."""

    def list(self) -> "Sequence[Status]":
        """Return what is known of all apps."""

    def read_log(self, app_id: str, /, cursor: str = "", lines: int = 200) -> LogPart:
        """Return what an app has logged since a cursor; its last lines when the cursor is empty."""
