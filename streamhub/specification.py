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
from typing import Any, Final

from client.errors import ConfigurationError
from client.messaging.topics import SystemName
from streamhub.contracts import ContractTerms
from streamhub.query import CompiledStatement, Derivation, Restriction, compile_statement

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
    what cannot be used to the `<system>.int.dlq` of the system that it came from. Of a system that a contract
    is given for, nothing passes but what the contract's terms and the statement both let pass.

    Attributes:
        name: Short name, unique within the source system: letters, digits, `_` and `-`, at most 60
            characters.
        source_system: Dotted name of the system that the app belongs to; it is one of the sources.
        target_system: Dotted name of the system that receives.
        statement: SELECT statement; its FROM is `*` or names the source system, its JOINs may name others.
        bootstrap_servers: Kafka addresses, `host:port[,host:port...]`.
        commit_interval_s: Longest time between two transaction commits [s].
        contract: Name of a contract, to mark records with; it binds nothing. Beside `contracts` it can only
            be the id of one of them. None inside one company.
        contracts: Terms that bind the app, at most one contract for each system that it reads; a system
            without one is read as a whole.
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
    contracts: tuple[ContractTerms, ...] = ()
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
        self._check_contracts()

    def _check_contracts(self) -> None:
        providers = [terms.provider for terms in self.contracts]
        for provider in providers:
            if provider not in self.systems:
                raise _error(
                    "contracts",
                    f"has one of {provider}, but the statement reads {', '.join(self.systems)}: leave it out",
                )
            if providers.count(provider) > 1:
                raise _error("contracts", f"has two of {provider}: choose the one that this app goes by")
        if self.contracts and self.contract not in {None, *(terms.id for terms in self.contracts)}:
            raise _error("contract", f"names {self.contract}, which is not among its contracts: leave it out")
        # Refused here, not when the app runs: the statement looks at something that may not leave.
        self.compile()

    def compile(self) -> CompiledStatement | Derivation:
        """Compile what the app does: the statement, within the terms of its contracts.

        Raises:
            QuerySyntaxError: the statement cannot be read.
            QueryTypeError: it makes no sense, or looks at something that may not leave.
        """
        return compile_statement(self.statement, self.restrictions)

    @property
    def restrictions(self) -> Mapping[str, Restriction]:
        """What may leave of each system, as the statement names it; for `FROM *` the app's own one."""
        found = {terms.provider: terms.restriction for terms in self.contracts}
        own = found.get(self.source_system)
        return found if own is None else {**found, _ANY_SYSTEM[0]: own}

    def terms_of(self, system: str) -> ContractTerms | None:
        """Find the terms that bind what is read of a system; None when there are none."""
        return next((terms for terms in self.contracts if terms.provider == system), None)

    def contract_of(self, system: str) -> str | None:
        """Name the contract by which the records of a system leave; None when there is none."""
        if not self.contracts:
            return self.contract
        terms = self.terms_of(system)
        return None if terms is None else terms.id

    @property
    def app_id(self) -> str:
        """Consumer group, prefix of the transactional ids, and folder name: `<source_system>.<name>`."""
        return f"{self.source_system}.{self.name}"

    @property
    def contract_header(self) -> str | None:
        """What `dt-contract` says of records made of all sources: their contracts, in order of the sources.

        None when there is none. A record that passes has one source, and so one contract.
        """
        sources = _compiled(self.statement).sources
        systems = (self.source_system,) if sources == _ANY_SYSTEM else sources
        return ",".join(dict.fromkeys(filter(None, map(self.contract_of, systems)))) or None

    @property
    def contracts_by_topic(self) -> Mapping[str, str | None]:
        """The contract by which the records of each topic leave, None where there is none."""
        return {SystemName.parse(system).topics.internal: self.contract_of(system) for system in self.systems}

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
        values: dict[str, Any] = dict(document)
        values["contracts"] = tuple(map(ContractTerms.from_document, document.get("contracts", ())))
        return cls(**values)


@lru_cache(maxsize=1024)
def _compiled(statement: str) -> CompiledStatement | Derivation:
    """Compile a statement to look at it; the same few are asked for again and again."""
    return compile_statement(statement)


def _check_type(name: str, value: object) -> None:
    if name == "datastreams":
        fits = isinstance(value, dict) and all(
            isinstance(key, str) and isinstance(found, int | str) for key, found in value.items()
        )
    elif name == "contracts":
        fits = isinstance(value, list)
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
