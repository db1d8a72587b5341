"""Which updates are wanted: all of them, those of a list, or those that a broker says are subscribed to.

What lives here: the choice, for each system whose updates are published. What does not: what is published
(`messages`).

An MQTT broker tells a bridge nothing of who subscribes to what (Mosquitto and most others). So that a busy
system's updates do not cost what nobody reads, only what is wanted is published:

- `all`: every topic without options, of every system it is told of; for a site or a small platform;
- `listed`: the topics and filters of a list;
- `asked`: as `listed`, and what a broker that knows its subscriptions names on the topic `dt-sta-asked`;
- `none`: nothing.

Topics with options (`v1.1/Things?$select=name`) and those along several relations cost a request each time
and are published only where they are named one by one.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from adapters.mqtt.filters import ALL_BELOW, ONE_LEVEL, matches
from adapters.mqtt.sensorthings.model import TO_ONE, Path, read_path
from adapters.mqtt.sensorthings.topics import VERSIONS, Update, parse_update, update_topic

Mode = Literal["all", "listed", "asked", "none"]
_MAX_NARROWED: Final = 200
# Each costs a request per change, and clients name them by what they subscribe to.
_MOST_QUESTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Question:
    """A topic whose updates have to be asked for.

    Attributes:
        topic: The topic.
        update: What it says.
        path: Where it leads.
    """

    topic: str
    update: Update
    path: Path


@dataclass(slots=True)
class Interest:
    """What is wanted of one system's updates in one version.

    Attributes:
        system: Whose; None for the form without a system.
        version: `v1.1` or `v1.0`.
        is_everything: Every topic without options.
        names: Topics without wildcards.
        filters: Filters with wildcards.
        questions: Topics to be asked for.
    """

    system: str | None
    version: str
    is_everything: bool = False
    names: set[str] = field(default_factory=set)
    filters: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    _sets: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def is_anything(self) -> bool:
        """Whether there is something."""
        return self.is_everything or bool(self.names or self.filters or self.questions)

    def topic(self, path: str) -> str:
        """Name the topic of a path."""
        return update_topic(self.system, self.version, path)

    def takes(self, topic: str) -> bool:
        """Tell whether a topic without options is wanted."""
        return self.is_everything or topic in self.names or any(matches(one, topic) for one in self.filters)

    def needs(self, set_name: str) -> bool:
        """Tell whether entities of a set may be wanted on some topic without options."""
        return self.is_everything or bool(self.filters) or set_name in self._sets

    def narrowing(self, set_name: str) -> str:
        """Give a condition that entities of a set meet when they are wanted; empty for none."""
        paths = self._sets.get(set_name, [])
        if self.is_everything or self.filters or len(paths) > _MAX_NARROWED:
            return ""
        ids = {one.identifier for one in paths if one.identifier is not None}
        parents: dict[str, set[int]] = {}
        for one in paths:
            if one.parent is not None:
                parents.setdefault(_relation(set_name, one.parent[0]), set()).add(one.parent[1])
            elif one.identifier is None:
                return ""
        parts = [f"{name}/id in ({_listed(found)})" for name, found in sorted(parents.items())]
        parts += [f"id in ({_listed(ids)})"] if ids else []
        return " or ".join(parts)

    def add(self, topic: str, update: Update) -> bool:
        """Take a topic or filter in; False where it never has updates."""
        if ONE_LEVEL in update.path or ALL_BELOW in update.path:
            # What follows a question mark may hold a plus sign; wildcards with options are no filter.
            if not update.options:
                self.filters.append(topic)
            return not update.options
        path = read_path(update.path)
        if path is None or (path.member is not None and (update.options or path.length > 1)):
            return False
        if update.options or not _is_plain(path):
            if len(self.questions) >= _MOST_QUESTIONS:
                return False
            self.questions.append(Question(topic, update, path))
        else:
            self.names.add(topic)
            self._sets.setdefault(path.set_name, []).append(path)
        return True


def _is_plain(path: Path) -> bool:
    """Tell whether an entity's own links show that it is on a path."""
    if path.length == 1:
        return True
    is_of_parent = path.parent is not None and path.parent[0] in TO_ONE[path.set_name].values()
    return is_of_parent and path.is_set


def _relation(set_name: str, parent_set: str) -> str:
    return next(name for name, target in TO_ONE[set_name].items() if target == parent_set)


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


class Wanted:
    """What is wanted now; thread-safe.

    Args:
        mode: Which updates are published.
        listed: Topics and filters, as a client subscribes to them.
        system: The one system of a site: its updates have the form without a system, too.
        systems: Systems whose updates are published when all are.
    """

    def __init__(
        self,
        mode: Mode,
        listed: Sequence[str] = (),
        *,
        system: str | None = None,
        systems: Sequence[str] = (),
    ) -> None:
        self._mode = mode
        self._listed = tuple(listed)
        self._system = system
        self._systems = tuple(systems) if system is None else (system,)
        self._asked: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._interests: tuple[Interest, ...] = ()
        self._unknown: tuple[str, ...] = ()
        self._work_out()

    @property
    def interests(self) -> tuple[Interest, ...]:
        """What is wanted, by system and version."""
        return self._interests

    @property
    def unknown(self) -> tuple[str, ...]:
        """Topics that never have updates, among the wanted ones."""
        return self._unknown

    def ask(self, topics: Iterable[str]) -> None:
        """Replace what a broker says is subscribed to; without effect unless it is asked for."""
        with self._lock:
            self._asked = tuple(dict.fromkeys(topics))
            self._work_out()

    def serve(self, systems: Sequence[str]) -> None:
        """Replace the systems whose updates are published when all are."""
        with self._lock:
            if self._system is None:
                self._systems = tuple(systems)
            self._work_out()

    def _work_out(self) -> None:
        """Sort everything that is wanted by system and version."""
        found: dict[tuple[str | None, str], Interest] = {}

        def interest(system: str | None, version: str) -> Interest:
            return found.setdefault((system, version), Interest(system, version))

        if self._mode == "all":
            for system in self._systems:
                interest(system, VERSIONS[0]).is_everything = True
            if self._system is not None:
                interest(None, VERSIONS[0]).is_everything = True
        topics = () if self._mode == "none" else self._listed
        topics += self._asked if self._mode in ("all", "asked") else ()
        unknown = []
        for topic in dict.fromkeys(topics):
            update = parse_update(topic)
            is_ours = update is not None and self._may_publish(update.system)
            if (
                update is None
                or not is_ours
                or not interest(update.system, update.version).add(topic, update)
            ):
                unknown.append(topic)
        self._unknown = tuple(unknown)
        self._interests = tuple(one for one in found.values() if one.is_anything)

    def _may_publish(self, system: str | None) -> bool:
        """Tell whether updates of a system are published here: without one, only those of a site."""
        if ONE_LEVEL in (system or "") or ALL_BELOW in (system or ""):
            return False
        return system is not None or self._system is not None
