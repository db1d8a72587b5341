import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamhub.engine.progress import AppProgress, read_progress, write_atomically

NOW = datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)


def test_progress_round_trips_through_its_file(tmp_path: Path) -> None:
    progress = AppProgress(
        pid=7, state="running", updated_at=NOW, last_progress=NOW, lag=0, dead_letters={"record.not_json": 2}
    )
    write_atomically(tmp_path / "progress.json", progress.to_json())
    assert read_progress(tmp_path / "progress.json") == progress
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_a_missing_or_damaged_file_is_no_progress(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    assert read_progress(path) is None
    for text in ("", "{", "[]", "{}", '{"pid":1,"state":"x","updated_at":"yesterday"}'):
        path.write_text(text)
        assert read_progress(path) is None


def test_fields_of_a_newer_version_are_ignored() -> None:
    text = '{"pid":1,"state":"running","updated_at":"2026-01-02T03:04:05+00:00","invented":1}'
    assert AppProgress.from_json(text).pid == 1


def test_what_is_to_outlive_a_power_cut_is_on_disk_before_its_name_and_the_name_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "desired.json"
    write_atomically(path, "old")
    synced: list[tuple[bool, str]] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.read_text()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_atomically(path, "new", durable=True)
    assert synced == [(False, "old"), (True, "new")]
    write_atomically(path, "fast")
    assert len(synced) == 2
