"""Which Datastreams and attributes feed which output."""

from platform_ui.lineage.world.columns import DECIDES, FEEDS, WHOLE, Feed, Reading, sources_of

MILL, OTHER = "at.srfg.Mill.M1", "at.srfg.Mill.M2"
POWER = (
    f"SELECT 2 * l.result * r.result AS power UNIT 'W' FROM {MILL} AS l JOIN {OTHER} AS r WITHIN 1 s "
    f"WHERE l.name = '{MILL}.Spindle.Speed' AND r.name = '{OTHER}.Spindle.Torque' AND l.quality > 2;"
)


def feeds(statement: str, home: str = MILL, known: tuple[str, ...] = ()) -> list[Feed]:
    reading = Reading.of(statement, home)
    assert reading is not None
    return reading.feeds("at.srfg.Lab.Out", "power", known)


def test_a_joined_column_is_fed_by_each_side_and_decided_by_where() -> None:
    found = {(feed.source, feed.attribute, feed.how) for feed in feeds(POWER)}
    speed, torque = f"{MILL}.Spindle.Speed", f"{OTHER}.Spindle.Torque"
    assert found == {
        (speed, "result", FEEDS),
        (torque, "result", FEEDS),
        (speed, "name", DECIDES),
        (torque, "name", DECIDES),
        (speed, "quality", DECIDES),
    }
    assert {feed.output for feed in feeds(POWER)} == {"at.srfg.Lab.Out.power.power"}
    assert {feed.expression for feed in feeds(POWER) if feed.how == FEEDS} == {"2 * l.result * r.result"}


def test_records_that_are_passed_on_feed_themselves_at_the_target() -> None:
    name = f"{MILL}.Spindle.Speed"
    assert feeds("SELECT * FROM *;", known=(name,)) == [Feed(name, WHOLE, f"{name}@at.srfg.Lab.Out", FEEDS)]


def test_datastreams_that_where_rules_out_are_no_sources() -> None:
    known = (f"{MILL}.Spindle.Speed", f"{MILL}.Table.Speed")
    found = feeds("SELECT * FROM * WHERE thing = 'Table' AND result < 4;", known=known)
    assert {feed.source for feed in found} == {f"{MILL}.Table.Speed"}
    assert {(feed.attribute, feed.how) for feed in found} == {
        (WHOLE, FEEDS),
        ("thing", DECIDES),
        ("result", DECIDES),
    }


def test_a_source_of_which_nothing_is_known_stands_for_any_datastream() -> None:
    assert feeds("SELECT * FROM *;") == [Feed(f"{MILL}.*.*", WHOLE, f"{MILL}.*.*@at.srfg.Lab.Out", FEEDS)]


def test_a_column_of_one_source_belongs_to_the_thing_of_its_records() -> None:
    known = (f"{MILL}.Spindle.Speed", f"{MILL}.Table.Speed")
    found = feeds("SELECT result * 2 AS twice UNIT 'm' FROM *;", known=known)
    assert [(feed.source, feed.output) for feed in found] == [
        (f"{MILL}.Spindle.Speed", "at.srfg.Lab.Out.Spindle.twice"),
        (f"{MILL}.Table.Speed", "at.srfg.Lab.Out.Table.twice"),
    ]


def test_what_on_looks_at_decides_too() -> None:
    statement = (
        f"SELECT l.result - r.result AS gap UNIT 'm' FROM {MILL} AS l JOIN {OTHER} AS r WITHIN 1 s "
        "ON l.batch = r.batch;"
    )
    assert {feed.attribute for feed in feeds(statement) if feed.how == DECIDES} == {"batch"}


def test_the_sources_of_a_statement_begin_with_its_own_system() -> None:
    assert sources_of(POWER, MILL) == (MILL, OTHER)
    assert sources_of("SELECT * FROM *;", MILL) == (MILL,)


def test_a_statement_that_the_language_cannot_read_any_more_has_no_columns() -> None:
    assert Reading.of("SELECT FROM", MILL) is None
    assert sources_of("SELECT FROM", MILL) == (MILL,)
