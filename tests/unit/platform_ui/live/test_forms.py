"""Where to begin, and the fields of the live browser."""

from datetime import UTC, datetime, timedelta

import pytest

from client.messaging.topics import SystemName
from platform_ui.errors import FormError
from platform_ui.fields import read_form
from platform_ui.live.forms import (
    AT_A_TIME,
    LiveForm,
    PageForm,
    Tab,
    parse_begin,
    read_positions,
    write_begin,
    write_positions,
)
from platform_ui.live.reading import Edge


def test_each_way_to_say_where_to_begin_is_read_and_written_again() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert parse_begin("latest") is Edge.LATEST
    assert parse_begin("2026-01-31T12:00:00Z") == moment
    assert parse_begin(AT_A_TIME, "2026-01-31T12:00") == moment
    assert parse_begin("1:7,0:5") == {0: 5, 1: 7}
    for begin in (Edge.EARLIEST, moment, {0: 5, 1: 7}):
        assert parse_begin(write_begin(begin)) == begin


def test_a_span_counts_back_from_now() -> None:
    found = parse_begin("-15m")
    assert isinstance(found, datetime)
    assert timedelta(minutes=14) < datetime.now(UTC) - found < timedelta(minutes=16)


@pytest.mark.parametrize("text", ["", "tomorrow-ish", "0:1;1:2", "1:", "-1y", "-99999999d"])
def test_what_is_no_beginning_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="Use latest, earliest"):
        parse_begin(text)


def test_positions_are_written_by_partition_and_nothing_else_is_read_as_such() -> None:
    assert write_positions({2: 9, 0: 1}) == "0:1,2:9"
    with pytest.raises(ValueError, match="partition:offset"):
        read_positions("latest")


def test_empty_fields_of_a_page_mean_their_defaults() -> None:
    form = read_form(PageForm, {"topic": "", "from": "", "limit": "", "filter": " "})
    assert (form.topic, form.begin, form.limit, form.filter) == (Tab.INT, "latest", 100, "")


def test_a_field_that_cannot_be_accepted_is_named() -> None:
    with pytest.raises(FormError) as caught:
        read_form(LiveForm, {"from": "whenever", "limit": "1001", "topic": "all"})
    assert set(caught.value.fields) == {"from", "limit", "topic"}


def test_a_tab_knows_the_topic_of_a_system() -> None:
    topics = SystemName.parse("cz.icecars.Fleet.Car1").topics
    assert [tab.of(topics) for tab in Tab] == [
        topics.internal,
        topics.external,
        topics.log,
        topics.dead_letters,
    ]
