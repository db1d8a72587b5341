import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from client.errors import ConfigurationError
from streamhub.commands import app, query
from streamhub.preview import LastRecords
from streamhub.specification import StreamAppSpecification

BROKERS = ("KAFKA_BOOTSTRAP_SERVERS", "BOOTSTRAP_SERVER", "DTWIN_KAFKA__BOOTSTRAP_SERVERS")


@pytest.fixture(autouse=True)
def _no_services_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STREAM_NAME", "SOURCE_SYSTEM", "TARGET_SYSTEM", "FILTER_LOGIC", *BROKERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("DTWIN_SENSORTHINGS__URL", raising=False)


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


POWER = (
    "SELECT l.result * r.result AS power UNIT 'W' FROM aa.bb.cc.dd AS l JOIN aa.bb.cc.dd AS r WITHIN 1 s "
    "WHERE l.name = 'aa.bb.cc.dd.M.Speed' AND r.name = 'aa.bb.cc.dd.M.Torque'"
)
UNITS = {"aa.bb.cc.dd.M.Speed": "rad/s", "aa.bb.cc.dd.M.Torque": "N.m"}


def written(folder: Path, document: object) -> str:
    path = folder / "units.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_validate_says_what_a_join_makes(runner: CliRunner) -> None:
    done = runner.invoke(app, ["validate", "--filter-logic", POWER])
    assert done.stdout.splitlines() == ["OK", "reads: aa.bb.cc.dd", "joins: 2 sources", "makes: power in W"]
    shown = runner.invoke(
        app, ["validate", "--filter-logic", "SELECT * FROM aa.bb.cc.dd AS l JOIN aa.bb.cc.dd AS r"]
    )
    assert "makes: nothing that can be deployed" in shown.stdout


def test_units_of_a_file_are_checked(runner: CliRunner, tmp_path: Path) -> None:
    fits = written(tmp_path, UNITS)
    commands = (["app", "validate"], ["app", "explain"])
    for words in commands:
        done = runner.invoke(app, [words[1], "--filter-logic", POWER, "--units", fits])
        assert done.exit_code == 0, done.stderr
    assert runner.invoke(query, ["run", POWER, "--units", fits, "--input", "-"], input="").exit_code == 0
    wrong = written(tmp_path, UNITS | {"aa.bb.cc.dd.M.Speed": "Cel"})
    for words in commands:
        done = runner.invoke(app, [words[1], "--filter-logic", POWER, "--units", wrong])
        assert done.exit_code == 2
        assert "error: line 1, column " in done.stderr
    refused = runner.invoke(query, ["run", POWER, "--units", wrong, "--input", "-"], input="")
    assert refused.exit_code == 2


@pytest.mark.parametrize("document", [[], {"a": 1}])
def test_a_file_of_units_that_is_something_else_is_refused(
    runner: CliRunner, tmp_path: Path, document: object
) -> None:
    path = written(tmp_path, document)
    done = runner.invoke(app, ["validate", "--filter-logic", POWER, "--units", path])
    assert done.exit_code == 2
    assert path in done.stderr
    (tmp_path / "units.json").write_text("{")
    assert "is not JSON" in runner.invoke(app, ["validate", "--filter-logic", POWER, "--units", path]).stderr


def test_a_statement_that_begins_with_explain_is_explained_wherever_it_is_given(runner: CliRunner) -> None:
    statement = f"EXPLAIN {POWER}"
    explained = runner.invoke(app, ["explain", "--filter-logic", POWER]).stdout
    assert explained.startswith("reads\n")
    assert runner.invoke(app, ["validate", "--filter-logic", statement]).stdout == explained
    assert runner.invoke(app, ["preview", "--filter-logic", statement]).stdout == explained
    assert runner.invoke(query, ["run", statement, "--input", "-"], input="").stdout == explained


def test_explain_names_topics_and_rights_of_an_app(runner: CliRunner) -> None:
    done = runner.invoke(
        app,
        [
            *("explain", "--filter-logic", POWER, "--stream-name", "power"),
            *("--source-system", "aa.bb.cc.dd", "--target-system", "ee.ff.gg.hh"),
        ],
    )
    assert "  write, describe settings of topic ee.ff.gg.hh.ext" in done.stdout
    assert "  ee.ff.gg.hh.power.power  unit W" in done.stdout


def test_run_refuses_a_statement_that_is_to_be_explained(runner: CliRunner, tmp_path: Path) -> None:
    specification = StreamAppSpecification(
        name="power",
        source_system="aa.bb.cc.dd",
        target_system="ee.ff.gg.hh",
        statement=POWER,
        bootstrap_servers="h:1",
    )
    written = specification.to_json().replace("SELECT", "EXPLAIN SELECT")
    (tmp_path / "app.json").write_text(written)
    for options in (
        [*DESCRIBED, "--filter-logic", f"EXPLAIN {POWER}"],
        ["--specification", str(tmp_path / "app.json")],
    ):
        done = runner.invoke(app, ["run", *options])
        assert done.exit_code == 2
        assert "begins with EXPLAIN" in done.stderr


DESCRIBED = [
    *("--stream-name", "power", "--source-system", "aa.bb.cc.dd", "--target-system", "ee.ff.gg.hh"),
    *("--bootstrap-server", "h:1"),
]


class Runs:
    """Stands in for the engine and notes what it was asked to run."""

    def __init__(self) -> None:
        self.settings: Any = None
        self.derivation: Any = None

    def __call__(
        self, settings: object, _options: object, _report: object, derivation: object = None
    ) -> None:
        self.settings, self.derivation = settings, derivation


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    noted = Runs()
    monkeypatch.setattr("streamhub.apps.stream_app.run_stream_app", noted)
    return noted


def test_run_says_that_units_are_unchecked_without_a_service(runner: CliRunner, runs: Runs) -> None:
    done = runner.invoke(app, ["run", *DESCRIBED, "--filter-logic", POWER])
    assert done.exit_code == 0, done.stderr
    assert "note: without --sensorthings-url" in done.stderr
    assert runs.settings.specification.datastreams == {}
    quiet = runner.invoke(app, ["run", *DESCRIBED, "--filter-logic", "SELECT * FROM *"])
    assert "note:" not in quiet.stderr


def test_run_checks_units_and_registers_outputs_with_a_service(
    runner: CliRunner, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class Server:
        def __init__(self, url: str, *, token: str | None) -> None:
            self.url = f"{url} {token}"

        def close(self) -> None:
            closed.append(self.url)

    monkeypatch.setenv("DTWIN_SENSORTHINGS__TOKEN", "t-1")
    units: dict[str, str | None] = dict(UNITS)
    monkeypatch.setattr("client.metadata.server.SensorThingsServer", Server)
    monkeypatch.setattr("streamhub.outputs.read_units", lambda _server, _systems: units)
    monkeypatch.setattr(
        "streamhub.outputs.register_outputs", lambda _server, **_app: {"ee.ff.gg.hh.power.power": 7}
    )
    common = ["run", *DESCRIBED, "--filter-logic", POWER, "--sensorthings-url", "http://h:1"]
    done = runner.invoke(app, common)
    assert done.exit_code == 0, done.stderr
    assert runs.settings.specification.datastreams == {"ee.ff.gg.hh.power.power": 7}
    units["aa.bb.cc.dd.M.Speed"] = "Cel"
    assert runner.invoke(app, common).exit_code == 2
    assert closed == ["http://h:1 t-1", "http://h:1 t-1"]


HOOKS = """STREAM_NAME = "pairs"
KAFKA_BOOTSTRAP_SERVERS = "h:1"
SOURCE_SYSTEMS = "aa.bb.cc.dd,ee.ff.gg.hh"
TARGET_SYSTEM = "aa.bb.cc.dd"
TIME_DELTA = 0.5
ADDITIONAL_ATTRIBUTES = ""
MAX_BATCH_SIZE = 100
TRANSACTION_TIME = 1
def ingest_fct(record, stream_buffer): ...
def on_join(record_left, record_right): ...
"""


@pytest.fixture
def hooks(tmp_path: Path) -> str:
    path = tmp_path / "custom_fct.py"
    path.write_text(HOOKS)
    return str(path)


def test_run_takes_an_app_from_a_hooks_file(runner: CliRunner, runs: Runs, hooks: str) -> None:
    done = runner.invoke(app, ["run", "--hooks", hooks])
    assert done.exit_code == 0, done.stderr
    described = runs.settings.specification
    assert described.app_id == "aa.bb.cc.dd.pairs"
    assert described.systems == ("aa.bb.cc.dd", "ee.ff.gg.hh") == runs.derivation.sources
    assert (described.commit_interval_s, runs.settings.batch_records) == (1, 100)
    assert runs.derivation.withins == (500_000,)


def test_options_and_environment_win_over_the_constants_of_a_hooks_file(
    runner: CliRunner, runs: Runs, hooks: str
) -> None:
    more = ["--source-system", "aa.bb.cc.dd", "--commit-interval", "0.2"]
    done = runner.invoke(app, ["run", "--hooks", hooks, *more], env={"STREAM_NAME": "other"})
    assert done.exit_code == 0, done.stderr
    described = runs.settings.specification
    assert (described.app_id, described.systems) == ("aa.bb.cc.dd.other", ("aa.bb.cc.dd",))
    assert described.commit_interval_s == 0.2


@pytest.mark.parametrize("other", ["--specification", "--filter-logic"])
def test_hooks_exclude_a_statement(runner: CliRunner, runs: Runs, hooks: str, other: str) -> None:
    done = runner.invoke(app, ["run", "--hooks", hooks, other, hooks])
    assert done.exit_code == 2
    assert f"--hooks and {other} exclude one another" in done.stderr
    assert runs.settings is None


def test_a_hooks_file_that_is_wrong_is_refused_with_its_line(runner: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "custom_fct.py"
    path.write_text(HOOKS.replace("0.5", "'0.5'"))
    done = runner.invoke(app, ["run", "--hooks", str(path)])
    assert done.exit_code == 2
    assert f"error: {path}, line 5: TIME_DELTA is '0.5'" in done.stderr


@pytest.mark.parametrize("field", ["hooks", "ingest_fct", "on_join"])
def test_a_specification_never_carries_code(field: str) -> None:
    document = {
        "name": "app",
        "source_system": "aa.bb.cc.dd",
        "target_system": "ee.ff.gg.hh",
        "statement": "SELECT * FROM *",
        "bootstrap_servers": "h:1",
    }
    assert StreamAppSpecification.from_json(json.dumps(document)).name == "app"
    with pytest.raises(ConfigurationError, match="unknown fields"):
        StreamAppSpecification.from_json(json.dumps(document | {field: "custom_fct.py"}))


def test_preview_needs_a_system_when_the_statement_names_none(runner: CliRunner) -> None:
    done = runner.invoke(
        app,
        ["preview", "--filter-logic", "SELECT * FROM *", "--bootstrap-server", "h:1"],
        env={"SOURCE_SYSTEM": None},
    )
    assert done.exit_code == 2
    assert "error: --source-system is missing" in done.stderr


def test_preview_says_how_much_it_saw_and_what_it_left_out(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = json.dumps({"topic": "aa.bb.cc.dd.int", "key": "aa.bb.cc.dd.T.D", "value": '{"result": 1}'})
    topic = Counter({"aa.bb.cc.dd.int": 3})
    found = LastRecords([line], topic, Counter({"aa.bb.cc.dd.int": 2}), is_complete=False)
    monkeypatch.setattr("streamhub.preview.read_last", lambda *_given, **_named: found)
    words = ["preview", "--filter-logic", "SELECT * FROM aa.bb.cc.dd", "--bootstrap-server", "h:1"]
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["value"] == {"result": 1}
    assert "aa.bb.cc.dd.int: 3 records, 2 of them left out: not UTF-8" in done.stderr
    assert "note: the ends of the topics were not reached within 15 s" in done.stderr
