"""Who may see which records.

What lives here: the rule. What does not: reading (``reading``) and judging (``sieve``) them.

- Agents and viewers of a system see its topics whole; its ``.log`` only agents, since it also carries the
  system's audit entries.
- Who operates or views a system that receives by a contract in force sees of the provider's own topic what
  the contract lets leave: neither other records nor members that it hides. Positions are those of the
  provider's topic, as in `dt-origin`, so that gaps between them can be counted.
- For everybody else there is no such system.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from client.messaging.topics import SystemName
from platform_ui.accounts.models import User
from platform_ui.contracts.reach import reach_of
from platform_ui.contracts.titles import ContractTitle
from platform_ui.contracts.views import InForce, in_force, titles_of_received
from platform_ui.errors import ForbiddenError, NotFoundError
from platform_ui.live.forms import Tab
from platform_ui.systems.models import System, SystemMember, SystemRole
from streamhub.contracts import ContractTerms


@dataclass(frozen=True, slots=True)
class Scope:
    """What a person may see of one system.

    Attributes:
        system: Its full name.
        role: Their part in it; nothing where only a contract lets them see it.
        contract: The contract by which they see it.
        contracts: All that they could choose among, by id.
        titles: What contracts are called of which records may tell, by id.
    """

    system: str
    role: SystemRole | None
    contract: InForce | None = None
    contracts: tuple[str, ...] = ()
    titles: Mapping[str, ContractTitle] = field(default_factory=dict)

    @property
    def terms(self) -> ContractTerms | None:
        """What the contract lets them see; nothing when they see the system itself."""
        return self.contract.terms if self.contract else None

    @property
    def seen_as(self) -> str:
        """The system for which records are shown: itself, or the one that receives."""
        return self.contract.consumer if self.contract else self.system

    @property
    def is_agent(self) -> bool:
        """Whether they operate the system."""
        return self.role is SystemRole.AGENT

    @property
    def tabs(self) -> tuple[Tab, ...]:
        """The topics that they may see."""
        if self.contract:
            return (Tab.INT,)
        return (Tab.INT, Tab.EXT, Tab.DLQ, Tab.LOG) if self.is_agent else (Tab.INT, Tab.EXT, Tab.DLQ)

    def topic(self, tab: Tab) -> str:
        """Return the whole name of a topic that they may see.

        Raises:
            ForbiddenError: it is not theirs to see.
        """
        if tab in self.tabs:
            return tab.of(SystemName.parse(self.system).topics)
        if self.contract:
            raise ForbiddenError(
                f"A contract lets you see records of {self.system}.int, not of its other topics.",
                code="live.topic_not_shared",
            )
        raise ForbiddenError(
            f"You view {self.system}: only its agents may read its log, which carries audit entries too.",
            code="system.only_agents",
            hint="What client apps report is on the page of the system's client logs.",
        )


async def scope_of(session: AsyncSession, user: User, name: str, contract: str = "") -> Scope:
    """Return what a person may see of a system.

    Args:
        session: the database.
        user: who asks.
        name: full name of the system.
        contract: id of the contract that they want to see it by; any when empty.

    Raises:
        NotFoundError: there is none of this name, or nothing of it is theirs to see.
    """
    statement = (
        select(SystemMember.role)
        .join(System, SystemMember.system_id == System.id)
        .where(System.name == name, SystemMember.user_id == user.id)
    )
    role = (await session.scalars(statement)).one_or_none()
    if role is not None:
        received = await titles_of_received(session, user, name)
        return Scope(name, SystemRole(role), titles=received)
    reach = await reach_of(session, user)
    holding = await in_force(session, consumer_ids=reach.seen) if reach.seen else []
    fitting = [one for one in holding if one.terms.provider == name]
    chosen = next((one for one in fitting if contract in ("", one.terms.id)), None)
    if chosen is None:
        raise NotFoundError(f"You have no part in a system named {name}.", code="system.not_found")
    titles = {one.terms.id: one.title for one in fitting}
    return Scope(name, None, chosen, tuple(titles), titles)


async def shared_with(session: AsyncSession, user: User) -> list[str]:
    """Return the systems of which only contracts let a person see records, by name."""
    reach = await reach_of(session, user)
    holding = await in_force(session, consumer_ids=reach.seen) if reach.seen else []
    return sorted({one.terms.provider for one in holding if one.provider_id not in reach.seen})
