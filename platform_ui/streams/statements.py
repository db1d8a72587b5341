"""The statement of a stream app: whether it may be stored, what it means, and which Datastreams it makes.

What lives here: compiling, the systems that a person must operate, units against SensorThings, and the
registration of outputs. What does not: the life of an app (``service``). Compiling and SensorThings wait for
something, so both run in threads.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import SensorThingsError
from client.messaging.topics import SystemName
from platform_ui.accounts.models import User
from platform_ui.contracts.service import is_needed
from platform_ui.errors import ConflictError, FormError, MetadataError
from platform_ui.streams.ports import acting_as
from platform_ui.systems.models import System, SystemAgent
from streamhub.errors import QueryError, QueryTypeError, StreamAppError
from streamhub.explanation import Section, explain
from streamhub.outputs import MetadataRegistry, read_units, register_outputs, source_things_of
from streamhub.query import CompiledStatement, Derivation, compile_statement
from streamhub.query.quantities import check_units, depends_on_units
from streamhub.specification import StreamAppSpecification

Answer = TypeVar("Answer")
Compiled = CompiledStatement | Derivation

ANY_SYSTEM = "*"
SHOWN_SECTIONS = ("reads", "joins", "writes")
REFUSED = "stream.statement_refused"


@dataclass(frozen=True, slots=True)
class OutputView:
    """A Datastream that an app writes.

    Attributes:
        name: Its full name; with ``<Thing>`` in it while no Thing of the source is known.
        unit: Its unit (UCUM), or None.
        expression: What is computed.
        iot_id: Its id in SensorThings, or None when it is not registered.
    """

    name: str
    unit: str | None
    expression: str
    iot_id: int | str | None


async def check_statement(
    session: AsyncSession,
    user: User,
    home: str,
    statement: str,
    metadata: MetadataRegistry,
    *,
    target: str | None = None,
) -> Compiled:
    """Compile a statement and make sure that this person may run it for an app of a system.

    Args:
        session: the database.
        user: who wants it.
        home: the full name of the system that the app belongs to.
        statement: the text.
        metadata: the SensorThings service, asked only when the statement depends on units.
        target: the full name of the system that receives, as far as it is known. A source of another company
            than that one needs a contract, which is not asked for here, and no part in that system.

    Raises:
        FormError: it is refused; the message shows the place with a caret where there is one.
        MetadataError: units matter, and SensorThings does not tell them.
    """
    try:
        compiled = await asyncio.to_thread(compile_for, home, statement)
        await check_access(session, user, home, compiled, target)
        await check_units_of(compiled, home, metadata, (user.email, target))
    except QueryError as error:
        raise FormError({"statement": error.render()}, code=REFUSED) from error
    return compiled


def compile_for(home: str, statement: str) -> Compiled:
    """Compile a statement as an app of a system would run it.

    Args:
        home: the full name of the system.
        statement: the text.

    Raises:
        QueryError: it is refused; it knows the place.
    """
    compiled = compile_statement(statement)
    if compiled.tree.explain:
        reason = "an app runs its statement: leave EXPLAIN out"
        raise QueryTypeError(reason, statement=statement, line=1, column=1)
    if home not in compiled.sources and compiled.sources != (ANY_SYSTEM,):
        _refuse_foreign(compiled, home)
    if isinstance(compiled, Derivation) and not compiled.columns:
        at = compiled.tree.at
        raise QueryTypeError(
            "the statement makes no Datastream",
            statement=statement,
            line=at.line,
            column=at.column,
            expected=("a column with AS and UNIT, such as l.result - r.result AS gap UNIT 'm'",),
        )
    return compiled


def _refuse_foreign(compiled: Compiled, home: str) -> None:
    at = compiled.tree.streams[0].at
    message = f"FROM names {compiled.sources[0]}, but this app reads {home}: write FROM {home} or FROM *"
    if len(compiled.tree.streams) > 1:
        message = f"No source is {home}, to which this app belongs: join it, or make an app of another system"
    raise QueryTypeError(message, statement=compiled.text, line=at.line, column=at.column)


async def check_access(
    session: AsyncSession, user: User, home: str, compiled: Compiled, target: str | None
) -> None:
    """Refuse a source that the person does not operate; unknown and forbidden look alike.

    Raises:
        QueryTypeError: there is such a source; it knows the place.
    """
    foreign = [
        source
        for source in compiled.tree.streams
        if source.system not in {home, ANY_SYSTEM}
        and not (_by_contract(source.system, target) and _is_party(home, source.system, target))
    ]
    if not foreign:
        return
    known = await operated_of(session, user, {target, *(source.system for source in foreign)})
    for source in foreign:
        if source.system not in known and not (_by_contract(source.system, target) and target in known):
            raise QueryTypeError(
                f"you are no agent of {source.system}: ask one of its agents to add you, or leave it out",
                statement=compiled.text,
                line=source.at.line,
                column=source.at.column,
            )


async def operated_of(session: AsyncSession, user: User, names: Iterable[str | None]) -> set[str]:
    """Return those systems, of some full names, that a person is an agent of."""
    statement = (
        select(System.name)
        .join(SystemAgent, SystemAgent.system_id == System.id)
        .where(SystemAgent.user_id == user.id, System.name.in_([name for name in names if name]))
    )
    return set((await session.scalars(statement)).all())


def _is_party(home: str, source: str, target: str | None) -> bool:
    """Tell whether the app's own system is of a company that signed: others may not use their contract."""
    ends = {SystemName.parse(name).company for name in (source, target) if name is not None}
    return SystemName.parse(home).company in ends


def _by_contract(source: str, target: str | None) -> bool:
    return target is not None and is_needed(source, target)


async def check_units_of(
    compiled: Compiled, home: str, metadata: MetadataRegistry, readers: tuple[str, str | None]
) -> None:
    """Check the units of a statement, with those of the sources where they matter.

    The person reads those of the systems that they operate; the target those that contracts let it see.

    Raises:
        QueryTypeError: they cannot meet; it knows the place.
        MetadataError: units matter, and SensorThings does not tell them.
    """
    systems = systems_of(compiled, home)
    if not await asyncio.to_thread(depends_on_units, compiled.tree, compiled.text):
        return
    person, target = readers
    shared = tuple(system for system in systems[1:] if _by_contract(system, target))
    own = tuple(system for system in systems if system not in shared)

    def read() -> dict[str, str | None]:
        units = read_units(acting_as(metadata, person), own)
        return units | read_units(acting_as(metadata, target or person), shared)

    units = await ask(read)
    await asyncio.to_thread(check_units, compiled.tree, compiled.text, units)


def systems_of(compiled: Compiled, home: str) -> tuple[str, ...]:
    """List the systems that an app reads, its own first."""
    return tuple(dict.fromkeys((home, *(name for name in compiled.sources if name != ANY_SYSTEM))))


@lru_cache(maxsize=10_000)  # lists ask for each app at every look
def further_sources(statement: str, home: str) -> tuple[str, ...]:
    """List the systems that a stored statement reads besides the app's own."""
    try:
        return systems_of(compile_statement(statement), home)[1:]
    except QueryError:  # stored by an older version of the language
        return ()


async def register(specification: StreamAppSpecification, metadata: MetadataRegistry) -> dict[str, int | str]:
    """Register the Datastreams that an app computes; nothing when it passes records on as they are.

    Returns:
        Their ids by full name.

    Raises:
        ConflictError: a name is taken by another app or a device.
        MetadataError: SensorThings did not take them.
    """
    compiled = await asyncio.to_thread(compile_statement, specification.statement)
    if not isinstance(compiled, Derivation):
        return {}

    shared = {terms.provider for terms in specification.contracts}

    def read_sources() -> dict[str, str | None]:
        units: dict[str, str | None] = {}
        for system in specification.systems:
            # Whether the app may read it was decided when its statement was saved. What comes by a contract
            # is named as the target sees it.
            is_shared = system != specification.source_system and system in shared
            reader = specification.target_system if is_shared else system
            units |= read_units(acting_as(metadata, reader), (system,))
        return units

    def register_all() -> dict[str, int | str]:
        things: list[str] = []
        if compiled.keeps_thing:
            things = source_things_of(compiled, read_sources())
        return register_outputs(
            acting_as(metadata, specification.target_system),
            app_name=specification.name,
            app_id=specification.app_id,
            target_system=specification.target_system,
            derivation=compiled,
            source_things=things,
        )

    try:
        return await ask(register_all)
    except StreamAppError as error:
        raise ConflictError(str(error), code="stream.output_taken") from error


async def ask(question: Callable[[], Answer]) -> Answer:
    """Ask SensorThings something, in a thread.

    Raises:
        MetadataError: it does not answer as it should.
    """
    try:
        return await asyncio.to_thread(question)
    except SensorThingsError as error:
        reason = f"SensorThings cannot be used: {error}"
        raise MetadataError(
            reason,
            hint="It knows the units of the sources and takes the outputs. Check DTWIN_SENSORTHINGS__URL, "
            "then try again.",
            fields={"statement": f"{reason}. Nothing was saved; try again later"},
        ) from error


def sections_of(compiled: Compiled, specification: StreamAppSpecification | None = None) -> list[Section]:
    """Explain a statement in short: what it reads, how it joins, what it writes."""
    explanation = explain(compiled, specification)
    return [section for section in explanation.sections if section.title in SHOWN_SECTIONS]


def outputs_of(
    statement: str, *, target: str, app_name: str, registered: Iterable[tuple[str, int | str]]
) -> list[OutputView]:
    """List the Datastreams that an app writes, those that are registered with their ids.

    Args:
        statement: The app's statement.
        target: Full name of the system that receives.
        app_name: Short name of the app.
        registered: Full names and ids of the Datastreams that were registered at deployment.
    """
    try:
        compiled = compile_statement(statement)
    except QueryError:  # stored by an older version of the language
        return []
    if not isinstance(compiled, Derivation):
        return []
    known = list(registered)
    shown: list[OutputView] = []
    for column in compiled.columns:
        found: list[tuple[str, int | str | None]] = [
            (name, iot_id) for name, iot_id in known if _column_of(name, target) == column.name
        ]
        thing = "<Thing>" if compiled.keeps_thing else app_name
        names = found or [(f"{target}.{thing}.{column.name}", None)]
        shown += [OutputView(name, column.unit, column.expression, iot_id) for name, iot_id in names]
    return shown


def _column_of(name: str, target: str) -> str:
    return name.removeprefix(f"{target}.").partition(".")[2]
