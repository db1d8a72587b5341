"""Links of the page of live records."""

from urllib.parse import parse_qs, urlsplit

from platform_ui.fields import read_form
from platform_ui.live.forms import PageForm, Tab, parse_begin
from platform_ui.live.scope import Scope
from platform_ui.live.service import Found
from platform_ui.live.view import LiveView
from platform_ui.systems.models import SystemRole

SYSTEM = "cz.icecars.Fleet.Car1"


def view(role: SystemRole = SystemRole.AGENT, found: Found | None = None, **values: str) -> LiveView:
    form = read_form(PageForm, {name.strip("_"): text for name, text in values.items()})
    return LiveView(Scope(SYSTEM, role), form, parse_begin(form.begin, form.at), found)


def query(address: str) -> dict[str, str]:
    return {name: texts[0] for name, texts in parse_qs(urlsplit(address).query).items()}


def test_the_address_of_a_page_holds_all_that_was_chosen_and_nothing_else() -> None:
    assert view().address() == f"/live?system={SYSTEM}"
    chosen = view(topic="dlq", filter="result < 4", from_="-1h", limit="50", more="true")
    assert query(chosen.address()) == {
        "system": SYSTEM,
        "topic": "dlq",
        "filter": "result < 4",
        "from": "-1h",
        "limit": "50",
        "more": "true",
    }


def test_a_click_on_a_datastream_narrows_the_filter_and_does_so_once() -> None:
    name = f"{SYSTEM}.Main.Driver's Seat"
    first = query(view().narrowed(name))["filter"]
    assert first == f"name = '{SYSTEM}.Main.Driver''s Seat'"
    assert query(view(filter="result < 4 OR result > 9").narrowed(name))["filter"] == (
        f"(result < 4 OR result > 9) AND {first}"
    )
    assert query(view(filter=first).narrowed(name))["filter"] == first


def test_a_filter_becomes_a_stream_app_for_agents_alone() -> None:
    assert query(view(filter="result < 4").app_address) == {
        "statement": f"SELECT * FROM {SYSTEM}\n  WHERE result < 4;"
    }
    assert view(SystemRole.VIEWER, filter="result < 4").app_address == ""
    assert view(filter="result < 4", topic="ext").app_address == ""
    assert view().app_address == ""


def test_what_comes_begins_behind_what_is_shown() -> None:
    live = view(found=Found(positions={0: 5, 1: 7}), filter="result < 4")
    assert query(live.live_address) == {"filter": "result < 4", "from": "0:5,1:7"}
    assert live.next_address == ""


def test_what_was_cut_off_has_a_next_page() -> None:
    live = view(from_="earliest", found=Found(positions={0: 5}, is_cut=True))
    assert query(live.next_address)["from"] == "0:5"
    assert not live.is_live


def test_a_time_is_kept_in_the_address_and_shown_in_its_field() -> None:
    live = view(from_="time", at="2026-01-31T12:00")
    assert query(live.address())["from"] == "2026-01-31T12:00:00Z"
    again = view(from_="2026-01-31T12:00:00Z")
    assert (again.chosen_begin, again.at) == ("time", "2026-01-31T12:00")


def test_viewers_see_three_topics_and_agents_the_log_too() -> None:
    assert Scope(SYSTEM, SystemRole.VIEWER).tabs == (Tab.INT, Tab.EXT, Tab.DLQ)
    assert Tab.LOG in Scope(SYSTEM, SystemRole.AGENT).tabs
