"""The recorder as a part of the local stack: its settings, its first sign of life, and finding it again.

What the recorder does belongs to `adapters.observation_store`; here only its settings and its progress file
are used.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from client.messaging.security import KafkaSecurity
from platform_ui.acls.compiling import RECORDER_GROUP
from setup.errors import PartNotReadyError
from setup.local.paths import Home, home_folder
from setup.local.postgres import database_url, socket_url
from setup.local.processes import ProcessIdentity
from setup.local.state import StateFile
from setup.services import Addresses
from streamhub.engine.progress import read_progress

_PAUSE_S = 0.1
_REQUEST_TIMEOUT_S = 5.0
_POSTGRES = "DTWIN_POSTGRES__URL"
_DATABASE = "DTWIN_RECORDER__DATABASE_URL"


def recorder_settings(home: Home, addresses: Addresses) -> dict[str, str]:
    """Return the settings of the recorder."""
    return {
        _DATABASE: database_url(addresses.postgres, "sensorthings"),
        "DTWIN_RECORDER__PROGRESS_FILE": str(home.recorder_progress_file),
        **addresses.metrics_settings("recorder"),
    }


def wait_until_allowed(
    addresses: Addresses, timeout_s: float, service: str = "recorder", group: str = RECORDER_GROUP
) -> None:
    """Wait until the platform has brought a service's access rules to the broker.

    Args:
        addresses: Where the broker is, and who signs certificates.
        timeout_s: Longest wait [s].
        service: Which one.
        group: Consumer group that it reads for.

    Raises:
        PartNotReadyError: it may not read for its group within that time.
    """
    settings = KafkaSecurity.from_environment(addresses.kafka_settings(service)).to_librdkafka()
    admin = AdminClient({"bootstrap.servers": addresses.kafka, "log_level": 0, **settings})
    deadline = time.monotonic() + timeout_s
    while True:
        future = admin.describe_consumer_groups([group], request_timeout=_REQUEST_TIMEOUT_S)[group]
        try:
            future.result(_REQUEST_TIMEOUT_S + 1)
        except (KafkaException, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise PartNotReadyError(
                    f"The {service} has no access rules within {timeout_s:g} s ({error}): dtwin logs platform"
                ) from error
            time.sleep(_PAUSE_S)
        else:
            return


def wait_for_progress(name: str, file: Path, process: ProcessIdentity, timeout_s: float) -> None:
    """Wait until a part writes its progress.

    Args:
        name: Which part.
        file: Where it writes.
        process: Its process: what an earlier one wrote does not count.
        timeout_s: Longest wait [s].

    Raises:
        PartNotReadyError: it ended, or wrote nothing within that time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        progress = read_progress(file)
        if progress is not None and progress.pid == process.pid:
            return
        if not process.is_running():
            raise PartNotReadyError(f"The {name} ended while starting: dtwin logs {name}")
        if time.monotonic() > deadline:
            raise PartNotReadyError(f"The {name} did not start within {timeout_s:g} s: dtwin logs {name}")
        time.sleep(_PAUSE_S)


def fill_environment() -> None:
    """Let `dtwin recorder` find the local stack where the environment names nothing else."""
    parts = StateFile(Home(Path(home_folder())).state_file).parts()
    recorder, postgres = parts.get("recorder"), parts.get("postgres")
    if recorder is None or recorder.is_given:
        return
    found = dict(recorder.settings)
    if os.environ.get(_POSTGRES):
        found[_DATABASE] = database_url(os.environ[_POSTGRES], "sensorthings")
    elif postgres is not None and not postgres.is_given:
        found[_DATABASE] = database_url(socket_url(Path(postgres.address)), "sensorthings")
    for name, value in found.items():
        os.environ.setdefault(name, value)
