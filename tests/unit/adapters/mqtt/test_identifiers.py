"""Ids are given, derived or new; the same message has the same one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from adapters.mqtt.identifiers import derived_id, given_id, time_of
from client.errors import RecordFormatError
from client.messaging.records import new_record_id

NOON = datetime(2026, 1, 2, 12, 0, 0, 123_456, tzinfo=UTC)


def test_a_given_id_counts_in_its_usual_form() -> None:
    found = given_id([("x", "y"), ("dt-id", "0199AAAA-BBBB-7CCC-8DDD-EEEEEEEEEEEE")])
    assert found == "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"
    assert given_id([("x", "y")]) is None
    with pytest.raises(RecordFormatError, match="not a UUID"):
        given_id([("dt-id", "5")])


def test_a_derived_id_is_the_same_for_the_same_message_and_another_for_any_other() -> None:
    first = derived_id("dt/a", b"1", NOON)
    assert derived_id("dt/a", b"1", NOON) == first
    others = {derived_id("dt/b", b"1", NOON), derived_id("dt/a", b"2", NOON), derived_id("dt/a1", b"", NOON)}
    assert len({first, *others}) == 4


def test_derived_ids_sort_by_time_and_have_the_layout_of_version_7() -> None:
    moments = [NOON + step for step in (timedelta(0), timedelta(microseconds=1), timedelta(seconds=1))]
    ids = [derived_id("dt/a", b"1", moment) for moment in moments]
    assert ids == sorted(ids)
    assert UUID(ids[0]).version == 7
    assert [time_of(one) for one in ids] == moments


def test_times_before_1970_count_as_1970() -> None:
    early = derived_id("dt/a", b"1", datetime(1960, 1, 1, tzinfo=UTC))
    assert time_of(early) == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_time_of_a_new_id_is_when_it_was_made() -> None:
    before = datetime.now(UTC)
    made = time_of(new_record_id())
    assert before - timedelta(milliseconds=1) <= made <= datetime.now(UTC) + timedelta(milliseconds=1)


def test_the_time_of_a_forged_id_is_a_time() -> None:
    assert time_of("ffffffff-ffff-7fff-bfff-ffffffffffff").year == 9999
