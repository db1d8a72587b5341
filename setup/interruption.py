"""Signals that end a command which runs until Ctrl-C: what they interrupt, and what they must not.

What the command takes down then is its own business.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final, NoReturn

_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end a command as Ctrl-C does (main thread only)."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = [signal.signal(number, interrupt) for number in _ENDING_SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(_ENDING_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def ignore_further_signals() -> None:
    """Let nothing interrupt what is taken down now, until `signals_interrupt` is left."""
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
