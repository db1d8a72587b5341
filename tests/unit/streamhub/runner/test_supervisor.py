"""The state machine with a hand-moved clock and processes that are only numbers."""

import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamhub.engine.progress import AppProgress, write_atomically
from streamhub.runner.credentials import AppCredentials
from streamhub.runner.folder import AppFolder, Observed, ProcessRecord
from streamhub.runner.launchers.interface import End
from streamhub.runner.limits import AppLimits, read_limits, write_limits
from streamhub.runner.supervisor import RunnerSettings, Supervisor

SETTINGS = RunnerSettings(
    stall_timeout_s=30, stop_grace_s=10, first_pause_s=1, longest_pause_s=8, good_run_s=60, most_failures=6
)


@dataclass
class FakeProcesses:
    pid: int = 100
    alive: set[int] = field(default_factory=set)
    codes: dict[int, int] = field(default_factory=dict)
    signals: list[tuple[int, int]] = field(default_factory=list)

    memory: int | None = None
    waits: str | None = None
    can_apply: bool = True
    is_out_of_memory: bool = False
    found: ProcessRecord | None = None
    name: str = "processes"

    def start(self, folder: AppFolder) -> ProcessRecord:
        self.pid += 1
        self.alive.add(self.pid)
        limits = read_limits(folder.limits).to_json()
        return ProcessRecord(self.pid, "", folder.digest(), "2026-01-01T00:00:00+00:00", limits=limits)

    def find(self, folder: AppFolder) -> ProcessRecord | None:
        del folder
        return self.found

    def waits_for(self, record: ProcessRecord) -> str | None:
        del record
        return self.waits

    def memory_bytes(self, record: ProcessRecord) -> int | None:
        del record
        return self.memory

    def apply(self, record: ProcessRecord, limits: AppLimits) -> bool:
        del record, limits
        return self.can_apply

    def close(self) -> None:
        pass

    def is_alive(self, record: ProcessRecord) -> bool:
        return record.pid in self.alive

    def end_of(self, record: ProcessRecord) -> End:
        return End(self.codes.get(record.pid), self.is_out_of_memory)

    def send(self, record: ProcessRecord, signal_number: int) -> None:
        self.signals.append((record.pid, signal_number))

    def end(self, code: int | None = None) -> None:
        self.alive.discard(self.pid)
        if code is not None:
            self.codes[self.pid] = code


class World:
    """One app's folder, its supervisor, and the clock [s]."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.folder = AppFolder(path)
        self.folder.specification.write_text("one")
        self.folder.write_desired("running")
        self.processes = FakeProcesses()
        self.now = 0.0
        self.supervisor = self.supervise()

    def supervise(self) -> Supervisor:
        return Supervisor(self.folder, self.processes, SETTINGS, lambda: self.now)

    def tick(self, after_s: float = 0.0, *, leaving: bool = False) -> Observed:
        self.now += after_s
        self.supervisor.tick(leaving=leaving)
        observed = self.folder.read_observed()
        assert observed is not None
        return observed

    def progress(self, consumed: int, lag: int = 0) -> None:
        moment = datetime.fromtimestamp(self.now, UTC)
        progress = AppProgress(
            pid=self.processes.pid,
            state="running",
            updated_at=moment,
            consumed=consumed,
            lag=lag,
        )
        write_atomically(self.folder.progress, progress.to_json())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "aa.bb.cc.dd.app")


def test_a_wanted_app_is_started_and_runs_when_it_says_so(world: World) -> None:
    assert world.tick().state == "starting"
    world.progress(0)
    observed = world.tick()
    assert (observed.state, observed.pid, observed.cause) == ("running", 101, None)


def test_an_app_that_ends_is_restarted_after_growing_pauses(world: World) -> None:
    world.tick()
    for pause in (1, 2, 4, 8, 8):
        world.processes.end(1)
        assert world.tick().state == "backing_off"
        assert world.tick(pause - 0.1).state == "backing_off"
        assert world.tick(0.2).state == "starting"
    assert world.tick().restarts == 5


def test_a_minute_of_good_running_forgets_the_pauses(world: World) -> None:
    world.tick()
    for _ in range(3):
        world.processes.end(1)
        world.tick()
        world.tick(10)
    world.progress(1)
    world.tick(61)
    assert world.tick().cause is None
    world.processes.end(-9)
    assert world.tick().cause == "killed by signal 9 (SIGKILL)"
    assert world.tick(1.1).state == "starting"


def test_an_app_whose_contract_ended_is_not_started_again_and_says_why(world: World) -> None:
    world.tick()
    world.folder.log.write_text(
        "--- started now\nerror: contract c-1 ended at 2026-01-02T00:00:00Z: no more\n"
    )
    world.processes.end(7)
    observed = world.tick()
    assert (observed.state, observed.restarts) == ("failed", 0)
    assert observed.cause == "contract c-1 ended at 2026-01-02T00:00:00Z: no more"
    assert world.tick(3600).state == "failed"


def test_new_credentials_restart_an_app_without_a_pause(world: World) -> None:
    world.tick()
    world.progress(0)
    assert world.tick().state == "running"
    pem = "-----BEGIN CERTIFICATE-----"
    world.folder.credentials.write(AppCredentials(pem, pem, "-----BEGIN PRIVATE KEY-----"))
    assert world.tick().state == "stopping"
    world.processes.end(0)
    observed = world.tick()
    assert (observed.state, observed.cause, observed.restarts) == ("starting", None, 0)


def test_the_cause_of_an_end_is_the_exit_code_and_the_last_complaint(world: World) -> None:
    world.tick()
    world.folder.log.write_text("--- started now\nerror: the source topic a.int does not exist\n")
    world.processes.end(5)
    assert world.tick().cause == "ended with exit code 5: the source topic a.int does not exist"


def test_wrong_settings_are_not_tried_again_until_somebody_asks(world: World) -> None:
    world.tick()
    world.processes.end(2)
    assert world.tick().state == "failed"
    assert world.tick(1000).state == "failed"
    world.folder.write_desired("running")
    observed = world.tick()
    assert (observed.state, observed.restarts) == ("starting", 0)


def test_stopping_is_gentle_first_and_firm_after_the_grace(world: World) -> None:
    world.tick()
    world.folder.write_desired("stopped")
    assert world.tick().state == "stopping"
    world.tick(9.9)
    assert world.processes.signals == [(101, signal.SIGTERM)]
    world.tick(0.2)
    assert world.processes.signals == [(101, signal.SIGTERM), (101, signal.SIGKILL)]
    world.processes.end(-9)
    assert world.tick().state == "stopped"
    assert world.tick(100).state == "stopped"


def test_a_stalled_app_is_killed_and_the_cause_names_the_waiting_records(world: World) -> None:
    world.tick()
    for _ in range(5):
        world.progress(consumed=3, lag=12)
        world.tick(10)
    assert world.processes.signals == [(101, signal.SIGKILL)]
    world.processes.end(-9)
    observed = world.tick()
    assert observed.state == "backing_off"
    assert observed.cause == "no progress for 40 s while 12 records wait"
    assert world.tick(2).state == "starting"


def test_progress_of_a_former_process_is_not_taken_for_the_new_one(world: World) -> None:
    world.tick()
    world.progress(5)
    assert world.tick().state == "running"
    world.processes.end(-9)
    world.tick()
    assert world.tick(2).state == "starting"


def test_a_changed_specification_restarts_the_app_without_a_failure(world: World) -> None:
    world.tick()
    world.folder.specification.write_text("two")
    assert world.tick().state == "stopping"
    world.processes.end(0)
    world.tick()
    observed = world.tick()
    assert (observed.pid, observed.restarts, observed.cause) == (102, 0, None)


def test_an_app_that_is_wanted_again_while_it_stops_is_started_again(world: World) -> None:
    world.tick()
    world.folder.write_desired("stopped")
    world.tick()
    world.folder.write_desired("running")
    assert world.tick().state == "stopping"
    world.processes.end(0)
    world.tick()
    observed = world.tick()
    assert (observed.state, observed.pid, observed.restarts) == ("starting", 102, 0)


def test_a_new_daemon_adopts_a_running_process(world: World) -> None:
    world.tick()
    world.progress(1)
    world.tick()
    world.supervisor = world.supervise()
    observed = world.tick()
    assert (observed.state, observed.pid) == ("running", 101)
    world.processes.end()
    cause = world.tick().cause
    assert cause == "ended, nobody knows how: a former runner had started it"


def test_a_leaving_daemon_stops_the_app_but_it_stays_wanted(world: World) -> None:
    world.tick()
    assert world.tick(leaving=True).state == "stopping"
    world.processes.end(0)
    assert world.tick(leaving=True).state == "stopped"
    desired = world.folder.read_desired()
    assert desired is not None
    assert desired.state == "running"


def test_a_removed_app_is_stopped_first_and_then_no_longer_looked_after(world: World) -> None:
    world.tick()
    world.folder.write_desired("removed")
    assert world.supervisor.tick()
    assert world.processes.signals == [(101, signal.SIGTERM)]
    world.processes.end(0)
    assert not world.supervisor.tick()


def test_while_it_backs_off_it_says_when_it_starts_again_and_how_often_it_ended(world: World) -> None:
    world.tick()
    world.processes.end(1)
    first = world.tick()
    assert first.next_start_at is not None
    assert first.ended_at is not None
    assert first.next_start_at > first.ended_at
    world.tick(1.1)
    world.processes.end(1)
    assert (world.tick().failures, first.failures) == (2, 1)
    assert world.tick(2.1).next_start_at is None


def test_after_too_many_ends_in_a_row_it_is_given_up_until_somebody_asks(world: World) -> None:
    world.tick()
    for _ in range(SETTINGS.most_failures):
        assert world.tick(9).state == "starting"
        world.processes.end(-9)
        last = world.tick()
    assert last.state == "failed"
    assert last.cause == "given up after 6 ends in a row; the last one: killed by signal 9 (SIGKILL)"
    assert world.tick(1000).state == "failed"
    world.folder.write_desired("running")
    assert world.tick().state == "starting"
    assert world.tick().failures == 0


def test_a_good_run_in_between_starts_the_counting_of_ends_over(world: World) -> None:
    world.tick()
    for _ in range(SETTINGS.most_failures + 1):
        world.tick(9)
        world.progress(1)
        world.tick(61)
        world.processes.end(1)
        assert world.tick().state == "backing_off"


def test_the_log_says_between_two_processes_how_the_first_one_ended(world: World) -> None:
    world.tick()
    world.folder.log.write_text("--- started 1\nerror: no topic\n")
    world.processes.end(5)
    world.tick()
    (mark,) = [line for line in world.folder.log.read_text().splitlines() if line.startswith("--- ended")]
    assert mark.endswith("ended with exit code 5: no topic")
    assert world.tick().end == "ended with exit code 5: no topic"


def test_a_new_process_that_was_asked_for_follows_at_once_and_is_no_failure(world: World) -> None:
    world.tick()
    world.progress(0)
    assert world.tick().state == "running"
    world.folder.write_desired("running", anew=True)
    assert world.tick().state == "stopping"
    assert world.processes.signals == [(101, signal.SIGTERM)]
    world.processes.end(0)
    observed = world.tick()
    assert (observed.state, observed.pid, observed.restarts, observed.cause) == ("starting", 102, 0, None)
    assert observed.end == "restarted because somebody asked for it"
    world.progress(0)
    assert world.tick().state == "running", "once is enough"


def test_a_failed_app_starts_when_a_new_process_is_asked_for(world: World) -> None:
    world.tick()
    world.processes.end(2)
    assert world.tick().state == "failed"
    world.folder.write_desired("running", anew=True)
    assert world.tick().state == "starting"


def test_a_new_daemon_remembers_how_often_an_app_has_ended(world: World) -> None:
    world.tick()
    for _ in range(2):
        world.processes.end(1)
        world.tick()
        world.tick(9)
    world.supervisor = world.supervise()
    world.processes.end(1)
    assert world.tick().failures == 3


def test_an_app_that_takes_too_much_memory_is_killed_with_that_cause(world: World) -> None:
    write_limits(world.folder.limits, AppLimits(memory_mb=512))
    world.tick()
    world.progress(1)
    world.processes.memory = 512_000_000
    assert world.tick(1.0).state == "running"
    world.processes.memory = 513_000_000
    assert world.tick(0.5).state == "running"  # it is measured once a second
    assert world.tick(0.5).state == "stopping"
    assert world.processes.signals == [(101, signal.SIGKILL)]
    world.processes.end(-9)
    observed = world.tick()
    assert observed.state == "backing_off"
    assert observed.cause == "took more than its company's 512 MB: it had 513 MB"


def test_an_engine_that_ended_an_app_for_its_memory_is_understood(world: World) -> None:
    write_limits(world.folder.limits, AppLimits(memory_mb=512))
    world.tick()
    world.processes.is_out_of_memory = True
    world.processes.end(-9)
    assert world.tick().cause == "took more than its company's 512 MB"


def test_other_limits_reach_what_runs_and_are_written_down(world: World) -> None:
    world.tick()
    world.progress(1)
    write_limits(world.folder.limits, AppLimits(memory_mb=100, cpus=0.5))
    assert world.tick(1.0).state == "running"
    record = world.folder.read_process()
    assert record is not None
    assert AppLimits.from_json(record.limits) == AppLimits(100, 0.5)


def test_limits_that_what_runs_cannot_be_held_to_start_it_anew_without_a_pause(world: World) -> None:
    world.tick()
    world.progress(1)
    world.processes.can_apply = False
    write_limits(world.folder.limits, AppLimits(memory_mb=100))
    assert world.tick(1.0).state == "stopping"
    world.processes.end(0)
    observed = world.tick()
    assert (observed.state, observed.restarts, observed.end) == ("starting", 0, "restarted with other limits")
    world.tick(1.0)
    world.progress(1)
    assert world.tick(1.0).state == "running"  # it has the limits that it was started with


def test_an_app_that_cannot_begin_yet_says_what_it_waits_for_and_is_not_taken_for_stalled(
    world: World,
) -> None:
    world.processes.waits = "waits to begin: no node has room"
    world.tick()
    observed = world.tick(600)
    assert (observed.state, observed.cause) == ("starting", "waits to begin: no node has room")
    world.processes.waits = None
    assert world.tick(1).cause is None
    world.progress(1)
    assert world.tick(1).state == "running"


def test_what_runs_without_a_record_is_adopted(world: World) -> None:
    record = ProcessRecord(0, "", world.folder.digest(), "2026-01-01T00:00:00+00:00", "dtwin-1")
    world.processes.found = record
    world.processes.alive.add(0)
    world.supervisor = world.supervise()
    world.progress(1)
    observed = world.tick(1)
    assert (observed.state, observed.pid) == ("running", None)
    assert world.folder.read_process() == record
