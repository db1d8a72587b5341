"""The faults of a run, each in a thread of its own, at moments that a seed decides."""

import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from benchmarks.exactly_once.apps import AppUnderRunner, SecondCopy
from setup.local.kafka import LocalKafka

_BROKER_START_S: Final = 90.0
# Every fourth kill hits the app while it starts: connecting, taking over, reading its state.
_EARLY_KILLS: Final = 4
_LONGEST_START_S: Final = 2.5


class Faults:
    """Threads that disturb until each has done what it was to do, or the run is over.

    Args:
        seed: Decides the moments.
        span_s: How long the records take, without faults [s].
    """

    def __init__(self, seed: int, span_s: float) -> None:
        self._seed = seed
        self._span_s = span_s
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._finite: list[threading.Thread] = []
        self.kills = 0
        self.broker_restarts = 0
        self.visits: list[str] = []
        self.error: BaseException | None = None

    def kill(self, app: AppUnderRunner, times: int) -> None:
        """Kill copy 0 so many times."""
        self._start("kills", lambda chance: self._kill(app, times, chance), is_finite=True)

    def restart_broker(self, broker: LocalKafka, times: int) -> None:
        """Restart the broker on its port and data: alternately killed and stopped."""
        self._start("broker", lambda chance: self._restart(broker, times, chance), is_finite=True)

    def second_copy(self, copy: SecondCopy) -> None:
        """Let copy 1 come and go until the run is over: it leaves by SIGTERM and SIGKILL alternately."""
        self._start("second copy", lambda chance: self._visit(copy, chance), is_finite=False)

    @property
    def are_done(self) -> bool:
        """Whether nothing is left to do that has a number."""
        return not any(thread.is_alive() for thread in self._finite)

    def end(self) -> None:
        """End the faults that go on for ever."""
        self._over.set()
        for thread in self._threads:
            thread.join(_BROKER_START_S)

    def check(self) -> None:
        """Complain when a fault could not be done.

        Raises:
            SystemExit: saying why.
        """
        if self.error is not None:
            raise SystemExit(f"a fault could not be done: {self.error}")

    def _start(self, name: str, work: Callable[[random.Random], None], *, is_finite: bool) -> None:
        chance = random.Random(f"{self._seed}-{name}")

        def run() -> None:
            try:
                work(chance)
            except BaseException as error:
                self.error = error
                self._over.set()
                raise

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        if is_finite:
            self._finite.append(thread)
        thread.start()

    def _kill(self, app: AppUnderRunner, times: int, chance: random.Random) -> None:
        longest = max(self._span_s / (times + 1) - _LONGEST_START_S, 0.5)
        for number in range(times):
            if number % _EARLY_KILLS == _EARLY_KILLS - 1:
                pid = app.wait_process(is_running=False)
                pause = chance.uniform(0.2, _LONGEST_START_S)
            else:
                pid = app.wait_process()
                pause = chance.uniform(0.05, longest)
            if self._over.wait(pause):
                return
            app.kill(pid)
            self.kills += 1

    def _restart(self, broker: LocalKafka, times: int, chance: random.Random) -> None:
        part = self._span_s / (times + 1)
        for number in range(times):
            if self._over.wait(chance.uniform(0.3, 1.0) * part):
                return
            if number % 2 == 0:
                broker.kill()
            else:
                broker.stop()
            time.sleep(chance.uniform(0.5, 3.0))
            broker.start()
            broker.wait_ready(_BROKER_START_S)
            self.broker_restarts += 1

    def _visit(self, copy: SecondCopy, chance: random.Random) -> None:
        number = signal.SIGTERM
        while not self._over.wait(chance.uniform(0.5, 4.0)):
            copy.start()
            self._over.wait(chance.uniform(3.0, 9.0))
            code = copy.end(number)
            self.visits.append(f"{number.name} -> {code}")
            number = signal.SIGKILL if number is signal.SIGTERM else signal.SIGTERM
