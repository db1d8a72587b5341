"""Settings of the recorder, from the environment (`DTWIN_RECORDER__*`).

What lives here: names, defaults, units and checks. What does not: what every sink has
(`streamhub.engine.sinks.settings`), addresses and certificates of Kafka (`client.messaging.security`).
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from streamhub.engine.sinks.settings import SinkSettings

PREFIX: Final = "DTWIN_RECORDER__"
GROUP: Final = "platform.recorder"
ALL_SYSTEMS: Final = r"^[^.]+\.[^.]+\.[^.]+\.[^.]+\.(int|ext)$"
"""Topics of every system's own and received records."""
_TOPICS: Final = "DTWIN_RECORDER__TOPICS"
_GROUP: Final = "DTWIN_RECORDER__GROUP"
_NUMBERS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "DTWIN_RECORDER__BATCH_RECORDS": ("batch_records", int),
    "DTWIN_RECORDER__GRACE_S": ("grace_s", float),
}
_DATABASE_SETTINGS: Final = ("DTWIN_RECORDER__DATABASE_URL", "DTWIN_SENSORTHINGS__DATABASE_URL")
_POSTGRES: Final = frozenset({"postgresql", "postgres", "postgresql+psycopg"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSettings(SinkSettings):
    """How one copy of the recorder runs.

    Attributes:
        database: The SensorThings service's database.
        batch_records: Most records stored in one transaction.
        idle_wait_s: Longest wait for the first record of a batch [s].
        grace_s: How long a record waits for a Datastream that is not there yet [s].
        stop_grace_s: Longest time to finish what was read when asked to stop [s].
    """

    database: URL = field(repr=False)
    topics: tuple[str, ...] = (ALL_SYSTEMS,)
    group: str = GROUP
    batch_records: int = 10_000
    idle_wait_s: float = 0.2
    grace_s: float = 5.0
    stop_grace_s: float = 15.0

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **changes: object
    ) -> "RecorderSettings":
        """Read the settings.

        Args:
            environment: Where to read; the process's environment when left out.
            changes: Values that replace what the environment says; None for those that do not.

        Raises:
            ConfigurationError: A setting is missing or wrong.
        """
        source = os.environ if environment is None else environment
        bootstrap = source.get("DTWIN_KAFKA__BOOTSTRAP_SERVERS")
        if not bootstrap:
            raise _error("DTWIN_KAFKA__BOOTSTRAP_SERVERS", "is not set. For example 127.0.0.1:9092")
        values: dict[str, object] = {
            "bootstrap_servers": bootstrap,
            "database": _database(source),
            "security": KafkaSecurity.from_environment(source),
            **_plain(source),
            **{name: value for name, value in changes.items() if value is not None},
        }
        settings = cls(**values)  # type: ignore[arg-type]
        for name in settings.topics:
            _check_pattern(name)
        return settings


def _plain(source: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    topics = source.get(_TOPICS)
    if topics:
        values["topics"] = tuple(name.strip() for name in topics.split(",") if name.strip())
    group = source.get(_GROUP)
    if group:
        values["group"] = group
    for name, (field_name, kind) in _NUMBERS.items():
        text = source.get(name)
        if text:
            try:
                values[field_name] = kind(text)
            except ValueError:
                raise _error(name, f"is {text!r}, not a number") from None
    return values


def _database(source: Mapping[str, str]) -> URL:
    name = next((one for one in _DATABASE_SETTINGS if source.get(one)), None)
    if name is None:
        raise _error(
            _DATABASE_SETTINGS[-1],
            "is not set. For example postgresql+psycopg://user@127.0.0.1/sensorthings",
        )
    try:
        url = make_url(source[name])
    except ArgumentError:
        raise _error(name, "is no database address") from None
    if url.drivername not in _POSTGRES:
        raise _error(name, f"starts with {url.drivername}; the recorder needs PostgreSQL")
    return url


def _check_pattern(name: str) -> None:
    try:
        re.compile(name)
    except re.error as error:
        raise _error(_TOPICS, f"has the pattern {name!r}, which cannot be read: {error}") from error


def _error(setting: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{setting} {problem}", setting=setting)
