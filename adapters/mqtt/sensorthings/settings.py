"""Settings of the SensorThings MQTT extension, from the environment (`DTWIN_MQTT__*`).

What lives here: names, defaults and checks. What does not: how broker and service are reached
(`adapters.mqtt.settings`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast, get_args

from adapters.mqtt.sensorthings.updates.wanted import Mode
from client.errors import ConfigurationError

_UPDATES: Final = "DTWIN_MQTT__UPDATES"
_TOPICS: Final = "DTWIN_MQTT__UPDATE_TOPICS_FILE"
_MODES: Final[tuple[str, ...]] = get_args(Mode)
_NOTE: Final = "# "


@dataclass(frozen=True, slots=True)
class ExtensionSettings:
    """How the extension runs.

    Attributes:
        updates: Which updates are published.
        topics: Topics and filters that are wanted in any case.
    """

    updates: Mode = "asked"
    topics: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "ExtensionSettings":
        """Read the settings.

        Args:
            environment: Where to read; the process's environment when left out.

        Raises:
            ConfigurationError: A setting is wrong.
        """
        source = os.environ if environment is None else environment
        updates = source.get(_UPDATES) or "asked"
        if updates not in _MODES:
            raise ConfigurationError(
                f"{_UPDATES} is {updates!r}; there are {', '.join(_MODES)}", setting=_UPDATES
            )
        return cls(cast("Mode", updates), _read_topics(source.get(_TOPICS)))


def _read_topics(name: str | None) -> tuple[str, ...]:
    """Read a file with one topic on each line; lines that begin with `# ` are notes."""
    if not name:
        return ()
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{_TOPICS} names {name}, which cannot be read: {error}", setting=_TOPICS
        ) from error
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith(_NOTE))
