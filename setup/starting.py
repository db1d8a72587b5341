"""Starting one part after the other: what is recorded, what already runs, and undoing it when one fails.

What lives here: the steps that every part needs. What does not: which parts there are and what waits for what
(`stack.py`, `optional_parts.py`), and what the services are told (`services.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from setup.errors import PartNotReadyError, SetupError
from setup.local.answers import Answer, ask_health
from setup.local.paths import Home
from setup.local.processes import log_tail, start_process
from setup.local.state import PartState, StateFile
from setup.report import Report
from setup.services import (
    GIVEN_BY,
    Addresses,
    end_part,
    given_address,
    module_command,
    stack_environment,
)

READY_TIMEOUT_S: Final = 300.0  # a busy machine is slow, not broken: what ends while starting is told at once
_LOG_LINES: Final = 25
# The state file holds no secret: URLs of given databases may carry a password.
_NOT_RECORDED: Final = (
    "DTWIN_SENSORTHINGS__DATABASE_URL",
    "DTWIN_PLATFORM__DATABASE_URL",
    "DTWIN_RECORDER__DATABASE_URL",
)


class Starter:
    """Starts parts in one home, from several threads, and stops again what it has started.

    Args:
        home: Folders of the stack.
        report: Where progress goes.
        environment: Variables that name given parts.
    """

    def __init__(self, home: Home, report: Report, environment: Mapping[str, str]) -> None:
        self.home = home
        self.report = report
        self.environment = environment
        self.state = StateFile(home.state_file)
        self._cancelled = threading.Event()
        self._started: list[PartState] = []

    def service(
        self,
        part: PartState,
        command: tuple[str, ...],
        addresses: Addresses,
        settings: dict[str, str],
        *,
        as_service: str | None,
    ) -> None:
        """Start one of our own services, or restart it when it runs with other settings.

        Args:
            part: What is recorded of it.
            command: Module and arguments.
            addresses: Where the other parts are.
            settings: Its own settings.
            as_service: As whom it reaches Kafka; None for one that shows credentials of its own.

        Raises:
            PartMissingError: its program is not installed.
            SetupError: everything was interrupted meanwhile.
        """
        known = {
            **settings,
            **addresses.kafka_settings(as_service),
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS": addresses.kafka,
            "DTWIN_SENSORTHINGS__URL": addresses.sensorthings,
        }
        for name in _NOT_RECORDED:
            known.pop(name, None)
        present = self.state.parts().get(part.name)
        if present is not None and present.process is not None and present.is_running():
            if present.settings == known:
                return
            self.report.part(part.name, "starting", "again, with changed settings")
            end_part(present)
        module, *arguments = command
        process = start_process(
            module_command(module, *arguments),
            log_file=self.home.log_file(part.name),
            environment=stack_environment(self.home, addresses, as_service) | settings,
            folder=self.home.folder,
        )
        self.record(replace(part, pid=process.pid, began=process.began, settings=known))

    def record(self, part: PartState) -> None:
        """Remember a part that was just started.

        Raises:
            SetupError: everything was interrupted meanwhile; the part was ended.
        """
        self.state.put(part)
        self._started.append(part)
        if self._cancelled.is_set():
            end_part(part)
            self.state.remove(part.name)
            raise SetupError("interrupted")

    def undo(self) -> None:
        """Stop what was started, and whatever the other threads are about to start."""
        self._cancelled.set()
        for part in reversed(self._started):
            end_part(part)
            self.state.remove(part.name)
            self.report.part(part.name, "stopped")

    def keep(self) -> None:
        """Let what was started run on."""
        self._started.clear()

    def await_health(self, name: str, address: str) -> None:
        """Wait until a service says on its health page that it is ready.

        Raises:
            PartNotReadyError: it ended, or did not become ready in time.
        """
        self.await_answer(name, address, lambda: ask_health(address))

    def await_answer(self, name: str, address: str, ask: Callable[[], Answer]) -> None:
        """Wait until a part answers.

        Args:
            name: Which part.
            address: Where it should answer.
            ask: Asks it once.

        Raises:
            PartNotReadyError: it ended, or did not become ready in time.
        """
        log_file = self.home.log_file(name)
        answer = Answer(ready=False, detail="no answer")
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline and not answer.ready:
            if not self.is_running(name):
                raise PartNotReadyError(
                    f"{name} ended while starting. Its log {log_file} ends:\n{log_tail(log_file, _LOG_LINES)}"
                )
            answer = ask()
            if not answer.ready:
                time.sleep(0.1)
        if not answer.ready:
            raise PartNotReadyError(
                f"{name} did not become ready on {address} within {READY_TIMEOUT_S:g} s ({answer.detail}). "
                f"Its log {log_file} ends:\n{log_tail(log_file)}"
            )
        self.report.part(name, "ready", address)

    def is_running(self, name: str) -> bool:
        """Tell whether a part runs that was started in this home."""
        present = self.state.parts().get(name)
        return present is not None and not present.is_given and present.is_running()

    def is_given(self, name: str, address: str) -> bool:
        """Tell whether the environment names a part; remember it under this address then."""
        if given_address(name, self.environment) is None:
            return False
        self.state.put(PartState(name, address))
        return True

    def check_given(self, name: str, answer: Answer) -> None:
        """Take a part that is given by its URL.

        Raises:
            PartNotReadyError: it does not answer.
        """
        if not answer.ready:
            raise PartNotReadyError(
                f"{GIVEN_BY[name]} names {_with_article(name)} that does not answer ({answer.detail}): "
                "start it, correct the variable, or unset it to have one started."
            )
        address = self.state.parts()[name].address
        self.report.part(name, "given", f"by {GIVEN_BY[name]}: {address}")


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
