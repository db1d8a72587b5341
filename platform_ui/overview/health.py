"""How a system is, at a glance: what needs somebody first, then what flows on its topics; pure.

What lives here: the facts of one system as ``flows.troubles`` wants them, and its topics. What does not: what
counts as a trouble (``flows.troubles``), measuring (``flows``), reading (each domain's ``listing``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from platform_ui.contracts.views import ContractView
from platform_ui.flows.figures import FlowSnapshot, TopicRate
from platform_ui.flows.graph import AppFact, Facts, Scope, SystemFact
from platform_ui.flows.troubles import SOON, EndingContract, Trouble, UnsignedContract, Worries, find_troubles
from platform_ui.streams.views import AppView
from platform_ui.systems.models import CREATING, System

_TOPICS: Final = (
    ("int", "Own records"),
    ("ext", "Shared with us"),
    ("log", "Logs of client apps"),
    ("int.dlq", "Refused"),
)
_TRANSACTIONAL: Final = frozenset({"ext", "int.dlq"})
"""Topics that are written in transactions."""


@dataclass(frozen=True, slots=True)
class TopicLine:
    """One topic of a system.

    Attributes:
        ending: What its name ends in, such as ``int``.
        word: What it is for.
        rate: What flows on it.
        is_alarming: Whether what flows on it is trouble.
    """

    ending: str
    word: str
    rate: TopicRate
    is_alarming: bool = False


@dataclass(frozen=True, slots=True)
class Belongings:
    """What belongs to a system, as far as somebody sees it.

    Attributes:
        apps: Stream apps that read or write it.
        contracts: Its contracts.
        clients: How many client apps it has [1].
        is_operated: Whether the person is one of its agents.
    """

    apps: Sequence[AppView] = ()
    contracts: Sequence[ContractView] = ()
    clients: int = 0
    is_operated: bool = False


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """How a system is.

    Attributes:
        topics: Its four topics.
        troubles: What needs somebody, the worst first.
    """

    topics: tuple[TopicLine, ...]
    troubles: tuple[Trouble, ...]


def health_of(
    system: System, snapshot: FlowSnapshot, belongings: Belongings, present: datetime
) -> SystemHealth:
    """Return how a system is.

    Args:
        system: which one.
        snapshot: what was last measured.
        belongings: what belongs to it.
        present: the present time.
    """
    fact = SystemFact(system.name, belongings.is_operated, system.state, belongings.clients)
    apps = [
        AppFact(view.app.name, view.permission.sources, view.target, view.app.stopped_by, view.is_ours)
        for view in belongings.apps
    ]
    worries = Worries(
        ending=[one for view in belongings.contracts for one in _ending(view, present)],
        unsigned=[UnsignedContract(view.title) for view in belongings.contracts if view.to_sign],
        half_made={system.name: system.created_at} if system.state == CREATING else {},
    )
    troubles = find_troubles(Facts([fact], apps, []), worries, snapshot, Scope(), present)
    writers = [view.app_id for view in belongings.apps if view.target == system.name]
    return SystemHealth(tuple(_topics(system, snapshot, writers)), tuple(troubles))


def _ending(view: ContractView, present: datetime) -> list[EndingContract]:
    """Return the end of a contract when it is near and nobody is changing it."""
    version = view.in_force
    if not view.is_active or view.open or version is None or version.ends_at is None:
        return []
    if version.ends_at - present >= SOON:
        return []
    return [EndingContract(view.title, version.ends_at)]


def _topics(system: System, snapshot: FlowSnapshot, writers: Sequence[str]) -> list[TopicLine]:
    found = []
    for ending, word in _TOPICS:
        rate = snapshot.topic(f"{system.name}.{ending}")
        if ending in _TRANSACTIONAL:  # offsets count markers of transactions too
            rate = replace(rate, total=None)
        if ending == "ext":
            known = [app.forwarded_per_s for name in writers if (app := snapshot.apps.get(name))]
            rates = [one for one in known if one is not None]
            rate = replace(rate, rate_per_s=sum(rates)) if rates else rate
        found.append(TopicLine(ending, word, rate, bool(rate.last_hour)))
    return found
