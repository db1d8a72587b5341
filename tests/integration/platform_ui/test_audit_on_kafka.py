"""Entries of the audit log on the log topics of a real broker."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from confluent_kafka import Consumer, TopicPartition

from client.messaging.records import HEADER_ID
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from platform_ui.audit.models import AuditEntry
from platform_ui.audit.publisher import KafkaLogSink, records_of
from platform_ui.broker import KafkaTopics
from platform_ui.errors import BrokerError
from tests.kafka_clients import connection

pytestmark = pytest.mark.kafka
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def entry(system: str, position: int) -> AuditEntry:
    return AuditEntry(
        at=NOON,
        user_email="sue@example.com",
        actor_kind="person",
        action="client.created",
        object_name=f"{system}.car_1",
        detail={},
        position=position,
        hash=f"{position:064x}",
    )


def read(bootstrap: str, topic: str, count: int) -> list[tuple[bytes, str, int]]:
    consumer = Consumer(
        {**connection(bootstrap), "group.id": "never-committed", "auto.offset.reset": "earliest"}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = [consumer.poll(60) for _ in range(count)]
    consumer.close()
    return [
        (
            one.key() or b"",
            bytes(cast("bytes", dict(one.headers() or [])[HEADER_ID])).decode(),
            json.loads(one.value() or b"")["audit"]["position"],
        )
        for one in found
        if one is not None
    ]


def test_entries_arrive_in_order_beside_what_clients_say(
    kafka_bootstrap: str, unique_system: Callable[[], str]
) -> None:
    system, gone = unique_system(), unique_system()
    security = KafkaSecurity.from_environment()
    topics = SystemName.parse(system).topics
    KafkaTopics(kafka_bootstrap, security).create(topics)
    sink = KafkaLogSink(kafka_bootstrap, security, clock=lambda: NOON + timedelta(minutes=1))
    records = [one for n in range(1, 101) for one in records_of(entry(system, n))]
    sink.send([*records[:50], *records_of(entry(gone, 1)), *records[50:]])
    found = read(kafka_bootstrap, topics.log, 100)
    assert {key for key, _, _ in found} == {b"platform"}
    assert [position for _, _, position in found] == list(range(1, 101))
    assert [record_id for _, record_id, _ in found] == [one.record_id for one in records]
    sink.close()


def test_a_topic_that_may_only_be_new_is_waited_for(
    kafka_bootstrap: str, unique_system: Callable[[], str]
) -> None:
    sink = KafkaLogSink(kafka_bootstrap, KafkaSecurity.from_environment(), clock=lambda: NOON)
    with pytest.raises(BrokerError, match="not there"):
        sink.send(records_of(entry(unique_system(), 1)))
    sink.close()
