"""The errors of the local stack: what the command line turns into one sentence and an exit code.

Every message says what happened, where, and what to do next. Errors of the rooms below are in
`client.errors`.
"""

from __future__ import annotations

from client.errors import DigitalTwinError


class SetupError(DigitalTwinError):
    """Something of the local stack could not be started, stopped or found."""


class PartNotReadyError(SetupError):
    """A part was started but did not answer in time, or ended before it did."""

    retriable = True


class PartMissingError(SetupError):
    """The program of a part, or an extra that it needs, is not installed."""


class DownloadError(SetupError):
    """Files of a part could not be fetched, or are not the ones that were pinned."""
