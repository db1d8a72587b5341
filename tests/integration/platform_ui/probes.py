"""What somebody really can do at a broker: every operation is tried, and the answer is what counts."""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

Settings = Mapping[str, str | int | float | bool]
REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
UNREACHED = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._SSL}
_COORDINATOR_LOADS = {
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
}
ADMINISTRATION = ("create a topic", "delete a topic", "change a topic", "allow itself", "read the rules")
_TIMEOUT_S = 90.0


@dataclass
class Powers:
    """What was granted: names of topics, groups and transactional ids, and administration by its name."""

    produce: set[str] = field(default_factory=set)
    consume: set[str] = field(default_factory=set)
    describe: set[str] = field(default_factory=set)
    group: set[str] = field(default_factory=set)
    transactional_id: set[str] = field(default_factory=set)
    administration: set[str] = field(default_factory=set)


class SurpriseError(AssertionError):
    """The broker's answer is neither yes nor a refusal."""


def probe(settings: Settings, topics: Iterable[str], names: Iterable[str], principal: str) -> Powers:
    """Try everything with the credentials of one principal.

    Args:
        settings: How it reaches the broker.
        topics: Names of topics, each with at least one record in partition 0.
        names: Names of groups, which are tried as transactional ids as well.
        principal: Its Kafka name, which it tries to give more rights.
    """
    every, quiet = sorted(topics), {**settings, "log_level": 0}
    powers = Powers(describe=_describable(quiet, every), produce=_writable(quiet, every))
    powers.consume = _readable(quiet, every, powers.describe)
    own = next(iter(sorted(powers.consume)), every[0])
    admin = AdminClient(quiet)
    for name in names:
        if _may_join(admin, name, own):
            powers.group.add(name)
        if _may_begin(quiet, name):
            powers.transactional_id.add(name)
    powers.administration = _administration(quiet, principal, every[0])
    return powers


def cannot_connect(settings: Settings) -> bool:
    """Tell whether the broker does not even talk to somebody."""
    try:
        AdminClient({**settings, "log_level": 0}).list_topics(timeout=2)
    except KafkaException as error:
        return error.args[0].code() in UNREACHED
    return False


def _is_refused(error: KafkaError | None) -> bool:
    if error is None:
        return False
    if error.code() in REFUSED:
        return True
    raise SurpriseError(error)


def _describable(settings: Settings, topics: list[str]) -> set[str]:
    admin = AdminClient(dict(settings))
    found = set()
    for name, future in admin.describe_topics(TopicCollection(topics)).items():
        try:
            future.result(_TIMEOUT_S)
        except KafkaException as error:
            _is_refused(error.args[0])
        else:
            found.add(name)
    return found


def _writable(settings: Settings, topics: list[str]) -> set[str]:
    answers: dict[str, KafkaError | None] = {}

    def settle(error: KafkaError | None, message: Message) -> None:
        answers[str(message.topic())] = error

    producer = Producer({**settings, "acks": "all", "message.timeout.ms": 60_000})
    for topic in topics:
        producer.produce(topic, b"{}", b"probe", 0, on_delivery=settle)
    assert producer.flush(_TIMEOUT_S) == 0
    return {topic for topic in topics if not _is_refused(answers[topic])}


def _readable(settings: Settings, topics: list[str], described: set[str]) -> set[str]:
    # Offsets are kept by hand, so the group is never asked for.
    consumer = Consumer(
        {**settings, "group.id": "probe", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    found: set[str] = set()
    undecided, quiet_since = set(described), time.monotonic()
    try:
        # Who may not even learn where a partition is cannot ask for its records: the library would wait.
        for topic in set(topics) - described:
            assert _is_refused(consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].error), topic
        consumer.assign([TopicPartition(topic, 0, 0) for topic in described])
        while undecided and time.monotonic() - quiet_since < _TIMEOUT_S:
            for message in consumer.consume(500, 0.2):
                topic, error = str(message.topic()), message.error()
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    found.add(topic)
                elif error.code() not in {KafkaError.GROUP_AUTHORIZATION_FAILED} | UNREACHED:
                    assert _is_refused(error)
                else:
                    continue
                undecided.discard(topic)
                quiet_since = time.monotonic()
    finally:
        consumer.close()
    assert not undecided, f"the broker neither gives nor refuses {undecided}"
    return found


def _may_join(admin: AdminClient, group: str, topic: str) -> bool:
    """Commit an offset for a group; of a topic that may be read, so that the answer is about the group."""
    offsets = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
    while True:
        (future,) = admin.alter_consumer_group_offsets([offsets], request_timeout=_TIMEOUT_S).values()
        try:
            answer = future.result(_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() in _COORDINATOR_LOADS:  # the first use of groups makes their topic
                time.sleep(0.2)
                continue
            return not _is_refused(error.args[0])
        if any(place.error and place.error.code() in _COORDINATOR_LOADS for place in answer.topic_partitions):
            time.sleep(0.2)
            continue
        return not any(_is_refused(place.error) for place in answer.topic_partitions)


def _may_begin(settings: Settings, transactional_id: str) -> bool:
    producer = Producer({**settings, "transactional.id": transactional_id, "transaction.timeout.ms": 60_000})
    try:
        producer.init_transactions(_TIMEOUT_S)
    except KafkaException as error:
        return not _is_refused(error.args[0])
    return True


def _administration(settings: Settings, principal: str, topic: str) -> set[str]:
    admin = AdminClient(dict(settings))
    fresh = f"probe-{uuid.uuid4().hex}"
    literal, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
    rule = AclBinding(ResourceType.TOPIC, fresh, literal, principal, "*", AclOperation.ALL, allow)
    change = ConfigResource(
        ConfigResource.Type.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
        ],
    )
    tried: tuple[Callable[[], Mapping[Any, Any]], ...] = (
        lambda: admin.create_topics([NewTopic(fresh, 1, 1)]),
        lambda: admin.delete_topics([topic]),
        lambda: admin.incremental_alter_configs([change]),
        lambda: admin.create_acls([rule]),
        lambda: {None: admin.describe_acls(_everything())},
    )
    granted = set()
    for name, attempt in zip(ADMINISTRATION, tried, strict=True):
        try:
            answers = [future.result(_TIMEOUT_S) for future in attempt().values()]
        except KafkaException as error:
            _is_refused(error.args[0])
        else:
            # Who may not read the rules is shown none by the library, in place of the broker's refusal.
            if answers != [[]]:
                granted.add(name)
    return granted


def _everything() -> AclBindingFilter:
    anything: Any = None  # the annotations forget that None matches everything
    return AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        anything,
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
