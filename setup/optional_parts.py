"""The parts that run only when somebody asks: Elasticsearch, the MQTT broker and the bridge behind it.

    kafka, platform ─> mqtt ─> mqtt-bridge
    elasticsearch

What lives here: which ones are chosen, where they will be, and starting them. What does not: the parts that
always run (`stack.py`), what the programs do (`adapters.mqtt`, `adapters.elasticsearch`).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from client.errors import ConfigurationError
from platform_ui.acls.compiling import MQTT_BRIDGE, MQTT_GROUP
from setup.errors import PartMissingError, SetupError
from setup.local.answers import Answer, ask_bridge, ask_elasticsearch, ask_mqtt
from setup.local.elasticsearch import LocalElasticsearch, wanted_heap_mb
from setup.local.jars import ELASTICSEARCH, class_path
from setup.local.paths import Home, home_folder
from setup.local.ports import LOOPBACK, is_answering
from setup.local.postgres import database_url
from setup.local.state import PartState, StateFile
from setup.local.trust import MQTT_BROKER
from setup.recording import wait_for_progress, wait_until_allowed
from setup.services import (
    BRIDGE,
    BRIDGE_PROGRESS,
    ELASTICSEARCH_PORT,
    MQTT_PORT,
    Addresses,
    given_address,
)
from setup.starting import READY_TIMEOUT_S, Starter

OPTIONAL_PARTS: Final = ("elasticsearch", "mqtt")
"""What can be asked for; `mqtt` brings its bridge to Kafka as well."""
_AUTHORITY: Final = "DTWIN_MQTT__CA_FILE"
_PORTS: Final = {"elasticsearch": ELASTICSEARCH_PORT, "mqtt": MQTT_PORT}
_MQTT_PACKAGES: Final = ("paho",)


def chosen_parts(values: Iterable[str]) -> tuple[str, ...]:
    """Return the optional parts that were named, each once.

    Args:
        values: What was given; each a name, or several with commas.

    Raises:
        ConfigurationError: there is no such part.
    """
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    for name in names:
        if name not in OPTIONAL_PARTS:
            raise ConfigurationError(
                f"There is no part {name!r} to run the stack with: choose from {', '.join(OPTIONAL_PARTS)}."
            )
    return tuple(name for name in OPTIONAL_PARTS if name in names)


def fill_environment() -> None:
    """Let commands find Elasticsearch and the MQTT broker of this home, if the environment names none."""
    for name, value in found_addresses(StateFile(Home(Path(home_folder())).state_file).parts()).items():
        os.environ.setdefault(name, value)


def found_addresses(parts: Mapping[str, PartState]) -> dict[str, str]:
    """Return the settings that name the optional parts which were started here.

    Args:
        parts: What is recorded of the home.
    """
    variables = {"elasticsearch": "DTWIN_ELASTICSEARCH__URL", "mqtt": "DTWIN_MQTT__URL"}
    found = {
        variable: parts[name].address
        for name, variable in variables.items()
        if name in parts and not parts[name].is_given
    }
    bridge = parts.get(BRIDGE)
    if bridge is not None:
        found |= {
            name: bridge.settings[name] for name in (BRIDGE_PROGRESS, _AUTHORITY) if name in bridge.settings
        }
    return found


@dataclass(frozen=True, slots=True)
class OptionalPlan:
    """What was asked for, and the ports it will have.

    Attributes:
        chosen: Names of the parts.
        ports: By name; without those that are given by URL.
    """

    chosen: tuple[str, ...]
    ports: Mapping[str, int]

    def address(self, name: str, scheme: str, environment: Mapping[str, str]) -> str:
        """Return where a part will be; empty when nobody asked for it."""
        if name not in self.chosen:
            return ""
        return given_address(name, environment) or f"{scheme}://{LOOPBACK}:{self.ports[name]}"


class OptionalParts:
    """Chooses and starts the optional parts of one home.

    Args:
        starter: Starts and records processes.
    """

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._home = starter.home
        self._report = starter.report
        self._environment = starter.environment

    def plan(self, asked: Collection[str], port: Callable[[str, int], int]) -> OptionalPlan:
        """Decide what runs and where: what was asked for, and what runs in this home already.

        Args:
            asked: Names of parts.
            port: Returns the port that a part has, or will have; 0 for one that is given by URL.
        """
        recorded = self._starter.state.parts()
        chosen = tuple(name for name in OPTIONAL_PARTS if name in asked or name in recorded)
        ports = {name: port(name, _PORTS[name]) for name in chosen}
        return OptionalPlan(chosen, {name: number for name, number in ports.items() if number})

    def prepare(self, plan: OptionalPlan, addresses: Addresses) -> None:
        """Fetch and check what may take long or be missing, before anything starts.

        Raises:
            DownloadError: the jars of Elasticsearch could not be fetched.
            PartMissingError: an extra is not installed.
            SetupError: a setting is wrong, or the MQTT broker would have nobody to sign certificates.
        """
        if self._is_ours("elasticsearch", plan):
            self._elasticsearch_node(plan)
            class_path(ELASTICSEARCH, say=lambda text: self._report.part("elasticsearch", "starting", text))
        if "mqtt" in plan.chosen:
            missing = [name for name in _MQTT_PACKAGES if importlib.util.find_spec(name) is None]
            if missing:
                raise PartMissingError(
                    f"MQTT needs {', '.join(missing)}: pip install 'digital-twin-stack[local]'."
                )
            if self._is_ours("mqtt", plan) and addresses.trust is None:
                raise SetupError(
                    "The local MQTT broker needs the certificate authority of this home, which signs for the "
                    "local Kafka: unset DTWIN_KAFKA__BOOTSTRAP_SERVERS, or name an MQTT broker of your own "
                    "with DTWIN_MQTT__URL."
                )

    def submit(
        self, pool: ThreadPoolExecutor, plan: OptionalPlan, addresses: Addresses, platform: Future[None]
    ) -> list[Future[None]]:
        """Start the chosen parts, each when what it needs is there.

        Args:
            pool: Runs the starts; needs three threads for them.
            plan: What was chosen.
            addresses: Where all parts are.
            platform: Done when the platform answers, with Kafka behind it.
        """
        futures = []
        if "elasticsearch" in plan.chosen:
            self._report.part("elasticsearch", "starting")
            futures.append(pool.submit(self._elasticsearch, plan, addresses))
        if "mqtt" in plan.chosen:
            self._report.part("mqtt", "starting")
            self._report.part(BRIDGE, "starting")
            broker = pool.submit(self._mqtt, plan, addresses, platform)
            futures += [broker, pool.submit(self._bridge, addresses, broker, platform)]
        return futures

    def _is_ours(self, name: str, plan: OptionalPlan) -> bool:
        return name in plan.chosen and given_address(name, self._environment) is None

    def _elasticsearch_node(self, plan: OptionalPlan) -> LocalElasticsearch:
        return LocalElasticsearch(
            self._home.elasticsearch,
            plan.ports["elasticsearch"],
            log_file=self._home.log_file("elasticsearch"),
            heap_mb=wanted_heap_mb(self._environment),
        )

    def _elasticsearch(self, plan: OptionalPlan, addresses: Addresses) -> None:
        name, url = "elasticsearch", addresses.elasticsearch
        if self._starter.is_given(name, url):
            self._starter.check_given(name, ask_elasticsearch(url, self._environment, 10))
            return
        node = self._elasticsearch_node(plan)
        if self._starter.is_running(name):
            self._report.part(name, "ready", node.url)
            return
        self._home.elasticsearch.mkdir(mode=0o700, exist_ok=True)
        node.start(lambda text: self._report.part(name, "starting", text))
        if node.process is not None:
            ports = {"client": node.port}
            self._starter.record(PartState(name, node.url, node.process.pid, node.process.began, ports))
        node.wait_ready(READY_TIMEOUT_S)
        self._report.part(name, "ready", node.url)

    def _mqtt(self, plan: OptionalPlan, addresses: Addresses, platform: Future[None]) -> None:
        name, url = "mqtt", addresses.mqtt
        if self._starter.is_given(name, url):
            found = {**bridge_access(addresses), **self._environment}
            self._starter.check_given(name, ask_mqtt(url, found, 10))
            return
        if addresses.trust is None:
            raise SetupError("The local MQTT broker needs the certificate authority of this home.")
        platform.result()  # it makes the tables that the rules are read from
        self._home.mqtt.mkdir(mode=0o700, exist_ok=True)
        port = plan.ports[name]
        files = addresses.trust.service(MQTT_BROKER)
        command = (
            "adapters.mqtt.local_broker",
            *("--host", LOOPBACK, "--port", str(port)),
            *("--certificate", str(files.certificate), "--key", str(files.key)),
            *("--ca", str(files.authority), "--data", str(self._home.mqtt / "broker")),
        )
        settings = {
            "DTWIN_PLATFORM__DATABASE_URL": database_url(addresses.postgres, "platform"),
            **_token(addresses),  # topics that name a Datastream by its id
        }
        part = PartState(name, url, ports={"client": port})
        self._starter.service(part, command, addresses, settings, as_service=None)
        # It listens only when it knows the rules.
        self._starter.await_answer(
            name, url, lambda: Answer(ready=is_answering(port), detail="no connection")
        )

    def _bridge(self, addresses: Addresses, broker: Future[None], platform: Future[None]) -> None:
        broker.result()
        platform.result()
        if addresses.trust is not None:
            wait_until_allowed(addresses, READY_TIMEOUT_S, MQTT_BRIDGE.name, MQTT_GROUP)
        folder = self._home.mqtt / "bridge"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {
            **bridge_access(addresses),
            "DTWIN_MQTT__URL": addresses.mqtt,
            "DTWIN_MQTT__FOLDER": str(folder),
            BRIDGE_PROGRESS: str(self._home.mqtt_progress_file),
            **addresses.metrics_settings(BRIDGE),
        }
        given = {name: self._environment[name] for name in settings if self._environment.get(name)}
        if given_address("mqtt", self._environment) is not None:
            settings |= given  # a given broker has an authority of its own
        settings |= _token(addresses)
        command = ("adapters.mqtt", "run")
        part = PartState(BRIDGE, ports=addresses.metrics_ports(BRIDGE))
        self._starter.service(part, command, addresses, settings, as_service=MQTT_BRIDGE.name)
        process = self._starter.state.parts()[BRIDGE].process
        if process is not None:
            wait_for_progress(BRIDGE, self._home.mqtt_progress_file, process, READY_TIMEOUT_S)
        ask = partial(ask_bridge, self._home.mqtt_progress_file)
        self._starter.await_answer(BRIDGE, addresses.mqtt, ask)


def bridge_access(addresses: Addresses) -> dict[str, str]:
    """Return the settings of the certificate that the bridge shows to the MQTT broker."""
    return {} if addresses.trust is None else addresses.trust.service(MQTT_BRIDGE.name).mqtt_environment()


def _token(addresses: Addresses) -> dict[str, str]:
    file = addresses.sensorthings_token_file
    return {"DTWIN_SENSORTHINGS__TOKEN_FILE": file} if file else {}
