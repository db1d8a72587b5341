"""The order of what was found, and the places that everybody has."""

import pytest

from platform_ui.finding.found import Kind
from platform_ui.finding.places import find_places
from platform_ui.finding.ranking import MAX_WORDS, rank, words_of
from platform_ui.web.navigation import MAIN, section_of


def test_the_beginning_is_better_than_a_word_and_a_word_better_than_a_part() -> None:
    names = ["scar.x", "my-car", "Car1", "x.y.z.Car2"]
    ranks = {name: rank(words_of("CAR"), name) for name in names}
    assert ranks == {"Car1": 0, "my-car": 1, "x.y.z.Car2": 1, "scar.x": 2}


def test_every_word_must_occur_in_one_of_the_texts() -> None:
    assert rank(words_of("car fleet"), "Car1", "cz.icecars.Fleet.Car1") == 1
    assert rank(words_of("car truck"), "Car1", "cz.icecars.Fleet.Car1") is None


def test_a_search_without_words_finds_all_alike() -> None:
    assert rank(words_of("   "), "anything") == 0


def test_a_very_long_search_is_cut() -> None:
    assert len(words_of("a " * 500)) == MAX_WORDS


def test_without_words_the_pages_of_the_navigation_are_offered_first() -> None:
    pages = [found.title for found in find_places((), 5) if found.kind is Kind.PAGE]
    assert pages == [place.name for place in MAIN]


@pytest.mark.parametrize(
    ("q", "title"),
    [("new sys", "New system"), ("dark", "Switch to dark"), ("why", "Why?"), ("dashboard", "Home")],
)
def test_actions_and_pages_are_found_by_their_name_or_by_another_word_for_them(q: str, title: str) -> None:
    assert title in [found.title for found in find_places(words_of(q), 3)]


def test_a_name_counts_more_than_another_word_for_a_place() -> None:
    titles = [found.title for found in find_places(words_of("contracts"), 3)]
    assert titles[0] == "Contracts"


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("/systems/a.b.c.d", "/systems"),
        ("/systems/a.b.c.d/clients/x", "/clients"),
        ("/systems/a.b.c.d/apps/x", "/apps"),
        ("/contracts/c-1", "/contracts"),
        ("/explorer/map", "/explorer"),
        ("/account/tokens", "/account/tokens"),
        ("/account", "/account"),
    ],
)
def test_a_page_belongs_to_one_place_of_the_navigation(path: str, section: str) -> None:
    assert section_of(path) == section
