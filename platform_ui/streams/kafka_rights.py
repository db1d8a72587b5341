"""What a stream app may do on Kafka, as its page shows it.

What lives here: the form. What does not: the rules, which stand above this folder and are handed down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from platform_ui.streams.permission import AppPermission


@dataclass(frozen=True, slots=True)
class KafkaRight:
    """What may be done to one resource of the broker.

    Attributes:
        resource: Kind of the resource, for instance ``topic``.
        name: Its name, or what it begins with.
        is_prefix: Whether it is all resources whose names begin so.
        operations: Kafka's words for what may be done, sorted.
    """

    resource: str
    name: str
    is_prefix: bool
    operations: tuple[str, ...]


RightsOf = Callable[[AppPermission], Sequence[KafkaRight]]
"""Gives the rights of an app by what its contracts permit; none when they do not let it run."""
