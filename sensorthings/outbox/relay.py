"""The relay: sends the rows of the outbox to Kafka, each once, in order.

What lives here: the order of the steps, and what happens when one of them fails. What does not: the steps
(`sensorthings.outbox.rows`, `sensorthings.outbox.carrier`).

How it works: one relay of a database works at a time, the one that holds its lock; others stand by. A turn
reads the first rows that may be sent, sends them with a note of their ids in one Kafka transaction, and
removes them from the table. A relay that dies between the last two leaves rows that Kafka has: whoever takes
over reads the note and removes them before it sends anything. Whatever else fails is treated as such a death:
the relay lets go of everything and starts anew. So there is one way to recover, tried at every start.

Rows are looked for several times a second instead of being announced by NOTIFY, which takes a lock on the
whole server when a transaction commits and so would make writers wait for each other.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg
from sqlalchemy import URL

from client.errors import DigitalTwinError, MessagingError
from sensorthings.outbox.carrier import Carrier, KafkaAccess, RecordTooLargeError
from sensorthings.outbox.rows import OutboxRows, WaitingRow

_log = logging.getLogger(__name__)

_POLL_S: Final = 0.1
_STAND_BY_S: Final = 1.0
_RETRY_S: Final = 1.0
_MISSING_RETRY_TURNS: Final = 50
_BATCH_ROWS: Final = 2_000
_JOIN_TIMEOUT_S: Final = 20.0


def _do_nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """What a relay needs to know.

    Attributes:
        database: Address of the database.
        kafka: How to reach Kafka.
        name: Of the relay, the same for all that share a database; empty makes it of the database's identity.
        after_commit: Called between the commit in Kafka and the removal; tests let the process die there.
    """

    database: URL
    kafka: KafkaAccess
    name: str = ""
    after_commit: Callable[[], None] = field(default=_do_nothing, repr=False)


class Relay:
    """Sends the outbox of one database, in a thread of its own between `start` and `stop`.

    Attributes:
        sent: Number of records sent since the start [1].
        trouble: Why it waits; None while it works or stands by.
    """

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="outbox", daemon=True)
        self._single = 0
        self.sent = 0
        self.trouble: str | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the turn and end; waits for it."""
        self._stopping.set()
        self._thread.join(_JOIN_TIMEOUT_S)

    def run(self) -> None:
        """Send until stopped; returns when the last turn is finished."""
        while not self._stopping.is_set():
            try:
                with OutboxRows(self._settings.database) as rows:
                    self._work(rows)
            except (DigitalTwinError, psycopg.Error) as error:
                # An outage is many failures: the first one is said, the latest one is shown.
                if self.trouble is None:
                    _log.warning("the outbox waits: %s", error, extra={"action": "wait"})
                self.trouble = str(error)
                self._stopping.wait(_RETRY_S)

    def _work(self, rows: OutboxRows) -> None:
        while not rows.lock():
            self.trouble = None
            if self._stopping.wait(_STAND_BY_S):
                return
        name = self._settings.name or f"sensorthings-outbox-{rows.identity()}"
        carrier = Carrier(self._settings.kafka, name)
        left = rows.remove_sent(carrier.take_over())
        _log.info(
            "sending the outbox as %s; %d rows had been sent", name, left, extra={"action": "take_over"}
        )
        self.trouble = None
        turns = 0
        missing: frozenset[str] = frozenset()
        while not self._stopping.is_set():
            turns += 1
            if turns % _MISSING_RETRY_TURNS == 0:
                missing = frozenset()
            waiting = rows.waiting(1 if self._single else _BATCH_ROWS, missing)
            lacking = carrier.missing(list({row.topic for row in waiting}))
            missing |= lacking
            if waiting and not lacking:
                self._send(waiting, rows, carrier)
            else:
                self._stopping.wait(_POLL_S)

    def _send(self, waiting: Sequence[WaitingRow], rows: OutboxRows, carrier: Carrier) -> None:
        try:
            carrier.send(waiting)
        except RecordTooLargeError as error:
            if len(waiting) > 1:
                # Which one it is shows when they are sent one by one, by the next carrier.
                self._single = len(waiting)
                raise
            _log.error(
                "an Observation of %s stays out of Kafka: its record is larger than %s takes",
                waiting[0].key,
                waiting[0].topic,
                extra={"action": "too_large"},
            )
            rows.remove(waiting)
            self._single = max(self._single - 1, 0)
            raise MessagingError(f"a record was left out ({error}); going on") from error
        self._settings.after_commit()
        rows.remove(waiting)
        self.sent += len(waiting)
        self._single = max(self._single - 1, 0)
