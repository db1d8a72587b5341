from pathlib import Path

import pytest

from client.errors import ConfigurationError
from streamhub.hooks import load_hooks
from tests.unit.streamhub.hooks.files import CAR_1, CAR_2, CONSTANTS, FUNCTIONS, write


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_hooks(path)
    return str(refused.value)


def test_a_file_of_the_seed_is_loaded(tmp_path: Path) -> None:
    more = "USE_ISO_TIMESTAMPS = True\nMAX_BATCH_SIZE = 100\nTRANSACTION_TIME = 1\nVERBOSE = True\n"
    file = load_hooks(write(tmp_path, more + FUNCTIONS))
    assert (file.within, file.max_latency, file.lateness) == (1_000_000, None, 0)
    assert file.attributes == ("longitude", "latitude")
    assert (file.batch_records, file.commit_interval_s, file.is_verbose) == (100, 1, True)


def test_none_is_no_limit_and_fractions_of_a_second_are_kept(tmp_path: Path) -> None:
    constants = CONSTANTS.replace("TIME_DELTA = 1", "TIME_DELTA = None\nMAX_LATENCY = 0.25\nLATENESS = 1e-6")
    file = load_hooks(write(tmp_path, constants=constants))
    assert (file.within, file.max_latency, file.lateness) == (None, 250_000, 1)


@pytest.mark.parametrize(
    ("line", "wrong", "words"),
    [
        ("TIME_DELTA = 1", "TIME_DELTA = '1'", "TIME_DELTA is '1', but must be a number of seconds"),
        ("TIME_DELTA = 1", "TIME_DELTA = True", "TIME_DELTA is True"),
        ("TIME_DELTA = 1", "TIME_DELTA = -1", "TIME_DELTA is -1"),
        ("TIME_DELTA = 1", "TIME_DELTA = float('nan')", "TIME_DELTA is nan"),
        ('STREAM_NAME = "distance"', "STREAM_NAME: int = 3", "STREAM_NAME is 3, but must be a text"),
        ('ADDITIONAL_ATTRIBUTES = "longitude, latitude"', "ADDITIONAL_ATTRIBUTES = ['a']", "is ['a']"),
        ("TIME_DELTA = 1", "TIME_DELTA = 1; TRANSACTION_TIME = None", "TRANSACTION_TIME is None"),
        ("TIME_DELTA = 1", "TIME_DELTA = 1; MAX_BATCH_SIZE = 0", "MAX_BATCH_SIZE is 0"),
        ("TIME_DELTA = 1", "TIME_DELTA = 1; VERBOSE = 1", "VERBOSE is 1, but must be True or False"),
    ],
)
def test_a_constant_of_a_wrong_type_is_shown_with_its_line(
    tmp_path: Path, line: str, wrong: str, words: str
) -> None:
    path = write(tmp_path, constants=CONSTANTS.replace(line, wrong))
    number = CONSTANTS.splitlines().index(line) + 1
    message = refusal(path)
    assert message.startswith(f"{path}, line {number}: ")
    assert words in message


@pytest.mark.parametrize("name", ["TIME_DELTA", "ADDITIONAL_ATTRIBUTES"])
def test_a_missing_constant_is_named(tmp_path: Path, name: str) -> None:
    lines = [line for line in CONSTANTS.splitlines() if not line.startswith(name)]
    path = write(tmp_path, constants="\n".join(lines))
    assert refusal(path).startswith(f"{path}: {name} is missing: it is ")


@pytest.mark.parametrize("name", ["ingest_fct", "on_join"])
def test_a_missing_function_is_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, FUNCTIONS.replace(f"def {name}", "def other"))
    assert f"the function {name}(record" in refusal(path)


def test_a_function_of_other_arguments_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, FUNCTIONS.replace("on_join(record_left, record_right)", "on_join(pair)"))
    number = path.read_text().splitlines().index("def on_join(pair):") + 1
    assert refusal(path).startswith(f"{path}, line {number}: on_join must be a function of two arguments")


def test_a_syntax_error_is_shown_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "\nTIME_DELTA == = 2\n")
    message = refusal(path)
    assert message.startswith(f"{path}, line {len(CONSTANTS.splitlines()) + 2}: invalid syntax")
    assert "TIME_DELTA == = 2" in message


def test_what_fails_when_the_file_is_run_is_shown_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "import no_such_module_anywhere\n")
    assert refusal(path).startswith(f"{path}, line {len(CONSTANTS.splitlines()) + 1}: ModuleNotFoundError: ")


def test_a_file_that_does_not_exist_or_holds_zero_bytes_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.py")
    path = tmp_path / "zero.py"
    path.write_bytes(b"a = 1\0\n")
    assert "null bytes" in refusal(path)


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_hooks.py").write_text("DELTA = 2\n")
    constants = CONSTANTS.replace("TIME_DELTA = 1", "from neighbour_of_hooks import DELTA as TIME_DELTA")
    assert load_hooks(write(tmp_path, constants=constants)).within == 2_000_000


def test_options_win_over_constants(tmp_path: Path) -> None:
    file = load_hooks(write(tmp_path))
    settings = file.settings({"STREAM_NAME": "other", "SOURCE_SYSTEMS": None})
    assert settings.stream_name == "other"
    assert settings.source_systems == (CAR_1, CAR_2)
    assert settings.target_system == CAR_1


def test_what_neither_file_nor_options_say_is_named_with_both_ways_out(tmp_path: Path) -> None:
    constants = CONSTANTS.replace('STREAM_NAME = "distance"\n', "")
    file = load_hooks(write(tmp_path, constants=constants))
    with pytest.raises(ConfigurationError, match=r'write STREAM_NAME = "distance", or give --stream-name'):
        file.settings({})
    assert file.settings({"STREAM_NAME": "a"}).stream_name == "a"


def test_a_wrong_system_name_is_refused(tmp_path: Path) -> None:
    constants = CONSTANTS.replace(CAR_2, "car2")
    with pytest.raises(ConfigurationError, match=r"domain\.enterprise\.workcenter\.station"):
        load_hooks(write(tmp_path, constants=constants)).settings({})
