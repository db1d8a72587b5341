"""What people call a contract."""

import pytest

from platform_ui.contracts.titles import LONGEST_PURPOSE, ContractTitle, titles_of_terms
from streamhub.contracts import ContractTerms

WEATHER, CAR = "is.iceland.weather.Stations", "cz.icecars.Fleet.Car2"


def title(purpose: str = "") -> ContractTitle:
    return ContractTitle("c-1", WEATHER, CAR, purpose)


def test_a_contract_is_called_by_its_systems_and_its_purpose() -> None:
    found = title("Car 2 warns\n of ice.")
    assert str(found) == "Stations → Car2: Car 2 warns of ice"
    assert found.full_systems == f"{WEATHER} → {CAR}"
    assert found.named == "“Stations → Car2: Car 2 warns of ice” (c-1)"
    assert found.url == "/contracts/c-1"


def test_without_a_purpose_the_systems_alone_are_told() -> None:
    assert title().text == title(" \n").text == "Stations → Car2"


@pytest.mark.parametrize("purpose", ["to warn of ice " * 20, "x" * 200], ids=["words", "one word"])
def test_a_long_purpose_is_cut_and_says_so(purpose: str) -> None:
    found = title(purpose).short_purpose
    assert len(found) <= LONGEST_PURPOSE
    assert found.endswith("…")
    assert purpose.startswith(found.rstrip(" …"))


def test_a_purpose_that_just_fits_is_told_whole() -> None:
    purpose = "y" * LONGEST_PURPOSE
    assert title(purpose).short_purpose == purpose


def test_terms_of_contracts_that_are_not_seen_are_called_without_a_purpose() -> None:
    terms = [ContractTerms(id="c-1", provider=WEATHER), ContractTerms(id="c-2", provider=WEATHER)]
    known = {"c-1": title("Warn of ice")}
    assert [one.text for one in titles_of_terms(terms, CAR, known)] == [
        "Stations → Car2: Warn of ice",
        "Stations → Car2",
    ]
