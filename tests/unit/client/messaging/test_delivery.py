"""What callers learn about the records they handed over."""

import threading

import pytest

from client.errors import DeliveryError, TopicNotFoundError
from client.messaging.delivery import DeliveryBook, DeliveryHandle


def test_a_delivered_record_tells_where_it_is() -> None:
    handle = DeliveryHandle("t", DeliveryBook())
    assert not handle.done()
    handle.succeed(2, 41)
    assert handle.done()
    assert handle.exception() is None
    assert handle.result() is handle
    assert (handle.partition, handle.offset) == (2, 41)


def test_a_failed_record_raises_its_error_whenever_asked() -> None:
    handle = DeliveryHandle("t", DeliveryBook())
    handle.fail(TopicNotFoundError("gone", topic="t"))
    assert isinstance(handle.exception(), TopicNotFoundError)
    for _ in range(2):
        with pytest.raises(TopicNotFoundError, match="gone"):
            handle.result()


def test_waiting_ends_with_the_time_and_says_that_the_record_is_still_tried() -> None:
    handle = DeliveryHandle("t", DeliveryBook())
    with pytest.raises(DeliveryError, match="not confirmed after 0 s; it is still being tried"):
        handle.result(0)
    assert not handle.done()


def test_a_waiting_thread_is_woken_by_the_acknowledgement() -> None:
    handle = DeliveryHandle("t", DeliveryBook())
    waiter = threading.Thread(target=lambda: handle.result(600))
    waiter.start()
    handle.succeed(0, 0)
    waiter.join(60)
    assert not waiter.is_alive()


def test_failures_are_reported_once_with_the_first_ones_and_the_count() -> None:
    book = DeliveryBook()
    for number in range(25):
        book.open(f"topic{number}").fail(DeliveryError(f"reason {number}"))
    book.open("fine").succeed(0, 0)
    with pytest.raises(
        DeliveryError, match="25 records were not delivered, first: topic0: reason 0"
    ) as caught:
        book.raise_undelivered(1.0)
    assert caught.value.undelivered == 25
    assert len(caught.value.first) == 10
    assert (book.delivered, book.failed) == (1, 25)
    book.raise_undelivered(1.0)


def test_what_is_still_queued_is_reported_every_time() -> None:
    book = DeliveryBook()
    handles = [book.open("t") for _ in range(4)]
    handles[0].succeed(0, 0)
    for _ in range(2):
        book.wait_for_all(0)
        with pytest.raises(DeliveryError, match=r"3 records are not confirmed after 1\.5 s") as caught:
            book.raise_undelivered(1.5)
        assert caught.value.undelivered == book.pending == 3


def test_a_record_that_was_not_accepted_is_not_waited_for() -> None:
    book = DeliveryBook()
    book.open("t")
    book.withdraw()
    book.wait_for_all(30)
    book.raise_undelivered(30)
    assert book.accepted == 0


def test_who_waits_for_all_is_woken_when_the_last_record_is_withdrawn() -> None:
    book = DeliveryBook()
    book.open("t")
    waiter = threading.Thread(target=book.wait_for_all, args=(600,))
    waiter.start()
    while waiter.is_alive() and not book._settled._waiters:  # type: ignore[attr-defined]
        pass
    book.withdraw()
    waiter.join(60)
    assert not waiter.is_alive()
