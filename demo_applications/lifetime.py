"""The life of a demo program: connect, work, connect again after an outage, stop when told to.

What lives here: what all demo programs share around their work. What does not: any domain matter, and any
supervision of other processes. Your own application needs little of this: see docs/tutorials.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType

from client.digital_twin_client import DigitalTwinClient
from client.errors import DigitalTwinError

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 15.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the services of the stack are.

    Attributes:
        kafka_bootstrap_servers: Brokers, comma list of `host:port`.
        sensorthings: SensorThings service, URL or `host:port`.
    """

    kafka_bootstrap_servers: str
    sensorthings: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Connection":
        """Read the addresses from the environment.

        Args:
            environment: Variables; `DTWIN_KAFKA__BOOTSTRAP_SERVERS` and `DTWIN_SENSORTHINGS__URL` are used.

        Returns:
            The addresses; those of `dtwin up` on its usual ports where a variable is missing or empty.
        """
        return cls(
            environment.get("DTWIN_KAFKA__BOOTSTRAP_SERVERS") or "127.0.0.1:9092",
            environment.get("DTWIN_SENSORTHINGS__URL") or "http://127.0.0.1:8084",
        )

    def open(self, client_name: str, system: str, additional_attributes: str = "") -> DigitalTwinClient:
        """Connect a client.

        Args:
            client_name: Name of the client within its system.
            system: The system's name, four levels.
            additional_attributes: Comma list of the attributes that records may carry.

        Returns:
            A connected client; the caller disconnects it, best by `with`.

        Raises:
            DigitalTwinError: A name is wrong, or a service cannot be reached.
        """
        return DigitalTwinClient(
            client_name=client_name,
            system=system,
            gost_servers=self.sensorthings,
            kafka_bootstrap_servers=self.kafka_bootstrap_servers,
            additional_attributes=additional_attributes,
        )


def stop_on_signals() -> threading.Event:
    """Install handlers for SIGINT and SIGTERM.

    Returns:
        An event that is set by the first of these signals.
    """
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


def run_program(
    connect: Callable[[], DigitalTwinClient],
    work: Callable[[DigitalTwinClient, threading.Event], None],
    stop: threading.Event,
) -> int:
    """Connect and work until told to stop; after an outage connect again.

    The waits between two attempts double from 1 s to 15 s and start anew after a connection that worked.

    Args:
        connect: Opens a client; may be called many times.
        work: Gets the client and the event, and returns when the event is set.
        stop: Set by the one who wants the program to end.

    Returns:
        Exit code: 0 after a clean stop, 1 after an error that trying again would not mend.
    """
    wait_s = FIRST_WAIT_S
    while not stop.is_set():
        try:
            with connect() as client:
                wait_s = FIRST_WAIT_S
                work(client, stop)
        except DigitalTwinError as error:
            if not error.retriable:
                _logger.error("The program ends: %s", error)  # noqa: TRY400 - the message says what to do
                return 1
            _logger.warning("%s Next attempt in %.0f s.", error, wait_s)
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
    return 0


def write_line(line: str) -> None:
    """Write one line to standard output at once, also into a pipe.

    Args:
        line: Text without its line end.
    """
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def show_log() -> None:
    """Send the log of this program to standard error, one line per entry."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
