"""Bring the stack up: start what is not running, in parallel where nothing has to wait.

`Stack.up` returns when all parts answer.

    kafka ────> runner
    postgres ─> sensorthings ─┬─> recorder
             ─> platform ─────┘

How one part is started is `starting.py`, what runs only when asked for `optional_parts.py`, taking all down
`teardown.py`; what the services are told is `services.py`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

from setup.errors import PartNotReadyError
from setup.local.answers import ask_broker, ask_health
from setup.local.jars import KAFKA, class_path
from setup.local.kafka import LocalKafka
from setup.local.paths import Home, cache_folder, exclusive_lock
from setup.local.ports import LOOPBACK, PortClaims, free_port_from
from setup.local.postgres import LocalPostgres, create_database
from setup.local.processes import start_process
from setup.local.state import PartState
from setup.local.trust import OPERATOR, LocalTrust
from setup.optional_parts import OptionalParts, OptionalPlan
from setup.recording import recorder_settings, wait_for_progress, wait_until_allowed
from setup.report import Report, SilentReport
from setup.services import (
    BRIDGE,
    KAFKA_PORT,
    METRICS,
    METRICS_PURPOSE,
    PARTS,
    PLATFORM_PORT,
    SENSORTHINGS_PORT,
    SINK,
    Addresses,
    ensure_secrets,
    given_address,
    platform_settings,
    sensorthings_settings,
    wanted_metrics_port,
    wanted_port,
)
from setup.starting import READY_TIMEOUT_S, Starter
from setup.stream_apps import wait_for_runner

WAITING = "Another dtwin command is at work in this home; waiting for it."
_DATABASES = ("sensorthings", "platform")
_ONLY_WITH = {BRIDGE: "mqtt", SINK: "elasticsearch"}


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where every part will be, decided before anything starts."""

    addresses: Addresses
    kafka_port: int
    optional: OptionalPlan


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
        self._report = report or SilentReport()
        self._environment = environment
        self._starter = Starter(home, self._report, environment)
        self.state = self._starter.state
        self._optional = OptionalParts(self._starter)
        # As long as the stack is looked at: programs of the demo start when everything else is up.
        self._claims = PortClaims(cache_folder(environment) / "ports")

    def up(self, mode: str = "production", optional: Collection[str] = ()) -> Addresses:
        """Start every part that does not run yet and wait until all answer.

        Args:
            mode: `production`, or `demo` for the platform with its known accounts.
            optional: Names of optional parts; those that run already are kept.

        Returns:
            Where the parts are.

        Raises:
            SetupError: a part could not be started or did not answer; what this call had started is stopped
                again.
        """
        self.home.create()
        ensure_secrets(self.home)
        with exclusive_lock(self.home.lock_file, lambda: self._report.note(WAITING)):
            plan = self._plan(optional)
            if plan.addresses.trust is not None:
                plan.addresses.trust.authority()  # made before the threads begin that all need it
            if given_address("kafka", self._environment) is None and not self._starter.is_running("kafka"):
                # Before the threads begin: a long download must be easy to interrupt.
                class_path(KAFKA, say=lambda text: self._report.part("kafka", "starting", text))
            self._optional.prepare(plan.optional, plan.addresses)
            self._start_all(plan, mode)
        return plan.addresses

    def start_program(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        ports: Mapping[str, int] | None = None,
    ) -> PartState:
        """Start a program beside the services, unless it already runs, and record it so that `down` ends it.

        Args:
            name: Name of the program among the parts.
            command: Program and arguments.
            environment: Its whole environment.
            ports: Port numbers by purpose, where it has any.
        """
        present = self.state.parts().get(name)
        if present is not None and present.is_running():
            return present
        process = start_process(
            command, log_file=self.home.log_file(name), environment=environment, folder=self.home.folder
        )
        part = PartState(name, "", process.pid, process.began, ports=dict(ports or {}), kind="program")
        self.state.put(part)
        return part

    def _plan(self, optional: Collection[str]) -> _Plan:
        taken: set[int] = set()
        kafka = self._port("kafka", KAFKA_PORT, taken)
        sensorthings = self._port("sensorthings", SENSORTHINGS_PORT, taken)
        platform = self._port("platform", PLATFORM_PORT, taken)
        chosen = self._optional.plan(optional, partial(self._port, taken=taken))
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
            elasticsearch=chosen.address("elasticsearch", "http", self._environment),
            mqtt=chosen.address("mqtt", "mqtts", self._environment),
            metrics=self._metrics_ports(chosen, taken),
        )
        return _Plan(addresses, kafka, chosen)

    def _port(self, part: str, default: int, taken: set[int]) -> int:
        """Return the port a part has, or will have; say so when it is not the usual one."""
        present = self.state.parts().get(part)
        if present is not None and not present.is_given and present.is_running():
            port = present.ports["client"]
        elif given_address(part, self._environment) is not None:
            return 0
        else:
            wanted = wanted_port(part, default, self._environment)
            port = free_port_from(wanted, taken, self._claims)
            if port != wanted:
                self._report.note(
                    f"Port {wanted} is taken by another program: {part} listens on {port} instead."
                )
        taken.add(port)
        return port

    def _metrics_ports(self, optional: OptionalPlan, taken: set[int]) -> dict[str, int]:
        """Return the ports that Prometheus pages have, or will have."""
        recorded = self.state.parts()
        found = {}
        for part in METRICS:
            if part in _ONLY_WITH and _ONLY_WITH[part] not in optional.chosen:
                continue
            present = recorded.get(part)
            port = 0
            if present is not None and present.process is not None and present.is_running():
                port = present.ports.get(METRICS_PURPOSE, 0)
            wanted = wanted_metrics_port(part, self._environment)
            if wanted and not port:
                port = free_port_from(wanted, taken, self._claims)
            if port:
                taken.add(port)
                found[part] = port
        return found

    def _start_all(self, plan: _Plan, mode: str) -> None:
        for name in PARTS:
            self._report.part(name, "starting")
        with ThreadPoolExecutor(len(PARTS) + 3, thread_name_prefix="up") as pool:
            kafka = pool.submit(self._kafka, plan)
            postgres = pool.submit(self._postgres, plan)
            sensorthings = pool.submit(self._sensorthings, plan, postgres)
            platform = pool.submit(self._platform, plan, mode, postgres)
            others = [
                sensorthings,
                platform,
                pool.submit(self._recorder, plan, platform, sensorthings),
                pool.submit(self._runner, plan, kafka),
                *self._optional.submit(pool, plan.optional, plan.addresses, platform),
            ]
            try:
                self._await([kafka, postgres, *others])
            except BaseException as error:
                # Also after Ctrl-C: the threads wait for processes that must end first.
                self._starter.undo()
                if isinstance(error, PartNotReadyError):
                    raise PartNotReadyError(f"{error}\n{_next_step()}") from error
                raise
        self._starter.keep()

    def _await(self, futures: list[Future[None]]) -> None:
        pending: set[Future[None]] = set(futures)
        while pending:
            done, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()

    def _kafka(self, plan: _Plan) -> None:
        if self._starter.is_given("kafka", plan.addresses.kafka):
            self._starter.check_given("kafka", ask_broker(plan.addresses.kafka, dict(self._environment), 10))
            return
        broker = LocalKafka(
            self.home.kafka,
            plan.kafka_port,
            log_file=self.home.log_file("kafka"),
            trust=plan.addresses.trust,
        )
        if self._starter.is_running("kafka"):
            self._report.part("kafka", "ready", plan.addresses.kafka)
            return
        broker.start(lambda text: self._report.part("kafka", "starting", text))
        if broker.process is not None:
            ports = {"client": plan.kafka_port, "controller": broker.listeners.controller_port}
            self._starter.record(
                PartState(
                    "kafka",
                    broker.bootstrap_servers,
                    broker.process.pid,
                    broker.process.began,
                    ports,
                    settings=broker.environment(OPERATOR),
                )
            )
        broker.wait_ready(READY_TIMEOUT_S)
        self._report.part("kafka", "ready", broker.bootstrap_servers)

    def _postgres(self, plan: _Plan) -> None:
        if self._starter.is_given("postgres", "given by DTWIN_POSTGRES__URL"):  # the URL may hold a password
            self._report.part("postgres", "given", "by DTWIN_POSTGRES__URL")
        elif not self._starter.is_running("postgres"):
            server = LocalPostgres(self.home.postgres, log_file=self.home.log_file("postgres"))
            server.start(lambda text: self._report.part("postgres", "starting", text))
            if server.process is not None:
                address = str(server.socket_folder)
                self._starter.record(PartState("postgres", address, server.process.pid, server.process.began))
            server.wait_ready(READY_TIMEOUT_S)
        for name in _DATABASES:
            create_database(plan.addresses.postgres, name)
        if not given_address("postgres", self._environment):
            self._report.part("postgres", "ready", "Unix socket")

    def _sensorthings(self, plan: _Plan, postgres: Future[None]) -> None:
        address = plan.addresses.sensorthings
        if self._starter.is_given("sensorthings", address):
            self._starter.check_given("sensorthings", ask_health(address, 10))
            return
        postgres.result()
        part = PartState("sensorthings", address, ports={"client": int(address.rpartition(":")[2])})
        self._service(part, ("sensorthings", "serve"), plan, sensorthings_settings(plan.addresses))
        self._starter.await_health(part.name, address)

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
        part = PartState("recorder", "", ports=plan.addresses.metrics_ports("recorder"))
        settings = recorder_settings(self.home, plan.addresses)
        self._service(part, ("adapters.observation_store", "run", "--copy", "0"), plan, settings)
        process = self.state.parts()["recorder"].process
        if process is not None:
            wait_for_progress(part.name, self.home.recorder_progress_file, process, READY_TIMEOUT_S)
        self._report.part("recorder", "ready")

    def _runner(self, plan: _Plan, kafka: Future[None]) -> None:
        kafka.result()
        part = PartState("runner", str(self.home.runner), ports=plan.addresses.metrics_ports("runner"))
        settings = plan.addresses.metrics_settings("runner")
        self._service(part, ("streamhub", "runner", "--directory", str(self.home.runner)), plan, settings)
        process = self.state.parts()["runner"].process
        if process is not None:
            wait_for_runner(self.home.runner, process, READY_TIMEOUT_S)
        self._report.part("runner", "ready")

    def _platform(self, plan: _Plan, mode: str, postgres: Future[None]) -> None:
        postgres.result()
        address = plan.addresses.platform
        part = PartState("platform", address, ports={"client": int(address.rpartition(":")[2])})
        settings = platform_settings(self.home, plan.addresses, mode)
        self._service(part, ("platform_ui", "serve"), plan, settings)
        self._starter.await_health(part.name, address)

    def _service(
        self, part: PartState, command: tuple[str, ...], plan: _Plan, settings: dict[str, str]
    ) -> None:
        as_service = None if part.name == "runner" else part.name  # stream apps show their own credentials
        self._starter.service(part, command, plan.addresses, settings, as_service=as_service)


def _next_step() -> str:
    """Say what helps when a part was not ready: on a busy machine it may be slow rather than broken."""
    waiting, processors = os.getloadavg()[0], os.cpu_count() or 1
    if waiting > 2 * processors:
        return (
            f"This machine is busy: {waiting:.0f} programs want its {processors} processors. "
            "End some of them, then start again."
        )
    return "Mend the cause, then start again. What the others wrote: dtwin logs. More: dtwin doctor."
