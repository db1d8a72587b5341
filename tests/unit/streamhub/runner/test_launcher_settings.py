"""Settings of containers: apps never run as root, and what is wrong is named."""

import os
from pathlib import Path

import pytest

from client.errors import ConfigurationError
from streamhub.runner.launchers.choosing import LauncherName, open_launcher
from streamhub.runner.launchers.processes import AppProcesses
from streamhub.runner.launchers.settings import ContainerSettings
from streamhub.runner.limits import AppLimits

IMAGE = {"DTWIN_RUNNER__IMAGE": "apps:1"}


@pytest.fixture(autouse=True)
def _plain_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert tmp_path.is_dir()  # made while the user is still the real one
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "getgid", lambda: 100)


def read(**settings: str) -> ContainerSettings:
    named = {f"DTWIN_RUNNER__{name}": value for name, value in settings.items()}
    return ContainerSettings.from_environment(IMAGE | named, 25.0)


def test_apps_run_as_the_user_of_the_runner_within_the_limits_of_all() -> None:
    found = read()
    assert (found.uid, found.gid) == (1000, 100)
    assert found.within(AppLimits()) == (512_000_000, 1.0)
    assert found.within(AppLimits(100)) == (100_000_000, 1.0)
    assert read(CONTAINER_MEMORY_MB="200", CONTAINER_CPUS="0.5").within(AppLimits()) == (200_000_000, 0.5)


def test_apps_never_run_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    for settings in ({}, {"USER": "0:0"}, {"USER": "root"}):
        with pytest.raises(ConfigurationError, match="do not run as root"):
            read(**settings)
    assert read(USER="10001:10001").uid == 10001


def test_a_runner_that_cannot_give_files_away_refuses_another_user() -> None:
    with pytest.raises(ConfigurationError, match="cannot give files away"):
        read(USER="10001:10001")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"IMAGE": ""}, "DTWIN_RUNNER__IMAGE"),
        ({"CONTAINER_CPUS": "many"}, "DTWIN_RUNNER__CONTAINER_CPUS"),
        ({"CONTAINER_MEMORY_MB": "0"}, "DTWIN_RUNNER__CONTAINER_MEMORY_MB"),
        ({"CONTAINER_CPUS": "nan"}, "DTWIN_RUNNER__CONTAINER_CPUS"),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        read(**settings)


def test_processes_need_none_of_these_settings(tmp_path: Path) -> None:
    assert isinstance(open_launcher(LauncherName.PROCESSES, tmp_path, {}, 25.0), AppProcesses)
    with pytest.raises(ConfigurationError, match="DTWIN_RUNNER__IMAGE"):
        open_launcher(LauncherName.DOCKER, tmp_path, {}, 25.0)
