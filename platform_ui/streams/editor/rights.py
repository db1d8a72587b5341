"""Whether a statement may run: for every source and the target, allowed by what, or what is missing.

What lives here: reading the rule about apps and contracts for one statement, and what a request for a missing
contract would ask for. What does not: the rule (``permission``), contracts themselves (``contracts``).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.contracts.service import is_needed
from platform_ui.contracts.titles import ContractTitle
from platform_ui.contracts.views import InForce, titles_of
from platform_ui.streams import permission
from platform_ui.streams.editor.plan import clauses_of
from platform_ui.streams.statements import ANY_SYSTEM, Compiled, operated_of, systems_of
from platform_ui.systems import service as systems
from platform_ui.systems.models import System
from streamhub.query import nodes
from streamhub.query.nodes import Expression
from streamhub.query.rendering import render_expression

SOURCE = "source"
TARGET = "target"


@dataclass(frozen=True, slots=True)
class Right:
    """Whether one system may be read or written.

    Attributes:
        system: Its full name.
        part: ``source`` or ``target``.
        is_allowed: Whether it may.
        reason: By what it may, or what is missing; a sentence.
        contracts: Ids of the contracts that fit.
        titles: What they are called.
        request: Address of the form that asks for what is missing; empty when nothing does.
    """

    system: str
    part: str
    is_allowed: bool
    reason: str
    contracts: tuple[str, ...] = ()
    request: str = ""
    titles: tuple[ContractTitle, ...] = ()


async def rights_of(
    session: AsyncSession, user: User, home: System, compiled: Compiled, target: str
) -> tuple[Right, ...]:
    """Tell for every source, the app's own first, and for the target whether they may be used.

    Args:
        session: the database.
        user: who asks, an agent of the app's own system.
        home: the system that the app belongs to.
        compiled: the statement.
        target: full name of the system that receives; empty while it is not known.
    """
    names = systems_of(compiled, home.name)
    operated = await operated_of(session, user, (*names, target)) | {home.name}
    fitting: dict[str, list[InForce]] = {}
    if target:
        found = await systems.find_system(session, target)
        fitting = await permission.candidates(session, names, found, target)
    ids = [contract.terms.id for contracts in fitting.values() for contract in contracts]
    seen = await titles_of(session, user, ids)  # between systems of others, a purpose is not to be told
    rights = [
        _by_contract(name, target, fitting[name], compiled) if name in fitting else _by_role(name, operated)
        for name in names
    ]
    named = [replace(right, titles=_titles(right, target, seen)) for right in rights]
    return (*named, *_of_target(home.name, target, operated, named[0]))


def _titles(right: Right, target: str, seen: Mapping[str, ContractTitle]) -> tuple[ContractTitle, ...]:
    return tuple(seen.get(one, ContractTitle(one, right.system, target)) for one in right.contracts)


def _by_role(name: str, operated: set[str]) -> Right:
    if name in operated:
        return Right(name, SOURCE, is_allowed=True, reason="You are an agent of it.")
    reason = (
        "You are no agent of it: ask one of its agents to add you, or choose a target that has a contract."
    )
    return Right(name, SOURCE, is_allowed=False, reason=reason)


def _by_contract(name: str, target: str, fitting: list[InForce], compiled: Compiled) -> Right:
    ids = tuple(contract.terms.id for contract in fitting)
    if len(ids) == 1:
        return Right(
            name, SOURCE, is_allowed=True, reason=f"A contract lets {target} have its records.", contracts=ids
        )
    if ids:
        reason = f"{len(ids)} contracts let {target} have its records: choose one when you create the app."
        return Right(name, SOURCE, is_allowed=True, reason=reason, contracts=ids)
    return Right(
        name,
        SOURCE,
        is_allowed=False,
        reason=f"No contract in force lets {target} have them.",
        request=request_of(name, target, compiled),
    )


def _of_target(home: str, target: str, operated: set[str], own: Right) -> list[Right]:
    if not target:
        return []
    if is_needed(home, target):
        by = "It receives by the contract" if own.is_allowed else "It waits for the contract"
        return [Right(target, TARGET, own.is_allowed, f"{by}; its agents may stop the app.")]
    if target in operated:
        return [Right(target, TARGET, is_allowed=True, reason="You are an agent of it.")]
    reason = "It is of the same company, so no contract is needed; its agents may stop the app."
    return [Right(target, TARGET, is_allowed=True, reason=reason)]


def request_of(provider: str, consumer: str, compiled: Compiled) -> str:
    """Return the address of the form of a contract that would let a statement run, filled in."""
    datastreams, predicate = wish_of(compiled, provider)
    wish = {
        "provider": provider,
        "consumer": consumer,
        "datastreams": "\n".join(datastreams),
        "predicate": predicate,
    }
    return f"/contracts/new?{urlencode({name: text for name, text in wish.items() if text})}"


def wish_of(compiled: Compiled, provider: str) -> tuple[tuple[str, ...], str]:
    """Return what a statement takes of one source: the Datastreams that it names, and its other conditions.

    Args:
        compiled: the statement.
        provider: full name of the source.

    Returns:
        Full names of Datastreams, and a condition as after WHERE; both empty when it takes everything, or
        when it reads the source more than once.
    """
    streams = compiled.tree.streams
    own = [source for source in streams if source.system in {provider, ANY_SYSTEM}]
    if len(own) != 1:
        return (), ""
    aliases = {own[0].alias, None} if len(streams) == 1 else {own[0].alias}
    names: list[str] = []
    rest: list[str] = []
    for clause in clauses_of(compiled.tree):
        if not {alias for alias, _ in nodes.mentions(clause)} <= aliases:
            continue
        named = _named(clause)
        if named and not names:
            names = list(named)
        else:
            rest.append(render_expression(_bare(clause)))
    own_names = all(name.startswith(f"{provider}.") for name in names)
    return (tuple(dict.fromkeys(names)) if own_names else ()), " AND ".join(_bracketed(part) for part in rest)


def _named(clause: Expression) -> tuple[str, ...]:
    """Return the Datastreams that a condition names, when it does nothing else."""
    match clause:
        case nodes.Comparison(operator="=", left=nodes.Attribute(name="name"), right=nodes.Text(value=value)):
            return (value,)
        case nodes.Membership(operand=nodes.Attribute(name="name"), negated=False, items=items):
            texts = [item.value for item in items if isinstance(item, nodes.Text)]
            return tuple(texts) if len(texts) == len(items) else ()
    return ()


def _bracketed(part: str) -> str:
    return f"({part})" if any(word in f" {part} " for word in (" OR ", " XOR ")) else part


def _bare(part: Any) -> Any:  # noqa: ANN401 - a node, or what a node holds
    """Leave out the aliases: the predicate of a contract has one source, without a name."""
    if isinstance(part, tuple):
        return tuple(map(_bare, part))
    if not isinstance(part, nodes.Node):
        return part
    values = {field.name: _bare(getattr(part, field.name)) for field in dataclasses.fields(part)}
    if isinstance(part, nodes.Attribute):
        values["qualifier"] = None
    return type(part)(**values)
