"""What one stream app is: names, systems, statement, broker; validated where it enters and serialisable.

What lives here: the frozen description and its JSON form. What does not: running it (`streamhub.apps`) and
keeping it running (`streamhub.runner`). The command line, the runner and the platform all speak in this
class.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Final

from client.errors import ConfigurationError
from client.messaging.topics import SystemName
from streamhub.query import CompiledStatement, Derivation, compile_statement

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s,:\[\]]+):([0-9]{1,5})")
_ANY_SYSTEM: Final = ("*",)
_SHORTEST_COMMIT_S: Final = 0.005
# A transaction must end well before transaction.timeout.ms of the engine (10 s).
_LONGEST_COMMIT_S: Final = 5.0
_HIGHEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAppSpecification:
    """One stream app of one or several sources; an instance is always valid.

    It reads `<system>.int` of every source, writes what `statement` makes of it to `<target_system>.ext`, and
    what cannot be used to the `<system>.int.dlq` of the system that it came from.

    Attributes:
        name: Short name, unique within the source system: letters, digits, `_` and `-`, at most 60
            characters.
        source_system: Dotted name of the system that the app belongs to; it is one of the sources.
        target_system: Dotted name of the system that receives.
        statement: SELECT statement; its FROM is `*` or names the source system, its JOINs may name others.
        bootstrap_servers: Kafka addresses, `host:port[,host:port...]`.
        commit_interval_s: Longest time between two transaction commits [s].
        contract: Identifier of the contract that permits the flow; None inside one company.
        spread: Whether copies share a join whose key holds the Thing, each with partitions of its own. Every
            producer must then place records by Thing, as the client of this house does; otherwise one copy
            reads everything and the others stand by.
        datastreams: Ids of the output Datastreams in the SensorThings service, by full name; empty as long as
            they are not registered.

    Raises:
        ConfigurationError: naming the field that is wrong.
        QuerySyntaxError: the statement cannot be read.
        QueryTypeError: the statement can be read but makes no sense.
    """

    name: str
    source_system: str
    target_system: str
    statement: str
    bootstrap_servers: str
    commit_interval_s: float = 0.1
    contract: str | None = None
    spread: bool = False
    datastreams: Mapping[str, int | str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise _error(
                "name",
                f"{self.name[:80]!r} is not allowed: use 1 to 60 letters, digits, '_' and '-', "
                "starting with a letter or digit",
            )
        SystemName.parse(self.source_system)
        SystemName.parse(self.target_system)
        _check_addresses(self.bootstrap_servers)
        if not _SHORTEST_COMMIT_S <= self.commit_interval_s <= _LONGEST_COMMIT_S:
            raise _error(
                "commit_interval_s",
                f"{self.commit_interval_s} is not allowed: use {_SHORTEST_COMMIT_S} to {_LONGEST_COMMIT_S} s",
            )
        if self.contract is not None and not self.contract.strip():
            raise _error("contract", "is empty: give the identifier of a contract or leave it out")
        compiled = _compiled(self.statement)
        if compiled.tree.explain:
            raise _error(
                "statement", "begins with EXPLAIN: leave that word out to run it, or use `app explain`"
            )
        sources = compiled.sources
        if sources != _ANY_SYSTEM and self.source_system not in sources:
            raise _error(
                "statement",
                f"reads FROM {sources[0]}, but this app belongs to the system {self.source_system}. "
                f"Write FROM * or FROM {self.source_system}, or make that system one of the joined ones",
            )

    @property
    def app_id(self) -> str:
        """Consumer group, prefix of the transactional ids, and folder name: `<source_system>.<name>`."""
        return f"{self.source_system}.{self.name}"

    @property
    def systems(self) -> tuple[str, ...]:
        """Dotted names of all systems that are read, the app's own one first."""
        sources = _compiled(self.statement).sources
        if sources == _ANY_SYSTEM:
            return (self.source_system,)
        return (self.source_system, *(name for name in sources if name != self.source_system))

    @property
    def source_topic(self) -> str:
        """The topic of the app's own system."""
        return SystemName.parse(self.source_system).topics.internal

    @property
    def dead_letter_topic(self) -> str:
        """The topic that receives what cannot be used of the app's own system."""
        return SystemName.parse(self.source_system).topics.dead_letters

    @property
    def source_topics(self) -> tuple[str, ...]:
        """The topics that are read, in the order of `systems`."""
        return tuple(SystemName.parse(system).topics.internal for system in self.systems)

    @property
    def target_topic(self) -> str:
        """The topic that receives what matches."""
        return SystemName.parse(self.target_system).topics.external

    @property
    def state_topic(self) -> str:
        """The topic that keeps what a join remembers; statements without a join have none."""
        return f"platform.apps.{self.app_id}.state"

    def to_json(self) -> str:
        """Write the specification as a JSON object with sorted names."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "StreamAppSpecification":
        """Read what `to_json` wrote.

        Raises:
            ConfigurationError: when it is not a JSON object, a field is missing, unknown or of a wrong type.
            QuerySyntaxError: the statement cannot be read.
            QueryTypeError: the statement can be read but makes no sense.
        """
        try:
            document = json.loads(text)
        except ValueError as error:
            raise _error("specification", f"is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise _error("specification", "is not a JSON object: expected the fields of a stream app")
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(document) - known)
        missing = sorted(
            {"name", "source_system", "target_system", "statement", "bootstrap_servers"} - set(document)
        )
        if unknown or missing:
            raise _error("specification", f"has unknown fields {unknown} and lacks {missing}")
        for name, value in document.items():
            _check_type(name, value)
        return cls(**document)


@lru_cache(maxsize=1024)
def _compiled(statement: str) -> CompiledStatement | Derivation:
    """Compile a statement to look at it; the same few are asked for again and again."""
    return compile_statement(statement)


def _check_type(name: str, value: object) -> None:
    if name == "datastreams":
        fits = isinstance(value, dict) and all(
            isinstance(key, str) and isinstance(found, int | str) for key, found in value.items()
        )
    elif name == "spread":
        fits = isinstance(value, bool)
    elif name == "commit_interval_s":
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif name == "contract":
        fits = value is None or isinstance(value, str)
    else:
        fits = isinstance(value, str)
    if not fits:
        raise _error(name, f"has the wrong type: {type(value).__name__}")


def _check_addresses(bootstrap_servers: str) -> None:
    for address in bootstrap_servers.split(","):
        found = _ADDRESS.fullmatch(address.strip())
        if found is None or not 0 < int(found[2]) <= _HIGHEST_PORT:
            raise _error(
                "bootstrap_servers",
                f"{address.strip()!r} is not host:port, for example 127.0.0.1:9092",
            )


def _error(setting: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"stream app: {setting} {problem}", setting=setting)
