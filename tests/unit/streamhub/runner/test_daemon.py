"""The loop over all apps: it never removes what nobody asked to remove, and a signal cannot hang it."""

import sys
import threading
import time
from pathlib import Path
from types import FrameType

import pytest

from streamhub.runner.daemon import APPS, Runner
from streamhub.runner.folder import AppFolder, ProcessRecord
from streamhub.runner.launchers.interface import End
from streamhub.runner.limits import AppLimits
from streamhub.runner.supervisor import RunnerSettings

APP = "aa.bb.cc.dd.app"


class NoProcesses:
    name = "processes"

    def start(self, folder: AppFolder) -> ProcessRecord:
        raise OSError(f"{folder.app_id} is not to be started here")

    def is_alive(self, _record: ProcessRecord) -> bool:
        return False

    def end_of(self, _record: ProcessRecord) -> End:
        return End()

    def find(self, _folder: AppFolder) -> None:
        return None

    def waits_for(self, _record: ProcessRecord) -> None:
        return None

    def memory_bytes(self, _record: ProcessRecord) -> None:
        return None

    def apply(self, _record: ProcessRecord, _limits: AppLimits) -> bool:
        return True

    def close(self) -> None:
        pass

    def send(self, _record: ProcessRecord, _signal_number: int) -> None:
        raise AssertionError("there is no process")


@pytest.fixture
def folder(tmp_path: Path) -> AppFolder:
    made = AppFolder(tmp_path / APPS / APP)
    made.path.mkdir(parents=True)
    made.specification.write_text("one")
    made.write_desired("stopped")
    return made


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path, NoProcesses(), RunnerSettings(tick_s=0.01))


@pytest.mark.parametrize("text", ["", "{", '{"state": "resting"}'])
def test_an_app_whose_wish_cannot_be_read_is_kept(runner: Runner, folder: AppFolder, text: str) -> None:
    runner.tick()
    (folder.path / "desired.json").write_text(text)
    runner.tick()
    assert folder.specification.read_text() == "one"
    # The same for a daemon that has never seen a wish.
    Runner(folder.path.parents[1], NoProcesses(), RunnerSettings()).tick()
    assert folder.specification.read_text() == "one"


def test_a_removed_app_is_deleted(runner: Runner, folder: AppFolder, tmp_path: Path) -> None:
    runner.tick()
    folder.write_desired("removed")
    runner.tick()
    assert list((tmp_path / APPS).iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == [APPS]


def test_an_app_deployed_again_while_it_is_being_deleted_stays(
    runner: Runner, folder: AppFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.tick()
    folder.write_desired("removed")
    delete = runner._delete

    def deploy_then_delete(app_id: str) -> None:
        folder.write_desired("running")
        delete(app_id)

    monkeypatch.setattr(runner, "_delete", deploy_then_delete)
    runner.tick()
    desired = folder.read_desired()
    assert desired is not None
    assert desired.state == "running"
    assert folder.specification.read_text() == "one"


def test_a_folder_that_somebody_took_away_is_no_longer_looked_after(
    runner: Runner, folder: AppFolder, caplog: pytest.LogCaptureFixture
) -> None:
    runner.tick()
    folder.path.rename(folder.path.parents[1] / "elsewhere")
    runner.tick()
    assert runner._supervisors == {}
    assert caplog.records == []


class OneProcess(NoProcesses):
    """A process that runs until it is asked to end."""

    def __init__(self) -> None:
        self.runs = False

    def start(self, folder: AppFolder) -> ProcessRecord:
        self.runs = True
        return ProcessRecord(1, "", folder.digest(), "2026-01-01T00:00:00Z")

    def is_alive(self, _record: ProcessRecord) -> bool:
        return self.runs

    def send(self, _record: ProcessRecord, _signal_number: int) -> None:
        self.runs = False


def test_when_the_whole_folder_is_gone_the_apps_end_and_the_daemon_leaves(
    folder: AppFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody could stop them any more."""
    processes = OneProcess()
    runner = Runner(tmp_path, processes, RunnerSettings(tick_s=0.01))
    folder.write_desired("running")
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    while not processes.runs:
        time.sleep(0.01)
    (tmp_path / APPS).rename(tmp_path / "elsewhere")
    thread.join(60)
    assert not thread.is_alive()
    assert not processes.runs
    assert "its apps are ended" in caplog.text


def test_a_signal_inside_the_wait_of_the_loop_ends_it(runner: Runner) -> None:
    """A handler runs between two lines of the thread it interrupts, also inside the standard library."""

    def interrupt(frame: FrameType, event: str, _argument: object) -> object:
        if event == "line" and frame.f_code.co_filename.endswith(("threading.py", "queue.py")):
            runner.stop_all()
        return interrupt

    def loop() -> None:
        sys.settrace(interrupt)  # type: ignore[arg-type]
        try:
            runner.run()
        finally:
            sys.settrace(None)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    threading.Timer(0.2, runner.stop_all).start()
    thread.join(60)
    assert not thread.is_alive()
