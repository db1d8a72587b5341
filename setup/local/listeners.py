"""The one place that says where Kafka listens and with which protection.

The broker's properties and the settings of every client of the local stack are both derived from
`KafkaListeners`. With a `BrokerProtection` every listener speaks TLS and asks for a certificate, and access
rules are on: what nobody has allowed is refused. Without one (benchmarks only) it is PLAINTEXT on loopback.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from platform_ui.pki.authority import service_of
from platform_ui.pki.names import principal_mapping_rules
from setup.local.ports import LOOPBACK
from setup.local.trust import SUPER_USERS

_AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"


@dataclass(frozen=True, slots=True)
class BrokerProtection:
    """With what a broker proves who it is, and whom it believes.

    Attributes:
        keystore: Its key and certificate in one PEM file.
        authority: Certificate of the authority that signed those of its clients, PEM.
    """

    keystore: Path
    authority: Path

    def broker_properties(self) -> dict[str, str]:
        """Return the part of `server.properties` about TLS and access rules.

        Source: Kafka 4.1 documentation, "Broker Configs", "Security".
        """
        stores = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
        }
        return {
            **stores,
            # For each listener by name: only such settings can be changed while the broker runs.
            **{f"listener.name.clients.{name}": value for name, value in stores.items()},
            "ssl.client.auth": "required",
            "ssl.enabled.protocols": "TLSv1.3,TLSv1.2",
            "ssl.endpoint.identification.algorithm": "https",
            "ssl.principal.mapping.rules": principal_mapping_rules(),
            "authorizer.class.name": _AUTHORIZER,
            "allow.everyone.if.no.acl.found": "false",
            "super.users": ";".join(service_of(name).principal for name in SUPER_USERS),
        }


@dataclass(frozen=True, slots=True)
class KafkaListeners:
    """Listeners of the single local broker.

    Attributes:
        client_port: Port for clients, on loopback.
        controller_port: Port of the KRaft controller inside the same process, on loopback.
        protection: How both are protected; not at all when None.
    """

    client_port: int
    controller_port: int
    protection: BrokerProtection | None = None

    @property
    def protocol(self) -> str:
        """Kafka's security protocol of both listeners."""
        return "PLAINTEXT" if self.protection is None else "SSL"

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to."""
        return f"{LOOPBACK}:{self.client_port}"

    def broker_properties(self) -> dict[str, str]:
        """Return the part of `server.properties` about listeners and their protection.

        Source: Kafka 4.1 documentation, "Broker Configs".
        """
        protection = {} if self.protection is None else self.protection.broker_properties()
        return {
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "listeners": f"CLIENTS://{LOOPBACK}:{self.client_port},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"CLIENTS://{LOOPBACK}:{self.client_port}",
            "listener.security.protocol.map": f"CLIENTS:{self.protocol},CONTROLLER:{self.protocol}",
            "inter.broker.listener.name": "CLIENTS",
            "controller.listener.names": "CONTROLLER",
            **protection,
        }
