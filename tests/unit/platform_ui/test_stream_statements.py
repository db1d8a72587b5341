"""What the pages say of a statement: its sources, its parts in words, the Datastreams that it writes."""

from platform_ui.streams.statements import OutputView, further_sources, outputs_of, sections_of, systems_of
from streamhub.query import compile_statement

CAR1, CAR2, ROADS = "cz.cars.Fleet.Car1", "cz.cars.Fleet.Car2", "at.house.Roads.All"
GAP = f"SELECT l.result - r.result AS gap UNIT 'K', l.note FROM {CAR1} AS l JOIN {CAR2} AS r"
FILTER = f"SELECT * FROM {CAR1} WHERE result < 4;"


def outputs(statement: str, **registered: int) -> list[OutputView]:
    names = {f"{ROADS}.{name.replace('__', '.')}": number for name, number in registered.items()}
    return outputs_of(statement, target=ROADS, app_name="app", registered=names.items())


def test_the_own_system_comes_first_among_the_sources_and_each_once() -> None:
    compiled = compile_statement(f"{GAP} JOIN {CAR1} AS z")
    assert systems_of(compiled, CAR2) == (CAR2, CAR1)
    assert further_sources(GAP, CAR2) == (CAR1,)
    assert systems_of(compile_statement("SELECT * FROM *"), CAR1) == (CAR1,)


def test_an_app_that_passes_records_on_has_no_datastreams_of_its_own() -> None:
    assert outputs(FILTER) == []
    assert further_sources(FILTER, CAR1) == ()


def test_an_output_that_is_not_registered_yet_has_no_id() -> None:
    assert outputs(GAP) == [OutputView(f"{ROADS}.app.gap", "K", "l.result - r.result", None)]


def test_a_registered_output_shows_its_id_and_those_of_an_old_statement_are_left_out() -> None:
    assert outputs(GAP, app__gap=7, app__old=8) == [
        OutputView(f"{ROADS}.app.gap", "K", "l.result - r.result", 7)
    ]


def test_outputs_that_keep_the_thing_are_shown_for_each_of_them() -> None:
    statement = f"SELECT result * 2 AS twice FROM {CAR1}"
    assert [output.name for output in outputs(statement)] == [f"{ROADS}.<Thing>.twice"]
    assert [output.name for output in outputs(statement, Main__twice=1, Trailer__twice=2)] == [
        f"{ROADS}.Main.twice",
        f"{ROADS}.Trailer.twice",
    ]


def test_a_stored_statement_that_the_language_no_longer_takes_shows_nothing_and_breaks_nothing() -> None:
    assert outputs("SELECT nothing at all") == []
    assert further_sources("SELECT nothing at all", CAR1) == ()


def test_the_short_explanation_tells_sources_join_and_outputs_and_nothing_of_kafka_groups() -> None:
    sections = sections_of(compile_statement(GAP))
    assert [section.title for section in sections] == ["reads", "joins", "writes"]
    lines = "\n".join(line for section in sections for line in section.lines)
    assert f"l = {CAR1}" in lines
    assert "gap  unit K" in lines
    assert "transactional" not in lines
