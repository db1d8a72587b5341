"""Plans: statements shared by requests of one shape, and no text of a client in any of them."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from sensorthings.errors import RequestError
from sensorthings.http.paths import parse_path
from sensorthings.queries.entity_json import ReadContext
from sensorthings.queries.plans import Plan, Planner

CONTEXT = ReadContext("http://host/v1.1", 200, 1000)
DIALECT = make_url("postgresql+psycopg://").get_dialect()()
PLANNER = Planner(DIALECT)


def _plan(path: str, query: str = "", planner: Planner = PLANNER) -> Plan:
    return planner.read(parse_path(path), query, CONTEXT)


def test_requests_that_differ_in_ids_share_one_statement() -> None:
    first = _plan("Things(17)/Datastreams(18)/Observations", "$top=5")
    second = _plan("Things(27)/Datastreams(28)/Observations", "$top=5")

    assert first.sql is second.sql
    assert {17, 18, "/Things(17)/Datastreams(18)/Observations"} <= set(first.parameters.values())
    assert {27, 28, "/Things(27)/Datastreams(28)/Observations"} <= set(second.parameters.values())
    assert not {17, 18} & set(second.parameters.values())


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("Things(1)/Datastreams", "$top=6"),
        ("Things(1)/Locations", "$top=5"),
        ("Things", "$top=5"),
        ("Things(1)/Datastreams/$ref", "$top=5"),
    ],
)
def test_requests_of_another_shape_have_their_own_statement(path: str, query: str) -> None:
    first, other = _plan("Things(1)/Datastreams", "$top=5"), _plan(path, query)

    assert (first.sql, first.parameters) != (other.sql, other.parameters)


def test_no_more_plans_are_kept_than_allowed() -> None:
    planner = Planner(DIALECT, max_plans=2)

    first = _plan("Things(1)", "", planner)
    for number in range(3):
        _plan("Things", f"$top={number}", planner)

    assert _plan("Things(1)", "", planner).sql is not first.sql
    assert _plan("Things(1)", "", planner).sql == first.sql


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30))
def test_no_text_of_a_client_is_part_of_a_statement(text: str) -> None:
    marked = f"§{text}§"
    quoted = quote("'" + marked.replace("'", "''") + "'")
    query = (
        f"$filter=name%20eq%20{quoted}%20or%20contains(properties/a,{quoted})&$orderby=concat(name,{quoted})"
    )
    path = f"Things(1)/properties/{marked.strip('/')}".rstrip("/")

    plan = _plan("Things", query)
    inside = _plan(path) if "$value" not in path else plan

    assert "§" not in plan.sql + inside.sql
    assert marked in plan.parameters.values()


def test_a_wrong_request_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(RequestError):
            _plan("Things", "$filter=nope eq 1")
