"""The ways in which a device or program can send its first record, each with lines to copy that work.

What lives here: the registry of ways. What does not: the entities and files that they use (``starter``), and
whether something has arrived (``platform_ui.client_logs.connection``).

A way is a function from a place to a `Way`, or to nothing where this installation does not have it; whoever
brings another one (an adapter for another protocol) adds it to `WAYS`. A way belongs here only when a test
runs its lines as they are displayed.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from adapters.mqtt.topics import data_topic
from client.messaging.topics import DatastreamName, SystemName
from platform_ui.clients.service import ClientConfiguration
from platform_ui.clients.starter import (
    BY_HTTP,
    BY_MQTT,
    DATASTREAM,
    PROGRAM_FILE,
    described,
    starter_files,
)

_MQTT_PORT: Final = 8883
_ADDRESS_FILE: Final = "datastream.txt"
_TOKEN_FILE: Final = "sensorthings.token"  # noqa: S105 - a name, no secret


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client app connects, and with what.

    Attributes:
        configuration: What a program passes to ``DigitalTwinClient``.
        sensorthings_url: Address of the SensorThings service, without a version.
        mqtt_url: Address of the MQTT broker, `mqtts://host:port`; empty for none.
    """

    configuration: ClientConfiguration
    sensorthings_url: str
    mqtt_url: str = ""

    @property
    def folder(self) -> str:
        """Name of the folder in the archive of credentials."""
        return f"{self.configuration.system}.{self.configuration.client_name}"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Lines to copy.

    Attributes:
        key: Its name in addresses of the page.
        title: What they do, as an order.
        code: The lines, as they are run.
        language: What they are written in: ``shell``, or ``python`` for a file that is in the folder already.
        note: What one should know before.
    """

    key: str
    title: str
    code: str
    language: str = "shell"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to connect.

    Attributes:
        key: Its name in addresses of the page.
        title: What it is called.
        summary: For whom it is good.
        needs: What has to be there on the device.
        snippets: What to run, in this order.
        files: Texts that the folder holds for it, by file name.
    """

    key: str
    title: str
    summary: str
    needs: str
    snippets: tuple[Snippet, ...]
    files: tuple[Snippet, ...] = ()


def _python(place: Place) -> Way:
    folder = shlex.quote(place.folder)
    files = starter_files(place.configuration.system, place.configuration.client_name)
    lines = (
        f"tar -xzf {folder}.tar.gz",
        f"cd {folder}",
        "set -a; . ./client.env; set +a",
        f"python3 {PROGRAM_FILE}",
    )
    return Way(
        key="python",
        title="Python",
        summary="Sends and receives, keeps records through an outage, and reports its state. "
        "The way to choose when you can.",
        needs="Python 3.11 or newer with the package digital-twin-stack.",
        snippets=(
            Snippet(
                "python-run",
                "Unpack it and run the program",
                "\n".join(lines),
                note="Where your browser has put the archive:",
            ),
        ),
        files=tuple(
            Snippet(f"file-{index}", name, text, "python" if name.endswith(".py") else "json")
            for index, (name, text) in enumerate(files.items())
        ),
    )


def _request(place: Place) -> str:
    """Return the beginning of a request to SensorThings, to be run in the folder of the archive."""
    trust = " --cacert ca.pem" if place.sensorthings_url.startswith("https://") else ""
    return (
        f"curl --fail-with-body --silent --show-error{trust} \\\n"
        f'  -H "Authorization: Bearer $(cat {_TOKEN_FILE})" -H "Content-Type: application/json" \\\n'
    )


def _describe(place: Place, by: str, output: str) -> str:
    """Return lines that unpack the archive, and describe a Thing with its Datastream.

    Args:
        place: where.
        by: what the Thing is called after the client app's name.
        output: what becomes of the answer.
    """
    folder = shlex.quote(place.folder)
    address = shlex.quote(f"{place.sensorthings_url.rstrip('/')}/v1.1/Datastreams")
    configuration = place.configuration
    return (
        f"tar -xzf {folder}.tar.gz\n"
        f"cd {folder}\n"
        f"{_request(place)}"
        f"  {output.format(address=address)} <<'JSON'\n"
        f"{described(configuration.system, f'{configuration.client_name}{by}')}\n"
        "JSON"
    )


def _curl(place: Place) -> Way:
    output = (
        "--output /dev/null --write-out '%header{{location}}' \\\n"
        f"  --data @- {{address}} > {_ADDRESS_FILE}"
    )
    send = f'{_request(place)}  --data \'{{"result": 21.5}}\' "$(cat {_ADDRESS_FILE})/Observations"'
    return Way(
        key="curl",
        title="curl",
        summary="Sends by plain HTTP (OGC SensorThings): for whatever cannot run Python. It only sends.",
        needs="curl 7.84 or newer.",
        snippets=(
            Snippet(
                "curl-describe",
                "Unpack it, and say what is measured",
                _describe(place, BY_HTTP, output),
                note="Once: each run makes another Datastream.",
            ),
            Snippet("curl-send", "Send a record", send, note="In the same folder, as often as you like:"),
        ),
    )


def _mqtt(place: Place) -> Way | None:
    parts = urlsplit(place.mqtt_url)
    if parts.hostname is None:
        return None
    configuration, port = place.configuration, parts.port or _MQTT_PORT
    system = SystemName.parse(configuration.system)
    topic = data_topic(DatastreamName(system, f"{configuration.client_name}{BY_MQTT}", DATASTREAM))
    send = (
        f"mosquitto_pub -h {shlex.quote(parts.hostname)} -p {port} \\\n"
        "  --cafile ca.pem --cert certificate.pem --key key.pem \\\n"
        f"  -q 1 -t {shlex.quote(topic)} -m 21.5"
    )
    program = f"""python3 - <<'PYTHON'
import paho.mqtt.client as mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.tls_set("ca.pem", "certificate.pem", "key.pem")
client.connect({parts.hostname!r}, {port})
client.loop_start()
client.publish({topic!r}, '{{"result": 21.5}}', qos=1).wait_for_publish(10)
client.disconnect()
PYTHON"""
    return Way(
        key="mqtt",
        title="MQTT",
        summary="Sends by MQTT with the same certificate: for devices and gateways that speak it already.",
        needs="mosquitto_pub, or Python with the package paho-mqtt 2; once curl, to say what is measured.",
        snippets=(
            Snippet(
                "mqtt-describe",
                "Unpack it, and say what is measured",
                _describe(place, BY_MQTT, "--output /dev/null --data @- {address}"),
                note="Once: each run makes another Datastream.",
            ),
            Snippet("mqtt-send", "Send a record", send, note="In the same folder, as often as you like:"),
            Snippet(
                "mqtt-python",
                "Or send it by Python",
                program,
                note="The payload is a number, or JSON with a result and its phenomenonTime:",
            ),
        ),
    )


WAYS: Final[list[Callable[[Place], Way | None]]] = [_python, _curl, _mqtt]


def ways(place: Place) -> list[Way]:
    """Return all ways to connect a client app, the recommended one first."""
    return [way for make in WAYS if (way := make(place)) is not None]
