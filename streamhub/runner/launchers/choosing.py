"""Which launcher runs the apps: the only place that knows all of them.

What lives here: the words for them, and opening the chosen one. What does not: the launchers, of which those
of engines are imported only when chosen: their libraries are extras.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from streamhub.errors import RunnerError
from streamhub.runner.launchers.containers import Containers
from streamhub.runner.launchers.interface import Launcher
from streamhub.runner.launchers.processes import AppProcesses
from streamhub.runner.launchers.settings import ContainerSettings

__all__ = ["LauncherName", "open_launcher"]


class LauncherName(StrEnum):
    """The words by which launchers are chosen; each is also the extra with its library."""

    PROCESSES = "processes"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"


def open_launcher(
    name: LauncherName, directory: Path, environment: Mapping[str, str], stop_grace_s: float
) -> Launcher:
    """Open what runs the apps of a directory.

    Args:
        name: Which one.
        directory: The runner's folder, absolute.
        environment: Where its settings stand.
        stop_grace_s: Time between SIGTERM and SIGKILL [s].

    Raises:
        ConfigurationError: a setting is missing or malformed.
        RunnerError: its library is not installed, or its engine does not answer.
    """
    if name is LauncherName.PROCESSES:
        return AppProcesses(environment)
    settings = ContainerSettings.from_environment(environment, stop_grace_s)
    user = (settings.uid, settings.gid)
    try:
        if name is LauncherName.DOCKER:
            from streamhub.runner.launchers.docker_engine import DockerEngine  # noqa: PLC0415 - an extra

            return Containers(DockerEngine(directory, settings, environment), directory, user)
        from streamhub.runner.launchers import kubernetes_pods as pods  # noqa: PLC0415 - an extra

        return Containers(pods.KubernetesPods(settings, pods.connect(environment)), directory, user)
    except ImportError as error:
        raise RunnerError(
            f"the launcher {name} needs its library: pip install 'digital-twin-stack[streamhub,{name}]'"
        ) from error
