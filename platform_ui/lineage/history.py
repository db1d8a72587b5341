"""How contracts and stream apps were at a time, out of what is kept of them.

What lives here: choosing among versions. What does not: reading them (``reading``). Pure.

How far one can look back: contracts are kept for ever, versions of statements as long as their app. So a look
back leaves out apps and systems that have been deleted since.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from platform_ui.contracts.models import Contract, ContractVersion
from platform_ui.contracts.titles import ContractTitle
from platform_ui.lineage.world.facts import ContractFact, Moment, Use

MAX_MOMENTS: Final = 50


@dataclass(frozen=True, slots=True)
class StatementVersion:
    """A statement as it was once saved for an app."""

    number: int
    since: datetime
    statement: str
    contracts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rollback:
    """That an app got one of its versions again."""

    app_id: str
    at: datetime
    number: int


def _titles(rows: Iterable[tuple[Contract, ContractVersion]]) -> dict[str, ContractTitle]:
    """Return what contracts are called, by the purpose that held last."""
    return {
        contract.id: ContractTitle(contract.id, contract.provider, contract.consumer, version.purpose)
        for contract, version in sorted(rows, key=lambda row: row[1].number)
    }


def contracts_at(rows: Iterable[tuple[Contract, ContractVersion]], at: datetime) -> dict[str, ContractFact]:
    """Return contracts as they were at a time, by id; without those that had never been in force.

    Args:
        rows: Contracts, each with one of its versions that has been in force at some time.
        at: The time.
    """
    last: dict[str, tuple[Contract, ContractVersion]] = {}
    first: dict[str, datetime] = {}
    for contract, version in rows:
        since = version.in_force_at
        if since is None or since > at:
            continue
        first[contract.id] = min(since, first.get(contract.id, since))
        known = last.get(contract.id)
        if known is None or version.number > known[1].number:
            last[contract.id] = (contract, version)
    return {key: _fact(contract, version, first[key], at) for key, (contract, version) in last.items()}


def _fact(contract: Contract, version: ContractVersion, since: datetime, at: datetime) -> ContractFact:
    ends = [time for time in (contract.ended_at, version.ends_at) if time is not None and time <= at]
    return ContractFact(
        contract.id,
        contract.provider,
        contract.consumer,
        version.number,
        tuple(version.datastreams),
        tuple(version.fields),
        not version.predicate.strip() and not version.fields,
        since,
        min(ends, default=None),
        not ends,
        version.purpose,
    )


def statement_at(
    versions: Sequence[StatementVersion], rollbacks: Iterable[Rollback], at: datetime
) -> StatementVersion | None:
    """Return the statement that an app had at a time: what was saved last, or gone back to since.

    Args:
        versions: All versions of the app.
        rollbacks: When it got one of them again.
        at: The time.
    """
    numbered = {version.number: version for version in versions}
    steps = [(version.since, version.number) for version in versions]
    # An app of the same name may have been there before: what was done to that one is none of this one's.
    begin = min(steps)[0] if steps else at
    steps += [(one.at, one.number) for one in rollbacks if one.number in numbered and one.at >= begin]
    held = [step for step in steps if step[0] <= at]
    return numbered[max(held)[1]] if held else None


def uses_of(contracts: Iterable[str], held: Mapping[str, ContractFact], target: str) -> dict[str, Use]:
    """Return by which contract an app has the records of each source.

    Args:
        contracts: Ids of its contracts.
        held: Contracts as they are at the time, by id.
        target: The system that it writes to.
    """
    found: dict[str, Use] = {}
    for key in contracts:
        fact = held.get(key)
        if fact is not None:
            found[fact.provider] = Use(key, fact.is_in_force and fact.consumer == target)
    return found


def moments_of(
    contracts: Sequence[tuple[Contract, ContractVersion]],
    versions: Mapping[str, Sequence[StatementVersion]],
    rollbacks: Iterable[Rollback],
    present: datetime,
) -> list[Moment]:
    """Return when something was changed, the newest first.

    Args:
        contracts: Contracts that the person sees, each with one of its versions.
        versions: Versions of the apps whose statements they may see, by id of the app.
        rollbacks: When such apps got an earlier version again.
        present: The present time.
    """
    found: dict[tuple[datetime, str], None] = {}
    titles = _titles(contracts)
    for contract, version in contracts:
        if version.in_force_at is not None:
            what = f"version {version.number} of {titles[contract.id].named} came into force"
            found[version.in_force_at, what] = None
        if contract.ended_at is not None:
            found[contract.ended_at, f"{titles[contract.id].named} ended"] = None
    for app_id, kept in versions.items():
        name = app_id.rpartition(".")[2]
        for one in kept:
            found[one.since, f"version {one.number} of {name} was saved"] = None
    for rollback in rollbacks:
        name = rollback.app_id.rpartition(".")[2]
        found[rollback.at, f"{name} went back to version {rollback.number}"] = None
    past = sorted((key for key in found if key[0] <= present), reverse=True)
    return [Moment(*key) for key in past[:MAX_MOMENTS]]


def grouped(rollbacks: Iterable[Rollback]) -> dict[str, list[Rollback]]:
    """Return rollbacks by app."""
    found: dict[str, list[Rollback]] = defaultdict(list)
    for rollback in rollbacks:
        found[rollback.app_id].append(rollback)
    return found
