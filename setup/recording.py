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
    }


def wait_until_allowed(addresses: Addresses, timeout_s: float) -> None:
    """Wait until the platform has brought the recorder's access rules to the broker.

    Raises:
        PartNotReadyError: the recorder may not read for its group within `timeout_s` [s].
    """
    settings = KafkaSecurity.from_environment(addresses.kafka_settings("recorder")).to_librdkafka()
    admin = AdminClient({"bootstrap.servers": addresses.kafka, "log_level": 0, **settings})
    deadline = time.monotonic() + timeout_s
    while True:
        future = admin.describe_consumer_groups([RECORDER_GROUP], request_timeout=_REQUEST_TIMEOUT_S)[
            RECORDER_GROUP
        ]
        try:
            future.result(_REQUEST_TIMEOUT_S + 1)
        except (KafkaException, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise PartNotReadyError(
                    f"The recorder has no access rules within {timeout_s:g} s ({error}): dtwin logs platform"
                ) from error
            time.sleep(_PAUSE_S)
        else:
            return


def wait_for_recorder(home: Home, process: ProcessIdentity, timeout_s: float) -> None:
    """Wait until a recorder writes its progress.

    Raises:
        PartNotReadyError: it ended, or wrote nothing within `timeout_s` [s].
    """
    deadline = time.monotonic() + timeout_s
    while True:
        progress = read_progress(home.recorder_progress_file)
        if progress is not None and progress.pid == process.pid:
            return
        if not process.is_running():
            raise PartNotReadyError("The recorder ended while starting: dtwin logs recorder")
        if time.monotonic() > deadline:
            raise PartNotReadyError(f"The recorder did not start within {timeout_s:g} s.")
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
