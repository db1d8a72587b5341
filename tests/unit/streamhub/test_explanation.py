from dataclasses import replace

from streamhub.contracts import ContractTerms
from streamhub.explanation import explain
from streamhub.query import compile_statement
from streamhub.specification import StreamAppSpecification

MILL = "at.srfg.Mill.M1"
JOIN = (
    f"SELECT l.result * r.result AS power UNIT 'W', ABS(l.result - r.result) AS more FROM {MILL} AS l "
    "JOIN at.srfg.Mill.M2 AS r WITHIN 1.5 s WHERE l.name = 'at.srfg.Mill.M1.Spindle.Speed' "
    "TIME MEAN MAX LATENCY 5 s LATENESS 250 ms"
)


def lines(statement: str, title: str, **known: object) -> list[str]:
    explanation = explain(compile_statement(statement), **known)  # type: ignore[arg-type]
    return [line for section in explanation.sections if section.title == title for line in section.lines]


def app(statement: str = JOIN) -> StreamAppSpecification:
    return StreamAppSpecification(
        name="power",
        source_system=MILL,
        target_system="at.srfg.Mill.Office",
        statement=statement,
        bootstrap_servers="localhost:9092",
    )


def test_a_filter_is_explained_without_a_join() -> None:
    statement = "SELECT * FROM * WHERE thing = 'Mill';"
    explanation = explain(compile_statement(statement))
    assert [section.title for section in explanation.sections] == [
        "reads",
        "writes",
        "needs",
        "workers",
        "remembers",
    ]
    assert "values are parsed: no, the key alone decides" in lines(statement, "reads")
    assert lines(statement, "remembers") == ["nothing"]
    (written,) = lines(statement, "writes")
    assert written.endswith("byte by byte")
    (written,) = lines("SELECT result, thing FROM *", "writes")
    assert written.endswith("anew, with the columns")


def test_sources_and_partitions_are_listed() -> None:
    assert lines(JOIN, "reads", partitions={f"{MILL}.int": 3}) == [
        f"l = {MILL}: topic {MILL}.int, 3 partitions",
        "r = at.srfg.Mill.M2: topic at.srfg.Mill.M2.int",
        "where l.name = 'at.srfg.Mill.M1.Spindle.Speed'",
    ]


def test_a_join_is_put_into_words() -> None:
    assert lines(JOIN, "joins") == [
        "r with l: nearest neighbours in time, at most 1.5 s apart",
        "on nothing: all records of a source are one stream",
        "time of a result: the mean of all joined records",
        "out of order: records are held back for 250 ms and sorted",
        "late: a record that is older still; it is counted and not used",
        "late too: a record more than 5 s behind the newest of all",
    ]


def test_a_chain_without_limits_is_put_into_words() -> None:
    statement = (
        f"SELECT l.result AS a UNIT '1' FROM {MILL} AS l JOIN {MILL} AS m ON l.thing = m.thing "
        f"JOIN {MILL} AS r ON m.thing = r.thing"
    )
    assert lines(statement, "joins")[:4] == [
        "m with l: nearest neighbours in time, whatever the distance",
        "r with l and m: nearest neighbours in time, whatever the distance",
        "on l.thing = m.thing AND m.thing = r.thing: one join for each value",
        "time of a result: the latest of all joined records",
    ]
    assert "without limit" in lines(statement, "remembers")[1]


def test_outputs_have_units_and_full_names() -> None:
    assert lines(JOIN, "writes", app=app())[1:] == [
        "at.srfg.Mill.Office.power.power  unit W",
        "at.srfg.Mill.Office.power.more  without a unit",
    ]
    keyed = JOIN.replace(" WHERE", " ON l.thing = r.thing WHERE")
    assert lines(keyed, "writes")[1].startswith("<target system>.<Thing>.power ")


def test_a_join_of_attributes_alone_writes_nothing() -> None:
    assert lines(f"SELECT * FROM {MILL} AS l JOIN {MILL} AS r", "writes")[0].startswith("nothing: ")


def test_the_rights_that_an_app_needs_are_named() -> None:
    assert lines(JOIN, "needs", app=app()) == [
        f"read topic {MILL}.int",
        "read topic at.srfg.Mill.M2.int",
        f"write, describe settings of topic {MILL}.int.dlq",
        "write, describe settings of topic at.srfg.Mill.M2.int.dlq",
        "write, describe settings of topic at.srfg.Mill.Office.ext",
        f"read, write, create, describe settings of topic {app().state_topic}",
        f"read group {MILL}.power",
        f"write, describe transactional ids that begin with {MILL}.power. (one for each copy)",
    ]
    assert not any("state" in line for line in lines("SELECT * FROM *", "needs", app=app("SELECT * FROM *")))


def test_what_a_contract_lets_pass_is_put_into_words() -> None:
    bound = replace(
        app(),
        contracts=(
            ContractTerms(
                id="c-1",
                provider=MILL,
                datastreams=(f"{MILL}.Spindle.Speed",),
                predicate="result<4 or(quality='good')",
                fields=("quality",),
                starts_at="2026-01-02T00:00:00Z",
                ends_at="2027-01-02T00:00:00Z",
            ),
            ContractTerms(id="c-2", provider="at.srfg.Mill.M2"),
        ),
    )
    assert lines(JOIN, "contracts", app=bound) == [
        f"contract c-1, of {MILL}:",
        f"  Datastreams: {MILL}.Spindle.Speed",
        "  only where result < 4 OR quality = 'good'",
        "  values leave with phenomenonTime, resultTime, result, Datastream, quality and nothing else",
        "  nothing that Kafka got before 2026-01-02T00:00:00Z",
        "  nothing from 2027-01-02T00:00:00Z on: the app ends then",
        "contract c-2, of at.srfg.Mill.M2:",
        "  Datastreams: all",
    ]


def test_who_owns_partitions_is_said() -> None:
    assert lines(JOIN, "workers")[0].startswith("one copy works")
    spread = f"SELECT l.result AS a UNIT '1' FROM {MILL} AS l JOIN {MILL} AS r ON l.thing = r.thing"
    partitions = {f"{MILL}.int": 3}
    assert lines(spread, "workers")[1] == "with --spread copies share the partitions"
    app = StreamAppSpecification(
        name="power",
        source_system=MILL,
        target_system="ee.ff.gg.hh",
        statement=spread,
        bootstrap_servers="h:1",
        spread=True,
    )
    assert lines(spread, "workers", app=app, partitions=partitions) == [
        "copies share the partitions, so at most 3 copies can work"
    ]


def test_what_is_remembered_has_a_bound_with_max_latency() -> None:
    assert lines(JOIN, "remembers")[1].startswith("nothing older than 6.5 s, besides")


def test_the_text_has_titles_and_indented_lines() -> None:
    text = str(explain(compile_statement("SELECT * FROM aa.bb.cc.dd")))
    assert text.startswith("reads\n  aa.bb.cc.dd: topic aa.bb.cc.dd.int\n")
