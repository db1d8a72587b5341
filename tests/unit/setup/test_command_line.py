import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from client.errors import ConfigurationError, EntityNotFoundError, UnavailableError
from client.version import product_version
from setup.command_line import application
from setup.entry import exit_code
from setup.errors import PartNotReadyError, SetupError

COMMANDS = ["demo", "up", "down", "status", "doctor", "logs", "test"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DTWIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("DTWIN_KAFKA__BOOTSTRAP_SERVERS", "DTWIN_POSTGRES__URL", "DTWIN_SENSORTHINGS__URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(application, list(arguments), env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_help_names_every_command() -> None:
    code, text = run("--help")
    assert code == 0
    assert all(name in text for name in [*COMMANDS, "app", "query"])


def test_the_version_is_told() -> None:
    assert run("--version") == (0, f"dtwin {product_version()}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str) -> None:
    code, text = run(name, "--help")
    assert code == 0
    assert "Examples" in text
    assert f"dtwin {name}" in text


def test_help_does_not_import_the_rooms_that_are_mounted() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from setup.command_line import application;"
        "assert CliRunner().invoke(application, ['--help']).exit_code == 0;"
        "assert not [name for name in ('streamhub', 'confluent_kafka', 'psycopg') if name in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])


def test_a_mounted_command_runs(home: Path) -> None:
    code, text = run("app", "validate", "--filter-logic", "SELECT * FROM * WHERE result < 4;")
    assert code == 0, text


def test_an_unknown_command_is_a_usage_error() -> None:
    assert run("nonsense")[0] == 2


def test_status_of_a_fresh_home_shows_every_service_as_stopped(home: Path) -> None:
    code, text = run("status", "-o", "json")
    rows = json.loads(text)
    assert code == 6
    assert [row["part"] for row in rows] == [
        "kafka",
        "postgres",
        "sensorthings",
        "recorder",
        "runner",
        "platform",
    ]
    assert {row["state"] for row in rows} == {"stopped"}


def test_down_on_a_fresh_home_says_that_nothing_ran(home: Path) -> None:
    code, text = run("down")
    assert code == 0
    assert "Nothing was running" in text
    assert not home.exists()


def test_purge_without_a_person_to_ask_needs_yes(home: Path) -> None:
    code, text = run("down", "--purge")
    assert code == 2
    assert "--yes" in text


def test_purge_leaves_what_is_not_ours(home: Path) -> None:
    home.mkdir()
    (home / "mine.txt").write_text("keep")
    assert run("down", "--purge", "--yes")[0] == 0
    assert [path.name for path in home.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["up", "demo"])
def test_an_unknown_optional_part_is_a_usage_error_that_names_the_choices(
    home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTWIN_WITH", "mqtt,grafana")
    code, text = run(name)
    assert code == 2
    assert "grafana" in text
    assert "elasticsearch, mqtt" in text
    assert not home.exists()


def test_logs_of_an_unknown_part_name_the_known_ones(home: Path) -> None:
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "kafka.log").write_text("one\ntwo\n")
    with pytest.raises(ConfigurationError, match="Logs: kafka"):
        run("logs", "broker")


def test_logs_of_a_stack_that_never_ran_say_how_to_start_it(home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"There are no logs in .* yet: dtwin up"):
        run("logs", "-f")
    assert not home.exists()


def test_logs_show_the_last_lines(home: Path) -> None:
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "kafka.log").write_text("one\ntwo\nthree\n")
    assert run("logs", "kafka", "-n", "2") == (0, "two\nthree\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("setting"), 2),
        (EntityNotFoundError("thing"), 5),
        (UnavailableError("service"), 6),
        (PartNotReadyError("part"), 6),
        (SetupError("other"), 1),
    ],
)
def test_exit_codes_tell_the_kind_of_error(error: Exception, code: int) -> None:
    assert isinstance(error, ConfigurationError | EntityNotFoundError | UnavailableError | SetupError)
    assert exit_code(error) == code
