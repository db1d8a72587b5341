"""The road analytics: consumes everything that others share with it and shows statistics.

Run it with `python -m demo_applications.analytics.road_analytics`.

What lives here: the loop. What does not: the statistics and their table (`rolling`).
"""

import sys
import threading
import time
from pathlib import Path

from client.digital_twin_client import DigitalTwinClient
from demo_applications.analytics.rolling import Statistics
from demo_applications.lifetime import Connection, run_program, show_log, stop_on_signals, write_line
from demo_applications.programs import ROAD_ANALYTICS

CLIENT_NAME = "datastack-adapter"
SUBSCRIPTIONS = Path(__file__).parent / "subscriptions.json"
CONSUME_WAIT_S = 1.0
TABLE_EVERY_S = 5.0


def watch(client: DigitalTwinClient, stop: threading.Event, statistics: Statistics) -> None:
    """Consume until told to stop, and show a table every few seconds.

    Args:
        client: A connected client.
        stop: Ends the loop.
        statistics: Kept by the caller, so that counts go on after a reconnection.

    Raises:
        DigitalTwinError: The subscription or the consuming failed.
    """
    client.subscribe(SUBSCRIPTIONS)
    client.logger.info("The road analytics takes in everything that is shared with %s", ROAD_ANALYTICS)
    next_table = time.monotonic() + TABLE_EVERY_S
    while not stop.is_set():
        for record in client.consume(timeout=CONSUME_WAIT_S):
            statistics.take(record)
        if time.monotonic() >= next_table:
            write_line(f"\n{statistics.table()}")
            next_table = time.monotonic() + TABLE_EVERY_S


def main() -> int:
    """Run the road analytics until SIGINT or SIGTERM.

    Returns:
        Exit code: 0 after a clean stop, 1 after a failure.
    """
    show_log()
    connection = Connection.from_environment()
    statistics = Statistics()
    return run_program(
        lambda: connection.open(CLIENT_NAME, ROAD_ANALYTICS),
        lambda client, stop: watch(client, stop, statistics),
        stop_on_signals(),
    )


if __name__ == "__main__":
    sys.exit(main())
