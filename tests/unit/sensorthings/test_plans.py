"""Plans: statements shared by requests of one shape, and no text of a client in any of them."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorthings.access.sight import Sight
from sensorthings.errors import RequestError
from sensorthings.http.paths import parse_path
from sensorthings.queries.entity_json import ReadContext
from sensorthings.queries.pages import FURTHER
from sensorthings.queries.plans import Plan, Planner

CONTEXT = ReadContext("http://host/v1.1", 200, 1000, Sight.ALL)
PLANNER = Planner()


def _plan(path: str, query: str = "", planner: Planner = PLANNER) -> Plan:
    return planner.read(parse_path(path), query, CONTEXT)


def _values(plan: Plan) -> Mapping[str, Any]:
    return plan.statement.values(plan.parameters)


def test_requests_that_differ_in_ids_share_one_statement() -> None:
    first = _plan("Things(17)/Datastreams(18)/Observations", "$top=5")
    second = _plan("Things(27)/Datastreams(28)/Observations", "$top=5")

    assert first.statement is second.statement
    assert {17, 18, "/Things(17)/Datastreams(18)/Observations"} <= set(_values(first).values())
    assert {27, 28, "/Things(27)/Datastreams(28)/Observations"} <= set(_values(second).values())
    assert not {17, 18} & set(_values(second).values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("name eq 'a'", "name eq 'it''s'"),
        ("startswith(name,'a') and id gt 3", "startswith(name,'b') and id gt 30"),
        ("properties/x gt 1.5", "properties/x gt -2.75"),
        ("not (name in ('a','b'))", "not (name in ('c','d'))"),
    ],
)
def test_filters_that_differ_in_constants_share_one_statement(one: str, other: str) -> None:
    planner = Planner()

    first, second = (_plan("Things", f"$filter={quote(text)}", planner) for text in (one, other))
    exact = _plan("Things", f"$filter={quote(other)}", Planner())

    assert first.statement is second.statement
    assert _values(second) == _values(exact)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("phenomenonTime gt '2026-01-01T00:00:00Z'", "phenomenonTime gt '2026-01-01/2026-02-01'"),
        ("parameters/x eq 1", "parameters/x eq 'a'"),
        ("parameters/x eq 1", "parameters/x eq 1.5"),
        ("result[0] eq 1", "result[1] eq 1"),
        ("resultTime eq null", "resultTime eq now()"),
    ],
)
def test_constants_that_shape_the_statement_have_statements_of_their_own(one: str, other: str) -> None:
    planner = Planner()

    first, second = (_plan("Observations", f"$filter={quote(text)}", planner) for text in (one, other))

    exact = _plan("Observations", f"$filter={quote(other)}", Planner())

    assert first.statement is not second.statement
    assert (second.statement.sql, _values(second)) == (exact.statement.sql, _values(exact))


def test_times_are_read_anew_for_each_request() -> None:
    planner = Planner()
    for day in (1, 2):
        plan = _plan("Observations", f"$filter=phenomenonTime gt 2026-01-0{day}T00:00:00Z", planner)

        assert datetime(2026, 1, day, tzinfo=UTC) in _values(plan).values()


def test_the_next_link_keeps_the_options_but_not_where_this_page_begins() -> None:
    token = urlsafe_b64encode(b'["5"]').decode().rstrip("=")

    plan = _plan("Things", f"$top=5&$skip=3&$skiptoken={token}&$filter=id%20gt%202")

    assert _values(plan)[FURTHER] == "$top=5&$filter=id%20gt%202&"
    assert _values(plan)["token_0"] == "5"


@pytest.mark.parametrize("token", ["x", "e30", "WzFd", "WyIxIiwiMiJd"])
def test_a_token_that_does_not_fit_is_refused(token: str) -> None:
    with pytest.raises(RequestError):
        _plan("Things", f"$skiptoken={token}")


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

    assert (first.statement.sql, _values(first)) != (other.statement.sql, _values(other))


def test_no_more_plans_are_kept_than_allowed() -> None:
    planner = Planner(max_plans=2)

    first = _plan("Things(1)", "", planner)
    for number in range(3):
        _plan("Things", f"$top={number}", planner)

    assert _plan("Things(1)", "", planner).statement is not first.statement
    assert _plan("Things(1)", "", planner).statement.sql == first.statement.sql


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

    assert "§" not in plan.statement.sql + inside.statement.sql
    assert marked in _values(plan).values()


def test_a_wrong_request_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(RequestError):
            _plan("Things", "$filter=nope eq 1")
