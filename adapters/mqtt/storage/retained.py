"""On which topics the bridge has left a last value, since when and of which app: kept over a restart.

What lives here: the memory. What does not: which values have to go (`bridge.withdrawal`), and taking them
back (`bridge.downward`).

A broker does not tell reliably what it retains: some give retained messages for no filter with wildcards,
others drop what exceeds their queue. So the bridge remembers what it has left there. The file is written
before Kafka is told that values were published: after a crash, a value that the file does not know is
published once more.
"""

import json
import logging
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from streamhub.engine.progress import write_atomically

_log = logging.getLogger(__name__)

_FORM: Final = "a JSON object of topics with times and apps"
_VALUES: Final = "values"
_APPS: Final = "apps"
_KNOWN: Final = "known_apps"


class RetainedValues:
    """Topics with a last value; used by one thread.

    Args:
        path: The file; None for none.
        now: The clock [s since 1970].
    """

    def __init__(self, path: Path | None, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._noted: dict[str, float] = {}
        self._apps: dict[str, str] = {}
        self._known: frozenset[str] = frozenset()
        self._is_changed = False
        if path is not None:
            self._load(path)

    @property
    def noted(self) -> Mapping[str, float]:
        """When the last value of each topic was published [s since 1970]; after a restart, the first one."""
        return self._noted

    def note(self, topic: str, app: str = "") -> None:
        """Remember that a value was published, and the stream app that brought it; empty for none."""
        self._is_changed |= topic not in self._noted or self._apps.get(topic, "") != app
        self._noted[topic] = self._now()
        if app:
            self._apps[topic] = app
        else:
            self._apps.pop(topic, None)

    def knows(self, app: str) -> bool:
        """Tell whether an app was among those that are meant to run, and a value of it is remembered."""
        return app in self._known

    def of_ended_apps(self, running: Collection[str]) -> list[str]:
        """Give the topics whose value was brought by an app that was meant to run and is no more.

        An app that was never among those that are meant to run is somebody else's: nothing follows for it.

        Args:
            running: The apps that are meant to run now.
        """
        known = frozenset(app for app in self._apps.values() if app in self._known or app in running)
        self._is_changed |= known != self._known
        self._known = known
        return [topic for topic, app in self._apps.items() if app in known and app not in running]

    def forget(self, topic: str, noted: float) -> None:
        """Forget a topic whose value is gone, unless another one was published since `noted`."""
        if self._noted.get(topic) == noted:
            del self._noted[topic]
            self._apps.pop(topic, None)
            self._is_changed = True

    def save(self) -> None:
        """Write what has changed.

        Raises:
            OSError: The disk does not take it.
        """
        if self._path is not None and self._is_changed:
            document = {_VALUES: self._noted, _APPS: self._apps, _KNOWN: sorted(self._known)}
            write_atomically(self._path, json.dumps(document, ensure_ascii=False), durable=True)
            self._is_changed = False

    def _load(self, path: Path) -> None:
        try:
            document = json.loads(path.read_bytes())
            if _VALUES not in document:  # of a version that did not remember apps; a topic has another form
                document = {_VALUES: document}
            noted = {str(topic): float(when) for topic, when in document[_VALUES].items()}
            apps = {str(topic): str(app) for topic, app in document.get(_APPS, {}).items() if topic in noted}
            self._known = frozenset(map(str, document.get(_KNOWN, ())))
            self._noted, self._apps = noted, apps
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            _log.warning(
                "%s is not %s and is made anew; values of earlier times stay at the broker: %s",
                path,
                _FORM,
                error,
            )
