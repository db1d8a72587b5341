"""How tests reach the broker of the fixture `kafka_bootstrap`: as its operator, who may do everything."""

from typing import Final

from client.messaging.security import KafkaSecurity

READY_S: Final = 300.0
"""So long a broker may take to start on a machine that has much else to do [s]."""


def connection(bootstrap: str, **settings: str | float | bool) -> dict[str, str | int | float | bool]:
    """Return librdkafka settings with which a test reaches a broker.

    Args:
        bootstrap: Its address.
        settings: Further settings, with `_` for `.`.
    """
    further = {name.replace("_", "."): value for name, value in settings.items()}
    return {"bootstrap.servers": bootstrap, **KafkaSecurity.from_environment().to_librdkafka(), **further}
