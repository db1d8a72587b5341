"""Spatial calls become terms: constants at once, paths by what the visible rows hold."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from sqlalchemy import select

from sensorthings.access.sight import Sight
from sensorthings.database import Prepared, Session, prepare
from sensorthings.errors import QueryTypeError, RequestError
from sensorthings.model.entities import FEATURE_OF_INTEREST, LOCATION, THING, EntityType
from sensorthings.odata.parser import parse_filter
from sensorthings.spatial import resolution
from sensorthings.spatial.calls import Occurrence, Result, find_in
from sensorthings.spatial.postgis import Postgis
from sensorthings.spatial.resolution import NOTHING_SPATIAL, Reader, Resolved, resolve
from sensorthings.spatial.terms import ClaimTerm, ConstantTerm, LookupTerm

HERE = "geography'POINT(1 1)'"
ROWS = [(at, f'{{"type": "Point", "coordinates": [{at}, 1]}}') for at in range(4)] + [(9, '"nowhere"')]


class Rows:
    """A session that gives the same rows to every question, and keeps the questions."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.asked: list[tuple[Prepared, Mapping[str, Any]]] = []

    async def rows(self, statement: Prepared, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        self.asked.append((statement, parameters))
        after = [row for row in self._rows if row[0] > parameters["last_id"]]
        return after[: resolution.PORTION]


def _reader(rows: Rows) -> Reader:
    return Reader(cast("Session", rows), Sight.OWN, {"sight_systems": [7]})


def _calls(text: str, root: EntityType = LOCATION) -> list[Occurrence]:
    return list(find_in(parse_filter(text), root))


async def _resolve(text: str, rows: Rows, root: EntityType = LOCATION) -> Resolved:
    return await resolve(_calls(text, root), _reader(rows))


async def test_query_without_calls_reads_nothing() -> None:
    rows = Rows([])
    assert await _resolve("id eq 1", rows) is NOTHING_SPATIAL
    assert rows.asked == []


async def test_constants_are_computed_without_reading() -> None:
    rows = Rows([])
    resolved = await _resolve(f"geo.distance({HERE},geography'POINT(4 5)') eq 5", rows)
    assert list(resolved.terms.values()) == [ConstantTerm(Result.NUMBER, 5.0)]
    assert rows.asked == []


async def test_claim_keeps_the_ids_it_is_true_for_and_a_value_keeps_all_that_are_known() -> None:
    claim = await _resolve(f"st_equals(location,{HERE})", Rows(ROWS))
    assert list(claim.terms.values()) == [ClaimTerm((), [1])]
    value = await _resolve(f"not st_equals(location,{HERE})", Rows(ROWS))
    expected = {0: False, 1: True, 2: False, 3: False}
    assert list(value.terms.values()) == [LookupTerm(Result.BOOLEAN, (), expected)]


async def test_call_that_is_a_claim_and_a_value_is_kept_as_a_value() -> None:
    call = f"st_equals(location,{HERE})"
    resolved = await _resolve(f"{call} or not {call}", Rows(ROWS))
    assert [type(term) for term in resolved.terms.values()] == [LookupTerm]


async def test_rows_are_read_once_for_all_calls_in_portions_and_as_far_as_the_principal_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resolution, "PORTION", 2)
    rows = Rows(ROWS)
    text = f"geo.distance(location,{HERE}) lt 1 and not st_within(location,{HERE})"
    resolved = await _resolve(text, rows)
    assert [parameters["last_id"] for _, parameters in rows.asked] == [-1, 1, 3]
    assert all("sight_systems" in statement.parameters for statement, _ in rows.asked)
    assert all(parameters["sight_systems"] == [7] for _, parameters in rows.asked)
    distances = resolved.term(LOCATION, _calls(text)[0].call)
    assert isinstance(distances, LookupTerm | ClaimTerm)
    assert len(resolved.terms) == 2


async def test_feature_outside_the_box_is_not_read_for_a_claim_only() -> None:
    claimed, valued = Rows([]), Rows([])
    await _resolve(f"st_within(feature,{HERE})", claimed, FEATURE_OF_INTEREST)
    await _resolve(f"not st_within(feature,{HERE})", valued, FEATURE_OF_INTEREST)
    assert "west <=" in claimed.asked[0][0].sql
    assert "west <=" not in valued.asked[0][0].sql


async def test_more_geometries_than_are_looked_at_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolution, "MAX_CANDIDATES", 4)
    with pytest.raises(RequestError, match="more than 4 Locations") as caught:
        await _resolve(f"geo.distance(location,{HERE}) lt 1", Rows(ROWS))
    assert (caught.value.status, caught.value.code) == (400, "query.too_many_geometries")


async def test_call_that_was_not_resolved_is_refused() -> None:
    with pytest.raises(QueryTypeError, match="cannot be used here"):
        NOTHING_SPATIAL.term(LOCATION, _calls("geo.length(location) gt 1")[0].call)


async def test_postgis_computes_paths_without_reading_first() -> None:
    rows = Rows([])
    calls = _calls(f"st_relate(location,{HERE},'T********') and geo.distance(location,{HERE}) lt 1")
    resolved = await resolve(calls, _reader(rows), Postgis("extensions"))
    assert rows.asked == []
    source = LOCATION.table.alias()
    shown = [resolved.term(LOCATION, one.call).sql(source.c) for one in calls]
    sql = prepare(select(*shown)).sql
    assert "extensions.st_relate(sensorthings.geometry_of(" in sql
    assert "extensions.st_distance(" in sql
    assert "POINT" not in sql


async def test_variable_that_stands_for_two_types_in_two_places_is_refused() -> None:
    call = f"st_within(x/location,{HERE})"
    text = f"Locations/any(x: {call}) or HistoricalLocations/any(h: h/Locations/any(x: {call}))"
    resolved = await _resolve(text, Rows(ROWS), THING)
    assert [term.prefix for term in resolved.terms.values()] == [("x",)]
    other = f"{text} or Datastreams/any(x: {call})"
    with pytest.raises(QueryTypeError):
        await _resolve(other, Rows(ROWS), THING)
