"""Settings of the recorder, from the environment (`DTWIN_RECORDER__*`) and in librdkafka's form.

What lives here: names, defaults, units and checks. What does not: addresses and certificates of Kafka
(`client.messaging.security`).
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
class RecorderSettings:
    """How one copy of the recorder runs.

    Attributes:
        bootstrap_servers: Kafka addresses, `host:port[,host:port...]`.
        database: The SensorThings service's database.
        security: How to reach Kafka.
        topics: Names of topics, or patterns that begin with `^`.
        group: Consumer group; copies with the same one share the partitions.
        copy: Number of this copy, from 0: after a crash it has its partitions back at once; None when copies
            come and go without numbers.
        batch_records: Most records stored in one transaction.
        idle_wait_s: Longest wait for the first record of a batch [s].
        grace_s: How long a record waits for a Datastream that is not there yet [s].
        stop_grace_s: Longest time to finish what was read when asked to stop [s].
    """

    bootstrap_servers: str
    database: URL = field(repr=False)
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    topics: tuple[str, ...] = (ALL_SYSTEMS,)
    group: str = GROUP
    copy: int | None = None
    batch_records: int = 10_000
    idle_wait_s: float = 0.2
    grace_s: float = 5.0
    stop_grace_s: float = 15.0

    @property
    def name(self) -> str:
        """Name of this copy, in Kafka's log and in headers of dead letters."""
        return self.group if self.copy is None else f"{self.group}-{self.copy}"

    def reads(self, topic: str) -> bool:
        """Tell whether a topic is among those to be read."""
        return any(
            re.search(name, topic) is not None if name.startswith("^") else name == topic
            for name in self.topics
        )

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


def common_settings(settings: RecorderSettings) -> dict[str, str | int | float | bool]:
    """Settings that all Kafka clients of the recorder share."""
    return {
        **settings.security.to_librdkafka(),
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": settings.name,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1_000,
    }


def consumer_settings(settings: RecorderSettings) -> dict[str, str | int | float | bool]:
    """Settings of the consumer: committed records only, offsets only when told, a deep queue.

    Source: librdkafka CONFIGURATION.md; figures measured for the engine of the stream apps.
    """
    member: dict[str, str | int | float | bool] = (
        {} if settings.copy is None else {"group.instance.id": settings.name}
    )
    return {
        **common_settings(settings),
        **member,
        "group.id": settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        # What the topics still hold belongs into the store.
        "auto.offset.reset": "earliest",
        # The end of a partition is the only sign that what is left are transaction markers.
        "enable.partition.eof": True,
        # By range, the first copy would get the first partition of every topic.
        "partition.assignment.strategy": "roundrobin",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 1_000,
        "max.poll.interval.ms": 300_000,
        # New systems are found within seconds.
        "topic.metadata.refresh.interval.ms": 2_000,
        "fetch.queue.backoff.ms": 5,
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 65_536,
        "fetch.message.max.bytes": 4_194_304,
    }


def producer_settings(settings: RecorderSettings) -> dict[str, str | int | float | bool]:
    """Settings of the producer of dead letters: each is kept until Kafka has it.

    Source: librdkafka CONFIGURATION.md.
    """
    return {
        **common_settings(settings),
        "enable.idempotence": True,
        "message.timeout.ms": 0,
        "linger.ms": 5,
        "delivery.report.only.error": True,
        "partitioner": "murmur2_random",
    }
