"""The files of a Mosquitto that follow the registry: rules and revoked certificates, and its signal.

What lives here: writing them whole, and telling the broker. What does not: their text
(`adapters.mqtt.rules`), and when they are written (`following`, the command `dtwin mqtt rules`).
"""

import datetime as dt
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from adapters.mqtt.rules.mosquitto import REVOCATIONS_FILE, RULES_FILE, rules_text
from platform_ui.errors import BrokerError
from platform_ui.mqtt_rules.following import State
from platform_ui.pki.authority import Authority

_log = logging.getLogger(__name__)

REVOCATIONS_LIFETIME: Final = dt.timedelta(days=366)
"""Mosquitto refuses everybody when its list has ended: a program that stands still must not do that soon."""
_SIGNED_AGAIN: Final = dt.timedelta(days=1)
_PROGRAM: Final = "mosquitto"


class RuleFiles:
    """Writes the files of one folder when their content has changed.

    Args:
        folder: The folder; it must be there.
        authority: Signs the list of revoked certificates; None for no list.
        present: Gives the time.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority | None = None,
        present: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._folder = folder
        self._authority = authority
        self._present = present
        self._revoked: frozenset[int] | None = None
        self._signed_at = dt.datetime.min.replace(tzinfo=dt.UTC)

    def write(self, state: State) -> bool:
        """Write what has changed; tell whether anything has.

        Raises:
            OSError: A file cannot be written.
        """
        rules = _replace(self._folder / RULES_FILE, rules_text(state.rules))
        return self._write_revoked(state) or rules

    def _write_revoked(self, state: State) -> bool:
        if self._authority is None:
            return False
        revoked, present = state.participants.revoked, self._present()
        if frozenset(revoked) == self._revoked and present - self._signed_at < _SIGNED_AGAIN:
            return False
        text = self._authority.sign_revocations(revoked, lifetime=REVOCATIONS_LIFETIME)
        self._revoked, self._signed_at = frozenset(revoked), present
        return _replace(self._folder / REVOCATIONS_FILE, text)


def reload_broker(pid_file: Path) -> None:
    """Let Mosquitto read its rules again (SIGHUP).

    Args:
        pid_file: Where it has written its process id.

    Raises:
        BrokerError: There is no such process, it is no Mosquitto, or it is somebody else's.
    """
    try:
        number = int(pid_file.read_text(encoding="ascii").strip())
        name = psutil.Process(number).name()
    except (OSError, ValueError, psutil.Error) as error:
        raise _failure(f"No Mosquitto is found by {pid_file}: {error}") from error
    if name != _PROGRAM:
        # Ended, and another program has got its number: the signal would end that one.
        raise _failure(f"{pid_file} names process {number}, which is {name} and not {_PROGRAM}")
    try:
        os.kill(number, signal.SIGHUP)
    except OSError as error:
        raise _failure(f"Mosquitto (process {number}) cannot be told to read its rules: {error}") from error


def _failure(detail: str) -> BrokerError:
    return BrokerError(
        detail,
        code="broker.not_reloaded",
        hint="Check that it runs, that its pid_file is this one, and that both run as the same user.",
    )


def _replace(file: Path, text: str) -> bool:
    """Replace a file at once, if it says something else."""
    try:
        if file.read_text(encoding="utf-8") == text:
            return False
    except FileNotFoundError:
        _log.debug("%s is new", file)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    # Mosquitto has a user of its own, and no secret stands in these files.
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    fresh.replace(file)
    return True
