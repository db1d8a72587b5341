"""What the broker lets a principal do, and which rule says so; pure.

What lives here: the decision over a registry. What does not: the rules (``acls.compiling``, whose functions
are called here), who registered what (``provenance``).

Nothing is decided a second time: `decide` compiles the rules of the one principal as the reconciler does, and
looks for those that concern the question. Where they refuse, it asks for those that it would have if its
credentials were good and its contracts in force: to tell what can never be from what is not at present.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import (
    SERVICES,
    CredentialState,
    Registry,
    StreamAppState,
    app_entries,
    client_entries,
    compile_entries,
)
from platform_ui.acls.entries import (
    ALL,
    ALTER,
    DENY,
    GROUP,
    READ,
    TOPIC,
    TRANSACTIONAL_ID,
    WRITE,
    Entry,
)
from platform_ui.explain.rulings import Answer, Clause, Ruling
from platform_ui.pki.names import Identity, Kind

DESCRIBE: Final = "DESCRIBE"
_SUPER_USERS: Final = frozenset({"platform", "broker", "operator"})


class Action(StrEnum):
    """What a program asks a broker for."""

    PRODUCE = "produce"
    CONSUME = "consume"
    DESCRIBE = "describe"
    JOIN_GROUP = "join-group"
    USE_TRANSACTIONAL_ID = "use-transactional-id"


# Source: Apache Kafka 4.1 documentation, "Operations in Kafka": READ, WRITE and ALTER imply DESCRIBE.
_NEEDS: Final = {
    Action.PRODUCE: (TOPIC, (WRITE, ALL)),
    Action.CONSUME: (TOPIC, (READ, ALL)),
    Action.DESCRIBE: (TOPIC, (DESCRIBE, READ, WRITE, ALTER, ALL)),
    Action.JOIN_GROUP: (GROUP, (READ, ALL)),
    Action.USE_TRANSACTIONAL_ID: (TRANSACTIONAL_ID, (WRITE, ALL)),
}
_WORDS: Final = {
    Action.PRODUCE: "produce to topic",
    Action.CONSUME: "consume topic",
    Action.DESCRIBE: "describe topic",
    Action.JOIN_GROUP: "join group",
    Action.USE_TRANSACTIONAL_ID: "use transactional id",
}
# A refusal of one operation does not refuse DESCRIBE, which others imply as well.
_REFUSES: Final = {action: (operations[0], ALL) for action, (_, operations) in _NEEDS.items()}


@dataclass(frozen=True, slots=True)
class KafkaQuestion:
    """May a principal do something to a resource of the broker?

    Attributes:
        identity: Whose principal.
        action: What.
        name: Name of the topic, group or transactional id.
    """

    identity: Identity
    action: Action
    name: str

    @property
    def text(self) -> str:
        """The question in words."""
        return f"{self.identity.principal} may {_WORDS[self.action]} {self.name}"


def covering(entries: Iterable[Entry], question: KafkaQuestion, *, denies: bool = False) -> Entry | None:
    """Return the first rule that decides a question, in a fixed order; nothing when none does."""
    kind, operations = _NEEDS[question.action]
    counting = _REFUSES[question.action] if denies else operations
    found = [
        entry
        for entry in entries
        if entry.principal == question.identity.principal
        and (entry.permission == DENY) is denies
        and entry.operation in counting
        and entry.covers(kind, question.name)
    ]
    return min(found, default=None, key=lambda entry: (counting.index(entry.operation), entry))


def decide(registry: Registry, question: KafkaQuestion) -> Ruling:
    """Answer a question about the broker.

    Args:
        registry: What is registered; of client and stream apps only the one asked about matters.
        question: Who wants what.
    """
    identity = question.identity
    if identity.kind is Kind.SERVICE and identity.name in _SUPER_USERS:
        return Ruling(
            question.text,
            Answer.UNKNOWN,
            missing="a rule: the platform makes none for this service",
            step="look at the broker's own setting super.users, which lets it do everything",
        )
    small = _only(registry, identity)
    if not _is_registered(small, identity):
        return Ruling(question.text, Answer.UNKNOWN, missing=_unregistered(identity))
    entries = compile_entries(small)
    refusal = covering(entries, question, denies=True)
    grant = covering(entries, question)
    if grant is not None and refusal is None:
        return Ruling(
            question.text, Answer.ALLOWED, (Clause(f"the rule {grant}", "rule"), _why(small, identity))
        )
    return _refusal(small, question, is_denied=refusal is not None)


def _only(registry: Registry, identity: Identity) -> Registry:
    """Leave what concerns one principal, so that its rules are few however many there are."""
    key = (identity.kind, identity.name)
    return replace(
        registry,
        clients=tuple(one for one in registry.clients if (Kind.CLIENT, ".".join(one)) == key),
        apps=tuple(app for app in registry.apps if (Kind.APP, app.app_id) == key),
        credentials={one: state for one, state in registry.credentials.items() if one == key},
    )


def _is_registered(small: Registry, identity: Identity) -> bool:
    if identity.kind is Kind.SERVICE:
        return identity.name in {service.name for service in SERVICES}
    return bool(small.clients or small.apps or small.credentials)


def _unregistered(identity: Identity) -> str:
    words = {Kind.CLIENT: "client app", Kind.APP: "stream app", Kind.SERVICE: "service with rules"}
    return f"a {words[identity.kind]} of this name"


def _why(small: Registry, identity: Identity) -> Clause:
    if small.clients:
        system, name = small.clients[0]
        return Clause(f"{name} is a client app of {system}", "client", f"/systems/{system}/clients/{name}")
    if small.apps:
        app = small.apps[0]
        text = f"{app.name} is a stream app of {app.source} that reads {_listed(app)} and writes {app.target}"
        return Clause(text, "app", f"/systems/{app.source}/apps/{app.name}")
    return Clause(f"{identity.name} serves all systems")


def _listed(app: StreamAppState) -> str:
    return " and ".join(app.sources)


def _refusal(small: Registry, question: KafkaQuestion, *, is_denied: bool) -> Ruling:
    identity = question.identity
    state = small.credentials.get((identity.kind, identity.name))
    would = covering(_granted(small, identity), question)
    clauses = (_why(small, identity),) if small.clients or small.apps else ()
    if would is None or not clauses:
        if is_denied and not clauses:
            return Ruling(question.text, Answer.REFUSED, missing=_unregistered(identity))
        return Ruling(question.text, Answer.REFUSED, clauses, f"a rule; {_scope(small, identity)}")
    missing, step = _standing(small, identity, state)
    return Ruling(
        question.text,
        Answer.REFUSED,
        (*clauses, Clause(f"it would have the rule {would}", "rule")),
        missing,
        step,
    )


def _granted(small: Registry, identity: Identity) -> tuple[Entry, ...]:
    """Return the rules that the principal would have if nothing stood against it."""
    if small.clients:
        return client_entries(identity.principal, *small.clients[0])
    if small.apps:
        return app_entries(identity.principal, small.apps[0])
    return ()


def _standing(small: Registry, identity: Identity, state: CredentialState | None) -> tuple[str, str]:
    """Return what stands against rules that the registry would give, and what to do about it."""
    if small.principals is Principals.CERTIFICATES:
        if state is None or not state.live_epochs:
            return "a certificate that has not expired", "have one issued"
        if state.is_blocked:
            return "it is blocked", "let an agent of the system unblock it"
    current = 1 if state is None else state.epoch
    if identity.epoch != current:
        now = Identity(identity.kind, identity.name, current).principal
        return f"its certificates are revoked: it is {now} now", "use a certificate that was issued since"
    if state is not None and current not in state.live_epochs:
        return "its certificates are revoked, and none was issued since", "have a new one issued"
    return "a contract in force for each source of another company", "see what the app's page says"


def _scope(small: Registry, identity: Identity) -> str:
    """Say in one sentence what the producer of the rules gives at most."""
    if small.clients:
        system = small.clients[0][0]
        return (
            f"a client app writes {system}.int and .log, reads these and {system}.ext, and uses groups and "
            f"transactional ids that are {identity.name} or begin with it and a dot"
        )
    if small.apps:
        app = small.apps[0]
        reads = ", ".join(f"{source}.int" for source in app.sources)
        return f"this stream app reads {reads}, writes {app.target}.ext, and uses the group {app.app_id}"
    return f"{identity.name} has rules for what it does for all systems, and no other"
