"""The walk around a focus, and the coarser forms of the graph."""

import pytest

from platform_ui.lineage.world.graph import (
    Direction,
    Evidence,
    Kind,
    Line,
    Truth,
    around,
    by_company,
    chosen,
    kind_of,
    system_of,
)

A, B, C, D = (f"cz.cars.Fleet.{name}" for name in ("A", "B", "C", "D"))
FOREIGN = "at.lab.Hall.X"


def line(start: str, end: str, *truths: Truth) -> Line:
    return Line(start, end, evidence=tuple(Evidence(truth, f"{truth} {start}") for truth in truths or Truth))


CHAIN = [
    line(A, f"{A}.one"),
    line(f"{A}.one", B),
    line(B, f"{B}.two"),
    line(f"{B}.two", C),
    line(D, f"{A}.one"),
]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", Kind.EVERYTHING),
        ("cz.cars", Kind.COMPANY),
        (A, Kind.SYSTEM),
        (f"{A}.app", Kind.APP),
        (f"{A}.Thing.Air Temperature", Kind.DATASTREAM),
        (f"{A}.Thing.x@{B}", Kind.DATASTREAM),
    ],
)
def test_a_name_tells_by_its_levels_what_it_names(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


def test_what_a_system_has_received_belongs_to_that_system() -> None:
    assert system_of(f"{A}.Thing.x@{B}") == B
    assert system_of(f"{A}.Thing.x") == A


def test_a_step_leads_over_an_app_to_the_next_system() -> None:
    assert around(CHAIN, [A], 1, Direction.DOWN) == {A: 0, f"{A}.one": 1, B: 1}


def test_more_steps_lead_further() -> None:
    assert set(around(CHAIN, [A], 2, Direction.DOWN)) == {A, f"{A}.one", B, f"{B}.two", C}


def test_upstream_and_downstream_are_not_mixed() -> None:
    assert D not in around(CHAIN, [A], 5, Direction.BOTH)
    assert set(around(CHAIN, [B], 1, Direction.UP)) == {B, f"{A}.one", A, D}


def test_an_app_reaches_its_own_ends_in_no_step_more() -> None:
    assert set(around(CHAIN, [f"{A}.one"], 1, Direction.BOTH)) >= {A, B, D}


def test_a_circle_ends() -> None:
    circle = [line(A, B), line(B, A)]
    assert around(circle, [A], 5, Direction.BOTH) == {A: 0, B: 1}


def test_lines_without_evidence_of_the_chosen_truths_are_left_out() -> None:
    lines = [line(A, B, Truth.DECLARED), line(B, C, Truth.PERMITTED, Truth.OBSERVED)]
    (kept,) = chosen(lines, [Truth.OBSERVED])
    assert (kept.start, kept.truths) == (B, (Truth.OBSERVED,))


def test_between_companies_a_truth_holds_if_it_holds_on_the_whole_way() -> None:
    lines = [
        line(A, f"{A}.one", Truth.DECLARED, Truth.OBSERVED),
        line(f"{A}.one", FOREIGN, Truth.DECLARED),
        line(B, FOREIGN, Truth.PERMITTED),
    ]
    (merged,) = by_company(lines)
    assert (merged.start, merged.end, merged.via) == ("cz.cars", "at.lab", (f"{A}.one",))
    assert merged.truths == (Truth.DECLARED, Truth.PERMITTED)
