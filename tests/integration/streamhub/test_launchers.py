"""One contract for all launchers: processes for real, Docker Engine and Kubernetes against doubles."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client as kubernetes

from streamhub.runner.credentials import AppCredentials
from streamhub.runner.daemon import Runner
from streamhub.runner.folder import AppFolder, Observed, ProcessRecord
from streamhub.runner.launchers.containers import Containers
from streamhub.runner.launchers.docker_engine import DockerEngine
from streamhub.runner.launchers.interface import Launcher
from streamhub.runner.launchers.kubernetes_pods import KubernetesPods
from streamhub.runner.launchers.processes import AppProcesses
from streamhub.runner.launchers.settings import ContainerSettings
from streamhub.runner.limits import AppLimits, write_limits
from streamhub.runner.supervisor import RunnerSettings
from tests.integration.streamhub import pretended_app
from tests.integration.streamhub.engines import IMAGE, DockerDouble, Engine, KubernetesDouble

PROGRAM = str(Path(pretended_app.__file__))
SETTINGS = RunnerSettings(stop_grace_s=0.3, first_pause_s=30.0)
APP = "aa.bb.cc.dd.app"
PATIENCE_S = 60.0


class World:
    """A runner of one kind over a folder with one app, moved on by hand."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.directory = directory
        self.image = IMAGE
        self.engine: Engine | None = None
        if kind == "docker":
            self.engine = DockerDouble()
        elif kind == "kubernetes":
            self.engine = KubernetesDouble({"apps": str(directory)})
        self.launcher: Launcher
        self.launchers: list[Launcher] = []  # a former daemon's children are still those of this process
        self.folder = AppFolder(directory / "apps" / APP)
        self.folder.path.mkdir(parents=True)

    def open(self) -> None:
        """Start a daemon, as after an end of the former."""
        self.launcher = self._launcher()
        self.launchers.append(self.launcher)
        self.runner = Runner(self.directory, self.launcher, SETTINGS)

    def _launcher(self) -> Launcher:
        if self.engine is None:
            return AppProcesses(program=(PROGRAM,))
        own = (os.getuid(), os.getgid())
        settings = ContainerSettings(
            image=self.image, uid=own[0], gid=own[1], claim="apps", stop_grace_s=SETTINGS.stop_grace_s
        )
        if self.kind == "docker":
            host = {"DOCKER_HOST": f"tcp://127.0.0.1:{self.engine.port}"}
            port: DockerEngine | KubernetesPods = DockerEngine(self.directory, settings, host)
        else:
            configuration = kubernetes.Configuration(host=f"http://127.0.0.1:{self.engine.port}")
            port = KubernetesPods(settings, kubernetes.ApiClient(configuration))
        return Containers(port, self.directory, own, program=(sys.executable, PROGRAM), listing_s=0.05)

    def deploy(self, behaviour: str) -> None:
        """Want the app to behave somehow."""
        self.folder.specification.write_text(behaviour)
        self.folder.write_desired("running")

    def until(self, holds: Callable[[Observed], bool]) -> Observed:
        """Let the daemon look at the app until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.runner.tick()
            observed = self.folder.read_observed()
            if observed is not None and holds(observed):
                return observed
            assert time.monotonic() < deadline, f"{observed}: {self.log()}"
            time.sleep(0.02)

    def until_state(self, state: str) -> Observed:
        """Let the daemon look at the app until it is in a state."""
        return self.until(lambda observed: observed.state == state)

    def log(self) -> str:
        """Return what the app and the runner have written."""
        return self.folder.log.read_text() if self.folder.log.exists() else ""

    def record(self) -> ProcessRecord:
        """Return the record of what runs."""
        record = self.folder.read_process()
        assert record is not None
        return record

    def close(self) -> None:
        """End everything."""
        record = self.folder.read_process()
        if record is not None:
            self.launcher.send(record, 9)
        self.launcher.close()
        for launcher in self.launchers:
            for child in launcher._children.values() if isinstance(launcher, AppProcesses) else ():
                child.kill()
                child.wait()
        if self.engine is not None:
            self.engine.stop()


@pytest.fixture(params=["processes", "docker", "kubernetes"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(request.param, tmp_path)
    world.open()
    yield world
    world.close()


@pytest.fixture(params=["docker", "kubernetes"])
def contained(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(request.param, tmp_path)
    world.open()
    yield world
    world.close()


def test_an_app_runs_says_how_it_goes_and_stops_when_it_is_asked_to(world: World) -> None:
    world.deploy("run")
    world.until_state("running")
    assert world.folder.read_progress() is not None
    assert "told to run" in world.log()
    world.folder.write_desired("stopped")
    observed = world.until_state("stopped")
    assert (observed.cause, observed.end) == (None, "stopped, as asked")
    assert world.folder.read_process() is None


@pytest.mark.parametrize(
    ("code", "cause"), [(2, "ended with exit code 2: told to exit 2"), (7, "told to exit 7")]
)
def test_exit_codes_that_no_restart_mends_are_a_failure(world: World, code: int, cause: str) -> None:
    world.deploy(f"exit {code}")
    observed = world.until_state("failed")
    assert (observed.cause, observed.restarts) == (cause, 0)


def test_an_app_that_ends_otherwise_waits_for_its_restart_and_says_why(world: World) -> None:
    world.deploy("exit 5")
    assert world.until_state("backing_off").cause == "ended with exit code 5: told to exit 5"


def test_an_app_that_does_not_hear_is_killed_after_the_grace(world: World) -> None:
    world.deploy("stubborn")
    world.until_state("running")
    began = time.monotonic()
    world.folder.write_desired("stopped")
    world.until_state("stopping")
    world.until_state("stopped")
    assert time.monotonic() - began >= SETTINGS.stop_grace_s * 0.8


def test_a_daemon_that_comes_later_adopts_what_runs(world: World) -> None:
    world.deploy("run")
    world.until_state("running")
    before = world.record()
    world.launcher.close()
    world.open()
    world.until_state("running")
    assert world.record() == before
    world.folder.write_desired("stopped")
    world.until_state("stopped")


def test_an_app_that_takes_more_memory_than_its_company_may_is_ended_with_that_cause(world: World) -> None:
    write_limits(world.folder.limits, AppLimits(memory_mb=60))
    world.deploy("grow")
    cause = world.until_state("backing_off").cause
    assert cause is not None
    assert cause.startswith("took more than its company's 60 MB")


def test_a_changed_limit_reaches_an_app_that_runs(world: World) -> None:
    world.deploy("grow")
    world.until_state("running")
    before = world.record()
    write_limits(world.folder.limits, AppLimits(memory_mb=300, cpus=0.5))
    world.until(lambda _: bool((world.folder.read_process() or before).limits != before.limits))
    world.until_state("running")
    assert AppLimits.from_json(world.record().limits) == AppLimits(300, 0.5)
    write_limits(world.folder.limits, AppLimits(memory_mb=60))
    world.until_state("backing_off")


def test_a_removed_app_leaves_nothing_behind(world: World) -> None:
    world.deploy("run")
    world.until_state("running")
    world.folder.write_desired("removed")
    deadline = time.monotonic() + PATIENCE_S
    while world.folder.path.exists() or (world.engine and world.engine.containers):
        world.runner.tick()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_container_without_a_record_is_found_by_its_labels(contained: World) -> None:
    contained.deploy("run")
    contained.until_state("running")
    before = contained.record()
    contained.launcher.close()
    contained.folder.forget_process()
    contained.open()
    contained.until_state("running")
    assert contained.record().container == before.container
    assert contained.engine is not None
    assert len(contained.engine.containers) == 1


def test_a_container_that_ended_while_no_daemon_looked_still_says_how(contained: World) -> None:
    contained.deploy("exit 7")
    contained.runner.tick()
    contained.launcher.close()
    engine = contained.engine
    assert engine is not None
    deadline = time.monotonic() + PATIENCE_S
    while any(one.code is None for one in engine.containers.values()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    contained.open()
    assert contained.until_state("failed").cause == "told to exit 7"


def test_containers_have_no_rights_and_nothing_of_the_environment_of_the_runner(
    contained: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTWIN_PLATFORM__SECRET_KEY", "a secret of the platform")
    pem = "-----BEGIN CERTIFICATE-----"
    contained.folder.credentials.write(AppCredentials(pem, pem, "-----BEGIN PRIVATE KEY-----"))
    write_limits(contained.folder.limits, AppLimits(memory_mb=200, cpus=0.5))
    contained.deploy("run")
    contained.until_state("running")
    assert contained.engine is not None
    ((_, one),) = contained.engine.containers.items()
    if contained.kind == "docker":
        host = one.config["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"])
        assert (host["Memory"], host["MemorySwap"], host["CpuQuota"]) == (200_000_000, 200_000_000, 50_000)
        assert [mount["ReadOnly"] for mount in host["Mounts"]] == [True, False]
        environment = dict(entry.split("=", 1) for entry in one.config["Env"])
    else:
        (app,) = one.config["spec"]["containers"]
        rules = app["securityContext"]
        assert (rules["readOnlyRootFilesystem"], rules["allowPrivilegeEscalation"]) == (True, False)
        assert rules["capabilities"] == {"drop": ["ALL"]}
        assert one.config["spec"]["securityContext"]["runAsNonRoot"] is True
        assert one.config["spec"]["automountServiceAccountToken"] is False
        assert app["resources"]["limits"] == {"memory": "200000000", "cpu": "0.5"}
        assert [mount.get("readOnly", False) for mount in app["volumeMounts"]] == [True, False, False]
        environment = {entry["name"]: entry["value"] for entry in app["env"]}
    assert set(environment) == {
        *("HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"),
        *("DTWIN_KAFKA__SECURITY_PROTOCOL", "DTWIN_KAFKA__SSL_CA_FILE"),
        *("DTWIN_KAFKA__SSL_CERTIFICATE_FILE", "DTWIN_KAFKA__SSL_KEY_FILE"),
    }
    assert environment["DTWIN_KAFKA__SSL_KEY_FILE"].startswith("/app/credentials-")


def test_a_missing_image_is_named_as_the_cause(contained: World) -> None:
    contained.image = "registry.example/nothing:1"
    contained.launcher.close()
    contained.open()
    contained.deploy("run")
    cause = contained.until(lambda observed: "image" in (observed.cause or "")).cause
    assert cause is not None
    assert "registry.example/nothing:1" in cause


def test_an_engine_that_is_away_does_not_make_apps_look_dead(contained: World) -> None:
    contained.deploy("run")
    contained.until_state("running")
    before = contained.record()
    assert contained.engine is not None
    contained.engine.is_away = True
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        contained.runner.tick()
        time.sleep(0.02)
    assert contained.record() == before
    contained.engine.is_away = False
    contained.until_state("running")
