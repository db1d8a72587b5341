"""A new certificate for a broker that runs, without a restart.

What lives here: asking the broker to read its keystore again, and seeing that it did. What does not: making
the certificate (`trust.py`).

Kafka reads a keystore again when the setting that names it is set anew, also to the same path. Connections
that are open go on with what they have agreed on; every new one sees the new certificate.

Source: Apache Kafka 4.1 documentation, "Updating Broker Configs", "Updating SSL Keystore of an Existing
Listener".
"""

from __future__ import annotations

import socket
import ssl
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from cryptography import x509

from setup.errors import PartNotReadyError, SetupError
from setup.local.trust import BROKER, OPERATOR, LocalTrust, ServiceFiles

_SETTING: Final = "listener.name.clients.ssl.keystore.location"
_TIMEOUT_S: Final = 30.0
_PAUSE_S: Final = 0.1
# The broker's network threads change over one after the other, and connections are dealt to them in turn.
_LOOKS: Final = 8


def rotate_broker(trust: LocalTrust, bootstrap_servers: str, broker_id: int = 1) -> int:
    """Give a running broker a new certificate, and return when new connections see it.

    Args:
        trust: Who signs, and where the keystore is.
        bootstrap_servers: Where the broker listens, `host:port`.
        broker_id: Its number in the cluster.

    Returns:
        The serial number of the new certificate.

    Raises:
        SetupError: The certificate could not be made, or the broker refuses to read it.
        PartNotReadyError: The broker does not answer, or goes on showing the old one.
    """
    operator = trust.service(OPERATOR)
    shown_certificate(bootstrap_servers, operator)  # a broker that does not answer keeps what it has
    files = trust.renew(BROKER)
    wanted = x509.load_pem_x509_certificate(files.certificate.read_bytes()).serial_number
    _alter(trust, bootstrap_servers, broker_id, AlterConfigOpType.SET)
    deadline = time.monotonic() + _TIMEOUT_S
    seen = 0
    while seen < _LOOKS:
        seen = seen + 1 if shown_certificate(bootstrap_servers, operator).serial_number == wanted else 0
        if time.monotonic() > deadline:
            raise PartNotReadyError(
                f"The broker at {bootstrap_servers} still shows another certificate than {wanted:x}: "
                "read its log with `dtwin logs kafka`, or restart it."
            )
        if seen == 0:
            time.sleep(_PAUSE_S)
    # What is set at run time outlives a restart; the file of settings names the keystore just as well.
    _alter(trust, bootstrap_servers, broker_id, AlterConfigOpType.DELETE)
    return wanted


def shown_certificate(bootstrap_servers: str, client: ServiceFiles) -> x509.Certificate:
    """Return the certificate that a broker shows to a new connection.

    Args:
        bootstrap_servers: Where it listens; the first of several.
        client: What to show it, as it asks everybody.

    Raises:
        PartNotReadyError: It does not answer, or its certificate is not trusted.
    """
    host, _, port = bootstrap_servers.split(",", maxsplit=1)[0].rpartition(":")
    context = ssl.create_default_context(cafile=str(client.authority))
    context.load_cert_chain(client.certificate, client.key)
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")) as connection,
        ):
            shown = connection.getpeercert(binary_form=True)
    except (OSError, ValueError) as error:
        raise PartNotReadyError(
            f"The broker at {bootstrap_servers} cannot be reached by TLS: {error}"
        ) from error
    if shown is None:
        raise PartNotReadyError(f"The broker at {bootstrap_servers} showed no certificate.")
    return x509.load_der_x509_certificate(shown)


def _alter(trust: LocalTrust, bootstrap_servers: str, broker_id: int, operation: AlterConfigOpType) -> None:
    operator = trust.service(OPERATOR)
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "security.protocol": "SSL",
            "ssl.ca.location": str(operator.authority),
            "ssl.certificate.location": str(operator.certificate),
            "ssl.key.location": str(operator.key),
            "log_level": 0,
        }
    )
    entry = ConfigEntry(_SETTING, str(trust.keystore), incremental_operation=operation)
    resource = ConfigResource(ResourceType.BROKER, str(broker_id), incremental_configs=[entry])
    try:
        for future in admin.incremental_alter_configs([resource], request_timeout=_TIMEOUT_S).values():
            future.result(timeout=_TIMEOUT_S)
    except (KafkaException, FutureTimeoutError) as error:
        raise SetupError(
            f"The broker at {bootstrap_servers} does not read its new certificate: {error}"
        ) from error
