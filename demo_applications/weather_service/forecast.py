"""The forecast service: consumes both stations and produces an outlook for each.

Run it with `python -m demo_applications.weather_service.forecast`.

What lives here: the loop. What does not: how an outlook is computed (`outlook`). It sees only what a stream
app shares with its system, so it stays quiet until one does.
"""

import sys
import threading
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from client.digital_twin_client import DigitalTwinClient
from demo_applications.lifetime import Connection, run_program, show_log, stop_on_signals
from demo_applications.programs import SERVICES, STATIONS
from demo_applications.weather_service.outlook import Outlook

CLIENT_NAME = "forecast_service"
FILES = Path(__file__).parent / "services"
QUANTITIES = {
    f"{STATIONS}.Seattle.Air Temperature": "outlook_seattle",
    f"{STATIONS}.SanFrancisco.Air Temperature": "outlook_san_francisco",
}
WAIT_S = 1.0
"""Longest wait of one `consume` [s]; a stop takes no longer than this."""


class Forecast:
    """The outlooks of all stations, fed by consumed records."""

    def __init__(self) -> None:
        self._outlooks: defaultdict[str, Outlook] = defaultdict(Outlook)

    def work(self, client: DigitalTwinClient, stop: threading.Event) -> None:
        """Register, subscribe and forecast until told to stop.

        Args:
            client: A connected client.
            stop: Ends the loop.

        Raises:
            DigitalTwinError: The registration, the subscription or a delivery failed.
        """
        client.register(FILES / "instances.json")
        client.subscribe(FILES / "subscriptions.json")
        client.logger.info("The forecast service waits for the stations")
        while not stop.is_set():
            for record in client.consume(timeout=WAIT_S):
                self.take(client, record)

    def take(self, client: DigitalTwinClient, record: Mapping[str, Any]) -> None:
        """Use one consumed record.

        Args:
            client: Produces the outlook when one is due.
            record: A consumed record; one without `recordedAt` is no record of the stations and left aside.
        """
        name = record["Datastream"]["name"]
        recorded_at = record.get("recordedAt")
        if name not in QUANTITIES or recorded_at is None:
            return
        value = self._outlooks[name].observe(datetime.fromisoformat(recorded_at), record["result"])
        if value is None:
            return
        client.produce(quantity=QUANTITIES[name], result=value, timestamp=record["phenomenonTime"])
        client.logger.info("Outlook from '%s' as of %s: %.2f °C", name, recorded_at, value)


def main() -> int:
    """Run the forecast service until SIGINT or SIGTERM.

    Returns:
        Exit code: 0 after a clean stop, 1 after a failure.
    """
    show_log()
    connection = Connection.from_environment()
    return run_program(lambda: connection.open(CLIENT_NAME, SERVICES), Forecast().work, stop_on_signals())


if __name__ == "__main__":
    sys.exit(main())
