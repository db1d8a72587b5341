"""The broker of a benchmark: one of yours, or one that is started for the run and thrown away."""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from setup.local.kafka import LocalKafka

BROKER_START_S: Final = 60.0


def add_broker_option(parser: argparse.ArgumentParser) -> None:
    """Add `--bootstrap-server`."""
    parser.add_argument(
        "--bootstrap-server",
        default=os.environ.get("DTWIN_KAFKA__BOOTSTRAP_SERVERS"),
        help="a broker of yours; one is started for the run when left out",
    )


def end_in_order_when_terminated() -> None:
    """Let SIGTERM end this program as Ctrl-C does: what it has started is ended too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@contextlib.contextmanager
def benchmark_broker(given: str | None) -> Iterator[str]:
    """Give the address of a broker: the given one, or a new one that lives as long as the block."""
    end_in_order_when_terminated()
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="dtwin-bench-", ignore_cleanup_errors=True) as folder:
        broker = LocalKafka(Path(folder), is_protected=False)
        broker.start()
        try:
            broker.wait_ready(BROKER_START_S)
            yield broker.bootstrap_servers
        finally:
            broker.stop()
