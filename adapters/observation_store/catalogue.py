"""Datastreams as the recorder needs them: found by name and id, with the feature of their Observations.

What lives here: the look-up, its memory, and features for Things without a Location. What does not: features
made from Locations (`sensorthings.writes.rules`), storing (`sensorthings.store`).

Names may change, Things may move, Datastreams may go: so what is remembered is looked up again after a few
seconds, all that a batch needs in one statement. A Datastream is meant by its full name; its id counts where
the name is unknown, as after a change of the name, and only for Datastreams of the same system.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Text,
    any_,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from client.messaging.topics import SYSTEM_LEVELS
from sensorthings.database import Database, Session, prepare
from sensorthings.errors import BodyError
from sensorthings.model.entities import FEATURE_OF_INTEREST
from sensorthings.model.tables import (
    datastream,
    feature_of_interest,
    location,
    system,
    thing,
    thing_location,
)
from sensorthings.writes.rows import insert_row
from sensorthings.writes.rules import GEOJSON, generated_feature

_REMEMBER_S: Final = 10.0
# What is not there is asked for again sooner: its metadata may be on the way.
_FORGET_MISSING_S: Final = 0.5
_MOST_REMEMBERED: Final = 200_000

Link = tuple[str, int | None, str]
"""What a record tells of its Datastream: name, id, and the system that it has to belong to."""


class Stream(NamedTuple):
    """A Datastream or MultiDatastream.

    Attributes:
        identifier: Its id.
        name: Its name.
        owner: Name of the system that it belongs to; empty where it belongs to none.
        is_multi: Whether it is a MultiDatastream.
        parts: Parts of a result; 0 for a Datastream.
        feature_id: The feature of its Observations; None when it has to be made first.
        thing_id: Id of its Thing.
    """

    identifier: int
    name: str
    owner: str
    is_multi: bool
    parts: int
    feature_id: int | None
    thing_id: int


class Catalogue:
    """Finds Datastreams; used by one task."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._known: dict[Link, tuple[float, Stream | None]] = {}
        self._features: dict[tuple[int, str], tuple[float, bool]] = {}

    def forget(self) -> None:
        """Look everything up again: something that was remembered has gone."""
        self._known.clear()
        self._features.clear()

    async def find(self, links: Collection[Link]) -> Mapping[Link, Stream | None]:
        """Find the Datastreams that records mean; None for those that are not there.

        Raises:
            psycopg.Error: What the database says.
            BusyError: No connection became free in time.
        """
        now, known = self._monotonic(), self._known
        if len(known) > _MOST_REMEMBERED:
            known.clear()
        asked = [link for link in links if known.get(link, _NEVER)[0] <= now]
        if asked:
            found = await self._look_up(asked)
            by_name, by_id = _grouped(found)
            for link in asked:
                stream = choose(link, (*by_name.get(link[0], ()), *by_id.get(link[1], ())))
                known[link] = (now + (_FORGET_MISSING_S if stream is None else _REMEMBER_S), stream)
        return {link: known[link][1] for link in links}

    async def _look_up(self, links: Iterable[Link]) -> Collection[Stream]:
        values = {
            "names": list({link[0] for link in links if link[0]}),
            "ids": list({link[1] for link in links if link[1] is not None and _is_id(link[1])}),
        }
        async with self._database.reading() as session:
            rows = await session.rows(_STREAMS, values)
        streams = [Stream(row[0], row[1], row[2] or system_of(row[1]), *row[3:]) for row in rows]
        bare = {stream.identifier: stream for stream in streams if stream.feature_id is None}
        made = {identifier: await self._make_feature(stream) for identifier, stream in bare.items()}
        return [
            stream._replace(feature_id=made.get(stream.identifier, stream.feature_id)) for stream in streams
        ]

    async def _make_feature(self, stream: Stream) -> int | None:
        async with self._database.writing() as session:
            try:
                return await generated_feature(session, stream.identifier, "")
            except BodyError:  # no Location, or the Datastream has gone just now
                return await _feature_of_thing(session, stream.thing_id)

    async def usable_features(self, wanted: Collection[tuple[int, str]]) -> frozenset[tuple[int, str]]:
        """Tell which features, named by id and the owner of a Datastream, its Observations may be about.

        Raises:
            psycopg.Error: What the database says.
            BusyError: No connection became free in time.
        """
        now, known = self._monotonic(), self._features
        asked = [pair for pair in wanted if known.get(pair, _NO_FEATURE)[0] <= now]
        if asked:
            async with self._database.reading() as session:
                ids = [pair[0] for pair in asked if _is_id(pair[0])]
                owners: dict[int, str | None] = dict(await session.rows(_FEATURES, {"ids": ids}))
            for pair in asked:
                is_usable = pair[0] in owners and owners[pair[0]] in (None, pair[1])
                known[pair] = (now + _REMEMBER_S, is_usable)
        usable = frozenset(pair for pair in wanted if known[pair][1])
        if len(known) > _MOST_REMEMBERED:
            known.clear()
        return usable


_NEVER: Final = (float("-inf"), None)
_NO_FEATURE: Final = (float("-inf"), False)
_LARGEST_ID: Final = 2**63 - 1


def _is_id(number: int) -> bool:
    return 0 <= number <= _LARGEST_ID


def system_of(name: str) -> str:
    """Give the system that a full name begins with; empty for other names.

    >>> system_of("cz.icecars.CarFleet.Car1.Main.Speed")
    'cz.icecars.CarFleet.Car1'
    """
    levels = name.split(".", SYSTEM_LEVELS)
    return ".".join(levels[:SYSTEM_LEVELS]) if len(levels) > SYSTEM_LEVELS else ""


def choose(link: Link, found: Iterable[Stream]) -> Stream | None:
    """Choose the Datastream that a record means among those with its name or its id."""
    name, identifier, owner = link
    fitting = [
        stream
        for stream in found
        if stream.owner == owner and (stream.name == name or stream.identifier == identifier)
    ]
    # The name counts more than the id; of several with this name, the one with the id, then the oldest.
    fitting.sort(key=lambda stream: (stream.name != name, stream.identifier != identifier, stream.identifier))
    return fitting[0] if fitting else None


def _grouped(
    found: Iterable[Stream],
) -> tuple[Mapping[str, Sequence[Stream]], Mapping[int | None, Sequence[Stream]]]:
    by_name: dict[str, list[Stream]] = {}
    by_id: dict[int | None, list[Stream]] = {}
    for stream in found:
        by_name.setdefault(stream.name, []).append(stream)
        by_id.setdefault(stream.identifier, []).append(stream)
    return by_name, by_id


async def _feature_of_thing(session: Session, thing_id: int) -> int | None:
    """Give the feature made from a Thing without a Location; make it if need be."""
    # Locked, so that two copies make one feature.
    row = await session.row(_LOCK_THING, {"id": thing_id})
    if row is None:
        return None
    feature_id, system_id, name, description = row
    if feature_id is not None:
        return int(feature_id)
    values: dict[str, Any] = {
        "name": name,
        "description": description,
        "encoding_type": GEOJSON[0],
        # Source: RFC 7946, clause 3.2: an unlocated Feature has a null geometry.
        "feature": {"type": "Feature", "geometry": None, "properties": {"name": name}},
        "system_id": system_id,
    }
    made = await insert_row(session, FEATURE_OF_INTEREST, values)
    await session.run(_KEEP_FEATURE, {"id": thing_id, "feature_id": made})
    return made


_place = (
    select(location.c.id, location.c.generated_feature_id)
    .select_from(thing_location.join(location, location.c.id == thing_location.c.location_id))
    .where(thing_location.c.thing_id == datastream.c.thing_id)
    .order_by(case((or_(*(location.c.encoding_type == name for name in GEOJSON)), 0), else_=1), location.c.id)
    .limit(1)
    .lateral("place")
)
_STREAMS = prepare(
    select(
        datastream.c.id,
        datastream.c.name,
        system.c.name,
        datastream.c.is_multi,
        case((datastream.c.is_multi, func.jsonb_array_length(datastream.c.unit_of_measurement)), else_=0),
        case((_place.c.id.is_(None), thing.c.generated_feature_id), else_=_place.c.generated_feature_id),
        datastream.c.thing_id,
    )
    .select_from(
        datastream.join(thing, thing.c.id == datastream.c.thing_id)
        .outerjoin(system, system.c.id == datastream.c.system_id)
        .outerjoin(_place, true())
    )
    .where(
        or_(
            datastream.c.name == any_(bindparam("names", type_=ARRAY(Text(collation="C")))),
            datastream.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))),
        )
    )
)
_FEATURES = prepare(
    select(feature_of_interest.c.id, system.c.name)
    .select_from(feature_of_interest.outerjoin(system, system.c.id == feature_of_interest.c.system_id))
    .where(feature_of_interest.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
)
_LOCK_THING = prepare(
    select(thing.c.generated_feature_id, thing.c.system_id, thing.c.name, thing.c.description)
    .where(thing.c.id == bindparam("id", type_=BigInteger))
    .with_for_update()
)
_KEEP_FEATURE = prepare(
    update(thing)
    .where(thing.c.id == bindparam("id", type_=BigInteger))
    .values(generated_feature_id=bindparam("feature_id", type_=BigInteger))
)
