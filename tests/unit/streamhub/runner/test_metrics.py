"""One page of figures for all apps of a runner: the same series as on an app's own page."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from streamhub.engine.metrics import MOST_CODES, OTHER, progress_families
from streamhub.engine.observer import LaneObserver, ProgressCollector
from streamhub.engine.progress import AppProgress
from streamhub.runner import RunnerDirectory
from streamhub.runner.daemon import APPS
from streamhub.runner.folder import AppFolder, Observed, Wanted
from streamhub.runner.metrics import RunnerCollector

MOMENT = datetime(2026, 3, 2, 12, tzinfo=UTC)
SOURCE = "aa.bb.cc.dd"
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def said(consumed: int, **figures: object) -> AppProgress:
    return AppProgress(
        pid=1,
        state="running",
        updated_at=MOMENT,
        last_progress=MOMENT,
        consumed=consumed,
        **figures,  # type: ignore[arg-type]
    )


def put(directory: Path, name: str, progress: AppProgress | None, wanted: Wanted = "running") -> AppFolder:
    folder = AppFolder(directory / APPS / f"{SOURCE}.{name}")
    folder.path.mkdir(parents=True)
    folder.specification.write_text("{}")
    folder.write_desired(wanted)
    desired = folder.read_desired()
    assert desired is not None
    folder.write_observed(Observed("running", desired.request, restarts=2))
    if progress is not None:
        folder.progress.write_text(progress.to_json())
    return folder


def series(collector: Collector) -> Series:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def of(app: str, **more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"app": f"{SOURCE}.{app}", **more}.items()))


def test_an_app_has_the_series_of_its_own_page_beside_those_of_the_others(tmp_path: Path) -> None:
    first = said(7, lag=3, lag_s=1.5, hit_rate=0.5, held=2, dead_letters={"record.not_json": 4}, mismatches=1)
    put(tmp_path, "one", first)
    put(tmp_path, "two", said(9))

    class Watched:
        latest = first

    alone = series(ProgressCollector(f"{SOURCE}.one", cast("LaneObserver", Watched())))
    together = series(RunnerCollector(RunnerDirectory(tmp_path)))
    assert len(alone) == 15
    assert {name: value for name, value in together.items() if name in alone} == alone
    assert together["dtwin_app_records_consumed_total", of("two")] == 9
    assert ("dtwin_app_lag_records", of("two")) not in together, "nobody knows it"


def test_an_app_that_somebody_stopped_or_removed_raises_no_alarm(tmp_path: Path) -> None:
    put(tmp_path, "stopped", said(1, lag=100), "stopped")
    put(tmp_path, "removed", said(1, lag=100), "removed")
    assert series(RunnerCollector(RunnerDirectory(tmp_path))) == {}


def test_the_runner_tells_what_an_app_cannot_tell_of_itself(tmp_path: Path) -> None:
    put(tmp_path, "silent", None)
    found = series(RunnerCollector(RunnerDirectory(tmp_path)))
    # No runner looks after this folder.
    assert found == {
        ("dtwin_app_running", of("silent")): 0,
        ("dtwin_app_restarts_total", of("silent")): 2,
    }


def test_a_page_is_read_anew_each_time_and_by_several_at_once(tmp_path: Path) -> None:
    folder = put(tmp_path, "one", said(1))
    registry = CollectorRegistry()
    registry.register(RunnerCollector(RunnerDirectory(tmp_path)))
    pages: list[bytes] = []
    readers = [threading.Thread(target=lambda: pages.append(generate_latest(registry))) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    wanted = f'dtwin_app_records_consumed_total{{app="{SOURCE}.one"}} '.encode()
    assert [wanted + b"1.0" in page for page in pages] == [True] * 4
    folder.progress.write_text(said(22).to_json())
    assert wanted + b"22.0" in generate_latest(registry)


def test_a_file_that_nobody_understands_leaves_the_other_apps_on_the_page(tmp_path: Path) -> None:
    put(tmp_path, "one", said(1)).progress.write_text("{")
    put(tmp_path, "two", said(2))
    found = series(RunnerCollector(RunnerDirectory(tmp_path)))
    assert ("dtwin_app_records_consumed_total", of("one")) not in found
    assert found["dtwin_app_records_consumed_total", of("two")] == 2


def test_error_codes_are_bounded_and_none_is_lost() -> None:
    codes = {f"code.{number:04}": 1 for number in range(MOST_CODES + 30)}
    progress = said(1, dead_letters=codes)
    dead = [sample for sample in _samples(progress) if sample[0] == "dtwin_app_records_dead_lettered_total"]
    assert len(dead) == MOST_CODES + 1
    assert sum(value for _, _, value in dead) == len(codes)
    assert [value for _, code, value in dead if code == OTHER] == [30]


def _samples(progress: AppProgress) -> Iterable[tuple[str, str, float]]:
    return [
        (sample.name, sample.labels.get("code", ""), sample.value)
        for family in progress_families({"app": progress})
        for sample in family.samples
    ]
