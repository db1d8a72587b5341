"""How much of the broker one principal may take, so that nobody is slowed down by a neighbour.

What lives here: what quotas there should be, and bringing them to a broker. What does not: the
requests (``wire``), and when they are brought (``keeper``).

A quota of the broker's default user holds for each principal by itself: client apps, stream apps, and whoever
else talks to the cluster. The services of the platform serve everybody and have quotas of their own, which
never bind. Quotas of other users are left alone: an operator gives single principals more or less with
``kafka-configs``.

Source: Apache Kafka 4.1 documentation, "Quotas".
"""

from collections.abc import Mapping
from typing import Final

from client.messaging.security import KafkaSecurity
from platform_ui.acl_settings import AclSettings
from platform_ui.acls import wire
from platform_ui.acls.connection import Connection
from platform_ui.acls.kafka_port import check_outcomes
from platform_ui.pki.names import Identity, Kind

PRODUCE: Final = "producer_byte_rate"
FETCH: Final = "consumer_byte_rate"
REQUEST: Final = "request_percentage"
_SERVICES: Final = ("broker", "mqtt", "operator", "platform", "recorder", "sensorthings")
_NEVER_BINDS: Final = float(2**53)  # the largest whole number that a float64 holds; bytes/s, or percent

Quotas = Mapping[str | None, Mapping[str, float]]
"""By the user's name, None for the default: the values by key."""


def wanted_quotas(settings: AclSettings) -> Quotas:
    """Give the quotas that there should be: the default, and those of the platform's services."""
    limits = {
        PRODUCE: settings.produce_bytes_per_s,
        FETCH: settings.fetch_bytes_per_s,
        REQUEST: settings.request_percent,
    }
    default = {key: float(value) for key, value in limits.items() if value}
    if not default:
        return {None: {}, **{_user(name): {} for name in _SERVICES}}
    free = dict.fromkeys(default, _NEVER_BINDS)
    return {None: default, **{_user(name): free for name in _SERVICES}}


def _user(service: str) -> str:
    """Give the name under which the broker keeps the quotas of a service."""
    return Identity(Kind.SERVICE, service).principal.removeprefix("User:")


def changes(wanted: Quotas, present: Quotas) -> dict[str | None, dict[str, float | None]]:
    """Compare quotas that should be there with those that are; None stands for one to remove.

    Users that are not among the wanted ones are left alone, and so are keys that are none of ours.
    """
    found: dict[str | None, dict[str, float | None]] = {}
    for user, values in wanted.items():
        before = present.get(user, {})
        step: dict[str, float | None] = {
            key: values.get(key) for key in (PRODUCE, FETCH, REQUEST) if values.get(key) != before.get(key)
        }
        if step:
            found[user] = step
    return found


class KafkaQuotas:
    """Quotas of a real cluster; blocking, so called in threads.

    Args:
        bootstrap_servers: `host:port`, several separated by commas.
        security: How it is reached; as a principal that may change settings of the cluster.
    """

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity | None = None) -> None:
        self._connection = Connection(bootstrap_servers, security or KafkaSecurity())

    def describe(self) -> Quotas:
        """Give the quotas of all users.

        Raises:
            BrokerError: The broker does not answer, or refuses.
        """
        outcome, found = wire.read_quotas(self._connection.ask([wire.describe_user_quotas()])[0])
        check_outcomes([(outcome, "reading the quotas")], self._connection.bootstrap_servers)
        return found

    def alter(self, steps: Mapping[str | None, Mapping[str, float | None]]) -> None:
        """Change quotas, as `changes` gives them.

        Raises:
            BrokerError: At least one was not changed; the others may have been.
        """
        if not steps:
            return
        outcomes = wire.read_altered(self._connection.ask([wire.alter_user_quotas(steps)])[0])
        named = [
            (outcome, f"quota of {user or 'everybody'}")
            for outcome, user in zip(outcomes, steps, strict=True)
        ]
        check_outcomes(named, self._connection.bootstrap_servers)

    def bring(self, settings: AclSettings) -> int:
        """Make the quotas what the settings say; return how many users have others now.

        Raises:
            BrokerError: The broker does not answer, or refuses.
        """
        steps = changes(wanted_quotas(settings), self.describe())
        self.alter(steps)
        return len(steps)
