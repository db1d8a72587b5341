"""Pages of lists: tokens that say where the next one goes on, searches, and addresses of HTML lists."""

import base64
import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, Uuid
from sqlalchemy.dialects import postgresql

from platform_ui.errors import PageTokenError
from platform_ui.rest.paging import Listed, ListView, Order, PageRequest, matches

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Uuid(as_uuid=True)),
    Column("name", String(20)),
    Column("rank", Integer),
    Column("at", DateTime(timezone=True)),
)
BY_NAME = Order("things", (THINGS.c.name, THINGS.c.rank))


def sql(condition: object) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return str(condition.compile(dialect=dialect))  # type: ignore[attr-defined]


def test_a_page_goes_on_behind_the_last_row_of_the_page_before() -> None:
    condition = BY_NAME.after(BY_NAME.token(("a.b", 3)))
    assert sql(condition).startswith("(things.name, things.rank) > (")
    assert list(condition.compile().params.values()) == ["a.b", 3]


def test_a_list_that_is_turned_round_goes_on_before_it() -> None:
    turned = BY_NAME.turned(is_descending=True)
    assert " < " in sql(turned.after(turned.token(("a.b", 3))))


def test_times_and_ids_come_back_as_they_were() -> None:
    order = Order("things", (THINGS.c.at, THINGS.c.id))
    key = (datetime(2026, 1, 31, 12, tzinfo=UTC), uuid.uuid4())
    assert tuple(order.after(order.token(key)).compile().params.values()) == key


def forged(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "ä",
        "=",
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        forged("others", "a.b", 3),
        forged("things", "a.b"),
        forged("things", "a.b", 3, 4),
        forged("things", 3, "a.b"),
        forged("things", "a.b", True),
        forged("things", "a\x00b", 3),
        Order("things", BY_NAME.columns, is_descending=True).token(("a.b", 3)),
    ],
)
def test_a_token_that_is_not_of_this_list_is_refused(token: str) -> None:
    with pytest.raises(PageTokenError, match="not one of this list"):
        BY_NAME.after(token)


@given(st.text(max_size=40))
def test_no_text_as_a_token_breaks_anything(token: str) -> None:
    with pytest.raises(PageTokenError):
        BY_NAME.after(token)


def test_each_word_of_a_search_must_occur_somewhere() -> None:
    condition = matches("mill  50%", THINGS.c.name, THINGS.c.name)
    assert [*condition.compile().params.values()] == ["mill", "mill", "50/%", "50/%"]
    assert sql(matches("  ", THINGS.c.name)) == "true"


def test_a_list_for_people_has_an_address_for_each_of_its_parts() -> None:
    view = ListView("/apps", PageRequest(q="mill & co")).chosen(state="failed", other="").on(show="apps")
    assert view.address() == "/apps?show=apps&q=mill+%26+co&state=failed"
    assert view.address(state="", q="") == "/apps?show=apps"
    assert view.turned == "/apps?show=apps&q=mill+%26+co&state=failed&sort=-name"
    assert view.whole == "/apps?show=apps"


def test_the_next_page_keeps_search_and_order() -> None:
    view = ListView("/systems", PageRequest(q="m", order_by="-name", page_token="abc"))
    assert view.here == "/systems?q=m&sort=-name&after=abc"
    assert view.turned == "/systems?q=m"
    assert view.is_filtered
    assert not view.is_first


def test_a_page_keeps_its_place_when_its_items_change() -> None:
    assert Listed([1, 2], "next", 7).map(str) == Listed(["1", "2"], "next", 7)
