"""What Kafka permits on the topics of one system, by whom; pure.

What lives here: the access rules of a system as people read them. What does not: the rules themselves
(``acls.compiling``, which is called here as the reconciler calls it).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from platform_ui.acls.compiling import Registry, StreamAppState, compile_entries
from platform_ui.acls.entries import DENY, READ, TOPIC, WRITE, Entry
from platform_ui.pki.names import Identity, Kind

MOST_SHOWN: Final = 200
_WORDS: Final = {Kind.CLIENT: "client app", Kind.APP: "stream app", Kind.SERVICE: "service of the platform"}
_ORDER: Final = (Kind.APP, Kind.CLIENT, Kind.SERVICE)


@dataclass(frozen=True, slots=True)
class Permitted:
    """What one principal may do with a system's topics.

    Attributes:
        identity: Who it is.
        reads: Endings of the topics that it may read, such as ``.int``.
        writes: Those that it may write.
        is_refused: Whether everything is refused to it, because it is blocked or its certificate is revoked.
    """

    identity: Identity
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    is_refused: bool = False

    @property
    def kind(self) -> str:
        """What it is, in words."""
        return _WORDS[self.identity.kind]

    @property
    def name(self) -> str:
        """Its own name: the last level, or a service's."""
        return self.identity.name.rpartition(".")[2]

    @property
    def system(self) -> str:
        """The system that it belongs to; empty for a service."""
        return self.identity.name.rpartition(".")[0]

    @property
    def url(self) -> str:
        """The address of its page; empty for a service."""
        folder = {Kind.CLIENT: "clients", Kind.APP: "apps"}.get(self.identity.kind)
        return f"/systems/{self.system}/{folder}/{self.name}" if folder else ""


def permitted_on(system: str, registry: Registry) -> list[Permitted]:
    """Return who may read and write the topics of a system: stream apps, client apps, then services.

    Args:
        system: full name of the system.
        registry: what is registered, of the system at least.
    """
    apps = tuple(app for app in registry.apps if _concerns(app, system))
    ids = {(Kind.APP, app.app_id) for app in apps}
    small = replace(
        registry,
        systems=(system,),
        clients=tuple(one for one in registry.clients if one[0] == system),
        apps=apps,
        credentials={
            key: state
            for key, state in registry.credentials.items()
            if key in ids or key[0] is Kind.SERVICE or key[1].startswith(f"{system}.")
        },
    )
    by_principal: dict[str, list[Entry]] = {}
    for entry in compile_entries(small):
        by_principal.setdefault(entry.principal, []).append(entry)
    found = [one for principal, entries in by_principal.items() if (one := _of(principal, entries, system))]
    return sorted(found, key=lambda one: (_ORDER.index(one.identity.kind), one.identity))


def _concerns(app: StreamAppState, system: str) -> bool:
    return system in app.sources or system in {app.source, app.target}


def _of(principal: str, entries: Iterable[Entry], system: str) -> Permitted | None:
    """Gather what the entries of one principal say about a system's topics; nothing when they say nothing."""
    identity = Identity.of_principal(principal)
    reads, writes, is_refused = set[str](), set[str](), False
    for entry in entries:
        if entry.permission == DENY:
            is_refused = True
        elif entry.resource == TOPIC and entry.name.startswith(f"{system}."):
            wanted = {READ: reads, WRITE: writes}.get(entry.operation)
            if wanted is not None:
                wanted.add(entry.name.removeprefix(system))
    if not (reads or writes or is_refused):
        return None
    return Permitted(identity, tuple(sorted(reads)), tuple(sorted(writes)), is_refused)
