"""A folder of Parquet files: what is written is read."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import adapters.frames as dtwin
from adapters.frames.errors import FrameError, NoDataError, NoMatchError, SourceError

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC)
ONE, TWO = "cz.icecars.Fleet.Car1.Main.Speed", "cz.icecars.Fleet.Car2.Main.Speed"


def frame_of(name: str, **columns: list[object]) -> pd.DataFrame:
    times = pd.DatetimeIndex(["2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z"], name="phenomenon_time")
    return pd.DataFrame({"result": [1.0, 2.0], "name": name, "unit": "m/s", **columns}, index=times)


def test_folders_are_companies_systems_and_days(tmp_path: Path) -> None:
    files = dtwin.write_parquet(frame_of(ONE), tmp_path)
    assert [str(file.parent.relative_to(tmp_path)) for file in files] == [
        "company=cz.icecars/system=cz.icecars.Fleet.Car1/date=2026-01-01",
        "company=cz.icecars/system=cz.icecars.Fleet.Car1/date=2026-01-02",
    ]


def test_a_column_that_only_some_files_have_is_there_for_all(tmp_path: Path) -> None:
    dtwin.write_parquet(frame_of(ONE), tmp_path)
    dtwin.write_parquet(frame_of(TWO, gear=[3, 4], result_text=[None, "x"]), tmp_path)
    columns = ["result", "result_text", "name", "gear"]
    found = dtwin.frame("*.Speed", START, END, source=str(tmp_path), columns=columns)
    assert found["gear"].fillna(0).tolist() == [0, 3, 0, 4]
    assert found["result_text"].dropna().tolist() == ["x"]
    assert found.attrs["units"] == {ONE: "m/s", TWO: "m/s"}


def test_an_arrow_table_is_written_as_a_frame_is(tmp_path: Path) -> None:
    dtwin.write_parquet(frame_of(ONE), tmp_path / "a")
    table = dtwin.arrow("Car1.*", START, END, source=str(tmp_path / "a"))
    assert isinstance(table, pa.Table)
    dtwin.write_parquet(table, tmp_path / "b")
    assert dtwin.arrow("Car1.*", START, END, source=str(tmp_path / "b")).equals(table)


def test_the_interval_is_half_open_and_means_are_made(tmp_path: Path) -> None:
    dtwin.write_parquet(frame_of(ONE), tmp_path)
    first = dtwin.frame("Car1.*", START, "2026-01-02T12:00:00Z", source=str(tmp_path))
    assert first["result"].tolist() == [1.0]
    means = dtwin.frame("Car1.*", START, END, source=str(tmp_path), every="5d")
    assert means["result"].tolist() == [1.0, 2.0], "steps start at the epoch: a new one on 2 January"
    with pytest.raises(NoDataError, match="There are some from 2026-01-01T12:00:00Z to 2026-01-02T12:00:00Z"):
        dtwin.frame("Car1.*", "2025-01-01T00:00:00Z", START, source=str(tmp_path))


def test_what_is_no_long_frame_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="no column 'name'"):
        dtwin.write_parquet(frame_of(ONE).drop(columns="name"), tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(FrameError, match="cannot be written"):
        dtwin.write_parquet(frame_of(ONE), file)


def test_a_folder_without_observations_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no files with the column phenomenon_time"):
        dtwin.datastreams(source=str(tmp_path))
    (tmp_path / "x.parquet").write_text("no Parquet")
    with pytest.raises(SourceError, match="cannot be read"):
        dtwin.datastreams(source=str(tmp_path))


def test_options_that_contradict_are_refused(tmp_path: Path) -> None:
    dtwin.write_parquet(frame_of(ONE), tmp_path)
    with pytest.raises(FrameError, match="leave it out with wide=True"):
        dtwin.frame("Car1.*", wide=True, columns=["result"], source=str(tmp_path))
    with pytest.raises(FrameError, match="leave gear out"):
        dtwin.frame("Car1.*", every="1h", columns=["gear"], source=str(tmp_path))
    with pytest.raises(FrameError, match="pass a list"):
        dtwin.frame("Car1.*", columns="result", source=str(tmp_path))
    with pytest.raises(NoMatchError):
        dtwin.frame("Car3.*", source=str(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        "x/../../../../tmp/evil.b.c.d.T.D",
        "a.b./../x.T.D.E",
        "...../...T.D.E.F",
        "/etc.passwd.x.y.T.D",
        "a.b.c.d%2f..%2f.T.D",
        "a.b.c.d\\..\\e.T.D",
        "Ünsinn.Straße.č.ř.T.D [km/h] 'x' \"y\"",
    ],
)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "one" / "two" / "folder"
    files = dtwin.write_parquet(frame_of(name), folder)
    assert files
    assert all(file.resolve().is_relative_to(folder.resolve()) for file in files)
    assert [one for one in tmp_path.rglob("*") if one.is_file() and not one.is_relative_to(folder)] == []
    assert dtwin.frame(name, START, END, source=str(folder))["result"].tolist() == [1.0, 2.0]


def test_days_of_early_years_are_found_again(tmp_path: Path) -> None:
    times = pa.array([-62_135_596_800_000_000 + 1, -30_000_000_000_000_000], pa.timestamp("us", "UTC"))
    table = pa.table({"phenomenon_time": times, "result": [1.0, 2.0], "name": [ONE, ONE]})
    dtwin.write_parquet(table, tmp_path)
    found = dtwin.arrow(ONE, "0001-01-01T00:00:00Z", "1900-01-01T00:00:00Z", source=str(tmp_path))
    assert found.column("result").to_pylist() == [1.0, 2.0]


def test_rows_without_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="without a name"):
        dtwin.write_parquet(frame_of(ONE).assign(name=[ONE, None]), tmp_path)
