"""Whose Datastreams a system has: its own ones, and those that contracts and stream apps bring to it.

What lives here: which names belong to it and from when on, from the platform's own registry. What does not:
what a person may read of them (the SensorThings service decides that by their name), what was measured
(``reading``).

A contract brings what it shares and no more, whoever looks: somebody who sees the giving system too, or has
the same Datastream by another contract at another of their systems, finds the whole there. Of several
contracts of one system about a Datastream the widest counts. A contract brings nothing from its end on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.access.wanted import Flow, flows, passed_datastreams, passed_systems
from platform_ui.accounts.models import User
from platform_ui.assets.reading import literal
from platform_ui.contracts import views as contracts
from platform_ui.contracts.views import ContractView
from platform_ui.systems.models import System

_MOST_NAMED: Final = 50
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
OWN = "own"
CONTRACT = "contract"
APP = "stream app"


@dataclass(frozen=True, slots=True)
class Origin:
    """By what a system has a Datastream.

    Attributes:
        kind: ``OWN``, ``CONTRACT`` or ``APP``.
        system: Full name of the system that it belongs to.
        url: Where the contract or the stream app is; empty for an own one.
        is_stored: Whether stored values are shared; not by a contract that lets some values or attributes go
            only.
        since: From when on results are shared, by the start of their phenomenonTime; None for all.
        title: What the contract is called; empty for others.
    """

    kind: str
    system: str
    url: str = ""
    is_stored: bool = True
    since: datetime | None = None
    title: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is kept back."""
        return self.is_stored and self.since is None

    @property
    def width(self) -> tuple[bool, float]:
        """How much is shared; the greater, the more."""
        begin = datetime.min.replace(tzinfo=UTC) if self.since is None else self.since
        return self.is_stored, -(begin - _EPOCH).total_seconds()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which Datastreams a system has.

    Attributes:
        system: Full name of the system.
        contracts: Contracts in force by which it gets.
        apps: Stream apps inside the company that bring records to it.
    """

    system: str
    contracts: tuple[ContractView, ...] = ()
    apps: tuple[Flow, ...] = ()

    @property
    def condition(self) -> str:
        """What stands in ``$filter`` on Datastreams: all that may belong to it, by their system or name.

        Whoever sees all of a provider would else go through thousands for the few that a contract names.
        """
        systems, named = {self.system}, set[str]()
        for view in self.contracts:
            names = view.in_force.datastreams if view.in_force is not None else ()
            if 0 < len(names) <= _MOST_NAMED:
                named.update(names)
            else:
                systems.add(view.contract.provider)
        for app in self.apps:
            systems.update(passed_systems(app))
        parts = [f"startswith(name,{literal(f'{system}.')})" for system in sorted(systems)]
        parts += [f"name eq {literal(name)}" for name in sorted(named)]
        return f"({' or '.join(parts)})"

    def origins(self, names: Iterable[str]) -> Mapping[str, Origin]:
        """Return by what it has each Datastream; those that it does not have are left out.

        Args:
            names: Full names of Datastreams.
        """
        known = list(names)
        found = {name: Origin(OWN, self.system) for name in known if name.startswith(f"{self.system}.")}
        for app in self.apps:
            url = f"/systems/{app.source}/apps/{app.app_id.removeprefix(f'{app.source}.')}"
            for name in passed_datastreams(app, known):
                found.setdefault(name, Origin(APP, _system_of(name), url))
        for name, origin in self._by_contract(known):
            held = found.setdefault(name, origin)
            if held.kind == CONTRACT and origin.width > held.width:
                found[name] = origin
        return found

    def _by_contract(self, names: Iterable[str]) -> Iterator[tuple[str, Origin]]:
        known = list(names)
        for view in self.contracts:
            terms, provider = view.in_force, view.contract.provider
            if terms is None:
                continue
            is_stored = not terms.predicate.strip() and not terms.fields
            origin = Origin(CONTRACT, provider, view.url, is_stored, terms.starts_at, view.title.text)
            for name in known:
                is_named = name in terms.datastreams if terms.datastreams else True
                if is_named and name.startswith(f"{provider}."):
                    yield name, origin


async def scope_of(session: AsyncSession, user: User, system: System) -> Scope:
    """Find out which Datastreams a system has; the caller has made sure that the person may see it."""
    agreed = await contracts.list_of_system(session, user, system)
    return Scope(
        system.name,
        tuple(view for view in agreed if view.contract.consumer == system.name and view.is_active),
        tuple(flow for flow in await flows(session) if flow.target == system.name),
    )


def _system_of(name: str) -> str:
    return ".".join(name.split(".")[:4])
