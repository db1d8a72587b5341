"""Datastreams as their Observations need them: what is looked up once for each request and Datastream.

What lives here: the look-up, and the checks of a result against its Datastream. What does not: visibility,
which whoever links a Datastream has checked before (`writes.owners`).

Source: OGC 18-088, table 12 (observationType) and clause 11.2 (MultiDatastream: results have one part for
each ObservedProperty).
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, case, func, literal_column, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

from client.metadata.entities import OBSERVATION_TYPE_PREFIX
from sensorthings.database import Session, prepare
from sensorthings.errors import BodyError
from sensorthings.model.tables import datastream, system, thing

Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]
COMPLEX: Final = f"{OBSERVATION_TYPE_PREFIX}OM_ComplexObservation"


@dataclass(frozen=True, slots=True)
class Stream:
    """A Datastream or MultiDatastream.

    Attributes:
        identifier: Its id.
        is_multi: Whether it is a MultiDatastream.
        observation_type: URI of the type of its results.
        parts: Parts of a result; 0 for a Datastream.
        part_types: Types of the parts of a result; None for a Datastream.
        system: Id of the system it belongs to; None for none.
        topic: Topic of its records in Kafka; None where it belongs to no system.
        key: Key of its records: its full unique name.
    """

    identifier: int
    is_multi: bool
    observation_type: str
    parts: int
    part_types: list[str] | None
    system: int | None
    topic: str | None
    key: str | None

    @property
    def kind(self) -> str:
        """Name of its entity type."""
        return "MultiDatastream" if self.is_multi else "Datastream"


def topic_of(systems: Columns) -> ColumnElement[str]:
    """Give the topic that the Observations of a system's Datastreams go to; NULL where there is no system."""
    return systems["name"] + literal_column("'.int'", Text)


def record_key(streams: Columns, things: Columns, systems: Columns) -> ColumnElement[str]:
    """Give the full unique name of a Datastream, `<system>.<Thing>.<Datastream>`; NULL without a system.

    Names are full ones by convention; where they are not, what is missing is put before them.
    """
    dot = literal_column("'.'", Text)
    system_name, thing_name, name = systems["name"], things["name"], streams["name"]
    is_full = func.starts_with(name, system_name + dot)
    is_thing_full = func.starts_with(thing_name, system_name + dot)
    return case(
        (is_full, name),
        (is_thing_full, thing_name + dot + name),
        else_=system_name + dot + thing_name + dot + name,
    )


_STREAM = prepare(
    select(
        datastream.c.id,
        datastream.c.is_multi,
        datastream.c.observation_type,
        case((datastream.c.is_multi, func.jsonb_array_length(datastream.c.unit_of_measurement)), else_=0),
        datastream.c.multi_observation_data_types,
        datastream.c.system_id,
        topic_of(system.c),
        record_key(datastream.c, thing.c, system.c),
    )
    .select_from(
        datastream.join(thing, thing.c.id == datastream.c.thing_id).outerjoin(
            system, system.c.id == datastream.c.system_id
        )
    )
    .where(datastream.c.id == bindparam("id", type_=BigInteger))
)


async def find_stream(session: Session, known: dict[int, Stream], identifier: int, place: str = "") -> Stream:
    """Give a Datastream or MultiDatastream, looked up once for each request.

    Raises:
        BodyError: There is none.
    """
    found = known.get(identifier)
    if found is None:
        row = await session.row(_STREAM, {"id": identifier})
        if row is None:
            raise BodyError("body.link_missing", f"there is no Datastream {identifier}", place=place)
        found = known[identifier] = Stream(*row)
    return found


def check_result(stream: Stream, result: object, place: str, *, is_strict: bool) -> None:
    """Check a result against its Datastream.

    Raises:
        BodyError: It is no array of the MultiDatastream's length or, where types are checked, a part of it is
            not of the type that the Datastream promises.
    """
    if stream.is_multi:
        if not isinstance(result, list) or len(result) != stream.parts:
            raise BodyError(
                "body.result_size",
                f"a result of MultiDatastream {stream.identifier} is an array of {stream.parts} values",
                place=f"{place}/result",
            )
        if is_strict:
            for at, (part, type_) in enumerate(zip(result, stream.part_types or (), strict=False)):
                check_type(type_, part, f"{place}/result/{at}")
    elif is_strict:
        check_type(stream.observation_type, result, f"{place}/result")


def check_type(observation_type: str, result: object, place: str) -> None:
    """Check a result against an observationType; null, and types not known here, always fit.

    Raises:
        BodyError: It does not fit.
    """
    name = observation_type.removeprefix(OBSERVATION_TYPE_PREFIX)
    if result is not None and name in _EXPECTED and not _fits(name, result):
        raise BodyError(
            "body.result_type",
            f"{name} takes {_EXPECTED[name][0]}",
            place=place,
            hint="The Datastream's observationType tells what its results are.",
        )


def misfits(result: object) -> list[str]:
    """List the observationTypes that a result does not fit."""
    if result is None:
        return []
    return [f"{OBSERVATION_TYPE_PREFIX}{name}" for name in _EXPECTED if not _fits(name, result)]


def _fits(name: str, result: object) -> bool:
    _, types = _EXPECTED[name]
    if name == "OM_CountObservation" and isinstance(result, float):
        return result.is_integer()
    return isinstance(result, types) and (isinstance(result, bool) == (types is bool))


_EXPECTED: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "OM_Measurement": ("a number", (int, float)),
    "OM_CountObservation": ("a whole number", (int, float)),
    "OM_TruthObservation": ("true or false", bool),
    "OM_CategoryObservation": ("a text", str),
}
