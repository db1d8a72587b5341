"""What became of a record that was handed over for sending.

What lives here: the handle a caller waits on, and the book of what was not delivered. What does not: sending
(`producer`). Handles are made per record on the hot path, so all handles of a producer share one lock.
"""

import threading
import time
from typing import Final

from client.errors import DeliveryError, MessagingError

_LISTED: Final = 10


class DeliveryHandle:
    """The fate of one record: pending, then delivered or failed; safe to ask from any thread."""

    __slots__ = ("_book", "_done", "_error", "offset", "partition", "topic")

    def __init__(self, topic: str, book: "DeliveryBook") -> None:
        self._book = book
        self._done = False
        self._error: MessagingError | None = None
        self.topic = topic
        self.partition: int | None = None
        self.offset: int | None = None

    def done(self) -> bool:
        """Tell whether the record was delivered or has failed."""
        return self._done

    def result(self, timeout_s: float | None = None) -> "DeliveryHandle":
        """Wait until Kafka has the record; partition and offset are known then.

        Args:
            timeout_s: How long to wait [s]; None waits as long as the producer tries.

        Raises:
            DeliveryError: when it was not delivered, or the fate is still open after `timeout_s`.
            MessagingError: its more precise children.
        """
        error = self.exception(timeout_s)
        if error is not None:
            raise error
        return self

    def exception(self, timeout_s: float | None = None) -> MessagingError | None:
        """Wait like `result`, but return the error instead of raising it; None when delivered.

        Raises:
            DeliveryError: when the fate is still open after `timeout_s`.
        """
        if not self._done and not self._book.wait_for(self, timeout_s):
            raise DeliveryError(
                f"a record for {self.topic} is not confirmed after {timeout_s} s; it is still being tried. "
                "Wait longer, or call flush()"
            )
        return self._error

    def succeed(self, partition: int | None, offset: int | None) -> None:
        """Note that Kafka has the record; called by the producer."""
        self.partition = partition
        self.offset = offset
        self._done = True
        self._book.confirmed()

    def fail(self, error: MessagingError) -> None:
        """Note that the record was given up; called by the producer."""
        self._error = error
        self._done = True
        self._book.given_up(self, error)


class DeliveryBook:
    """Counts the records of one producer and keeps the failures until somebody is told."""

    def __init__(self) -> None:
        # Taken as it is where nobody waits: a condition costs more to enter than its lock.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        # Who waits for everything is woken once, not by every record.
        self._settled = threading.Condition(self._lock)
        self._waiting = 0
        self._failures: list[str] = []
        self._failed_unreported = 0
        self.accepted = 0
        self.delivered = 0
        self.failed = 0

    def open(self, topic: str) -> DeliveryHandle:
        """Book a record that is about to be handed over."""
        with self._lock:
            self.accepted += 1
        return DeliveryHandle(topic, self)

    def withdraw(self) -> None:
        """Take back a record that was not accepted after all."""
        with self._changed:
            self.accepted -= 1
            if self.pending == 0:
                self._settled.notify_all()

    @property
    def pending(self) -> int:
        """How many records are accepted and neither delivered nor failed."""
        return self.accepted - self.delivered - self.failed

    def wait_for_all(self, timeout_s: float) -> None:
        """Wait until the fate of every record is known, at most `timeout_s` [s]."""
        with self._lock:
            self._settled.wait_for(lambda: self.pending == 0, timeout_s)

    def wait_for(self, handle: DeliveryHandle, timeout_s: float | None) -> bool:
        """Wait until the fate of a record is known; False when it is still open after the time."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            self._waiting += 1
            try:
                while not handle.done():
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        return False
                    self._changed.wait(left)
            finally:
                self._waiting -= 1
        return True

    def confirmed(self) -> None:
        """Book a record that was delivered and wake who waits for it."""
        with self._lock:
            self.delivered += 1
            self._wake()

    def given_up(self, handle: DeliveryHandle, error: MessagingError) -> None:
        """Book a record that was not delivered and wake who waits for it."""
        with self._lock:
            self.failed += 1
            self._failed_unreported += 1
            if len(self._failures) < _LISTED:
                self._failures.append(f"{handle.topic}: {error}")
            self._wake()

    def _wake(self) -> None:
        if self._waiting:
            self._changed.notify_all()
        if self.accepted == self.delivered + self.failed:
            self._settled.notify_all()

    def raise_undelivered(self, timeout_s: float) -> None:
        """Report, once, what failed since the last report, and what is still open after `timeout_s` [s].

        Raises:
            DeliveryError: when there is anything to report.
        """
        with self._changed:
            failed, first, still_open = self._failed_unreported, self._failures, self.pending
            self._failed_unreported, self._failures = 0, []
        if not failed and not still_open:
            return
        parts = []
        if failed:
            parts.append(f"{failed} records were not delivered, first: {'; '.join(first)}")
        if still_open:
            parts.append(
                f"{still_open} records are not confirmed after {timeout_s} s and are still being tried; "
                "call flush() again or check the broker"
            )
        raise DeliveryError(". ".join(parts), undelivered=failed + still_open, first=first)
