"""How containers of apps are made: the settings of the Docker Engine and Kubernetes launchers.

What lives here: names, defaults and checks. What does not: what engines make of them (`docker_engine`,
`kubernetes_pods`).

| variable | meaning | default |
|---|---|---|
| ``DTWIN_RUNNER__LAUNCHER`` | ``processes``, ``docker`` or ``kubernetes`` | ``processes`` |
| ``DTWIN_RUNNER__IMAGE`` | image with this distribution and its extra ``streamhub`` | required |
| ``DTWIN_RUNNER__USER`` | ``uid:gid`` that apps run as, never 0 | that of the runner |
| ``DTWIN_RUNNER__CONTAINER_MEMORY_MB`` | memory of an app without a limit of its own [MB] | 512 |
| ``DTWIN_RUNNER__CONTAINER_CPUS`` | processor cores of an app without a limit of its own | 1 |
| ``DTWIN_RUNNER__NETWORK`` | network of the Docker Engine | ``bridge`` |
| ``DTWIN_RUNNER__HOST_DIRECTORY`` | the runner's folder as the Docker Engine sees it | the same path |
| ``DTWIN_RUNNER__VOLUME`` | Docker volume with the runner's folder, instead of a path | none |
| ``DTWIN_RUNNER__NAMESPACE`` | Kubernetes namespace | ``default`` |
| ``DTWIN_RUNNER__CLAIM`` | PersistentVolumeClaim with the runner's folder | required there |
| ``DTWIN_RUNNER__VOLUME_PATH`` | where in volume or claim the runner's folder lies | its root |
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from client.errors import ConfigurationError
from streamhub.runner.limits import AppLimits

__all__ = ["ContainerSettings"]

_PREFIX: Final = "DTWIN_RUNNER__"
_USER: Final = re.compile(r"([1-9][0-9]{0,9}):([0-9]{1,10})", re.ASCII)
_MEMORY_MB: Final = 512
_CPUS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """How containers of apps are made.

    Attributes:
        image: Image that has this distribution with the extra `streamhub`.
        uid: User that apps run as; never root.
        gid: Group that apps run as.
        limits: What an app may take that has no limits of its own.
        network: Network of the Docker Engine.
        host_directory: The runner's folder as the Docker Engine sees it; empty for the same path.
        volume: Docker volume with the runner's folder; empty when it is a path.
        volume_path: Where in volume or claim the runner's folder lies.
        namespace: Kubernetes namespace.
        claim: PersistentVolumeClaim with the runner's folder.
        stop_grace_s: Time between SIGTERM and SIGKILL [s].
    """

    image: str
    uid: int
    gid: int
    limits: AppLimits = field(default_factory=lambda: AppLimits(_MEMORY_MB, _CPUS))
    network: str = "bridge"
    host_directory: str = ""
    volume: str = ""
    volume_path: str = ""
    namespace: str = "default"
    claim: str = ""
    stop_grace_s: float = 25.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], stop_grace_s: float) -> "ContainerSettings":
        """Read the settings.

        Raises:
            ConfigurationError: one is missing or malformed.
        """
        uid, gid = _user(environment)
        return cls(
            image=_required(environment, "IMAGE", "an image that has this distribution"),
            uid=uid,
            gid=gid,
            limits=AppLimits(
                int(_number(environment, "CONTAINER_MEMORY_MB", _MEMORY_MB)),
                _number(environment, "CONTAINER_CPUS", _CPUS),
            ),
            network=_text(environment, "NETWORK") or "bridge",
            host_directory=_text(environment, "HOST_DIRECTORY"),
            volume=_text(environment, "VOLUME"),
            volume_path=_text(environment, "VOLUME_PATH").strip("/"),
            namespace=_text(environment, "NAMESPACE") or "default",
            claim=_text(environment, "CLAIM"),
            stop_grace_s=stop_grace_s,
        )

    def within(self, limits: AppLimits) -> tuple[int, float]:
        """Memory [bytes] and processor cores of an app; where it has no limit, that of all apps counts."""
        memory = limits.memory_bytes or self.limits.memory_bytes
        return memory or _MEMORY_MB * 1_000_000, limits.cpus or self.limits.cpus or _CPUS


def _text(environment: Mapping[str, str], name: str) -> str:
    return environment.get(_PREFIX + name, "").strip()


def _required(environment: Mapping[str, str], name: str, meaning: str) -> str:
    text = _text(environment, name)
    if not text:
        raise ConfigurationError(f"{_PREFIX}{name} is not set: it names {meaning}", setting=_PREFIX + name)
    return text


def _user(environment: Mapping[str, str]) -> tuple[int, int]:
    name = f"{_PREFIX}USER"
    text = _text(environment, "USER") or f"{os.getuid()}:{os.getgid()}"
    found = _USER.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            f"{name} is {text!r}: apps do not run as root. Name another user as uid:gid, such as 10001:10001",
            setting=name,
        )
    uid, gid = int(found[1]), int(found[2])
    if os.getuid() not in {0, uid}:
        raise ConfigurationError(
            f"{name} is {text!r}, but user {os.getuid()}, as which this runner runs, cannot give files away. "
            f"Leave {name} out, or run the runner as that user",
            setting=name,
        )
    return uid, gid


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = _text(environment, name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:  # noqa: PLR2004 - and no NaN
        raise ConfigurationError(f"{_PREFIX}{name} is {text!r}: use a number above 0", setting=_PREFIX + name)
    return number
