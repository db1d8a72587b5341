"""`dtwin bridge`: what joins another kind of broker to Kafka, one group for each kind.

What lives here: the group, and finding the local stack. What does not: the commands themselves
(`adapters.mqtt.commands`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from adapters.mqtt.commands import mqtt
from setup.local.paths import Home, home_folder
from setup.local.state import StateFile, name_parts

_BRIDGE = "mqtt-bridge"

bridge = typer.Typer(
    name="bridge",
    help="Join another kind of broker to Kafka, both ways.",
    no_args_is_help=True,
    add_completion=False,
)
bridge.add_typer(mqtt)


def fill_environment() -> None:
    """Name the parts of the local stack where the environment names no others, and what its bridge writes.

    Certificates and token stay those of the client app: its archive and its page in the platform have them.
    """
    home = Home(Path(home_folder()))
    parts = StateFile(home.state_file).parts()
    name_parts(parts, mqtt="DTWIN_MQTT__URL")
    # Another bridge that is run here must not write what the stack's own one tells.
    if _BRIDGE in parts and "status" in sys.argv and "DTWIN_MQTT__FOLDER" not in os.environ:
        os.environ.setdefault("DTWIN_MQTT__PROGRESS_FILE", str(home.mqtt_progress_file))
