"""The last records of the sources of a statement, as far as a person may see them.

What lives here: who may see which records, and reading them. What does not: running it (``trial``).

A person sees the records of systems that they operate or view, and those that a contract in force gives to
a target that they operate or view: of those only what the contract lets leave, as if nothing else was there.
What a contract keeps back is kept back from the trial also where the person sees it, since the app would not
get it; then it is counted.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import RecordFormatError
from platform_ui.accounts.models import User
from platform_ui.contracts.preview import RecordReader
from platform_ui.errors import ForbiddenError, FormError
from platform_ui.streams import permission, statements
from platform_ui.streams.editor.checking import target_of
from platform_ui.streams.editor.trial import SourceRecords, Trial, try_statement
from platform_ui.streams.forms import TrialForm
from platform_ui.streams.statements import ANY_SYSTEM, Compiled, systems_of
from platform_ui.systems import service as systems
from platform_ui.systems.models import System, SystemMember
from streamhub.contracts import ContractTerms
from streamhub.preview import LastRecords
from streamhub.query import compile_statement

NOT_YOURS: Final = "stream.records_not_yours"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person may see of one source.

    Attributes:
        system: Its full name.
        terms: What a contract lets leave; nothing when no contract is needed, or none is there yet.
        is_own: Whether the person sees the system itself.
    """

    system: str
    terms: ContractTerms | None
    is_own: bool


async def run_trial(
    session: AsyncSession, user: User, home: System, form: TrialForm, records: RecordReader
) -> Trial:
    """Try a statement on the last records of its sources; nothing is saved, no consumer group is joined.

    Args:
        session: the database; its connection is given back before records are read.
        user: who asks, an agent of the app's own system.
        home: the system that the app belongs to.
        form: the statement, the target as far as it is known, how many records.
        records: reads them.

    Raises:
        QueryError: the statement is refused; it knows the place.
        FormError: the target cannot be one.
        ForbiddenError: the records of a source are not for this person to see.
        BrokerError: the broker does not give them.
    """
    target, fault = await target_of(session, home, form.target_system)
    if fault:
        raise FormError({"target_system": fault})
    compiled = await asyncio.to_thread(statements.compile_for, home.name, form.statement)
    await statements.check_access(session, user, home.name, compiled, target or None)
    sights = await _sights(session, user, systems_of(compiled, home.name), form)
    restrictions = {sight.system: sight.terms.restriction for sight in sights if sight.terms is not None}
    if home.name in restrictions:
        restrictions[ANY_SYSTEM] = restrictions[home.name]
    # Refuses what looks at attributes that the contract hides.
    await asyncio.to_thread(compile_statement, form.statement, restrictions)
    await session.commit()
    found = await asyncio.gather(
        *(asyncio.to_thread(records.last, sight.system, form.last) for sight in sights)
    )
    # What is restricted is taken out of the records: that gives the same results, joins included.
    return await asyncio.to_thread(_run, compiled, home.name, sights, found)


def _run(compiled: Compiled, home: str, sights: Sequence[Sight], found: Iterable[LastRecords]) -> Trial:
    sources = [visible(sight, records) for sight, records in zip(sights, found, strict=True)]
    return try_statement(compiled, home, sources)


async def _sights(session: AsyncSession, user: User, names: Sequence[str], form: TrialForm) -> list[Sight]:
    target_name = form.target_system
    statement = (
        select(System.name)
        .join(SystemMember, SystemMember.system_id == System.id)
        .where(SystemMember.user_id == user.id, System.name.in_({*names, target_name}))
    )
    seen = set((await session.scalars(statement)).all())
    fitting = {}
    if target_name:
        target = await systems.find_system(session, target_name)
        fitting = await permission.candidates(session, names, target, target_name)
    sights = []
    for name in names:
        contracts = fitting.get(name, [])
        chosen = [one for one in contracts if one.terms.id in form.contracts] or contracts
        terms = chosen[0].terms if chosen else None
        if name not in seen and (terms is None or target_name not in seen):
            raise ForbiddenError(
                f"The records of {name} are not yours to see.",
                code=NOT_YOURS,
                hint="You see those of systems that you operate or view, and those that a contract gives to "
                "a target of yours. The app can be created all the same when its contract is in force.",
            )
        sights.append(Sight(name, terms, name in seen))
    return sights


class _Line(msgspec.Struct):
    topic: str
    key: str | None = None
    value: str | None = None


_read_line = msgspec.json.Decoder(_Line).decode


def visible(sight: Sight, found: LastRecords) -> SourceRecords:
    """Return what an app could have of the last records of a source, and the person may see.

    Args:
        sight: what the person may see.
        found: the last records of the source.
    """
    unusable = sum(found.unreadable.values())
    if sight.terms is None:
        read = len(found.lines) + unusable
        return SourceRecords(
            sight.system, found.lines, found.timestamps_ms, read, 0, unusable, found.is_complete
        )
    kept, timestamps_ms, rejected = _permitted(sight.terms, found)
    if not sight.is_own:  # not even how many there are besides
        return SourceRecords(sight.system, kept, timestamps_ms, len(kept), is_complete=found.is_complete)
    read = len(found.lines) + unusable
    held_back = len(found.lines) - len(kept) - rejected
    return SourceRecords(
        sight.system, kept, timestamps_ms, read, held_back, unusable + rejected, found.is_complete
    )


def _permitted(terms: ContractTerms, found: LastRecords) -> tuple[list[str], list[int], int]:
    """Leave out what a contract keeps back, take out of values what it hides, count what cannot be read."""
    compiled = terms.compile()
    lines = [_read_line(line) for line in found.lines]
    keys = [None if line.key is None else line.key.encode() for line in lines]
    values = [None if line.value is None else line.value.encode() for line in lines]
    window = terms.window
    kept: list[str] = []
    timestamps_ms: list[int] = []
    decision = compiled.filter_batch(keys, values)
    rejected = len(decision.rejected)
    for index in decision.accepted:
        timestamp_ms = found.timestamps_ms[index] if found.timestamps_ms else None
        if window is not None and (timestamp_ms is None or not window.holds(timestamp_ms)):
            continue
        try:
            written = compiled.rewrite(keys[index], values[index])
        except RecordFormatError:  # something has to be taken out of what is no object
            rejected += 1
            continue
        line = lines[index]
        line.value = None if written is None else written.decode()
        kept.append(msgspec.json.encode(line).decode())
        if timestamp_ms is not None:
            timestamps_ms.append(timestamp_ms)
    return kept, timestamps_ms, rejected
