"""Frames of what an analyst may see in a real SensorThings service."""

from datetime import timedelta

import pandas as pd
import pytest

import adapters.frames as dtwin
from adapters.frames.errors import AmbiguousNameError, FrameError, NoDataError, NoMatchError, TooMuchError
from client.errors import AccessRefusedError
from tests.integration.adapters.frames.cars import STEPS, World

pytestmark = pytest.mark.postgres


def test_every_observation_is_in_the_frame_once_with_its_names_and_attributes(analyst: World) -> None:
    name = analyst.names[1, "temperature"]
    columns = ["result", "name", "thing", "unit", "company", "latitude"]
    frame = dtwin.frame(
        "Car1.Main.Air Temperature", analyst.start, analyst.end + timedelta(seconds=1), columns=columns
    )
    rows = analyst.rows[name]
    assert frame.index.tolist() == [pd.Timestamp(row[0]) for row in rows]
    assert frame["result"].tolist() == [row[1] for row in rows]
    assert frame["latitude"].tolist() == [row[2]["latitude"] for row in rows]
    assert len(frame) == STEPS > 250, "several pages"
    assert frame.attrs["units"] == {name: "°C"}
    assert frame["thing"].unique().tolist() == ["Main"]
    assert frame["company"].unique().tolist() == ["cz.icecars"]
    assert {str(kind) for kind in frame[["name", "unit"]].dtypes} == {"category"}
    assert str(frame.index.dtype) == "datetime64[us, UTC]"


def test_an_analyst_sees_what_is_shared_and_nothing_else(analyst: World) -> None:
    seen = set(dtwin.datastreams()["name"])
    shared = {name for (_, quantity), name in analyst.names.items() if quantity != "latitude"}
    assert seen == {name for name in shared if name in analyst.rows}
    with pytest.raises(NoMatchError, match="Air Temperature") as caught:
        dtwin.frame("Car1.Main.Latitude")
    assert caught.value.nearest[0].startswith("cz.icecars.iot4cps-wp5-CarFleet.Car1.Main.")


def test_a_foreign_token_is_refused(analyst: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DTWIN_SENSORTHINGS__TOKEN_FILE")
    monkeypatch.setenv("DTWIN_SENSORTHINGS__TOKEN", "x" * 40)
    with pytest.raises(AccessRefusedError, match="does not know this client"):
        dtwin.datastreams()


def test_the_service_computes_the_same_means_as_pandas(analyst: World) -> None:
    patterns = ["*.Car?.Main.Acceleration"]
    whole = dtwin.frame(patterns, analyst.start, analyst.end)
    expected = whole.groupby("name", observed=True)["result"].resample("1min").mean().dropna()
    means = dtwin.frame(patterns, analyst.start, analyst.end, every="1min")
    found = means.reset_index().set_index(["name", "phenomenon_time"])["result"].sort_index()
    assert len(found) >= STEPS // 60 * 2
    pd.testing.assert_series_equal(found, expected.sort_index(), check_index_type=False, rtol=1e-12)


def test_a_wide_frame_is_the_outer_join_of_its_datastreams(analyst: World) -> None:
    frame = dtwin.frame(
        {"one": "Car1.Main.Acceleration", "two": "Car2.Main.Acceleration"},
        analyst.start,
        analyst.end,
        wide=True,
    )
    first, second = (analyst.rows[analyst.names[number, "acceleration"]] for number in (1, 2))
    assert frame["one"].dropna().tolist() == [row[1] for row in first]
    assert frame["two"].dropna().tolist() == [row[1] for row in second]
    assert len(frame) == len(first) + len(second)
    assert frame.attrs["units"] == {"one": "m/s²", "two": "m/s²"}


def test_what_is_written_to_parquet_is_read_again_the_same_and_once(analyst: World, tmp_path: object) -> None:
    frame = dtwin.frame("Car2.*", analyst.start, analyst.end, columns=["result", "name", "unit", "longitude"])
    folder = f"{tmp_path}/kept"
    first = dtwin.write_parquet(frame, folder)
    assert dtwin.write_parquet(frame, folder) == first
    assert {str(path.parent.parent.name) for path in first} == {"system=cz.icecars.iot4cps-wp5-CarFleet.Car2"}
    again = dtwin.frame(
        "Car2.*", analyst.start, analyst.end, source=folder, columns=["result", "name", "unit", "longitude"]
    )
    pd.testing.assert_frame_equal(again, frame)


def test_errors_name_what_helps(analyst: World) -> None:
    with pytest.raises(AmbiguousNameError, match=r"CarFleet\.Car1\.Main\.\*.*'\*\.Main\.\*'"):
        dtwin.frame("Main.*")
    with pytest.raises(NoDataError, match=f"There are some from {analyst.start:%Y-%m-%dT%H:%M}"):
        dtwin.frame("Car1.*", "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
    with pytest.raises(TooMuchError, match="every='1min'"):
        dtwin.frame("*", analyst.start, analyst.end, limit=100)
    with pytest.raises(FrameError, match="No record has 'altitude'"):
        dtwin.frame("Car1.*", analyst.start, analyst.end, columns=["result", "altitude"])
