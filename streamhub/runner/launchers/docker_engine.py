"""Containers of a Docker Engine, over its socket or `DOCKER_HOST`.

What lives here: the calls of the Engine API, and what a container of an app looks like there. What does not:
when containers are made (`containers`).

Source: Docker Engine API v1.43 and later; a volume with a path within it needs v1.45.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from streamhub.errors import RunnerError
from streamhub.runner.launchers.containers import RUNNER_LABEL, SEEN_AT, WRITABLE_AT, Seen, Wanted
from streamhub.runner.launchers.settings import ContainerSettings
from streamhub.runner.limits import AppLimits

__all__ = ["DockerEngine"]

_TIMEOUT_S: Final = 20
_CPU_PERIOD_US: Final = 100_000
_MOST_PROCESSES: Final = 256
_WAITING: Final = frozenset({"created", "restarting"})
_ENDED: Final = frozenset({"exited", "dead", "removing"})


class DockerEngine:
    """One Docker Engine.

    Args:
        directory: The runner's folder, absolute.
        settings: How containers are made.
        environment: Where `DOCKER_HOST` and its kin stand.

    Raises:
        RunnerError: the engine does not answer.
    """

    name = "docker"
    can_update = True

    def __init__(self, directory: Path, settings: ContainerSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._folder = PurePosixPath(settings.host_directory or directory.as_posix())
        self._ended: dict[str, dict[str, Any]] = {}
        with _explained():
            arguments = docker.utils.kwargs_from_env(environment=dict(environment))
            self._client: Any = docker.APIClient(version="auto", timeout=_TIMEOUT_S, **arguments)

    def listing(self, runner: str) -> Sequence[Seen]:
        """List the containers of a runner; how one ended is asked once."""
        with _explained():
            found = self._client.containers(all=True, filters={"label": [f"{RUNNER_LABEL}={runner}"]})
            present = {one["Id"] for one in found}
            self._ended = {key: state for key, state in self._ended.items() if key in present}
            return [self._seen(one) for one in found]

    def create(self, wanted: Wanted) -> None:
        """Create and start a container; the image must be there already."""
        with _explained():
            made = self._client.create_container_from_config(self.config(wanted), wanted.name)
            try:
                self._client.start(made["Id"])
            except DockerException:
                self.delete(wanted.name)
                raise

    def send(self, name: str, signal_number: int) -> None:
        """Send a signal to the first process of a container."""
        with _explained(), _unless_gone():
            self._client.kill(name, signal_number)

    def update(self, name: str, limits: AppLimits) -> None:
        """Hold a container that runs to other limits."""
        memory, cpus = self._settings.within(limits)
        with _explained(), _unless_gone():
            self._client.update_container(
                name,
                mem_limit=memory,
                memswap_limit=memory,
                cpu_period=_CPU_PERIOD_US,
                cpu_quota=int(cpus * _CPU_PERIOD_US),
            )

    def delete(self, name: str) -> None:
        """Delete a container, running or not."""
        with _explained(), _unless_gone():
            self._client.remove_container(name, force=True, v=True)

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def config(self, wanted: Wanted) -> dict[str, Any]:
        """Describe a container: no rights, no environment but its own, nothing to write but one folder.

        Source: Docker Engine API, `ContainerCreate`.
        """
        memory, cpus = self._settings.within(wanted.limits)
        return {
            "Image": self._settings.image,
            "Entrypoint": list(wanted.command),
            "Cmd": [],
            "User": f"{self._settings.uid}:{self._settings.gid}",
            "WorkingDir": "/tmp",  # noqa: S108 - of the container alone
            "Env": [f"{name}={value}" for name, value in wanted.environment.items()],
            "Labels": {**wanted.labels, **wanted.notes},
            "HostConfig": {
                "Init": True,
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges:true"],
                "Privileged": False,
                "PidsLimit": _MOST_PROCESSES,
                "Memory": memory,
                "MemorySwap": memory,
                "CpuPeriod": _CPU_PERIOD_US,
                "CpuQuota": int(cpus * _CPU_PERIOD_US),
                "NetworkMode": self._settings.network,
                "RestartPolicy": {"Name": "no"},
                "Mounts": self._mounts(wanted.app_id),
                "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777"},  # noqa: S108 - as above
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
            },
        }

    def _mounts(self, app_id: str) -> list[dict[str, Any]]:
        folder = PurePosixPath("apps", app_id)
        return [
            self._mount(folder, SEEN_AT, is_read_only=True),
            self._mount(folder / "container", WRITABLE_AT, is_read_only=False),
        ]

    def _mount(self, folder: PurePosixPath, target: str, *, is_read_only: bool) -> dict[str, Any]:
        common = {"Target": target, "ReadOnly": is_read_only}
        if not self._settings.volume:
            return {"Type": "bind", "Source": str(self._folder / folder), **common}
        within = str(PurePosixPath(self._settings.volume_path) / folder)
        options = {"Subpath": within, "NoCopy": True}
        return {"Type": "volume", "Source": self._settings.volume, "VolumeOptions": options, **common}

    def _seen(self, found: Mapping[str, Any]) -> Seen:
        labels = found.get("Labels") or {}
        name = found["Names"][0].removeprefix("/")
        word = found.get("State", "")
        if word in _ENDED:
            state = self._end(found["Id"])
            return Seen(
                name=name,
                labels=labels,
                notes=labels,
                state="ended",
                reason=state.get("Error") or None,
                code=state.get("ExitCode"),
                is_out_of_memory=bool(state.get("OOMKilled")),
            )
        waits = word in _WAITING
        return Seen(
            name=name,
            labels=labels,
            notes=labels,
            state="waiting" if waits else "running",
            reason=found.get("Status") if waits else None,
        )

    def _end(self, container: str) -> dict[str, Any]:
        if container not in self._ended:
            with _unless_gone():
                self._ended[container] = self._client.inspect_container(container)["State"]
        return self._ended.get(container, {})


@contextmanager
def _explained() -> Iterator[None]:
    """Say in our words what the engine or the way to it complains about.

    Raises:
        RunnerError: in place of the library's errors.
    """
    try:
        yield
    except (DockerException, RequestException) as error:
        explanation = getattr(error, "explanation", None) or error
        hint = ". Bring the image there: docker pull" if "No such image" in str(explanation) else ""
        raise RunnerError(f"the Docker Engine says: {explanation}{hint}") from error


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Let what is gone, or has ended by itself, be."""
    try:
        yield
    except NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != _CONFLICT:
            raise


_CONFLICT: Final = 409  # it does not run any more, or is being removed already
