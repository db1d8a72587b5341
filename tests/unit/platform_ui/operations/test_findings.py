"""How parts are judged by figures alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from platform_ui.operations.findings import (
    GIB,
    Finding,
    Level,
    judge_authority,
    judge_clock,
    judge_disk,
    size_text,
    worst_first,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("total", "free", "level"),
    [
        (100 * GIB, 50 * GIB, Level.OK),
        (100 * GIB, 5 * GIB, Level.WARNING),  # less than a tenth
        (4000 * GIB, 100 * GIB, Level.OK),  # a small part of a large disk is enough
        (20 * GIB, GIB, Level.WARNING),
        (20 * GIB, GIB // 8, Level.FAILED),
    ],
)
def test_a_disk_is_judged_by_what_is_left(total: int, free: int, level: Level) -> None:
    finding = judge_disk("disk", "apps", Path("/srv"), total, free)
    assert finding.level is level
    assert bool(finding.hint) is (level is not Level.OK)


@pytest.mark.parametrize(("skew_s", "level"), [(0.1, Level.OK), (-1.9, Level.OK), (-90.0, Level.WARNING)])
def test_clocks_that_are_far_apart_are_looked_at(skew_s: float, level: Level) -> None:
    assert judge_clock(skew_s).level is level


@pytest.mark.parametrize(
    ("days", "level"), [(3650, Level.OK), (100, Level.WARNING), (0, Level.FAILED), (-5, Level.FAILED)]
)
def test_an_authority_is_replaced_long_before_its_end(days: int, level: Level) -> None:
    assert judge_authority(NOON + timedelta(days=days), NOON).level is level


def test_what_everybody_may_see_names_no_address_and_no_version() -> None:
    finding = Finding("kafka", "Kafka", Level.FAILED, "10.0.0.7:9092 is away", "Start it.", "4.1", 3.0, NOON)
    assert finding.public() == Finding("kafka", "Kafka", Level.FAILED, "", since=NOON)


def test_troubles_come_first_and_otherwise_in_their_order() -> None:
    levels = [Level.OK, Level.OFF, Level.WARNING, Level.FAILED, Level.OK]
    found = worst_first([Finding(str(place), "", level, "") for place, level in enumerate(levels)])
    assert [one.part for one in found] == ["3", "2", "1", "0", "4"]


@pytest.mark.parametrize(
    ("number", "text"), [(12, "12 B"), (2048, "2.0 KiB"), (3 * GIB // 2, "1.5 GiB"), (2**41, "2.0 TiB")]
)
def test_sizes_are_written_for_people(number: int, text: str) -> None:
    assert size_text(number) == text
