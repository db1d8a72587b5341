from pathlib import Path

import pytest

from setup.local.paths import Home, cache_folder, exclusive_lock, home_folder


def test_the_home_named_by_the_environment_wins(tmp_path: Path) -> None:
    assert home_folder({"DTWIN_HOME": str(tmp_path / "here")}) == tmp_path / "here"


def test_a_clone_keeps_its_home_inside_itself() -> None:
    assert home_folder({}) == Path(__file__).parents[3] / ".dtwin"


def test_an_installed_wheel_keeps_its_home_in_the_users_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("setup.local.paths._CLONE", tmp_path)
    assert home_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/dtwin")


def test_downloads_are_shared_by_all_homes_of_a_user() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/dtwin")


def test_folders_with_secrets_and_data_are_closed_to_others(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    for folder in (home.logs, home.runner, home.kafka, home.secret_key_file.parent):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_a_lock_can_be_taken_again_after_it_was_released(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive_lock(tmp_path / "folder" / "lock"):
            assert (tmp_path / "folder" / "lock").exists()
