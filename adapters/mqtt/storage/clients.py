"""Which clients the bridge has heard of, and whether they are there: kept in a file over a restart.

What lives here: the memory. What does not: their records (`bridge.incoming`) and configuration
(`bridge.configuration`).
"""

import json
import logging
from pathlib import Path
from typing import Final

from client.errors import ConfigurationError
from client.messaging.topics import SystemName
from client.settings import checked_client_name
from streamhub.engine.progress import write_atomically

_log = logging.getLogger(__name__)

_GONE: Final = frozenset({"stopped", "disconnected"})
_MOST: Final = 100_000


class KnownClients:
    """Clients that told their state; used by one thread.

    Args:
        path: The file; None for none.
        most: Most clients that are remembered; further ones are not.
    """

    def __init__(self, path: Path | None, most: int = _MOST) -> None:
        self._path = path
        self._most = most
        self._states: dict[tuple[SystemName, str], str] = {}
        self._is_changed = False
        if path is not None:
            self._load(path)

    def note(self, system: SystemName, client: str, state: str) -> None:
        """Remember what a client said."""
        name = system, client
        has_room = name in self._states or len(self._states) < self._most
        if has_room and self._states.get(name) != state:
            self._states[name] = state
            self._is_changed = True

    def all(self) -> list[tuple[SystemName, str]]:
        """Name all clients that were ever heard of."""
        return list(self._states)

    def present(self) -> list[tuple[SystemName, str]]:
        """Name the clients whose last word was not that they have gone."""
        return [name for name, state in self._states.items() if state not in _GONE]

    def save(self) -> None:
        """Write what has changed."""
        if self._path is not None and self._is_changed:
            self._is_changed = False
            document = [[str(system), client, state] for (system, client), state in self._states.items()]
            write_atomically(self._path, json.dumps(document, ensure_ascii=False), durable=True)

    def _load(self, path: Path) -> None:
        try:
            for system, client, state in json.loads(path.read_bytes()):
                self._states[SystemName.parse(system), checked_client_name(client)] = str(state)
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError, ConfigurationError) as error:
            _log.warning("%s cannot be read and is made anew: %s", path, error)
