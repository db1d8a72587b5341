"""Provisioned files: the same content is the same bytes, drift is found, strangers' files stay."""

from pathlib import Path

import pytest

from setup.errors import SetupError
from setup.provisioning.files import compare, write
from setup.provisioning.grafana import Addresses, grafana_files
from setup.provisioning.kibana import kibana_files
from setup.provisioning.panels import Source
from setup.provisioning.scope import Scope
from tests.unit.setup.provisioning.worlds import car, empty

FILES = {"a/one.json": "1\n", "two.yaml": "2\n"}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_writing_again_changes_no_byte(tmp_path: Path) -> None:
    assert write(tmp_path, FILES, "tool").missing == ("a/one.json", "two.yaml")
    before = content(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert write(tmp_path, FILES, "tool").is_none
    assert content(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_the_order_of_systems_does_not_matter_for_their_files() -> None:
    addresses = Addresses("http://127.0.0.1:8084/v1.1")
    one = grafana_files([car(), empty()], addresses, Source.SENSORTHINGS)
    assert one == grafana_files([empty(), car()], addresses, Source.SENSORTHINGS)
    assert kibana_files([car(), empty()]) == kibana_files([empty(), car()])


def test_what_was_changed_removed_or_is_there_no_more_is_drift(tmp_path: Path) -> None:
    write(tmp_path, FILES | {"old.json": "0\n"}, "tool")
    (tmp_path / "two.yaml").write_text("3\n")
    (tmp_path / "a" / "one.json").unlink()
    before = content(tmp_path)
    drift = compare(tmp_path, FILES, "tool")
    assert (drift.missing, drift.changed, drift.surplus) == (("a/one.json",), ("two.yaml",), ("old.json",))
    assert content(tmp_path) == before
    write(tmp_path, FILES, "tool")
    assert compare(tmp_path, FILES, "tool").is_none
    assert not (tmp_path / "old.json").exists()


def test_files_of_others_stay_and_each_tool_has_a_list_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("mine")
    write(tmp_path, {"one.json": "1\n"}, "grafana")
    write(tmp_path, {"other.json": "2\n"}, "kibana")
    write(tmp_path, {}, "kibana")
    assert {"mine.json", "one.json"} <= set(content(tmp_path))
    assert "other.json" not in content(tmp_path)


@pytest.mark.parametrize("listed", ['["../outside.json"]', '["/etc/hostname"]', "{", '"x"'])
def test_a_spoilt_list_removes_nothing_outside(tmp_path: Path, listed: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.json").write_text("mine")
    (folder / ".dtwin-tool.json").write_text(listed)
    write(folder, FILES, "tool")
    assert (tmp_path / "outside.json").read_text() == "mine"


@pytest.mark.parametrize("path", ["../two.yaml", "a/../../two.yaml", "{}/two.yaml"])
def test_a_name_that_would_lead_out_of_the_folder_writes_nothing(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "folder"
    with pytest.raises(SetupError, match="lead out of"):
        write(folder, {path.format(tmp_path): "1\n"}, "tool")
    assert content(tmp_path) == {}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where a folder should be")
    with pytest.raises(SetupError, match=str(tmp_path)):
        write(tmp_path, FILES, "tool")


def test_files_of_systems_that_are_not_meant_stay_and_are_still_known(tmp_path: Path) -> None:
    car, other = "cz.icecars/cz.icecars.Fleet.Car1.json", "at.mill/at.mill.Hall.M1.json"
    write(tmp_path, {car: "1\n", other: "2\n", "all.yaml": "3\n"}, "tool")
    scope = Scope(["cz.icecars.Fleet.Car1"])
    assert write(tmp_path, {"all.yaml": "3\n"}, "tool", scope).surplus == (car,)
    assert set(content(tmp_path)) == {other, "all.yaml", ".dtwin-tool.json"}
    assert write(tmp_path, {"all.yaml": "3\n"}, "tool", Scope((), ["at.mill"])).surplus == (other,)


def test_a_scope_holds_systems_by_name_and_by_company() -> None:
    scope = Scope(["cz.icecars.Fleet.Car1"], ["at.mill"])
    held = [
        scope.holds(one) for one in ("cz.icecars.Fleet.Car1", "cz.icecars.Fleet.Car12", "at.mill.Hall.M1")
    ]
    assert held == [True, False, True]
    assert Scope().holds("anything.at.all.here")
    assert [scope.leaves(one) for one in ("a/cz.icecars/cz.icecars.Fleet.Car2.json", "a/b.yaml")] == [
        True,
        False,
    ]
