"""Questions as people and programs write them, who may ask them, and their answers.

What lives here: reading a question, the rule of who may ask, what a decision needs to know. What does not:
the decisions (``kafka``, ``people``, ``crossing``), pages (``pages``) and the command (``setup``).

A person may ask about themselves, about client and stream apps of systems that they operate, about what
systems that they see receive, and about who receives of them. Of the other side they are told what both
sides see of contracts and apps between the two, and no more; where there is nothing between them the answer
is the same whether that system is there or not. About all else the answer is that there may be nothing: so
nobody learns of systems by asking. The operator of the platform may ask about everything.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import InvalidNameError
from client.messaging.topics import DatastreamName, SystemName
from platform_ui.accounts import service as accounts
from platform_ui.accounts.models import User
from platform_ui.acl_settings import Principals
from platform_ui.acls.registry import read_registry
from platform_ui.contracts import views as contracts
from platform_ui.contracts.models import Contract
from platform_ui.errors import ForbiddenError, FormError, NotFoundError
from platform_ui.explain import crossing, kafka, people, provenance
from platform_ui.explain.crossing import Crossing
from platform_ui.explain.kafka import Action, KafkaQuestion
from platform_ui.explain.people import PersonQuestion, Thing
from platform_ui.explain.rulings import Answer, Ruling
from platform_ui.pki.names import PRINCIPAL_TYPE, Identity, Kind
from platform_ui.streams import views as streams
from platform_ui.streams.models import StreamApp
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.systems import service as systems
from platform_ui.systems.models import System

RECEIVE: Final = "receive"
_KINDS: Final = tuple(f"{kind}." for kind in Kind)
_NOT_YOURS: Final = (
    "a part in what you ask about, if there is such a thing: you may ask about yourself, about client and "
    "stream apps of systems that you operate, about what systems that you see receive, and about who "
    "receives of them"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it was written.

    Attributes:
        who: A Kafka principal, an e-mail address, or the full name of a system that receives.
        action: What it wants to do; of people with the kind of object, such as ``operate system``.
        resource: What to.
        record: The value of a record, JSON; only for what a system receives.
    """

    who: str
    action: str
    resource: str
    record: str = ""

    @property
    def is_about_kafka(self) -> bool:
        """Whether it is about a principal of the broker."""
        return self.who.removeprefix(PRINCIPAL_TYPE).startswith(_KINDS) and "@" not in self.who


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Where answers come from.

    Attributes:
        session: The database.
        runner: What runs.
        principals: How the broker knows who somebody is.
        asker: Who asks; nobody for the operator, who may ask everything.
    """

    session: AsyncSession
    runner: StreamRunner
    principals: Principals
    asker: User | None = None


async def answer(question: Question, knowledge: Knowledge) -> Ruling:
    """Answer a question.

    Raises:
        FormError: it cannot be understood; one message per field.
        RunnerError: the runner's files cannot be read.
    """
    if question.is_about_kafka:
        return await _of_principal(question, knowledge)
    if "@" in question.who:
        return await _of_person(question, knowledge)
    return await _of_crossing(question, knowledge)


async def _of_principal(question: Question, knowledge: Knowledge) -> Ruling:
    try:
        identity = Identity.of_principal(question.who)
    except ValueError as error:
        raise FormError({"who": str(error)}) from error
    try:
        action = Action(question.action)
    except ValueError as error:
        raise FormError({"action": f"Use one of {', '.join(Action)}."}) from error
    asked = KafkaQuestion(identity, action, question.resource)
    if not await _sees(knowledge, identity.name.rpartition(".")[0], as_agent=True):
        return _not_yours(asked.text)
    registry = await read_registry(knowledge.session, knowledge.principals)
    ruling = kafka.decide(registry, asked)
    made = await provenance.registration(knowledge.session, identity) if ruling.clauses else ()
    carried = await _contracts_of(knowledge, identity) if ruling.is_allowed else ()
    return Ruling(
        ruling.question,
        ruling.answer,
        (*ruling.clauses, *made, *carried),
        ruling.missing,
        ruling.step,
        _page_of(identity) if ruling.step and made else "",
    )


async def _contracts_of(knowledge: Knowledge, identity: Identity) -> tuple[str, ...]:
    """Name the contracts by which a stream app may run."""
    if identity.kind is not Kind.APP:
        return ()
    system, _, name = identity.name.rpartition(".")
    chosen = select(System.id).where(System.name == system).scalar_subquery()
    condition = (StreamApp.system_id == chosen) & (StreamApp.name == name)
    views = await streams.list_all(knowledge.session, knowledge.runner, condition)
    ids = [terms.id for view in views for terms in view.permission.terms]
    if knowledge.asker is None:
        found = await contracts.list_all(knowledge.session, Contract.id.in_(ids)) if ids else []
    else:  # that of a joined source may be between two systems of others
        seen = await contracts.list_contracts(knowledge.session, knowledge.asker) if ids else []
        found = [view for view in seen if view.contract.id in ids]
    named = {view.contract.id: provenance.signatures(view) for view in found}
    return tuple(named.get(one, f"contract {one} is in force") for one in ids)


def _page_of(identity: Identity) -> str:
    system, _, name = identity.name.rpartition(".")
    if identity.kind is Kind.CLIENT:
        return f"/systems/{system}/clients/{name}/credentials"
    return f"/systems/{system}/apps/{name}"


async def _of_person(question: Question, knowledge: Knowledge) -> Ruling:
    verb, _, thing = question.action.partition(" ")
    if thing not in set(Thing) or (verb, Thing(thing)) not in people.RULES:
        known = ", ".join(f"{one} {kind}" for one, kind in people.RULES)
        raise FormError({"action": f"Use one of {known}."})
    email, kind = question.who.strip().lower(), Thing(thing)
    text = f"{email} may {question.action} {question.resource}"
    if knowledge.asker is not None and email != knowledge.asker.email:
        return _not_yours(text)
    user = knowledge.asker or await accounts.find_by_email(knowledge.session, email)
    if user is None:
        return Ruling(text, Answer.UNKNOWN, missing="an account of this address")
    asked = PersonQuestion(user, verb, kind, question.resource)
    if knowledge.asker is None and not await people.is_there(knowledge.session, asked):
        return Ruling(text, Answer.UNKNOWN, missing=f"a {thing} of this name")
    return await people.decide(knowledge.session, asked, knowledge.runner)


async def _of_crossing(question: Question, knowledge: Knowledge) -> Ruling:
    faults: dict[str, str] = {}
    try:
        consumer = str(SystemName.parse(question.who))
    except InvalidNameError as error:
        faults["who"] = f"This is no principal, no e-mail address and no system: {error}"
    try:
        datastream = DatastreamName.parse(question.resource)
    except InvalidNameError as error:
        faults["resource"] = str(error)
    if question.action != RECEIVE:
        faults["action"] = "A system can only receive."
    try:
        record = crossing.check_record(question.record)
    except ValueError as error:
        faults["record"] = f"This is no record: {error}"
    if faults:
        raise FormError(faults)
    asked = Crossing(consumer, datastream, record=record)
    for side in (consumer, asked.provider):
        if await _sees(knowledge, side):
            return await _judge_crossing(knowledge, asked, side)
    return _not_yours(asked.text)


async def _judge_crossing(knowledge: Knowledge, asked: Crossing, side: str) -> Ruling:
    """Answer to somebody of one side, from what that side sees."""
    system = await systems.find_system(knowledge.session, side)
    if system is None:
        return Ruling(asked.text, Answer.UNKNOWN, missing=f"a system named {side}")
    return crossing.decide(await _between(knowledge, asked, system))


async def _between(knowledge: Knowledge, asked: Crossing, system: System) -> Crossing:
    """Read what lies between provider and consumer, as the asker's side sees it."""
    session, user = knowledge.session, knowledge.asker
    if user is None:
        agreed = await contracts.list_all(session, Contract.consumer_id == system.id)
        apps = await streams.list_all(session, knowledge.runner, StreamApp.target_system_id == system.id)
    else:
        agreed = await contracts.list_of_system(session, user, system)
        apps = await streams.list_of_system(session, user, system, knowledge.runner)
    provider = asked.provider
    return Crossing(
        asked.consumer,
        asked.datastream,
        tuple(
            view
            for view in agreed
            if (view.contract.provider, view.contract.consumer) == (provider, asked.consumer)
        ),
        tuple(view for view in apps if view.target == asked.consumer and provider in view.permission.sources),
        asked.record,
    )


async def _sees(knowledge: Knowledge, system: str, *, as_agent: bool = False) -> bool:
    if knowledge.asker is None:
        return True
    look = systems.get_system if as_agent else systems.see_system
    try:
        await look(knowledge.session, knowledge.asker, system)
    except (NotFoundError, ForbiddenError, InvalidNameError):
        return False
    return True


def _not_yours(text: str) -> Ruling:
    return Ruling(text, Answer.REFUSED, missing=_NOT_YOURS, step="ask an agent of the system")
