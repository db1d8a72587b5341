"""Datastreams by name, as the bridge needs them: looked up without waiting, remembered over a restart.

What lives here: the memory, in the process and in a file. What does not: the look-up itself
(`client.metadata.server`).

A look-up runs in another thread; until its answer is there, messages of that Datastream wait and others go
on. What is known counts for some minutes, is looked up again then, and serves on while SensorThings does not
answer. What SensorThings does not have is asked for again after seconds.
"""

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.errors import SensorThingsError
from client.metadata.entities import ObservationType
from client.metadata.server import MetadataServer
from client.metadata.wire import DatastreamReference, datastream_reference
from streamhub.engine.progress import write_atomically

_log = logging.getLogger(__name__)

_FRESH_S: Final = 300.0
_MISSING_S: Final = 2.0
_AGAIN_S: Final = 1.0
_SAVE_PAUSE_S: Final = 5.0
_THREADS: Final = 4
_MOST_MISSING: Final = 10_000


@dataclass(slots=True)
class _Known:
    reference: DatastreamReference
    ask_again_at: float


class Catalogue:
    """Finds Datastreams; used by one thread.

    Args:
        server: Whom to ask.
        path: File that keeps what is known; None for none.
        monotonic: A clock [s].
        threads: Where look-ups run; own threads when left out.

    Attributes:
        trouble: Why SensorThings does not answer; None when it does.
    """

    def __init__(
        self,
        server: MetadataServer,
        path: Path | None,
        monotonic: Callable[[], float] = time.monotonic,
        threads: Executor | None = None,
    ) -> None:
        self._server = server
        self._path = path
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._missing: dict[str, float] = {}
        self._asked: dict[str, Future[DatastreamReference | None]] = {}
        self._ask_at = float("-inf")
        self._save_at = float("inf")
        self._threads = threads or ThreadPoolExecutor(_THREADS, "sensorthings")
        self.trouble: str | None = None
        if path is not None:
            self._load(path)

    def find(self, name: str) -> DatastreamReference | bool:
        """Give a Datastream; False when SensorThings has none of that name, True while that is open."""
        known, now = self._known.get(name), self._monotonic()
        if known is not None and now < known.ask_again_at:
            return known.reference
        if now < self._missing.get(name, now):
            return False
        answer = self._answer(name, now)
        known = self._known.get(name)
        if known is not None:
            return known.reference
        return answer

    def _answer(self, name: str, now: float) -> bool:
        """Take an answer that is there, or ask; True while the answer is open."""
        asked = self._asked.get(name)
        if asked is None:
            if now >= self._ask_at:
                self._asked[name] = self._threads.submit(self._look_up, name)
            return True
        if not asked.done():
            return True
        del self._asked[name]
        try:
            found = asked.result()
        except SensorThingsError as error:
            if self.trouble is None:
                _log.warning("%s; messages of Datastreams that are not known wait", error)
            self.trouble = str(error)
            self._ask_at = now + _AGAIN_S
            return True
        self.trouble = None
        if found is None:
            self._forget(name, now)
            return False
        self._known[name] = _Known(found, now + _FRESH_S)
        self._save_at = min(self._save_at, now + _SAVE_PAUSE_S)
        return True

    def _forget(self, name: str, now: float) -> None:
        self._known.pop(name, None)
        if len(self._missing) >= _MOST_MISSING:
            self._missing.clear()
        self._missing[name] = now + _MISSING_S

    def _look_up(self, name: str) -> DatastreamReference | None:
        document = self._server.datastream(name, patient=False)
        return None if document is None else datastream_reference(document)

    def save(self, *, now: bool = False) -> None:
        """Write what is known, when something is new and some seconds have passed, or at once."""
        if self._path is None or not (now or self._monotonic() >= self._save_at):
            return
        self._save_at = float("inf")
        document = {
            name: [str(known.reference.observation_type), known.reference.iot_id]
            for name, known in self._known.items()
        }
        write_atomically(self._path, json.dumps(document, ensure_ascii=False))

    def _load(self, path: Path) -> None:
        try:
            document = json.loads(path.read_bytes())
            for name, (kind, iot_id) in document.items():
                # Asked for again at the first use, but it serves while there is no answer.
                reference = DatastreamReference(name, ObservationType(kind), iot_id)
                self._known[name] = _Known(reference, float("-inf"))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            _log.warning("%s cannot be read and is made anew: %s", path, error)

    def close(self) -> None:
        """Write what is known and end the threads."""
        self.save(now=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
