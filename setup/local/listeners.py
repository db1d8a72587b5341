"""The one place that says where Kafka listens and with which protection.

The broker's properties and the settings of every client of the local stack are both derived from
`KafkaListeners`, so that turning TLS and access rules on is a change of this module only. Today: PLAINTEXT on
loopback.
"""

from __future__ import annotations

from dataclasses import dataclass

from setup.local.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class KafkaListeners:
    """Listeners of the single local broker.

    Attributes:
        client_port: Port for clients, on loopback.
        controller_port: Port of the KRaft controller inside the same process, on loopback.
        protocol: Kafka's security protocol of the client listener.
    """

    client_port: int
    controller_port: int
    protocol: str = "PLAINTEXT"

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to."""
        return f"{LOOPBACK}:{self.client_port}"

    def broker_properties(self) -> dict[str, str]:
        """Return the listener part of `server.properties`.

        Source: Kafka 4.1 documentation, "Broker Configs".
        """
        return {
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "listeners": f"CLIENTS://{LOOPBACK}:{self.client_port},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"CLIENTS://{LOOPBACK}:{self.client_port}",
            "listener.security.protocol.map": f"CLIENTS:{self.protocol},CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENTS",
            "controller.listener.names": "CONTROLLER",
        }

    def client_settings(self) -> dict[str, str]:
        """Return librdkafka settings with which this machine's own tools reach the broker."""
        return {"bootstrap.servers": self.bootstrap_servers, "security.protocol": self.protocol}

    def client_environment(self) -> dict[str, str]:
        """Return the environment from which every service of the stack reads how to reach the broker."""
        return {
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "DTWIN_KAFKA__SECURITY_PROTOCOL": self.protocol,
        }
