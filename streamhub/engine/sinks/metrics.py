"""The Prometheus page of a sink, a stream app or a runner, on the loopback address.

What lives here: serving. What does not: the figures (`streamhub.engine.observer`, the sinks).
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

from client.errors import ConfigurationError

_HOST: Final = "127.0.0.1"


def serve_metrics(port: int, *collectors: Collector) -> Callable[[], None]:
    """Serve figures until the function that is returned is called.

    Args:
        port: Where, on the loopback address; 0 for nowhere.
        collectors: Who makes the figures.

    Raises:
        ConfigurationError: the port is taken.
    """
    if not port:
        return _nothing
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    try:
        server, _ = start_http_server(port, addr=_HOST, registry=registry)
    except OSError as error:
        raise ConfigurationError(
            f"metrics cannot be served on {_HOST}:{port}: {error.strerror}. Choose another --metrics-port",
            setting="--metrics-port",
        ) from error
    return server.shutdown


def _nothing() -> None:
    """There is no page to close."""
