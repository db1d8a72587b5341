"""One plain Observation in one statement: the way of most writes.

What lives here: the statement that finds the Datastream and the feature, inserts, widens the Datastream's
times and area, and notes the record for Kafka. What does not: everything that needs a second look (no feature
yet, a wrong link, MultiDatastreams, upserts), which `sensorthings.writes.create` does: then nothing is
written here and no row comes back.

How it works: the Datastream is read with a share of its row, which lets others insert and widen, but holds
off whoever works its extents out anew (`sensorthings.store.extents`); whether it has to grow is decided by
the row as locked, because the statement's snapshot may be older.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    Text,
    Uuid,
    all_,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from sensorthings.access.sight import Sight
from sensorthings.database import Prepared, prepare
from sensorthings.model.entities import DATASTREAM, FEATURE_OF_INTEREST, OBSERVATION
from sensorthings.model.results import MISSING, split_result
from sensorthings.model.tables import (
    change,
    change_reader,
    datastream,
    feature_of_interest,
    location,
    observation,
    outbox,
    system,
    thing,
    thing_location,
)
from sensorthings.writes.bodies import Draft, Reference
from sensorthings.writes.outbox_rows import new_dt_id, record_value
from sensorthings.writes.owners import linkable
from sensorthings.writes.rules import is_not_geojson
from sensorthings.writes.streams import misfits, record_key, topic_of
from sensorthings.writes.work import Work

_LOWER: Final = ("phenomenon_start", "result_start", "west", "south")
_UPPER: Final = ("phenomenon_end", "result_end", "east", "north")
_GIVEN: Final = {
    "phenomenon_start": "phenomenon_start",
    "phenomenon_end": "phenomenon_end",
    "result_start": "result_time",
    "result_end": "result_time",
}
"""Columns of an Observation by the extents that they widen."""
_COLUMNS: Final = (
    "phenomenon_start",
    "phenomenon_end",
    "result_time",
    "result_number",
    "valid_start",
    "valid_end",
)


def stream_of(draft: Draft, parent_id: int | None) -> int | None:
    """Give the id of the Datastream of a plain Observation; None where the draft needs more than one row.

    Args:
        draft: The Observation.
        parent_id: Id of the Datastream in the path; None where there is none.
    """
    if draft.entity is not OBSERVATION or draft.identifier is not None:
        return None
    feature = draft.links.get("FeatureOfInterest")
    stream = draft.links.get("Datastream")
    if (feature and not isinstance(feature[0], Reference)) or draft.links.get("MultiDatastream"):
        return None
    if parent_id is not None:
        return None if stream else parent_id
    return stream[0].identifier if stream and isinstance(stream[0], Reference) else None


async def insert_observation(work: Work, draft: Draft, stream_id: int) -> tuple[int, dict[str, Any]] | None:
    """Insert a plain Observation with everything that follows, in one statement of its own transaction.

    Args:
        work: The request, outside any transaction.
        draft: The Observation.
        stream_id: Id of its Datastream.

    Returns:
        Its id and its values by column; None when the statement could not do it, and did nothing.

    Raises:
        psycopg.Error: What the database says.
    """
    values = dict(draft.values)
    if values.get("phenomenon_start") is None:
        values["phenomenon_start"] = values["phenomenon_end"] = work.now
    number, other = split_result(values["result"])
    given: dict[str, Any] = {name: values.get(name) for name in _COLUMNS}
    given |= {
        "stream_id": stream_id,
        "result_number": number,
        "result": None if other is MISSING else orjson.dumps(other).decode(),
        "result_quality": _json(values.get("result_quality")),
        "parameters": _json(values.get("parameters")),
        "misfits": misfits(values["result"]) if work.rules.strict_types else [],
        **work.principal.parameters(),
    }
    feature = draft.links.get("FeatureOfInterest")
    if feature and isinstance(feature[0], Reference):
        given["feature_id"] = feature[0].identifier
    named = values.get("dt_id")
    given["dt_id"] = named or new_dt_id()
    if work.rules.outbox:
        given["value"] = record_value(stream_id, values)
    statement = _statement(
        work.principal.write_sight,
        has_feature=bool(feature),
        has_outbox=work.rules.outbox,
        is_named=named is not None,
    )
    identifier = await work.session.scalar(statement, given)
    return None if identifier is None else (int(identifier), values)


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def observation_text(root: str, identifier: int, values: Mapping[str, Any]) -> bytes:
    """Show a new Observation of a Datastream as a GET would."""
    link = f"{root}/Observations({identifier})"
    shown: dict[str, Any] = {"@iot.id": identifier, "@iot.selfLink": link}
    start, end = values["phenomenon_start"], values["phenomenon_end"]
    shown["phenomenonTime"] = _instant(start) if start == end else f"{_instant(start)}/{_instant(end)}"
    shown["result"] = values["result"]
    result_time = values.get("result_time")
    shown["resultTime"] = None if result_time is None else _instant(result_time)
    if values.get("result_quality") is not None:
        shown["resultQuality"] = values["result_quality"]
    if values.get("valid_start") is not None:
        shown["validTime"] = f"{_instant(values['valid_start'])}/{_instant(values['valid_end'])}"
    if values.get("parameters") is not None:
        shown["parameters"] = values["parameters"]
    shown["Datastream@iot.navigationLink"] = f"{link}/Datastream"
    shown["FeatureOfInterest@iot.navigationLink"] = f"{link}/FeatureOfInterest"
    return orjson.dumps(shown)


def _instant(moment: datetime) -> str:
    text = moment.isoformat().removesuffix("+00:00")
    # As Postgres writes it: no zeros at the end of a fraction.
    return f"{text.rstrip('0') if '.' in text else text}Z"


@cache
def _statement(sight: Sight, *, has_feature: bool, has_outbox: bool, is_named: bool) -> Prepared:
    stream = _stream(sight, has_outbox=has_outbox)
    feature = _linked_feature(sight, stream) if has_feature else _generated_feature(stream)
    made = _inserted(stream, feature, has_outbox=has_outbox, is_named=is_named)
    done = [_widened(stream, feature), _followed(made)]
    if has_outbox:
        done.append(_noted(stream, feature))
    return prepare(select(made.c.id).add_cte(*done))


def _stream(sight: Sight, *, has_outbox: bool) -> CTE:
    own = sight.source(DATASTREAM)
    columns: list[ColumnElement[Any]] = [
        own.c.id,
        own.c.thing_id,
        own.c.system_id,
        *(own.c[name] for name in (*_LOWER, *_UPPER)),
    ]
    clause = own
    if has_outbox:
        clause = own.join(thing, thing.c.id == own.c.thing_id).outerjoin(
            system, system.c.id == own.c.system_id
        )
        columns += [topic_of(system.c).label("topic"), record_key(own.c, thing.c, system.c).label("key")]
    return (
        select(*columns)
        .select_from(clause)
        .where(
            own.c.id == bindparam("stream_id", type_=BigInteger),
            own.c.observation_type != all_(bindparam("misfits", type_=ARRAY(Text))),
        )
        .with_for_update(of=own, read=True, key_share=True)
        .cte("stream")
    )


def _linked_feature(sight: Sight, stream: CTE) -> CTE:
    source, condition = linkable(FEATURE_OF_INTEREST, sight)
    is_beside = func.coalesce(source.c.system_id == stream.c.system_id, true())
    names = ("id", "west", "south", "east", "north")
    wanted = source.c.id == bindparam("feature_id", type_=BigInteger)
    shown = select(*(source.c[name] for name in names)).select_from(source.join(stream, is_beside))
    return shown.where(wanted, condition).cte("feature")


def _generated_feature(stream: CTE) -> CTE:
    places = (
        select(location.c.generated_feature_id)
        .select_from(
            stream.join(thing_location, thing_location.c.thing_id == stream.c.thing_id).join(
                location, location.c.id == thing_location.c.location_id
            )
        )
        .order_by(is_not_geojson(), location.c.id)
        .limit(literal_column("1"))
        .subquery()
    )
    own = feature_of_interest.c
    return (
        select(own.id, own.west, own.south, own.east, own.north)
        .join(places, places.c.generated_feature_id == own.id)
        .cte("feature")
    )


def _inserted(stream: CTE, feature: CTE, *, has_outbox: bool, is_named: bool) -> CTE:
    table = observation.c
    row: dict[str, ColumnElement[Any]] = {
        "datastream_id": stream.c.id,
        "feature_of_interest_id": feature.c.id,
        **{name: bindparam(name, type_=table[name].type) for name in _COLUMNS},
        **{
            name: cast(bindparam(name, type_=Text), JSONB)
            for name in ("result", "result_quality", "parameters")
        },
    }
    if is_named:
        row["dt_id"] = bindparam("dt_id", type_=Uuid)
    elif has_outbox:
        row["dt_id"] = case((stream.c.topic.is_not(None), bindparam("dt_id", type_=Uuid)), else_=null())
    rows = select(*row.values()).select_from(stream.join(feature, literal_column("true")))
    return insert(observation).from_select(list(row), rows).returning(table.id).cte("made")


def _followed(made: CTE) -> CTE:
    row = select(
        literal_column(f"'{observation.name}'"), func.array(select(made.c.id).scalar_subquery())
    ).where(exists(select(made.c.id)), exists(select(change_reader.c.name)))
    return insert(change).from_select(["entity", "ids"], row).cte("followed")


def _widened(stream: CTE, feature: CTE) -> CTE:
    columns = datastream.c

    def new(name: str) -> ColumnElement[Any]:
        given = _GIVEN.get(name)
        return feature.c[name] if given is None else bindparam(given, type_=columns[name].type)

    changes = {name: func.least(columns[name], new(name)) for name in _LOWER}
    changes |= {name: func.greatest(columns[name], new(name)) for name in _UPPER}
    grows = [new(name) < stream.c[name] for name in _LOWER]
    grows += [new(name) > stream.c[name] for name in _UPPER]
    grows += [and_(stream.c[name].is_(None), new(name).is_not(None)) for name in _LOWER]
    changed = update(datastream).values(changes).where(columns.id == stream.c.id, or_(*grows))
    return changed.where(feature.c.id.is_not(None)).cte("widened")


def _noted(stream: CTE, feature: CTE) -> CTE:
    row: dict[str, ColumnElement[Any]] = {
        "topic": stream.c.topic,
        "key": stream.c.key,
        "value": bindparam("value", type_=Text),
        "dt_id": bindparam("dt_id", type_=Uuid),
    }
    rows = select(*row.values()).select_from(stream.join(feature, literal_column("true")))
    return insert(outbox).from_select(list(row), rows.where(stream.c.topic.is_not(None))).cte("noted")
