"""Command line of the local broker: `python -m adapters.mqtt.local_broker --port 8883 ...`."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from adapters.mqtt.local_broker.running import run
from adapters.mqtt.local_broker.settings import BrokerSettings, limits
from client.errors import ConfigurationError

_USAGE = 2
_FAILURE = 1
_TLS_PORT = 8883


def main() -> int:
    """Run the broker; return the exit code."""
    arguments = vars(_parser().parse_args())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("adapters").setLevel(logging.INFO)
    try:
        chosen: dict[str, Any] = {**arguments, **limits()}
        run(BrokerSettings(**chosen))
    except ConfigurationError as error:
        return _refuse(str(error), _USAGE)
    except OSError as error:
        return _refuse(f"cannot serve {arguments['host']}:{arguments['port']}: {error}", _FAILURE)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m adapters.mqtt.local_broker",
        description="An MQTT broker with TLS and client certificates, for trying things out. Who may "
        "do what follows the platform's registry (DTWIN_PLATFORM__DATABASE_URL).",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address that it listens on")
    parser.add_argument("--port", type=int, default=_TLS_PORT, help="port of TLS")
    for name, said in (("certificate", "its certificate"), ("key", "its key"), ("ca", "the authority")):
        parser.add_argument(
            f"--{name}", dest=f"{name}_file", type=Path, required=True, metavar="FILE", help=f"{said}, PEM"
        )
    parser.add_argument(
        "--data", dest="data_folder", type=Path, required=True, metavar="FOLDER", help="saved sessions"
    )
    return parser


def _refuse(reason: str, status: int) -> int:
    sys.stderr.write(f"mqtt broker: {reason}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
