"""Access rules as plain data: one entry is one ACL of Kafka.

What lives here: `Entry`, its words, and whose entries are ours. What does not: which entries should be there
(``compiling``) and how a broker is asked (``kafka_port``).

The words are those of Kafka's own tools (``kafka-acls``), so that a plan reads the same everywhere. They are
plain texts, not enumerations: a large installation has a hundred thousand entries, which are hashed and
compared at every look.

Source: Apache Kafka 4.1 documentation, "Authorization and ACLs".
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from platform_ui.pki.names import PRINCIPAL_TYPE, Kind

TOPIC: Final = "TOPIC"
GROUP: Final = "GROUP"
TRANSACTIONAL_ID: Final = "TRANSACTIONAL_ID"
CLUSTER: Final = "CLUSTER"
RESOURCES: Final = (TOPIC, GROUP, TRANSACTIONAL_ID, CLUSTER)

LITERAL: Final = "LITERAL"
PREFIXED: Final = "PREFIXED"

ALL: Final = "ALL"
READ: Final = "READ"
WRITE: Final = "WRITE"
CREATE: Final = "CREATE"
ALTER: Final = "ALTER"
DESCRIBE_CONFIGS: Final = "DESCRIBE_CONFIGS"
IDEMPOTENT_WRITE: Final = "IDEMPOTENT_WRITE"

ALLOW: Final = "ALLOW"
DENY: Final = "DENY"

ANY_NAME: Final = "*"
ANY_HOST: Final = "*"
ANYBODY: Final = f"{PRINCIPAL_TYPE}*"
CLUSTER_NAME: Final = "kafka-cluster"
"""The only name that a resource of the kind CLUSTER has."""

_OURS: Final = tuple(f"{PRINCIPAL_TYPE}{kind}." for kind in Kind)


class Entry(NamedTuple):
    """One access rule.

    Attributes:
        principal: Whom it is about, ``User:<name>``.
        resource: Kind of the resource: one of `RESOURCES`, or another word of Kafka in foreign entries.
        name: Name of the resource, or what it begins with.
        pattern: ``LITERAL`` or ``PREFIXED``.
        operation: What it is about.
        permission: ``ALLOW`` or ``DENY``.
        host: From where; ``*`` for everywhere.
    """

    principal: str
    resource: str
    name: str
    pattern: str
    operation: str
    permission: str = ALLOW
    host: str = ANY_HOST

    def __str__(self) -> str:
        name = f"{self.name}..." if self.pattern == PREFIXED else self.name
        place = "" if self.host == ANY_HOST else f" from {self.host}"
        return f"{self.principal} {self.permission} {self.operation} on {self.resource} {name}{place}"

    def covers(self, resource: str, name: str) -> bool:
        """Tell whether the entry speaks of a resource."""
        if self.resource != resource:
            return False
        if self.pattern == PREFIXED:
            return name.startswith(self.name)
        return self.name in (name, ANY_NAME)


def is_ours(principal: str) -> bool:
    """Tell whether entries of a principal are the platform's to make and remove: client, app or service."""
    return principal.startswith(_OURS)


def deny_all(principal: str) -> tuple[Entry, ...]:
    """Refuse everything to a principal, whatever else allows it.

    Source: Apache Kafka, KIP-11: a DENY wins over every ALLOW.
    """
    return tuple(
        Entry(principal, kind, CLUSTER_NAME if kind == CLUSTER else ANY_NAME, LITERAL, ALL, DENY)
        for kind in RESOURCES
    )


def principals_of(entries: Iterable[Entry]) -> frozenset[str]:
    """Collect the principals of entries."""
    return frozenset(entry.principal for entry in entries)
