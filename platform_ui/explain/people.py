"""What the platform lets a person do with an object, and which part or signature says so.

What lives here: one question per kind of rule, answered by calling the function that enforces it. What does
not: those functions (``companies``, ``systems``, ``contracts``, ``streams``).

For an object that the person has no part in, the answer is the same whether it is there or not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import InvalidNameError
from platform_ui.accounts.models import User
from platform_ui.companies import service as companies
from platform_ui.companies.models import Company, Role
from platform_ui.contracts import service as contracts
from platform_ui.contracts.models import ENDED, Contract
from platform_ui.contracts.titles import titles_of_terms
from platform_ui.contracts.views import ContractView, get_contract, titles_of
from platform_ui.errors import ConflictError, ForbiddenError, NotFoundError, PlatformError
from platform_ui.explain import provenance
from platform_ui.explain.rulings import Answer, Clause, Ruling
from platform_ui.streams import views as streams
from platform_ui.streams.models import StreamApp
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.streams.views import AppView
from platform_ui.systems import service as systems
from platform_ui.systems.models import System


class Thing(StrEnum):
    """What a question is about."""

    COMPANY = "company"
    SYSTEM = "system"
    CONTRACT = "contract"
    APP = "app"


@dataclass(frozen=True, slots=True)
class PersonQuestion:
    """May a person do something to an object of the platform?

    Attributes:
        user: Who.
        verb: What.
        thing: Kind of the object.
        name: Full name of a company, system or stream app, or the id of a contract.
    """

    user: User
    verb: str
    thing: Thing
    name: str

    @property
    def text(self) -> str:
        """The question in words."""
        return f"{self.user.email} may {self.verb} {self.thing} {self.name}"


@dataclass(frozen=True, slots=True)
class _Asked:
    session: AsyncSession
    user: User
    name: str
    runner: StreamRunner


_Clauses = tuple[str, ...]
_Rule = Callable[[_Asked], Awaitable[_Clauses]]


def _company(least: Role) -> _Rule:
    async def rule(asked: _Asked) -> _Clauses:
        await companies.require(asked.session, asked.user, asked.name, least)
        return await provenance.part_in_company(asked.session, asked.user, asked.name)

    return rule


async def _see_system(asked: _Asked) -> _Clauses:
    await systems.see_system(asked.session, asked.user, asked.name)
    return await provenance.part_in_system(asked.session, asked.user, asked.name)


async def _operate_system(asked: _Asked) -> _Clauses:
    await systems.get_system(asked.session, asked.user, asked.name)
    return await provenance.part_in_system(asked.session, asked.user, asked.name)


async def _see_contract(asked: _Asked) -> _Clauses:
    view = await get_contract(asked.session, asked.user, asked.name)
    return (*await _parts(asked, view), provenance.signatures(view))


async def _change_contract(asked: _Asked) -> _Clauses:
    view = await get_contract(asked.session, asked.user, asked.name)
    contracts.require_agent(view)
    if view.contract.state == ENDED:
        raise ConflictError(f"{asked.name} has ended.", hint="Request a new one.")
    return await _parts(asked, view)


async def _sign_contract(asked: _Asked) -> _Clauses:
    view = await get_contract(asked.session, asked.user, asked.name)
    contracts.require_agent(view)
    if view.to_sign:
        sides = " and ".join(f"the {side}'s" for side in view.to_sign)
        version = view.shown.number
        waits = Clause(f"version {version} waits for {sides} signature", "contract", view.url)
        return (*await _parts(asked, view), waits)
    if view.waits_for:
        raise ForbiddenError(f"{asked.name} waits for somebody else.", hint=view.next_step)
    raise ConflictError(f"Nothing of {asked.name} waits for a signature.", hint=view.next_step)


async def _parts(asked: _Asked, view: ContractView) -> _Clauses:
    found: list[str] = []
    for name in (view.contract.provider, view.contract.consumer):
        found += await provenance.part_in_system(asked.session, asked.user, name)
    return tuple(found)


async def _app(asked: _Asked) -> tuple[AppView, _Clauses]:
    system, _, name = asked.name.rpartition(".")
    view = await streams.get_app(asked.session, asked.user, system, name, asked.runner)
    found: list[str] = []
    for end in (view.source, view.target):
        found += await provenance.part_in_system(asked.session, asked.user, end)
    return view, tuple(found)


async def _see_app(asked: _Asked) -> _Clauses:
    return (await _app(asked))[1]


async def _change_app(asked: _Asked) -> _Clauses:
    view, parts = await _app(asked)
    streams.require_source_side(view)
    return parts


async def _stop_app(asked: _Asked) -> _Clauses:
    view, parts = await _app(asked)
    streams.require_a_side(view)
    return parts


async def _deploy_app(asked: _Asked) -> _Clauses:
    view, parts = await _app(asked)
    streams.require_a_side(view)
    if view.waits_for is not None:
        raise ForbiddenError(
            f"{view.app.name} can only be started by agents of {view.waits_for}.", hint="Ask one of them."
        )
    for lack in view.permission.lacks:
        raise ConflictError(
            f"There is no contract in force from {lack.provider} to {view.target}.",
            hint=f"Request one at /contracts/new?provider={lack.provider}&consumer={view.target}",
        )
    known = await titles_of(asked.session, asked.user, [terms.id for terms in view.permission.terms])
    carried = tuple(
        Clause(f"contract {title.named} is in force", "contract", title.url)
        for title in titles_of_terms(view.permission.terms, view.target, known)
    )
    return (*parts, *carried)


RULES: Final[dict[tuple[str, Thing], _Rule]] = {
    ("see", Thing.COMPANY): _company(Role.MEMBER),
    ("administer", Thing.COMPANY): _company(Role.ADMIN),
    ("own", Thing.COMPANY): _company(Role.OWNER),
    ("see", Thing.SYSTEM): _see_system,
    ("operate", Thing.SYSTEM): _operate_system,
    ("see", Thing.CONTRACT): _see_contract,
    ("change", Thing.CONTRACT): _change_contract,
    ("sign", Thing.CONTRACT): _sign_contract,
    ("see", Thing.APP): _see_app,
    ("change", Thing.APP): _change_app,
    ("deploy", Thing.APP): _deploy_app,
    ("stop", Thing.APP): _stop_app,
}
_HIDDEN: Final = {
    Thing.COMPANY: "a part in a company of this name, if there is one",
    Thing.SYSTEM: "a part in a system of this name, if there is one",
    Thing.CONTRACT: "a part in one of the two systems of such a contract, if there is one",
    Thing.APP: "a part in the source or target of such a stream app, if there is one",
}
_WHOM: Final = {
    Thing.COMPANY: "ask one of its owners or admins",
    Thing.SYSTEM: "ask one of its agents",
    Thing.CONTRACT: "ask an agent of your side's system",
    Thing.APP: "ask an agent of your side's system",
}


async def decide(session: AsyncSession, question: PersonQuestion, runner: StreamRunner) -> Ruling:
    """Answer a question about a person, by asking what enforces the rule.

    Raises:
        RunnerError: the runner's files cannot be read.
    """
    asked = _Asked(session, question.user, question.name, runner)
    try:
        clauses = await RULES[question.verb, question.thing](asked)
    except (NotFoundError, InvalidNameError):
        return Ruling(question.text, Answer.REFUSED, (), _HIDDEN[question.thing], _WHOM[question.thing])
    except (ForbiddenError, ConflictError) as error:
        return Ruling(
            question.text, Answer.REFUSED, await _known(asked, question.thing), error.detail, _step(error)
        )
    return Ruling(question.text, Answer.ALLOWED, clauses)


async def is_there(session: AsyncSession, question: PersonQuestion) -> bool:
    """Return whether an object is there, whoever may know of it: for the operator of the platform only."""
    name = question.name
    if question.thing is Thing.CONTRACT:
        return await session.get(Contract, name) is not None
    if question.thing is Thing.APP:
        system, _, app = name.rpartition(".")
        joined = select(StreamApp.id).join(System, System.id == StreamApp.system_id)
        statement = joined.where(System.name == system, StreamApp.name == app)
        return await session.scalar(statement) is not None
    kind = System if question.thing is Thing.SYSTEM else Company
    return await session.scalar(select(kind.id).where(kind.name == name)) is not None


async def _known(asked: _Asked, thing: Thing) -> _Clauses:
    """Return the part that the person does have."""
    if thing is Thing.COMPANY:
        return await provenance.part_in_company(asked.session, asked.user, asked.name)
    if thing is Thing.SYSTEM:
        return await provenance.part_in_system(asked.session, asked.user, asked.name)
    if thing is Thing.CONTRACT:
        return await _parts(asked, await get_contract(asked.session, asked.user, asked.name))
    return (await _app(asked))[1]


def _step(error: PlatformError) -> str:
    return error.hint or "Ask an agent of the system."
