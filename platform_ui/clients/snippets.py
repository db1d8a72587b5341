"""The ways in which a device or program can send its first record, each with lines to copy that work.

What lives here: the registry of ways. What does not: the entities and files that they use (``starter``), and
whether something has arrived (``platform_ui.client_logs.connection``).

A way is a function from a place to a `Way`; whoever brings another one (an adapter for another protocol) adds
it to `WAYS`. A way belongs here only when a test runs its lines as they are displayed.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from platform_ui.clients.service import ClientConfiguration
from platform_ui.clients.starter import PROGRAM_FILE, described, starter_files

_ADDRESS_FILE: Final = "datastream.txt"
_TOKEN_FILE: Final = "sensorthings.token"  # noqa: S105 - a name, no secret


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client app connects, and with what.

    Attributes:
        configuration: What a program passes to ``DigitalTwinClient``.
        sensorthings_url: Address of the SensorThings service, without a version.
    """

    configuration: ClientConfiguration
    sensorthings_url: str

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


def _curl(place: Place) -> Way:
    folder = shlex.quote(place.folder)
    configuration = place.configuration
    base = f"{place.sensorthings_url.rstrip('/')}/v1.1"
    trust = " --cacert ca.pem" if base.startswith("https://") else ""
    ask = (
        f"curl --fail-with-body --silent --show-error{trust} \\\n"
        f'  -H "Authorization: Bearer $(cat {_TOKEN_FILE})" -H "Content-Type: application/json" \\\n'
    )
    describe = (
        f"tar -xzf {folder}.tar.gz\n"
        f"cd {folder}\n"
        f"{ask}"
        f"  --output /dev/null --write-out '%header{{location}}' \\\n"
        f"  --data @- {shlex.quote(f'{base}/Datastreams')} > {_ADDRESS_FILE} <<'JSON'\n"
        f"{described(configuration.system, configuration.client_name)}\n"
        "JSON"
    )
    send = f'{ask}  --data \'{{"result": 21.5}}\' "$(cat {_ADDRESS_FILE})/Observations"'
    return Way(
        key="curl",
        title="curl",
        summary="Sends by plain HTTP (OGC SensorThings): for whatever cannot run Python. It only sends.",
        needs="curl 7.84 or newer.",
        snippets=(
            Snippet(
                "curl-describe",
                "Unpack it, and say what is measured",
                describe,
                note="Once: each run makes another Datastream.",
            ),
            Snippet("curl-send", "Send a record", send, note="In the same folder, as often as you like:"),
        ),
    )


WAYS: Final[list[Callable[[Place], Way]]] = [_python, _curl]


def ways(place: Place) -> list[Way]:
    """Return all ways to connect a client app, the recommended one first."""
    return [make(place) for make in WAYS]
