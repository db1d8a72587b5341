"""Doubles of a Docker Engine and of a Kubernetes API server: HTTP outside, processes of this machine inside.

They answer the calls that our launchers make, in the shapes of the Engine API (v1.47) and of the Kubernetes
API (v1); a "container" is a process whose mounts are replaced by the paths they stand for. Networks, users
and images are not simulated; memory limits are, by looking at the process.
"""

import contextlib
import json
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import psutil

IMAGE: Final = "registry.example/apps:1"
_WATCH_S: Final = 0.02
_NOW: Final = "2026-01-01T00:00:00Z"

Answer = tuple[int, Any]


@dataclass
class Container:
    """One container: what it was made of, and the process that it is."""

    name: str
    config: dict[str, Any]
    id: str = field(default_factory=lambda: uuid.uuid4().hex * 2)
    process: subprocess.Popen[bytes] | None = None
    memory: int = 0
    is_out_of_memory: bool = False
    is_deleted: bool = False
    kill_at: float | None = None

    @property
    def code(self) -> int | None:
        """Exit code as engines tell it, 128 and more for a signal; nothing while it runs."""
        code = None if self.process is None else self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def begin(self, command: list[str], environment: dict[str, str], mounts: Mapping[str, str]) -> None:
        """Run a command with mounts replaced by what is mounted."""
        assert command[0] == "/bin/sh"

        def seen(text: str) -> str:
            for target in sorted(mounts, key=len, reverse=True):
                text = re.sub(rf"(?<![\w/.-]){re.escape(target)}(?=/|$)", mounts[target], text)
            return text

        self.process = subprocess.Popen(
            [seen(part) for part in command],
            env={name: seen(value) for name, value in environment.items()},
            start_new_session=True,
        )

    def tell(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


class Engine:
    """A server with containers; `stop` ends all of them."""

    def __init__(self) -> None:
        self.containers: dict[str, Container] = {}
        self.requests: list[str] = []
        self.is_away = False
        self.lock = threading.RLock()
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"null")
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                with engine.lock:
                    engine.requests.append(f"{self.command} {url.path}")
                    status, answer = (
                        (503, {"message": "away", "reason": "ServiceUnavailable"})
                        if engine.is_away
                        else engine.answer(self.command, url.path, query, body)
                    )
                content = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - names of the library

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._stopped = threading.Event()
        for target in (self._server.serve_forever, self._watch):
            threading.Thread(target=target, daemon=True).start()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:  # noqa: ANN401 - JSON
        """Answer a request."""
        raise NotImplementedError

    def running(self) -> list[Container]:
        """Return the containers whose processes run."""
        with self.lock:
            return [one for one in self.containers.values() if one.process is not None and one.code is None]

    def stop(self) -> None:
        """End all containers and the server."""
        self._stopped.set()
        for one in self.running():
            one.tell(signal.SIGKILL)
            if one.process is not None:
                one.process.wait()
        self._server.shutdown()
        self._server.server_close()

    def _watch(self) -> None:
        while not self._stopped.wait(_WATCH_S):
            with self.lock:
                for one in list(self.containers.values()):
                    self.look_after(one)

    def look_after(self, one: Container) -> None:
        """Do what an engine does by itself: hold a container to its memory and its grace."""
        if one.process is None or one.code is not None:
            return
        with contextlib.suppress(psutil.Error):
            if psutil.Process(one.process.pid).memory_info().rss > one.memory > 0:
                one.is_out_of_memory = True
                one.tell(signal.SIGKILL)
        if one.kill_at is not None and time.monotonic() > one.kill_at:
            one.tell(signal.SIGKILL)


class DockerDouble(Engine):
    """A Docker Engine."""

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:  # noqa: ANN401 - JSON
        """Answer a request of the Engine API."""
        path = re.sub(r"^/v1\.\d+", "", path)
        if path == "/version":
            return 200, {"ApiVersion": "1.47", "MinAPIVersion": "1.24", "Version": "27.3.1", "Os": "linux"}
        if path == "/containers/json":
            (label,) = json.loads(query["filters"])["label"]
            name, _, value = label.partition("=")
            found = [one for one in self.containers.values() if one.config["Labels"].get(name) == value]
            return 200, [self._summary(one) for one in found]
        if path == "/containers/create":
            return self._create(query["name"], body)
        key, _, action = path.removeprefix("/containers/").partition("/")
        one = next((one for one in self.containers.values() if key in {one.id, one.name}), None)
        if one is None:
            return 404, {"message": f"No such container: {key}"}
        actions: dict[str, Callable[[], Answer]] = {
            "POST start": lambda: self._start(one),
            "GET json": lambda: (200, {"Id": one.id, "Name": f"/{one.name}", "State": self._state(one)}),
            "POST kill": lambda: self._kill(one, query["signal"]),
            "POST update": lambda: self._update(one, body),
            "DELETE ": lambda: self._delete(one),
        }
        return actions[f"{method} {action}"]()

    def _create(self, name: str, config: dict[str, Any]) -> Answer:
        if config["Image"] != IMAGE:
            return 404, {"message": f"No such image: {config['Image']}"}
        if name in self.containers:
            return 409, {"message": f'Conflict. The container name "/{name}" is already in use'}
        self.containers[name] = Container(name, config, memory=config["HostConfig"]["Memory"])
        return 201, {"Id": self.containers[name].id, "Warnings": []}

    def _start(self, one: Container) -> Answer:
        mounts = {mount["Target"]: mount["Source"] for mount in one.config["HostConfig"]["Mounts"]}
        environment = dict(entry.split("=", 1) for entry in one.config["Env"])
        one.begin([*one.config["Entrypoint"], *one.config["Cmd"]], environment, mounts)
        return 204, None

    def _kill(self, one: Container, number: str) -> Answer:
        if one.code is not None:
            return 409, {"message": f"cannot kill container: {one.name}: container is not running"}
        one.tell(int(number))
        return 204, None

    def _update(self, one: Container, body: dict[str, Any]) -> Answer:
        one.memory = body["Memory"]
        one.config["HostConfig"] |= body
        return 200, {"Warnings": []}

    def _delete(self, one: Container) -> Answer:
        one.tell(signal.SIGKILL)
        if one.process is not None:
            one.process.wait()
        del self.containers[one.name]
        return 204, None

    def _state(self, one: Container) -> dict[str, Any]:
        word = "created" if one.process is None else "running" if one.code is None else "exited"
        return {
            "Status": word,
            "Running": word == "running",
            "OOMKilled": one.is_out_of_memory,
            "ExitCode": one.code or 0,
            "Error": "",
        }

    def _summary(self, one: Container) -> dict[str, Any]:
        word = self._state(one)["Status"]
        return {
            "Id": one.id,
            "Names": [f"/{one.name}"],
            "Image": one.config["Image"],
            "Labels": one.config["Labels"],
            "State": word,
            "Status": {"running": "Up 2 seconds"}.get(word, word.title()),
        }


class KubernetesDouble(Engine):
    """An API server, and the node behind it; it knows the paths of claims."""

    def __init__(self, claims: Mapping[str, str]) -> None:
        self._claims = claims
        self.unschedulable = ""
        super().__init__()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:  # noqa: ANN401 - JSON
        """Answer a request of the Kubernetes API."""
        found = re.fullmatch(r"/api/v1/namespaces/([^/]+)/pods(?:/([^/]+))?", path)
        assert found, path
        name = found[2]
        if method == "POST":
            return self._create(body)
        if method == "GET" and name is None:
            label, _, value = query["labelSelector"].partition("=")
            pods = [
                one for one in self.containers.values() if one.config["metadata"]["labels"][label] == value
            ]
            return 200, {"kind": "PodList", "apiVersion": "v1", "items": [self._pod(one) for one in pods]}
        if name not in self.containers:
            return 404, _status(404, "NotFound", f'pods "{name}" not found')
        return self._delete(self.containers[name], query)

    def _create(self, pod: dict[str, Any]) -> Answer:
        name = pod["metadata"]["name"]
        if name in self.containers:
            return 409, _status(409, "AlreadyExists", f'pods "{name}" already exists')
        (app,) = pod["spec"]["containers"]
        one = self.containers[name] = Container(name, pod, memory=int(app["resources"]["limits"]["memory"]))
        if app["image"] == IMAGE and not self.unschedulable:
            self._begin(one)
        return 201, self._pod(one)

    def _begin(self, one: Container) -> None:
        spec = one.config["spec"]
        (app,) = spec["containers"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        mounts = {
            mount["mountPath"]: f"{self._claims[claim['claimName']]}/{mount['subPath']}"
            for mount in app["volumeMounts"]
            if (claim := volumes[mount["name"]].get("persistentVolumeClaim"))
        }
        one.begin(app["command"], {entry["name"]: entry["value"] for entry in app["env"]}, mounts)

    def _delete(self, one: Container, query: dict[str, str]) -> Answer:
        grace = float(query.get("gracePeriodSeconds", one.config["spec"]["terminationGracePeriodSeconds"]))
        one.is_deleted = True
        one.kill_at = time.monotonic() + grace
        one.tell(signal.SIGTERM)
        self.look_after(one)
        return 200, self._pod(one)

    def look_after(self, one: Container) -> None:
        """Forget a pod that was deleted and has ended."""
        super().look_after(one)
        if one.is_deleted and (one.process is None or one.code is not None):
            self.containers.pop(one.name, None)

    def _pod(self, one: Container) -> dict[str, Any]:
        (app,) = one.config["spec"]["containers"]
        status: dict[str, Any] = {
            "name": app["name"],
            "image": app["image"],
            "imageID": "",
            "ready": False,
            "restartCount": 0,
        }
        phase, conditions = "Running", []
        if self.unschedulable and one.process is None:
            phase, statuses = "Pending", []
            conditions = [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
                | {"message": self.unschedulable}
            ]
        elif one.process is None:
            phase = "Pending"
            message = f'Back-off pulling image "{app["image"]}"'
            statuses = [status | {"state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}}]
        elif one.code is None:
            statuses = [status | {"ready": True, "state": {"running": {"startedAt": _NOW}}}]
        else:
            phase = "Failed" if one.code else "Succeeded"
            reason = "OOMKilled" if one.is_out_of_memory else "Error" if one.code else "Completed"
            statuses = [status | {"state": {"terminated": {"exitCode": one.code, "reason": reason}}}]
        metadata = one.config["metadata"] | {"creationTimestamp": _NOW, "uid": one.id}
        return {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": metadata,
            "spec": one.config["spec"],
            "status": {"phase": phase, "conditions": conditions, "containerStatuses": statuses},
        }


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code} | {
        "reason": reason,
        "message": message,
    }
