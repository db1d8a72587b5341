"""What can go wrong between an analyst and the data; pure.

What lives here: the errors of this folder. What does not: those of the SensorThings service
(`client.errors`).
"""

from __future__ import annotations

from collections.abc import Iterable

from client.errors import DigitalTwinError


class FrameError(DigitalTwinError):
    """A frame could not be made; the message says why and what to do."""


class SourceError(FrameError):
    """A source does not answer, or not as it should."""

    retriable = True


class NoMatchError(FrameError):
    """No Datastream has such a name.

    Attributes:
        pattern: What was asked for.
        nearest: Names that are spelled like it.
    """

    def __init__(self, message: str, pattern: str, nearest: Iterable[str]) -> None:
        super().__init__(message)
        self.pattern = pattern
        self.nearest = tuple(nearest)


class AmbiguousNameError(FrameError):
    """A short name fits Datastreams of several systems."""


class NoDataError(FrameError):
    """The Datastreams are there, and hold nothing in the interval."""


class TooMuchError(FrameError):
    """There is more in the interval than the limit allows."""
