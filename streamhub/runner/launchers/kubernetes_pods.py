"""Pods of Kubernetes: one for each start of an app, which is never restarted by Kubernetes itself.

What lives here: the calls of the Kubernetes API, and what a pod of an app looks like. What does not: when
pods are made (`containers`), and the access of the runner's service account (the how-to).

A pod rather than a Job: the runner starts, ends and counts, so that states and causes are the same wherever
apps run; a Job would do the same a second time, in its own way.

Source: Kubernetes API v1, `Pod`.
"""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import PurePosixPath
from typing import Any, Final

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from client.errors import ConfigurationError
from streamhub.errors import RunnerError
from streamhub.runner.launchers.containers import RUNNER_LABEL, SEEN_AT, WRITABLE_AT, Seen, Wanted
from streamhub.runner.launchers.settings import ContainerSettings
from streamhub.runner.limits import AppLimits

__all__ = ["KubernetesPods", "connect"]

_TIMEOUT_S: Final = 20
_NOT_FOUND: Final = 404
_AT_ONCE_S: Final = 1  # 0 would forget the pod while its container may still run
_REQUESTED_CPUS: Final = 0.05
_REQUESTED_BYTES: Final = 128_000_000
_APP: Final = "app"
_IN_CLUSTER: Final = "KUBERNETES_SERVICE_HOST"


def connect(environment: Mapping[str, str]) -> client.ApiClient:
    """Reach the API server: as the service account of the runner's pod, else as kubectl would.

    Raises:
        RunnerError: neither is configured.
    """
    from kubernetes import config  # noqa: PLC0415 - takes long to import, and only this needs it

    try:
        if _IN_CLUSTER in environment:
            config.load_incluster_config()
        else:
            config.load_kube_config()
    except config.ConfigException as error:
        raise RunnerError(f"Kubernetes cannot be reached: {error}. Set KUBECONFIG") from error
    return client.ApiClient()


class KubernetesPods:
    """Pods in one namespace.

    Args:
        settings: How pods are made.
        connection: The API server.

    Raises:
        ConfigurationError: no claim is named, so that pods could not see the folder of their app.
    """

    name = "kubernetes"
    can_update = False  # in place only since 1.33, and not with every container runtime

    def __init__(self, settings: ContainerSettings, connection: client.ApiClient) -> None:
        if not settings.claim:
            raise ConfigurationError(
                "DTWIN_RUNNER__CLAIM is not set: it names the PersistentVolumeClaim with the runner's folder",
                setting="DTWIN_RUNNER__CLAIM",
            )
        self._settings = settings
        self._connection = connection
        self._core: Any = client.CoreV1Api(connection)

    def listing(self, runner: str) -> Sequence[Seen]:
        """List the pods of a runner."""
        with _explained():
            found = self._core.list_namespaced_pod(
                self._settings.namespace,
                label_selector=f"{RUNNER_LABEL}={runner}",
                _request_timeout=_TIMEOUT_S,
            )
            return [_seen(pod) for pod in found.items]

    def create(self, wanted: Wanted) -> None:
        """Create a pod; Kubernetes finds a node and the image for it."""
        with _explained():
            self._core.create_namespaced_pod(
                self._settings.namespace, self.manifest(wanted), _request_timeout=_TIMEOUT_S
            )

    def send(self, name: str, signal_number: int) -> None:
        """Delete a pod: its node sends SIGTERM, and SIGKILL after the grace; at once for SIGKILL."""
        self._delete(name, _AT_ONCE_S if signal_number == signal.SIGKILL else None)

    def update(self, name: str, limits: AppLimits) -> None:
        """Pods are made anew with other limits.

        Raises:
            RunnerError: always.
        """
        raise RunnerError(f"{name} cannot be held to {limits} while it runs")

    def delete(self, name: str) -> None:
        """Delete a pod, running or not."""
        self._delete(name, _AT_ONCE_S)

    def close(self) -> None:
        """Release connections."""
        self._connection.close()

    def _delete(self, name: str, grace_s: int | None) -> None:
        options = {} if grace_s is None else {"grace_period_seconds": grace_s}
        with _explained():
            try:
                self._core.delete_namespaced_pod(
                    name, self._settings.namespace, _request_timeout=_TIMEOUT_S, **options
                )
            except ApiException as error:
                if error.status != _NOT_FOUND:
                    raise

    def manifest(self, wanted: Wanted) -> dict[str, Any]:
        """Describe a pod as the profile "restricted" wants it, with nothing to write but one folder.

        Source: Kubernetes, "Pod Security Standards", profile Restricted.
        """
        settings = self._settings
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": wanted.name,
                "labels": {"app.kubernetes.io/managed-by": "digital-twin-stack", **wanted.labels},
                "annotations": dict(wanted.notes),
            },
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": ceil(settings.stop_grace_s),
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": settings.uid,
                    "runAsGroup": settings.gid,
                    "fsGroup": settings.gid,
                    "fsGroupChangePolicy": "OnRootMismatch",
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "volumes": [
                    {"name": "runner", "persistentVolumeClaim": {"claimName": settings.claim}},
                    {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                ],
                "containers": [self._container(wanted)],
            },
        }

    def _container(self, wanted: Wanted) -> dict[str, Any]:
        memory, cpus = self._settings.within(wanted.limits)
        folder = PurePosixPath(self._settings.volume_path, "apps", wanted.app_id)
        return {
            "name": _APP,
            "image": self._settings.image,
            "command": list(wanted.command),
            "workingDir": "/tmp",  # noqa: S108 - of the pod alone
            "env": [{"name": name, "value": value} for name, value in wanted.environment.items()],
            "resources": {
                "limits": {"memory": str(memory), "cpu": f"{cpus:g}"},
                "requests": {
                    "memory": str(min(memory, _REQUESTED_BYTES)),
                    "cpu": f"{min(cpus, _REQUESTED_CPUS):g}",
                },
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": "runner", "mountPath": SEEN_AT, "subPath": str(folder), "readOnly": True},
                {"name": "runner", "mountPath": WRITABLE_AT, "subPath": str(folder / "container")},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - as above
            ],
        }


def _seen(pod: Any) -> Seen:  # noqa: ANN401 - the library has no types
    statuses = pod.status.container_statuses or []
    state = statuses[0].state if statuses else None
    ended = state.terminated if state is not None else None
    common = {
        "name": pod.metadata.name,
        "labels": pod.metadata.labels or {},
        "notes": pod.metadata.annotations or {},
    }
    if ended is not None:
        return Seen(
            **common,
            state="ended",
            reason=ended.message or None,
            code=ended.exit_code,
            is_out_of_memory=ended.reason == "OOMKilled",
        )
    if pod.status.phase in {"Succeeded", "Failed"}:
        return Seen(**common, state="ended", reason=_said(pod.status) or "its pod has failed")
    if state is not None and state.running is not None:
        return Seen(**common, state="running")
    waiting = state.waiting if state is not None else None
    return Seen(**common, state="waiting", reason=_said(waiting) or _unmet(pod.status))


def _said(part: Any) -> str:  # noqa: ANN401 - as above
    texts = (getattr(part, "reason", None), getattr(part, "message", None))
    return ": ".join(text for text in texts if text)


def _unmet(status: Any) -> str | None:  # noqa: ANN401 - as above
    """Say which condition keeps a pod from beginning, such as that no node has room for it."""
    unmet = [condition for condition in status.conditions or [] if condition.status == "False"]
    return _said(unmet[0]) or None if unmet else None


@contextmanager
def _explained() -> Iterator[None]:
    """Say in our words what the API server or the way to it complains about.

    Raises:
        RunnerError: in place of the library's errors.
    """
    try:
        yield
    except ApiException as error:
        raise RunnerError(f"Kubernetes says: {error.status} {error.reason} {error.body or ''}") from error
    except (HTTPError, OSError) as error:
        raise RunnerError(f"Kubernetes does not answer: {error}") from error
