"""Relays of the outbox as processes of their own, which a test may kill anywhere."""

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import os, signal, sys
from sqlalchemy import make_url
from client.messaging.security import KafkaSecurity
from sensorthings.outbox.carrier import KafkaAccess
from sensorthings.outbox.relay import Relay, RelaySettings

def die():
    os.kill(os.getpid(), signal.SIGKILL)

database, bootstrap, dies = sys.argv[1:]
more = {"after_commit": die} if dies == "dies" else {}
access = KafkaAccess(bootstrap, KafkaSecurity.from_environment())
Relay(RelaySettings(database=make_url(database), kafka=access, **more)).run()
"""


def start_relay(
    database: str, bootstrap: str, *, dies_before_removal: bool = False
) -> "subprocess.Popen[bytes]":
    """Start a relay; one that dies does so between the first commit in Kafka and the removal of its rows."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, database, bootstrap, "dies" if dies_before_removal else "lives"],
        cwd=Path(__file__).parents[3],
        env=os.environ,
        stderr=subprocess.DEVNULL,
    )
