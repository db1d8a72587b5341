"""Calls of the Kafka client that may never come back, made in a thread of their own and watched.

What lives here: making such a call, waiting for it, and telling that it is lost. What does not: what is
called (`transaction`) and what to do then (`lane`).

Why: a transaction call of librdkafka 2.16 that was under way when its broker died may wait forever, whatever
timeout it was given. Nothing can end it; all that helps is to go on without it, with new clients.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDoneError
from typing import Final

from confluent_kafka import KafkaError

from streamhub.errors import StreamAppError

_MARGIN_S: Final = 0.05
# Is told why a call has to be made again, and says whether to stop waiting.
GiveUp = Callable[[KafkaError], bool]


class CallLostError(StreamAppError):
    """Say that a call of the Kafka client does not come back; its clients are of no use any more."""

    retriable = True


class WatchedCall:
    """One call under way; it gives a sign of life whenever it has to be made again."""

    def __init__(self, call: Callable[[GiveUp], None], give_up: GiveUp, patience_s: float) -> None:
        """Begin the call.

        Args:
            call: What to do; asks what it is given before each further attempt.
            give_up: Is told why the call has to be made again, and says whether to stop waiting.
            patience_s: Longest time without a sign of life [s].
        """
        self._give_up = give_up
        self._patience_s = patience_s
        self._is_lost = False
        self._sign_at = time.monotonic()
        self._outcome: Future[None] = Future()
        # A daemon: a call that never comes back must not keep the process from ending.
        threading.Thread(target=self._run, args=(call,), name="kafka-call", daemon=True).start()

    @property
    def is_done(self) -> bool:
        """Whether it has come back."""
        return self._outcome.done()

    def check(self) -> None:
        """Look whether it still lives; returns at once.

        Raises:
            CallLostError: it has given no sign of life for too long.
        """
        silent_s = time.monotonic() - self._sign_at
        if not self.is_done and silent_s > self._patience_s:
            self._is_lost = True
            raise CallLostError(
                f"a call of the Kafka client has not come back for {silent_s:.0f} s; new clients go on"
            )

    def join(self) -> None:
        """Wait until it has come back.

        Raises:
            CallLostError: it has given no sign of life for too long.
            StreamAppError: what the call itself raised.
        """
        while True:
            try:
                return self._outcome.result(
                    max(self._sign_at + self._patience_s - time.monotonic(), 0.0) + 0.05
                )
            except NotDoneError:
                self.check()

    def _run(self, call: Callable[[GiveUp], None]) -> None:
        try:
            call(self._ask)
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(None)

    def _ask(self, error: KafkaError) -> bool:
        self._sign_at = time.monotonic()
        return self._is_lost or self._give_up(error)
