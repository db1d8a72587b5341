"""The words that may stand in a statement, for completion: systems, Datastreams, functions, units and so on.

What lives here: gathering them, restricted to what a person may see. What does not: showing them (the
editor's script), the grammar (``streamhub.query``).
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import InvalidNameError
from client.messaging.topics import DatastreamName
from platform_ui.accounts.models import User
from platform_ui.contracts.models import ACTIVE, Contract
from platform_ui.contracts.reach import reach_of
from platform_ui.contracts.views import in_force
from platform_ui.errors import MetadataError
from platform_ui.streams.ports import acting_as
from platform_ui.streams.statements import ask
from platform_ui.systems.models import System
from streamhub.outputs import MetadataRegistry, read_units
from streamhub.query.functions import FUNCTIONS, Function, Kind

MAX_SYSTEMS: Final = 2_000
MAX_DATASTREAMS: Final = 2_000
MAX_SOURCES: Final = 8  # further systems whose Datastreams are asked for at once
KEYWORDS: Final = (
    *("SELECT", "FROM", "WHERE", "JOIN", "WITHIN", "ON", "AS", "UNIT"),
    *("AND", "OR", "XOR", "NOT", "BETWEEN", "IN", "LIKE", "IS NULL", "IS NOT NULL", "TRUE", "FALSE"),
    *("TIME LATER", "TIME LEFT", "TIME RIGHT", "TIME MEAN", "MAX LATENCY", "LATENESS"),
)
ATTRIBUTES: Final = (
    ("result", "any", "what was measured"),
    ("name", "text", "full name of the Datastream; decided without reading the value"),
    ("thing", "text", "the Thing; decided without reading the value"),
    ("system", "text", "the system; decided without reading the value"),
    ("phenomenonTime", "time", "when it was measured; also written time"),
    ("resultTime", "time", "when the result was made"),
    ("unit", "text", "the unit, where the record carries it"),
)
# Source: UCUM 2.1, section "Tables of Terminal Symbols"; those that devices send most.
UNITS: Final = (
    *(("Cel", "degree Celsius"), ("K", "kelvin"), ("[degF]", "degree Fahrenheit")),
    *(("m", "metre"), ("km", "kilometre"), ("mm", "millimetre")),
    *(("m/s", "metre per second"), ("km/h", "kilometre per hour"), ("m/s2", "metre per second squared")),
    *(("s", "second"), ("min", "minute"), ("h", "hour"), ("kg", "kilogram"), ("g", "gram")),
    *(("N", "newton"), ("N.m", "newton metre"), ("W", "watt"), ("kW", "kilowatt")),
    *(("kW.h", "kilowatt hour"), ("J", "joule"), ("V", "volt"), ("A", "ampere"), ("Ohm", "ohm")),
    *(("Hz", "hertz"), ("1/min", "per minute"), ("Pa", "pascal"), ("hPa", "hectopascal"), ("bar", "bar")),
    *(("L", "litre"), ("m3", "cubic metre"), ("%", "percent"), ("[ppm]", "parts per million")),
    *(("deg", "degree of angle"), ("rad", "radian"), ("lx", "lux"), ("1", "a number without a unit")),
)
_KIND_WORDS: Final = {
    Kind.NUMBER: "number",
    Kind.TEXT: "text",
    Kind.TRUTH: "true or false",
    Kind.INSTANT: "time",
    Kind.ANY: "any",
}


@dataclass(frozen=True, slots=True)
class KnownDatastream:
    """A Datastream that a statement may name.

    Attributes:
        name: Full name.
        system: Full name of its system.
        thing: Its Thing.
        unit: Its unit, or None.
    """

    name: str
    system: str
    thing: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the language.

    Attributes:
        name: How it is written.
        kind: What it is, or how it is called.
        meaning: One line.
    """

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Words:
    """What may stand in a statement of an app of one system.

    Attributes:
        systems: Full names of systems that the person operates or views, or whose records they get.
        datastreams: Those of the app's own system and of further ones that were asked for.
        attributes: What every record has.
        functions: All functions, with what they take.
        units: Common units, by UCUM code.
        keywords: The words that structure a statement.
        is_complete: Whether SensorThings told the Datastreams.
    """

    systems: tuple[str, ...]
    datastreams: tuple[KnownDatastream, ...]
    attributes: tuple[Word, ...]
    functions: tuple[Word, ...]
    units: tuple[Word, ...]
    keywords: tuple[str, ...] = KEYWORDS
    is_complete: bool = True


async def words_for(
    session: AsyncSession, user: User, home: System, metadata: MetadataRegistry, further: Sequence[str] = ()
) -> Words:
    """Gather the words for an app of a system.

    Args:
        session: the database; its connection is given back before SensorThings is asked.
        user: who writes the statement, an agent of the system.
        home: the system that the app belongs to.
        metadata: the SensorThings service.
        further: full names of other systems that the statement reads; those out of reach are passed over.
    """
    readers = await _readers(session, user)
    await session.commit()
    wanted = [name for name in dict.fromkeys((home.name, *further[:MAX_SOURCES])) if name in readers]
    found = await asyncio.gather(*(datastreams_of(metadata, name, readers[name]) for name in wanted))
    datastreams = [one for part in found if part is not None for one in part]
    return Words(
        systems=tuple(sorted(readers)[:MAX_SYSTEMS]),
        datastreams=tuple(datastreams[:MAX_DATASTREAMS]),
        attributes=tuple(Word(*attribute) for attribute in ATTRIBUTES),
        functions=tuple(Word(name, signature(name, one), one.summary) for name, one in FUNCTIONS.items()),
        units=tuple(Word(code, "unit", meaning) for code, meaning in UNITS),
        is_complete=all(part is not None for part in found),
    )


async def _readers(session: AsyncSession, user: User) -> dict[str, str]:
    """Return the systems whose metadata a person may read, with the name as which SensorThings is asked."""
    reach = await reach_of(session, user)
    rows = await session.execute(select(System.name).where(System.id.in_(reach.seen)).order_by(System.name))
    readers = dict.fromkeys(rows.scalars(), user.email)
    for contract in await in_force(session, consumer_ids=reach.seen):
        readers.setdefault(contract.terms.provider, contract.consumer)
    return readers


async def targets_for(session: AsyncSession, user: User, home: System) -> list[str]:
    """Return the systems that an app may well write to: those with a contract first, then the person's own.

    Args:
        session: the database.
        user: who makes the app.
        home: the system that the app belongs to.
    """
    partners = select(Contract.consumer).where(Contract.provider_id == home.id, Contract.state == ACTIVE)
    reach = await reach_of(session, user)
    own = select(System.name).where(System.id.in_(reach.seen), System.id != home.id)
    given = sorted((await session.scalars(partners)).all())
    found = [*given, *sorted((await session.scalars(own)).all())]
    return list(dict.fromkeys(found))[:MAX_SYSTEMS]


async def datastreams_of(
    metadata: MetadataRegistry, system: str, reader: str
) -> list[KnownDatastream] | None:
    """Ask SensorThings for the Datastreams of a system, as a person or another system sees them.

    Args:
        metadata: the SensorThings service.
        system: full name of the system.
        reader: e-mail address of the person, or full name of the system that gets its records.

    Returns:
        By name; nothing at all when SensorThings does not answer.
    """
    try:
        units = await ask(lambda: read_units(acting_as(metadata, reader), (system,)))
    except MetadataError:
        return None
    return list(_known(units.items()))


def _known(units: Iterable[tuple[str, str | None]]) -> Iterable[KnownDatastream]:
    for name, unit in sorted(units):
        try:
            parsed = DatastreamName.parse(name)
        except (
            InvalidNameError
        ):  # registered by a program that does not keep to our names: it sends no records
            continue
        yield KnownDatastream(name, str(parsed.system), parsed.thing, unit)


def signature(name: str, function: Function) -> str:
    """Say how a function is called, what may be left out in square brackets."""
    words = [_KIND_WORDS[kind] for kind in function.parameters]
    written = [word if number < function.least else f"[{word}]" for number, word in enumerate(words)]
    if function.variadic:
        written.append("…")
    return f"{name}({', '.join(written)})"
