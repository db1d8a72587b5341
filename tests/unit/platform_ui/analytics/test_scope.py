"""By what a system has a Datastream: its own, by contract, by a stream app of the company."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest

from platform_ui.access.wanted import Flow
from platform_ui.analytics.scope import APP, CONTRACT, OWN, Scope
from platform_ui.contracts.titles import ContractTitle

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HERE, THERE = "cz.icecars.Fleet.Car1", "is.iceland.Weather.Stations"
BESIDE = "cz.icecars.Fleet.Car2"


def contract(
    *datastreams: str,
    predicate: str = "",
    fields: tuple[str, ...] = (),
    starts_at: datetime | None = None,
    id: str = "c-1",  # noqa: A002 - as in the table
) -> Any:  # noqa: ANN401 - a stand-in
    terms = SimpleNamespace(
        datastreams=list(datastreams), predicate=predicate, fields=list(fields), starts_at=starts_at
    )
    title = ContractTitle(id, THERE, HERE, "Warn of ice")
    return SimpleNamespace(
        contract=SimpleNamespace(provider=THERE), in_force=terms, url=title.url, title=title
    )


def test_own_ones_are_told_by_their_name() -> None:
    found = Scope(HERE).origins([f"{HERE}.Main.Speed", f"{HERE}2.Main.Speed", f"{THERE}.s1.Snow"])
    assert {name: one.kind for name, one in found.items()} == {f"{HERE}.Main.Speed": OWN}


def test_a_contract_brings_what_it_names_or_all() -> None:
    names = [f"{THERE}.s1.Snow", f"{THERE}.s1.Wind", f"{BESIDE}.Main.Speed"]
    some = Scope(HERE, (contract(names[0]),)).origins(names)
    assert list(some) == names[:1]
    assert (some[names[0]].kind, some[names[0]].url, some[names[0]].is_whole) == (
        CONTRACT,
        "/contracts/c-1",
        True,
    )
    assert list(Scope(HERE, (contract(),)).origins(names)) == names[:2]


def test_what_a_contract_keeps_back_is_said() -> None:
    name = f"{THERE}.s1.Snow"
    assert not Scope(HERE, (contract(predicate="result < 4"),)).origins([name])[name].is_whole
    assert not Scope(HERE, (contract(fields=("quality",)),)).origins([name])[name].is_whole


def test_a_contract_with_a_start_is_not_whole_and_brings_what_is_stored_from_then_on() -> None:
    name = f"{THERE}.s1.Snow"
    found = Scope(HERE, (contract(starts_at=NOON),)).origins([name])[name]
    assert (found.is_whole, found.is_stored, found.since) == (False, True, NOON)
    assert found.title == "Stations → Car1: Warn of ice"


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_of_several_contracts_about_a_datastream_the_widest_counts(order: tuple[int, ...]) -> None:
    name = f"{THERE}.s1.Snow"
    by_width = [
        contract(id="c-4"),
        contract(starts_at=NOON - timedelta(days=60 * 365), id="c-3"),
        contract(starts_at=NOON, id="c-2"),
        contract(predicate="result < 4", id="c-1"),
    ]
    for narrowest in range(4):
        agreed = tuple(by_width[place] for place in order if place >= narrowest)
        found = Scope(HERE, agreed).origins([name])[name]
        assert found.url == by_width[narrowest].url


def test_what_a_system_has_itself_or_by_an_app_of_the_company_no_contract_narrows() -> None:
    flow = Flow(f"{THERE}.all", THERE, HERE, "SELECT * FROM *")
    found = Scope(HERE, (contract(starts_at=NOON),), (flow,)).origins([f"{THERE}.s1.Snow"])
    assert [(one.kind, one.since) for one in found.values()] == [(APP, None)]


def test_a_stream_app_brings_what_its_statement_passes_on() -> None:
    statement = f"SELECT * FROM * WHERE name = '{BESIDE}.Main.Speed' AND result > 3"
    scope = Scope(HERE, (), (Flow(f"{BESIDE}.fast", BESIDE, HERE, statement),))
    found = scope.origins([f"{BESIDE}.Main.Speed", f"{BESIDE}.Main.Height"])
    assert list(found) == [f"{BESIDE}.Main.Speed"]
    assert (found[f"{BESIDE}.Main.Speed"].kind, found[f"{BESIDE}.Main.Speed"].url) == (
        APP,
        f"/systems/{BESIDE}/apps/fast",
    )


def test_of_a_contract_that_names_few_only_those_are_asked_for() -> None:
    few = Scope(HERE, (contract(f"{THERE}.s1.It's"),)).condition
    many = Scope(HERE, (contract(*(f"{THERE}.s1.T{number}" for number in range(51))),)).condition

    assert few == f"(startswith(name,'{HERE}.') or name eq '{THERE}.s1.It''s')"
    assert many == f"(startswith(name,'{HERE}.') or startswith(name,'{THERE}.'))"


def test_the_service_is_asked_for_all_systems_at_once_and_names_are_quoted() -> None:
    app = Flow(f"{BESIDE}.fast", BESIDE, HERE, "SELECT * FROM *")
    condition = Scope(HERE, (contract(),), (app,)).condition
    assert condition == (
        f"(startswith(name,'{HERE}.') or startswith(name,'{BESIDE}.') or startswith(name,'{THERE}.'))"
    )
