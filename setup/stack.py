"""Bring the stack up: start what is not running, in parallel where nothing has to wait.

`Stack.up` returns when all parts answer.

    kafka ────> runner
    postgres ─> sensorthings ─┬─> recorder
             ─> platform ─────┘

Taking it down is `teardown.py`; what the services are told is `services.py`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from setup.errors import PartNotReadyError, SetupError
from setup.local.answers import Answer, ask_broker, ask_health
from setup.local.jars import kafka_class_path
from setup.local.kafka import LocalKafka
from setup.local.paths import Home, exclusive_lock
from setup.local.ports import LOOPBACK, free_port_from
from setup.local.postgres import LocalPostgres, create_database
from setup.local.processes import log_tail, start_process
from setup.local.state import PartState, StateFile
from setup.local.trust import OPERATOR, LocalTrust
from setup.recording import recorder_settings, wait_for_recorder, wait_until_allowed
from setup.report import Report, SilentReport
from setup.services import (
    GIVEN_BY,
    KAFKA_PORT,
    PARTS,
    PLATFORM_PORT,
    SENSORTHINGS_PORT,
    Addresses,
    end_part,
    ensure_secrets,
    given_address,
    module_command,
    platform_settings,
    sensorthings_settings,
    stack_environment,
    wanted_port,
)
from setup.stream_apps import wait_for_runner

READY_TIMEOUT_S = 120.0
WAITING = "Another dtwin command is at work in this home; waiting for it."
_DATABASES = ("sensorthings", "platform")


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where every part will be, decided before anything starts."""

    addresses: Addresses
    kafka_port: int


class Stack:
    """The parts of one home.

    Args:
        home: Its folders.
        report: Where progress goes.
        environment: Variables that name given parts and wanted ports.
    """

    def __init__(
        self, home: Home, report: Report | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.home = home
        self.state = StateFile(home.state_file)
        self._report = report or SilentReport()
        self._environment = environment
        self._cancelled = threading.Event()
        self._started: list[PartState] = []

    def up(self, mode: str = "production") -> Addresses:
        """Start every part that does not run yet and wait until all answer.

        Args:
            mode: `production`, or `demo` for the platform with its known accounts.

        Returns:
            Where the parts are.

        Raises:
            SetupError: a part could not be started or did not answer; what this call had started is stopped
                again.
        """
        self.home.create()
        ensure_secrets(self.home)
        with exclusive_lock(self.home.lock_file, lambda: self._report.note(WAITING)):
            plan = self._plan()
            if plan.addresses.trust is not None:
                plan.addresses.trust.authority()  # made before the threads begin that all need it
            if given_address("kafka", self._environment) is None and not self._is_running("kafka"):
                # Before the threads begin: a long download must be easy to interrupt.
                kafka_class_path(say=lambda text: self._report.part("kafka", "starting", text))
            self._start_all(plan, mode)
        return plan.addresses

    def start_program(self, name: str, command: list[str], environment: Mapping[str, str]) -> PartState:
        """Start a program beside the services, unless it already runs, and record it so that `down` ends it.

        Args:
            name: Name of the program among the parts.
            command: Program and arguments.
            environment: Its whole environment.
        """
        present = self.state.parts().get(name)
        if present is not None and present.is_running():
            return present
        process = start_process(
            command, log_file=self.home.log_file(name), environment=environment, folder=self.home.folder
        )
        part = PartState(name, "", process.pid, process.started_at, kind="program")
        self.state.put(part)
        return part

    def _plan(self) -> _Plan:
        taken: set[int] = set()
        kafka = self._port("kafka", KAFKA_PORT, taken)
        sensorthings = self._port("sensorthings", SENSORTHINGS_PORT, taken)
        platform = self._port("platform", PLATFORM_PORT, taken)
        given_sensorthings = given_address("sensorthings", self._environment)
        postgres = given_address("postgres", self._environment) or LocalPostgres(self.home.postgres).url()
        addresses = Addresses(
            kafka=given_address("kafka", self._environment) or f"{LOOPBACK}:{kafka}",
            postgres=postgres,
            sensorthings=(given_sensorthings or f"http://{LOOPBACK}:{sensorthings}").rstrip("/"),
            platform=f"http://{LOOPBACK}:{platform}",
            # A given broker is reached with the settings that came with its address in our own environment.
            sensorthings_token_file="" if given_sensorthings else str(self.home.sensorthings_token_file),
            trust=None if kafka == 0 else LocalTrust(self.home.pki, self.home.pki_passphrase_file),
        )
        return _Plan(addresses, kafka)

    def _port(self, part: str, default: int, taken: set[int]) -> int:
        """Return the port a part has, or will have; say so when it is not the usual one."""
        present = self.state.parts().get(part)
        if present is not None and not present.is_given and present.is_running():
            port = present.ports["client"]
        elif given_address(part, self._environment) is not None:
            return 0
        else:
            wanted = wanted_port(part, default, self._environment)
            port = free_port_from(wanted, taken)
            if port != wanted:
                self._report.note(
                    f"Port {wanted} is taken by another program: {part} listens on {port} instead."
                )
        taken.add(port)
        return port

    def _start_all(self, plan: _Plan, mode: str) -> None:
        for name in PARTS:
            self._report.part(name, "starting")
        with ThreadPoolExecutor(len(PARTS), thread_name_prefix="up") as pool:
            kafka = pool.submit(self._kafka, plan)
            postgres = pool.submit(self._postgres, plan)
            sensorthings = pool.submit(self._sensorthings, plan, postgres)
            platform = pool.submit(self._platform, plan, mode, postgres)
            others = [
                sensorthings,
                platform,
                pool.submit(self._recorder, plan, platform, sensorthings),
                pool.submit(self._runner, plan, kafka),
            ]
            try:
                self._await([kafka, postgres, *others])
            except BaseException:
                # Also after Ctrl-C: the threads wait for processes that must end first.
                self._cancelled.set()
                self._undo()
                raise
        self._started.clear()

    def _await(self, futures: list[Future[None]]) -> None:
        pending: set[Future[None]] = set(futures)
        while pending:
            done, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()

    def _undo(self) -> None:
        for part in reversed(self._started):
            end_part(part)
            self.state.remove(part.name)
            self._report.part(part.name, "stopped")

    def _kafka(self, plan: _Plan) -> None:
        if self._is_given("kafka", plan.addresses.kafka):
            self._check_given("kafka", ask_broker(plan.addresses.kafka, dict(self._environment), 10))
            return
        broker = LocalKafka(
            self.home.kafka,
            plan.kafka_port,
            log_file=self.home.log_file("kafka"),
            trust=plan.addresses.trust,
        )
        if self._is_running("kafka"):
            self._report.part("kafka", "ready", plan.addresses.kafka)
            return
        broker.start(lambda text: self._report.part("kafka", "starting", text))
        if broker.process is not None:
            ports = {"client": plan.kafka_port, "controller": broker.listeners.controller_port}
            self._record(
                PartState(
                    "kafka",
                    broker.bootstrap_servers,
                    broker.process.pid,
                    broker.process.started_at,
                    ports,
                    settings=broker.environment(OPERATOR),
                )
            )
        broker.wait_ready(READY_TIMEOUT_S)
        self._report.part("kafka", "ready", broker.bootstrap_servers)

    def _postgres(self, plan: _Plan) -> None:
        if self._is_given("postgres", "given by DTWIN_POSTGRES__URL"):  # the URL may hold a password
            self._report.part("postgres", "given", "by DTWIN_POSTGRES__URL")
        elif not self._is_running("postgres"):
            server = LocalPostgres(self.home.postgres, log_file=self.home.log_file("postgres"))
            server.start(lambda text: self._report.part("postgres", "starting", text))
            if server.process is not None:
                address = str(server.socket_folder)
                self._record(PartState("postgres", address, server.process.pid, server.process.started_at))
            server.wait_ready(READY_TIMEOUT_S)
        for name in _DATABASES:
            create_database(plan.addresses.postgres, name)
        if not given_address("postgres", self._environment):
            self._report.part("postgres", "ready", "Unix socket")

    def _sensorthings(self, plan: _Plan, postgres: Future[None]) -> None:
        address = plan.addresses.sensorthings
        if self._is_given("sensorthings", address):
            self._check_given("sensorthings", ask_health(address, 10))
            return
        postgres.result()
        part = PartState("sensorthings", address, ports={"client": int(address.rpartition(":")[2])})
        self._service(part, "sensorthings", ("serve",), plan, sensorthings_settings(plan.addresses))
        self._await_health(part.name, address)

    def _recorder(self, plan: _Plan, platform: Future[None], sensorthings: Future[None]) -> None:
        if given_address("sensorthings", self._environment) is not None:
            # Its database is not known here.
            self.state.put(PartState("recorder", "whoever runs the given SensorThings service records"))
            self._report.part("recorder", "given", "with SensorThings")
            return
        sensorthings.result()  # it makes the tables
        platform.result()  # ready when Kafka is, and then it brings the access rules
        if plan.addresses.trust is not None:
            wait_until_allowed(plan.addresses, READY_TIMEOUT_S)
        part = PartState("recorder", "")
        settings = recorder_settings(self.home, plan.addresses)
        self._service(part, "adapters.observation_store", ("run", "--copy", "0"), plan, settings)
        process = self.state.parts()["recorder"].process
        if process is not None:
            wait_for_recorder(self.home, process, READY_TIMEOUT_S)
        self._report.part("recorder", "ready")

    def _runner(self, plan: _Plan, kafka: Future[None]) -> None:
        kafka.result()
        part = PartState("runner", str(self.home.runner))
        self._service(part, "streamhub", ("runner", "--directory", str(self.home.runner)), plan, {})
        process = self.state.parts()["runner"].process
        if process is not None:
            wait_for_runner(self.home.runner, process, READY_TIMEOUT_S)
        self._report.part("runner", "ready")

    def _platform(self, plan: _Plan, mode: str, postgres: Future[None]) -> None:
        postgres.result()
        address = plan.addresses.platform
        part = PartState("platform", address, ports={"client": int(address.rpartition(":")[2])})
        self._service(
            part, "platform_ui", ("serve",), plan, platform_settings(self.home, plan.addresses, mode)
        )
        self._await_health(part.name, address)

    def _service(
        self, part: PartState, module: str, arguments: tuple[str, ...], plan: _Plan, settings: dict[str, str]
    ) -> None:
        """Start one of our own services, or restart it when it runs with other settings."""
        as_service = None if part.name == "runner" else part.name  # stream apps show their own credentials
        known = {
            **settings,
            **plan.addresses.kafka_settings(as_service),
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS": plan.addresses.kafka,
            "DTWIN_SENSORTHINGS__URL": plan.addresses.sensorthings,
        }
        # The state file holds no secret: URLs of given databases may carry a password.
        known.pop("DTWIN_SENSORTHINGS__DATABASE_URL", None)
        known.pop("DTWIN_PLATFORM__DATABASE_URL", None)
        known.pop("DTWIN_RECORDER__DATABASE_URL", None)
        present = self.state.parts().get(part.name)
        if present is not None and present.process is not None and present.is_running():
            if present.settings == known:
                return
            self._report.part(part.name, "starting", "again, with changed settings")
            end_part(present)
        process = start_process(
            module_command(module, *arguments),
            log_file=self.home.log_file(part.name),
            environment=stack_environment(self.home, plan.addresses, as_service) | settings,
            folder=self.home.folder,
        )
        self._record(replace(part, pid=process.pid, started_at=process.started_at, settings=known))

    def _await_health(self, name: str, address: str) -> None:
        answer = self._await_answer(name, lambda: ask_health(address))
        if not answer.ready:
            raise PartNotReadyError(
                f"{name} did not become ready on {address} within {READY_TIMEOUT_S:g} s ({answer.detail}). "
                f"Its log {self.home.log_file(name)} ends:\n{log_tail(self.home.log_file(name))}"
            )
        self._report.part(name, "ready", address)

    def _await_answer(self, name: str, ask: Callable[[], Answer]) -> Answer:
        answer = Answer(ready=False, detail="no answer")
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline and not answer.ready:
            if not self._is_running(name):
                log_file = self.home.log_file(name)
                raise PartNotReadyError(
                    f"{name} ended while starting. Its log {log_file} ends:\n{log_tail(log_file, 25)}"
                )
            answer = ask()
            if not answer.ready:
                time.sleep(0.1)
        return answer

    def _record(self, part: PartState) -> None:
        self.state.put(part)
        self._started.append(part)
        if self._cancelled.is_set():
            end_part(part)
            self.state.remove(part.name)
            raise SetupError("interrupted")

    def _is_running(self, name: str) -> bool:
        present = self.state.parts().get(name)
        return present is not None and not present.is_given and present.is_running()

    def _is_given(self, name: str, address: str) -> bool:
        if given_address(name, self._environment) is None:
            return False
        self.state.put(PartState(name, address))
        return True

    def _check_given(self, name: str, answer: Answer) -> None:
        if not answer.ready:
            raise PartNotReadyError(
                f"{GIVEN_BY[name]} names a {name} that does not answer ({answer.detail}): "
                "start it, correct the variable, or unset it to have one started."
            )
        self._report.part(name, "given", f"by {GIVEN_BY[name]}: {self.state.parts()[name].address}")
