"""Kafka transactions of one copy: outputs and source offsets become visible together or not at all.

What lives here: begin, commit, abort, and what each kind of error asks for. What does not: which records are
sent (`batch`) and where to go on after an abort (`lane`).

How it works (KIP-98, KIP-447): a transaction begins with the first record after a commit; the commit hands
the offsets of the consumer group to the transaction, together with the group's metadata, so that a copy that
was replaced cannot commit. Errors come in three kinds: *retriable*, the same call is made again; *abortable*,
the transaction is given up and its records are read again; *fatal*, another copy has taken over. A refusal
for want of a right is none of them: it would be the same again, so the app ends and says what it may not do.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from client.errors import DigitalTwinError
from streamhub.engine.rights import REFUSALS, refusal
from streamhub.engine.watched import CallLostError, GiveUp, WatchedCall
from streamhub.engine.work import Partition, Place
from streamhub.errors import CopyFencedError, StreamAppError

_log = logging.getLogger(__name__)

_CALL_TIMEOUT_S: Final = 2.0
_RETRY_PAUSE_S: Final = 0.1
# A call gives a sign of life after its timeout; this is much longer.
_PATIENCE_S: Final = 12.0
_FENCED_CODES: Final = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - librdkafka's own codes have this spelling
        KafkaError._FATAL,  # noqa: SLF001 - what a fenced member of the group is told, once; the cause is its text
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)
_WAITING_CODES: Final = frozenset(
    {
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)


Result = TypeVar("Result")


class TransactionAbortedError(StreamAppError):
    """Say that the open transaction was given up; its records have to be read again.

    Attributes:
        was_not_delivered: Records were not taken, and Kafka does not say why: a right may be missing.
    """

    retriable = True

    def __init__(self, message: str, *, was_not_delivered: bool = False) -> None:
        super().__init__(message)
        self.was_not_delivered = was_not_delivered


class StoppedWhileWaitingError(StreamAppError):
    """Say that the app was stopped while Kafka did not answer; the transaction ends by its timeout."""


def call_patiently(call: Callable[[], Result], give_up: GiveUp) -> Result:
    """Make a call until Kafka answers it.

    Args:
        call: What to do; short timeouts, so that `give_up` is asked often.
        give_up: Is told why the call has to be made again, and says whether to stop waiting.

    Raises:
        CopyFencedError: another process runs the same copy.
        TransactionAbortedError: the transaction cannot go on.
        StoppedWhileWaitingError: `give_up` said so.
        NotAuthorizedError: a right is missing.
        StreamAppError: anything that neither waiting nor starting again can mend.
    """
    while True:
        try:
            return call()
        except KafkaException as exception:
            error = exception.args[0]
            if not (error.retriable() or error.code() in _WAITING_CODES) or error.fatal():
                raise translate(error) from exception
            if give_up(error):
                raise StoppedWhileWaitingError(
                    f"stopped while waiting for Kafka: {error.str()}"
                ) from exception
            _log.debug("waiting for Kafka: %s", error.str(), extra={"action": "wait"})
            time.sleep(_RETRY_PAUSE_S)


def translate(error: KafkaError) -> DigitalTwinError:
    """Choose the class of an error that is not cured by waiting."""
    if error.code() in _FENCED_CODES and (error.fatal() or not error.txn_requires_abort()):
        return CopyFencedError(
            f"another process runs the same copy of this app ({error.str()}). "
            "Stop it, or give each copy its own --copy number",
            kafka=error.str(),
        )
    if error.code() in REFUSALS:
        return refusal(error)
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        # Sent again, it would be refused again; the next start reads the new limit and sets the record aside.
        return StreamAppError(
            "a topic takes smaller records than when this app started (max.message.bytes). Start it again"
        )
    if error.txn_requires_abort():
        return TransactionAbortedError(
            f"the transaction was aborted: {error.str()}",
            was_not_delivered=error.code() == KafkaError._INCONSISTENT,  # noqa: SLF001 - librdkafka's spelling
        )
    return StreamAppError(f"Kafka refuses to go on: {error.str()} ({error.name()})")


def refused_by_transaction(error: KafkaError) -> DigitalTwinError:
    """Choose the class of an error with which a record was not taken into the open transaction.

    After a record that was not delivered the library takes no further one, and says no reason: the
    transaction is given up, and what is missing is looked for.
    """
    if error.code() == KafkaError._STATE:  # noqa: SLF001 - librdkafka's spelling
        return TransactionAbortedError(
            f"the transaction takes no more records: {error.str()}", was_not_delivered=True
        )
    return translate(error)


class TransactionLog:
    """At most one open transaction of one producer; commits carry the source offsets.

    It does not know which records belong to the transaction and does not move the consumer.
    """

    def __init__(self, consumer: Consumer, producer: Producer, give_up: GiveUp) -> None:
        self._consumer = consumer
        self._producer = producer
        self._give_up = give_up
        self._begun_at: float | None = None
        self._commit: WatchedCall | None = None
        # A commit failed and the transaction was not aborted yet.
        self._is_broken = False
        # A call did not come back: the producer takes no other.
        self._is_lost = False

    def take_over(self) -> None:
        """Abort what a former process of this copy left open, and fence it.

        Raises:
            CallLostError: the call does not come back.
            StreamAppError: see `call_patiently`.
        """
        self._watch(
            lambda give_up: call_patiently(lambda: self._producer.init_transactions(_CALL_TIMEOUT_S), give_up)
        )

    @property
    def is_open(self) -> bool:
        """Whether a transaction has begun to which records may be added."""
        return self._begun_at is not None

    def age_s(self, now: float) -> float:
        """Time since the open transaction began [s]; 0 when none is open."""
        return 0.0 if self._begun_at is None else now - self._begun_at

    def begin(self, now: float) -> None:
        """Open a transaction unless one is open.

        Args:
            now: Time of a monotonic clock [s].

        Raises:
            StreamAppError: see `call_patiently`.
        """
        if self._begun_at is None:
            call_patiently(self._producer.begin_transaction, self._give_up)
            self._begun_at = now

    @property
    def is_committing(self) -> bool:
        """Whether a commit has begun whose outcome was not looked at yet."""
        return self._commit is not None

    @property
    def is_under_way(self) -> bool:
        """Whether a commit has begun that is not decided yet.

        Raises:
            CallLostError: it never will be.
        """
        if self._commit is None:
            return False
        try:
            self._commit.check()
        except CallLostError:
            self._is_lost = True
            raise
        return not self._commit.is_done

    def begin_commit(self, places: Mapping[Partition, Place]) -> None:
        """Begin to make the outputs and the positions of the sources visible together.

        Until `join_commit` the producer belongs to the commit.

        Args:
            places: Where to go on, by topic and partition; may be empty.

        Raises:
            KafkaException: the consumer has left its group.
        """
        offsets = [
            TopicPartition(topic, partition, place.offset, place.note)
            if place.note
            else TopicPartition(topic, partition, place.offset)
            for (topic, partition), place in places.items()
        ]
        group = self._consumer.consumer_group_metadata() if offsets else None
        self._begun_at = None
        self._commit = WatchedCall(
            lambda give_up: self._call_commit(offsets, group, give_up), self._give_up, _PATIENCE_S
        )

    def _call_commit(self, offsets: list[TopicPartition], group: object, give_up: GiveUp) -> None:
        if offsets:
            call_patiently(
                lambda: self._producer.send_offsets_to_transaction(offsets, group, _CALL_TIMEOUT_S), give_up
            )
        call_patiently(lambda: self._producer.commit_transaction(_CALL_TIMEOUT_S), give_up)

    def _watch(self, call: Callable[[GiveUp], None]) -> None:
        self._join(WatchedCall(call, self._give_up, _PATIENCE_S))

    def _join(self, call: WatchedCall) -> None:
        try:
            call.join()
        except CallLostError:
            self._is_lost = True
            raise

    def join_commit(self) -> None:
        """Wait for the end of the commit that has begun, if any.

        Raises:
            TransactionAbortedError: nothing became visible; the transaction has to be aborted.
            CallLostError: the commit does not come back; whether it took place is known to Kafka alone.
            StreamAppError: see `call_patiently`.
        """
        commit, self._commit = self._commit, None
        if commit is not None:
            self._is_broken = True
            self._join(commit)
            self._is_broken = False

    def abort(self) -> None:
        """Give up the open transaction, if any; one that is being committed may become visible before.

        After a call that did not come back nothing is asked: the next producer of this copy aborts what this
        one has left open.

        Raises:
            CallLostError: the call does not come back.
            StreamAppError: see `call_patiently`.
        """
        if self._is_lost:
            return
        try:
            self.join_commit()
        except TransactionAbortedError as error:
            _log.info("%s", error, extra={"action": "abort"})
        if self._begun_at is not None or self._is_broken:
            self._watch(
                lambda give_up: call_patiently(
                    lambda: self._producer.abort_transaction(_CALL_TIMEOUT_S), give_up
                )
            )
            self._begun_at = None
            self._is_broken = False
