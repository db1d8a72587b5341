"""Data arrays: from the body of CreateObservations to rows for the store; pure.

What lives here: the form of the groups, and reading their rows. What does not: which Datastreams and features
there are (`sensorthings.writes.targets`), storing.

A mistake in the form of the whole (no components, an unknown one) refuses the request; a mistake in a row
refuses this row.

Source: OGC 18-088, clause 13.2 (requirements class "data-array").
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeGuard

from sensorthings.errors import BodyError
from sensorthings.model.times import parse_instant, parse_period
from sensorthings.store.batches import NewObservation, is_storable
from sensorthings.writes.bodies import LARGEST_CHOSEN_ID
from sensorthings.writes.streams import Stream, check_result

FEATURE: Final = "FeatureOfInterest/id"
COMPONENTS: Final = (
    "phenomenonTime",
    "result",
    "resultTime",
    "resultQuality",
    "validTime",
    "parameters",
    FEATURE,
    "id",
)
"""Columns that a data array can have, in any order."""
_SYNONYMS: Final = {"@iot.id": "id", "FeatureOfInterest/@iot.id": FEATURE}
_LARGEST_ID: Final = 2**63 - 1
_PLAIN: Final = (int, float)


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one Datastream or MultiDatastream.

    Attributes:
        stream_id: Its id.
        is_multi: Whether it is a MultiDatastream.
        columns: Place of each component in a row.
        rows: As they were sent.
    """

    stream_id: int
    is_multi: bool
    columns: Mapping[str, int]
    rows: Sequence[object]

    def values(self, component: str) -> Iterator[object]:
        """Give what rows of the right length hold of a component; nothing when the group lacks it."""
        at = self.columns.get(component)
        if at is None:
            return
        for row in self.rows:
            if isinstance(row, list) and len(row) == len(self.columns):
                yield row[at]


def parse_groups(document: object) -> list[Group]:
    """Read the form of a data array.

    Raises:
        BodyError: It is none.
    """
    if not isinstance(document, list):
        raise BodyError("body.data_array", "an array of groups, one for each Datastream, is needed")
    return [_group(one, f"/{at}") for at, one in enumerate(document)]


def _group(value: object, place: str) -> Group:
    if not isinstance(value, dict):
        raise BodyError("body.data_array", "a group is a JSON object", place=place)
    kinds = [name for name in ("Datastream", "MultiDatastream") if name in value]
    if len(kinds) != 1:
        raise BodyError(
            "body.missing_link",
            "a group has a link to one Datastream or MultiDatastream",
            place=place,
            hint='As {"Datastream": {"@iot.id": 1}, "components": [...], "dataArray": [[...]]}.',
        )
    link = value[kinds[0]]
    identifier = link.get("@iot.id") if isinstance(link, dict) else None
    if not _is_id(identifier):
        raise BodyError("body.link", "@iot.id is a whole number here", place=f"{place}/{kinds[0]}")
    rows = value.get("dataArray")
    if not isinstance(rows, list):
        raise BodyError("body.data_array", "dataArray is an array of rows", place=f"{place}/dataArray")
    columns = _columns(value.get("components"), f"{place}/components")
    return Group(identifier, kinds[0] == "MultiDatastream", columns, rows)


def _columns(components: object, place: str) -> dict[str, int]:
    if not isinstance(components, list):
        raise BodyError("body.data_array", "components is an array of names", place=place)
    columns: dict[str, int] = {}
    for at, given in enumerate(components):
        name = _SYNONYMS.get(given, given) if isinstance(given, str) else None
        if name not in COMPONENTS:
            close = get_close_matches(str(given), COMPONENTS, 1)
            hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(COMPONENTS)}."
            raise BodyError(
                "body.component", f"{given!r:.80} is no component", place=f"{place}/{at}", hint=hint
            )
        if name in columns:
            raise BodyError("body.component", f"{name} is there twice", place=f"{place}/{at}")
        columns[name] = at
    if "result" not in columns:
        raise BodyError("body.component", "the component result is missing", place=place)
    return columns


def _is_id(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _LARGEST_ID


class RowError(ValueError):
    """A row that cannot be stored; its text tells why."""


@dataclass(slots=True)
class Targets:
    """What the rows of a request may lead to.

    Attributes:
        streams: Datastreams and MultiDatastreams that the principal may change, by id.
        features: Ids of the features that rows name and may link.
        generated: Feature of rows that name none, by id of the Datastream; none for a Thing without Location.
        taken: Ids of Observations that rows name and that are there already.
    """

    streams: dict[int, Stream] = field(default_factory=dict)
    features: set[int] = field(default_factory=set)
    generated: dict[int, int] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)


@dataclass(slots=True)
class ArrayReader:
    """Reads the rows of one request.

    Attributes:
        targets: What rows may lead to.
        now: phenomenonTime of rows without one.
        ids: Who chooses the ids of Observations.
        is_strict: Whether a result has to fit the observationType.
        refused: How often a row was refused, by reason.
    """

    targets: Targets
    now: datetime
    ids: Literal["server", "both", "client"] = "server"
    is_strict: bool = False
    refused: Counter[str] = field(default_factory=Counter)

    def read(self, group: Group, rows: Sequence[object]) -> list[NewObservation | None]:
        """Read rows of a group; None for one that cannot be stored, and why is counted."""
        stream = self.targets.streams.get(group.stream_id)
        if stream is None or stream.is_multi != group.is_multi:
            kind = "MultiDatastream" if group.is_multi else "Datastream"
            self.refused[f"there is no {kind} {group.stream_id}"] += len(rows)
            return [None] * len(rows)
        read: list[NewObservation | None] = []
        for row in rows:
            try:
                read.append(self._row(group.columns, stream, row))
            except (ValueError, BodyError) as error:
                self.refused[str(error)[:200]] += 1
                read.append(None)
        return read

    def _row(self, columns: Mapping[str, int], stream: Stream, row: object) -> NewObservation:
        if not isinstance(row, list) or len(row) != len(columns):
            raise RowError(f"a row is an array of {len(columns)} values")
        start, end = _moment(_at(row, columns, "phenomenonTime"), self.now)
        result = row[columns["result"]]
        if stream.is_multi or self.is_strict:
            check_result(stream, result, "", is_strict=self.is_strict)
        if type(result) not in _PLAIN and not is_storable(result):
            raise RowError("a text with the character U+0000 cannot be stored")
        return NewObservation(
            stream.identifier,
            self._feature(_at(row, columns, FEATURE), stream),
            start,
            end,
            result,
            _instant(_at(row, columns, "resultTime")),
            stream.is_multi,
            *_rest(row, columns),
            id=self._id(_at(row, columns, "id")),
        )

    def _feature(self, given: object, stream: Stream) -> int:
        if given is None:
            made = self.targets.generated.get(stream.identifier)
            if made is None:
                raise RowError(f"the Thing of {stream.kind} {stream.identifier} has no Location")
            return made
        if type(given) is not int or given not in self.targets.features:
            raise RowError(f"there is no FeatureOfInterest {given!r}")
        return given

    def _id(self, given: object) -> int | None:
        if self.ids == "server" or (given is None and self.ids == "both"):
            return None
        if not _is_id(given) or not 0 < given <= LARGEST_CHOSEN_ID:
            raise RowError(f"an id is a whole number between 1 and {LARGEST_CHOSEN_ID}")
        if given in self.targets.taken:
            raise RowError(f"there is an Observation {given} already")
        self.targets.taken.add(given)
        return given


def _at(row: list[Any], columns: Mapping[str, int], name: str) -> object:
    at = columns.get(name)
    return None if at is None else row[at]


def _moment(value: object, now: datetime) -> tuple[datetime, datetime]:
    if value is None:
        return now, now
    if not isinstance(value, str):
        raise RowError("phenomenonTime is an ISO 8601 time in a text")
    if "/" not in value:
        start = _fast_instant(value)
        return start, start
    return parse_period(value)


def _fast_instant(text: str) -> datetime:
    """Read an instant; the usual form, in UTC, without a further step."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return parse_instant(text)
    return found if found.tzinfo is UTC else parse_instant(text)


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise RowError("resultTime is an ISO 8601 instant in a text")
    return _fast_instant(value)


_NOTHING: Final = (None, None, None, None)
_SELDOM: Final = frozenset({"resultQuality", "validTime", "parameters"})


def _rest(
    row: list[Any], columns: Mapping[str, int]
) -> tuple[datetime | None, datetime | None, object, object]:
    """Read validTime, resultQuality and parameters."""
    if _SELDOM.isdisjoint(columns):
        return _NOTHING
    valid = _at(row, columns, "validTime")
    if not isinstance(valid, str | None):
        raise RowError("validTime is an ISO 8601 interval in a text")
    start, end = (None, None) if valid is None else parse_period(valid)
    quality, parameters = _at(row, columns, "resultQuality"), _at(row, columns, "parameters")
    if not isinstance(parameters, dict | None):
        raise RowError("parameters is a JSON object")
    if not is_storable(quality) or not is_storable(parameters):
        raise RowError("a text with the character U+0000 cannot be stored")
    return start, end, quality, parameters
