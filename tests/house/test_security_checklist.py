"""The security checklist: complete, counted right, and every test and file that it names is there."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.house.documents import ROOT, read

PAGE = Path("docs/reference/security-checklist.md")
STATUSES = {"met", "not applicable", "not met"}
# How many requirements of levels 1 and 2 each chapter of ASVS 5.0.0 has.
CHAPTERS = {
    1: 27,
    2: 11,
    3: 19,
    4: 10,
    5: 9,
    6: 35,
    7: 18,
    8: 7,
    9: 7,
    10: 29,
    11: 14,
    12: 9,
    13: 13,
    14: 9,
    15: 13,
    16: 16,
    17: 7,
}
_ROW = re.compile(r"^\| (\d+)\.(\d+)\.(\d+) \| (.+?) \| ([a-z ]+) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_PATH = re.compile(r"`((?:platform_ui|setup|streamhub|client|docs|sensorthings)/[\w/.-]+)`")

ROWS = _ROW.findall(read(PAGE))


def test_every_requirement_of_levels_one_and_two_is_there_once_and_in_order() -> None:
    numbers = [tuple(int(part) for part in row[:3]) for row in ROWS]
    assert numbers == sorted(set(numbers))
    assert Counter(number[0] for number in numbers) == CHAPTERS


def test_the_counts_at_the_top_are_right() -> None:
    counts = Counter(row[4] for row in ROWS)
    assert set(counts) == STATUSES
    stated = re.search(
        r"Of (\d+) requirements (\d+) are met, (\d+) are not applicable, and (\d+) are not met", read(PAGE)
    )
    assert stated is not None
    wanted = (len(ROWS), counts["met"], counts["not applicable"], counts["not met"])
    assert tuple(int(number) for number in stated.groups()) == wanted


@pytest.mark.parametrize(("file", "name"), sorted(set(_TEST.findall(read(PAGE)))), ids=str)
def test_every_test_that_it_names_is_there(file: str, name: str) -> None:
    assert re.search(rf"^\s*(async )?def {name}\(", read(Path(file)), re.MULTILINE), f"{file} has no {name}"


@pytest.mark.parametrize("path", sorted(set(_PATH.findall(read(PAGE)))))
def test_every_file_that_it_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
