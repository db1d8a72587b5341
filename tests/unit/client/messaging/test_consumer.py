"""The consumer with messages that only answer: no record gets lost on the way through it."""

import logging
from typing import cast

import pytest
from confluent_kafka import Message

from client.messaging.consumer import KafkaConsumer


class OddMessage:
    """A header whose name is not UTF-8, as confluent-kafka tells it."""

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> None:
        raise SystemError("returned a result with an exception set")


def test_a_record_whose_headers_cannot_be_read_arrives_without_them_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    library_logger = logging.getLogger("silent")
    library_logger.setLevel(logging.CRITICAL)
    consumer = KafkaConsumer({"bootstrap.servers": "127.0.0.1:1"}, "g", ["t"], "earliest", library_logger)
    record = consumer._accept(cast("Message", OddMessage()))
    consumer.close()
    assert record is not None
    assert (record.key, record.value, record.headers) == (b"k", b"v", ())
    assert "headers of t offset 7 are left out" in caplog.text
