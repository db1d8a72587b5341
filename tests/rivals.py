"""Another member that takes the place of a static one, as a second process under its name does."""

import time

from confluent_kafka import Consumer

from tests.kafka_clients import connection

_SOON_S = 60.0


def take_place(bootstrap: str, group: str, member: str, topic: str) -> None:
    """Join under the name of a member of a group, and go away again: the one that had it is fenced.

    Args:
        bootstrap: Address of the broker.
        group: The consumer group.
        member: The member's `group.instance.id`.
        topic: A topic that the group reads.
    """
    rival = Consumer(
        {
            **connection(bootstrap, group_id=group, group_instance_id=member),
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    rival.subscribe([topic])
    deadline = time.monotonic() + _SOON_S
    while not rival.assignment():
        assert time.monotonic() < deadline, f"{member} is nowhere"
        rival.poll(0.1)
    rival.close()
