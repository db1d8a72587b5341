"""Settings of the sink, from the environment (`DTWIN_ELASTICSEARCH__*`).

What lives here: names, defaults, units and checks. What does not: the address of Elasticsearch
(`connection`), what every sink has (`streamhub.engine.sinks.settings`), addresses and certificates of Kafka
(`client.messaging.security`).
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from adapters.elasticsearch.connection import ElasticsearchAddress
from adapters.elasticsearch.documents import Period
from adapters.elasticsearch.schema import Kind, Shape
from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.metadata.token import token_from_environment
from client.settings import checked_client_name
from streamhub.engine.sinks.settings import SinkSettings

SOURCES: Final = ("int", "ext")
_SYSTEM: Final = "DTWIN_ELASTICSEARCH__SYSTEM"
_CLIENT: Final = "DTWIN_ELASTICSEARCH__CLIENT"
_FROM: Final = "DTWIN_ELASTICSEARCH__FROM"
_GRACE: Final = "DTWIN_ELASTICSEARCH__GRACE_S"
_SECONDS: Final = re.compile(r"[0-9]{1,4}(\.[0-9]+)?", re.ASCII)
_Choice = TypeVar("_Choice", Kind, Period)
_NUMBERS: Final[Mapping[str, tuple[str, int]]] = {
    "DTWIN_ELASTICSEARCH__BULK_BYTES": ("bulk_bytes", 10_000),
    "DTWIN_ELASTICSEARCH__BULKS_IN_FLIGHT": ("in_flight", 1),
}
_SHAPE_NUMBERS: Final[Mapping[str, tuple[str, int]]] = {
    "DTWIN_ELASTICSEARCH__SHARDS": ("shards", 1),
    "DTWIN_ELASTICSEARCH__REPLICAS": ("replicas", 0),
    "DTWIN_ELASTICSEARCH__KEEP_DAYS": ("keep_days", 1),
}
_TIME: Final = re.compile(r"-1|[1-9][0-9]*(ms|s|m|h|d)", re.ASCII)
_SIZE: Final = re.compile(r"[1-9][0-9]*(mb|gb|tb)", re.ASCII)
_SHAPE_TEXTS: Final[Mapping[str, tuple[str, re.Pattern[str], str]]] = {
    "DTWIN_ELASTICSEARCH__REFRESH_INTERVAL": ("refresh_interval", _TIME, "1s"),
    "DTWIN_ELASTICSEARCH__ROLLOVER_AGE": ("rollover_age", _TIME, "30d"),
    "DTWIN_ELASTICSEARCH__ROLLOVER_SIZE": ("rollover_size", _SIZE, "50gb"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchSinkSettings(SinkSettings):
    """How one copy of the sink runs.

    Attributes:
        system: Whose topics are read.
        client: Name of the client that reads.
        address: Where Elasticsearch is.
        sensorthings_url: Where metadata is asked for; None for documents without it.
        sensorthings_token: By which that service knows the client.
        kind: How documents are kept; None lets the version of the server decide.
        period: How much time a dated index holds.
        shape: What of the indices can be chosen.
        bulk_bytes: Size at which a bulk is sent [bytes].
        in_flight: Most bulks that wait for their acknowledgement at a time.
        linger_s: How long a record waits for others of its bulk [s].
        take_records: Most records taken from the consumer's queue at a time.
        idle_wait_s: Longest wait for the first of them [s].
        grace_s: How long a record waits for its Datastream to be known, before it goes without metadata [s].
        stop_grace_s: Longest time to finish what was read when asked to stop [s].
    """

    system: str
    client: str
    address: ElasticsearchAddress
    sensorthings_url: str | None = None
    sensorthings_token: str | None = field(default=None, repr=False)
    kind: Kind | None = None
    period: Period = Period.MONTH
    shape: Shape = field(default_factory=Shape)
    bulk_bytes: int = 6_000_000
    in_flight: int = 3
    linger_s: float = 0.1
    take_records: int = 2_000
    idle_wait_s: float = 0.2
    grace_s: float = 5.0
    # Containers are killed ten seconds after they were asked to stop.
    stop_grace_s: float = 8.0

    @classmethod
    def from_environment(
        cls,
        *,
        system: str | None = None,
        client: str | None = None,
        sources: tuple[str, ...] | None = None,
        url: str | None = None,
        copy: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> "ElasticsearchSinkSettings":
        """Read the settings.

        Args:
            system: Whose topics are read.
            client: Name of the client that reads, as it is registered.
            sources: `int`, `ext` or both.
            url: Address of Elasticsearch.
            copy: Number of this copy.
            environment: Where to read what is None; the process's environment when left out.

        Raises:
            ConfigurationError: A setting is missing or wrong.
            InvalidNameError: The name of the system or the client is none.
        """
        source = os.environ if environment is None else environment
        whole = SystemName.parse(_given(source, _SYSTEM, system, "the system whose records are read"))
        name = checked_client_name(_given(source, _CLIENT, client, "the client app that reads"))
        bootstrap = source.get("DTWIN_KAFKA__BOOTSTRAP_SERVERS")
        if not bootstrap:
            raise _error("DTWIN_KAFKA__BOOTSTRAP_SERVERS", "is not set. For example 127.0.0.1:9092")
        chosen = sources or tuple((source.get(_FROM) or ",".join(SOURCES)).split(","))
        if not set(chosen) <= set(SOURCES):
            raise _error(_FROM, f"is {','.join(chosen)!r}; choose of {', '.join(SOURCES)}")
        settings = cls(
            bootstrap_servers=bootstrap,
            topics=tuple(f"{whole}.{kind}" for kind in dict.fromkeys(chosen)),
            group=f"{whole}.{name}.elasticsearch",
            security=KafkaSecurity.from_environment(source),
            copy=copy,
            system=str(whole),
            client=name,
            address=ElasticsearchAddress.from_environment(source, url),
            sensorthings_url=source.get("DTWIN_SENSORTHINGS__URL") or None,
            sensorthings_token=token_from_environment(source),
            kind=_one_of(source, "DTWIN_ELASTICSEARCH__KIND", Kind),
            period=_one_of(source, "DTWIN_ELASTICSEARCH__PERIOD", Period) or Period.MONTH,
            shape=_read_shape(source),
        )
        grace = source.get(_GRACE) or str(settings.grace_s)
        if not _SECONDS.fullmatch(grace):
            raise _error(_GRACE, f"is {grace!r}; it needs a number of seconds, for example 5")
        return replace(settings, grace_s=float(grace), **_numbers(source, _NUMBERS))


def _read_shape(source: Mapping[str, str]) -> Shape:
    values = _numbers(source, _SHAPE_NUMBERS)
    for name, (field_name, form, example) in _SHAPE_TEXTS.items():
        text = source.get(name)
        if text:
            if not form.fullmatch(text):
                raise _error(name, f"is {text!r}; it needs a form like {example}")
            values[field_name] = text
    return Shape()._replace(**values)


def _numbers(source: Mapping[str, str], names: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, (field_name, least) in names.items():
        text = source.get(name)
        if not text:
            continue
        if not (text.isascii() and text.isdigit()) or int(text) < least:
            raise _error(name, f"is {text!r}; it needs a whole number from {least} on")
        values[field_name] = int(text)
    return values


def _one_of(source: Mapping[str, str], name: str, kinds: Callable[[str], _Choice]) -> _Choice | None:
    text = source.get(name)
    if not text or text == "auto":
        return None
    try:
        return kinds(text)
    except ValueError as error:
        raise _error(name, f"is wrong: {error}") from error


def _given(source: Mapping[str, str], name: str, value: str | None, meaning: str) -> str:
    chosen = value or source.get(name)
    if not chosen:
        raise _error(name, f"is not set: {meaning}. Give it in the command, or set it")
    return chosen


def _error(setting: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{setting} {problem}", setting=setting)
