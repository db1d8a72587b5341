"""Take the stack down: end every process that was started, in reverse order, and remove data when asked.

Only processes whose id *and* start time match the record are ended. Removing takes the known files of the
home only, never the folder as a whole: `DTWIN_HOME` may point to a folder with other things in it.
"""

from __future__ import annotations

import contextlib
import shutil
from concurrent.futures import ThreadPoolExecutor

from setup.local.paths import Home, exclusive_lock
from setup.local.postgres import LocalPostgres
from setup.local.state import PartState, StateFile
from setup.report import Report
from setup.services import PATIENCE_S, end_part
from setup.stack import WAITING
from setup.stream_apps import shut_runner_down

# Each group ends together, after the one before it: programs want their services until their last record.
_GROUPS = (
    ("platform", "runner", "mqtt-bridge"),
    ("sensorthings", "recorder", "mqtt"),
    ("kafka", "postgres", "elasticsearch"),
)


def take_down(home: Home, report: Report, *, purge: bool = False) -> bool:
    """End everything that was started in this home.

    Args:
        home: Its folders.
        report: Where progress goes.
        purge: Remove data, logs and secrets as well.

    Returns:
        Whether anything was running.
    """
    if not home.folder.exists():
        return False
    with exclusive_lock(home.lock_file, lambda: report.note(WAITING)):
        state = StateFile(home.state_file)
        parts = state.parts()
        was_running = any(not part.is_given and part.is_running() for part in parts.values())
        programs = tuple(name for name, part in parts.items() if part.kind == "program")
        for group in (programs, *_GROUPS):
            _end_group([parts[name] for name in group if name in parts], home, state, report)
        if purge:
            _remove_files(home)
    if purge:
        home.lock_file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other things are in it
            home.folder.rmdir()
    return was_running


def _end_group(group: list[PartState], home: Home, state: StateFile, report: Report) -> None:
    if not group:
        return
    with ThreadPoolExecutor(len(group), thread_name_prefix="down") as pool:
        ends = [pool.submit(_end, part, home, state, report) for part in group]
    for end in ends:
        end.result()


def _end(part: PartState, home: Home, state: StateFile, report: Report) -> None:
    process = part.process
    if part.name == "runner":
        report.part(part.name, "stopping", "with its stream apps")
        shut_runner_down(home.runner)
        report.part(part.name, "stopped")
    if process is not None and process.is_running():
        report.part(part.name, "stopping")
        members = process.descendants()
        polite = end_part(part)
        for member in members:  # those that outlived it
            member.end(timeout_s=5)
        report.part(
            part.name, "stopped", "" if polite else f"killed, it had not ended within {PATIENCE_S:g} s"
        )
    state.remove(part.name)


def _remove_files(home: Home) -> None:
    LocalPostgres(home.postgres).remove()
    for folder in (
        home.kafka,
        home.postgres,
        home.elasticsearch,
        home.mqtt,
        home.runner,
        home.logs,
        home.pki,
        home.credentials,
        home.secret_key_file.parent,
    ):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (
        home.state_file,
        home.demo_loaded_file,
        home.demo_lock_file,
        home.recorder_progress_file,
        home.sink_progress_file,
    ):
        file.unlink(missing_ok=True)
