import os
from pathlib import Path

import pytest

from setup.errors import SetupError
from setup.local.processes import ProcessIdentity
from setup.local.state import PartState, StateFile


def test_parts_come_back_as_they_were_put_in_their_order(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json")
    first = PartState("kafka", "127.0.0.1:9092", 7, "boot 15", {"client": 9092}, settings={"A": "b"})
    second = PartState("car_1", "", 8, "boot 25", kind="program")
    file.put(first)
    file.put(second)
    assert list(StateFile(tmp_path / "state.json").parts().values()) == [first, second]


def test_a_part_that_is_put_again_replaces_its_former_self(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json")
    file.put(PartState("kafka", pid=7))
    file.put(PartState("kafka", pid=9))
    assert [part.pid for part in file.parts().values()] == [9]


def test_a_removed_part_is_forgotten_and_removing_it_again_is_no_error(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json")
    file.put(PartState("kafka", pid=7))
    file.remove("kafka")
    file.remove("kafka")
    assert file.parts() == {}


def test_without_a_file_nothing_runs(tmp_path: Path) -> None:
    assert StateFile(tmp_path / "absent.json").parts() == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "parts": [{"pid": 1}]}'])
def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(SetupError, match=r"state\.json"):
        StateFile(path).parts()


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"format": 99, "parts": []}')
    with pytest.raises(SetupError, match="another version"):
        StateFile(path).parts()


def test_a_part_given_by_url_counts_as_running_and_has_no_process() -> None:
    part = PartState("kafka", "broker:9092")
    assert part.is_given
    assert part.is_running()
    assert part.process is None


def test_a_process_with_another_start_time_is_another_process() -> None:
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    assert own.is_running()
    reused = ProcessIdentity(os.getpid(), f"{own.began}0")
    assert not reused.is_running()
    # Ending it must not touch this test's own process.
    assert reused.end(timeout_s=0.1)
    assert reused.memory_bytes() == 0


def test_a_process_id_that_nobody_has_is_not_running() -> None:
    assert ProcessIdentity.of(2**22 + 1) is None
    assert not ProcessIdentity(2**22 + 1, "").is_running()
