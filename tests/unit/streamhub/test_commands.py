import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamhub.commands import app, query


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_validate_says_what_a_statement_reads(runner: CliRunner) -> None:
    done = runner.invoke(app, ["validate", "--filter-logic", "SELECT * FROM aa.bb.cc.dd WHERE result < 4;"])
    assert done.exit_code == 0
    assert done.stdout.startswith("OK\nreads: aa.bb.cc.dd\nvalues are parsed: yes\n")


def test_validate_knows_statements_that_the_key_decides(runner: CliRunner) -> None:
    done = runner.invoke(app, ["validate", "--filter-logic", "SELECT * FROM * WHERE thing = 'car_2';"])
    assert "values are parsed: no" in done.stdout


def test_validate_shows_where_a_statement_is_wrong(runner: CliRunner) -> None:
    done = runner.invoke(app, ["validate", "--filter-logic", "SELECT * FROM * WHERE result < ;"])
    assert done.exit_code == 2
    assert "error: line 1, column 32" in done.stderr
    assert done.stderr.rstrip().endswith("^")


def test_validate_reads_a_file(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "statement.sql"
    file.write_text("SELECT * FROM *\n WHERE result < 4;\n")
    assert runner.invoke(app, ["validate", "--file", str(file)]).exit_code == 0
    assert runner.invoke(app, ["validate", "--file", str(tmp_path / "none")]).exit_code == 5
    assert runner.invoke(app, ["validate"]).exit_code == 2


@pytest.mark.parametrize(
    ("left_out", "option"),
    [
        ("STREAM_NAME", "--stream-name"),
        ("SOURCE_SYSTEM", "--source-system"),
        ("TARGET_SYSTEM", "--target-system"),
        ("FILTER_LOGIC", "--filter-logic"),
        ("KAFKA_BOOTSTRAP_SERVERS", "--bootstrap-server"),
    ],
)
def test_run_names_the_option_that_is_missing(runner: CliRunner, left_out: str, option: str) -> None:
    given = {
        "STREAM_NAME": "app",
        "SOURCE_SYSTEM": "aa.bb.cc.dd",
        "TARGET_SYSTEM": "ee.ff.gg.hh",
        "FILTER_LOGIC": "SELECT * FROM *;",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    unset = {"BOOTSTRAP_SERVER": None, "DTWIN_KAFKA__BOOTSTRAP_SERVERS": None, left_out: None}
    done = runner.invoke(app, ["run"], env={**given, **unset})
    assert done.exit_code == 2
    assert f"error: {option} is missing" in done.stderr


def test_run_refuses_a_wrong_name_and_a_wrong_statement_before_any_network(runner: CliRunner) -> None:
    common = ["run", "--stream-name", "app", "--target-system", "ee.ff.gg.hh", "--bootstrap-server", "h:1"]
    wrong_name = runner.invoke(app, [*common, "--source-system", "aa", "--filter-logic", "SELECT * FROM *;"])
    assert wrong_name.exit_code == 2
    assert "domain.enterprise.workcenter.station" in wrong_name.stderr
    wrong_statement = runner.invoke(
        app, [*common, "--source-system", "aa.bb.cc.dd", "--filter-logic", "SELEC"]
    )
    assert wrong_statement.exit_code == 2
    assert "^" in wrong_statement.stderr


def test_query_run_prints_matching_records_and_counts(runner: CliRunner, tmp_path: Path) -> None:
    records = [
        {"topic": "aa.bb.cc.dd.int", "key": "aa.bb.cc.dd.T.D", "value": {"result": 1}},
        {"topic": "aa.bb.cc.dd.int", "key": "aa.bb.cc.dd.T.D", "value": {"result": 9}},
    ]
    text = "\n".join(json.dumps(record) for record in records)
    file = tmp_path / "records.jsonl"
    file.write_text(text)
    for arguments, given in ((["--input", str(file)], None), (["--input", "-"], text)):
        done = runner.invoke(query, ["run", "SELECT * FROM * WHERE result < 4;", *arguments], input=given)
        assert done.exit_code == 0
        assert [json.loads(line) for line in done.stdout.splitlines()] == [
            {"key": "aa.bb.cc.dd.T.D", "value": {"result": 1}}
        ]
        assert json.loads(done.stderr.splitlines()[-1])["read"] == 2


def test_query_run_refuses_a_wrong_statement_and_a_missing_file(runner: CliRunner) -> None:
    wrong = runner.invoke(query, ["run", "SELECT", "--input", "-"], input="")
    assert wrong.exit_code == 2
    assert "^" in wrong.stderr
    missing = runner.invoke(query, ["run", "SELECT * FROM *;", "--input", "/nowhere/records.jsonl"])
    assert missing.exit_code == 5
    assert "file /nowhere/records.jsonl does not exist" in missing.stderr
