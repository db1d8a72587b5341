"""What SensorThings knows of Datastreams, as the part of a document that all of their records share.

What lives here: asking, remembering, asking again in the background. What does not: HTTP
(`client.metadata.server`), the form of that part (`documents`).

The Datastreams of a system are asked for all at once, by a thread, as soon as the first record of one of
them comes; what is new or has changed is noticed some time later. A Datastream that is not known yet is asked
for at once, and its records may wait a while for it; one that stays unknown is asked for again now and then,
however many records it has. It still has its name, its Thing and its system: the key of its records says so.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from adapters.elasticsearch.documents import StreamMetadata, document_tail, position
from client.errors import InvalidNameError, SensorThingsError
from client.messaging.topics import DatastreamName
from client.metadata.wire import DATASTREAMS, JsonObject

_log = logging.getLogger(__name__)

_SELECT: Final = ("name", "unitOfMeasurement")
_EXPAND: Final = "Thing($select=name;$expand=Locations($select=name,location)),ObservedProperty($select=name)"
_FRESH_S: Final = 60.0
_MISSING_S: Final = 10.0
_IDLE_S: Final = 1.0
# How often it is asked for what records wait for.
_WAITING_S: Final = 0.5
# Of the longest names so many stay below what servers take as an address.
_MOST_AT_A_TIME: Final = 10
_SHOWN: Final = 500
_NEVER: Final = float("-inf")
_MOST_TAILS: Final = 100_000
_AXES: Final = 2


class DatastreamSearch(Protocol):
    """Who is asked; see `client.metadata.server.SensorThingsServer`."""

    def search(
        self, entities: str, condition: str, *, select: tuple[str, ...], expand: str | None = None
    ) -> list[JsonObject]:
        """List entities for which a condition holds."""


class Tail(NamedTuple):
    """The part of a document that all records of one Datastream share.

    Attributes:
        text: Its bytes.
        is_known: Whether SensorThings knows the Datastream.
        waits_until: Until when records may wait for it to be known, by a monotonic clock [s]; 0: not at all.
    """

    text: bytes
    is_known: bool
    waits_until: float = 0.0


class _Key(NamedTuple):
    topic: str
    name: str
    owner: str


class MetadataCache:
    """Gives tails of documents at once; asks SensorThings in the background.

    Args:
        server: Who is asked; None for nobody.
        monotonic: The clock [s].
        grace_s: How long the records of a Datastream that is not known yet may wait for it [s].
    """

    def __init__(
        self,
        server: DatastreamSearch | None,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        grace_s: float = 0.0,
    ) -> None:
        self._server = server
        self._monotonic = monotonic
        self._grace_s = grace_s
        self._known: dict[str, StreamMetadata] = {}
        self._asked_at: dict[str, float] = {}
        self._tails: dict[tuple[str, str, str], Tail] = {}
        self._waiting: dict[_Key, float] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._is_away = False
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def tail(self, topic: str, name: str, owner: str) -> Tail:
        """Give what the documents of a Datastream share, as far as that is known now.

        Args:
            topic: Where its records are read.
            name: Its full name; empty where a record has no key.
            owner: The system that it belongs to.
        """
        found = self._tails.get((topic, name, owner))
        return found if found is not None else self._first(_Key(topic, name, owner))

    def _first(self, key: _Key) -> Tail:
        with self._lock:
            if len(self._tails) >= _MOST_TAILS:
                self._tails, self._waiting = {}, {}
            made = self._tails[key] = self._make(key)
            is_new = self._asked_at.setdefault(key.owner, _NEVER) == _NEVER
            if not made.is_known and self._may_come(key.name):
                until = self._waiting[key] = self._monotonic() + self._grace_s
                made = self._tails[key] = made._replace(waits_until=until)
        if is_new or made.waits_until:
            self._wanted.set()
        return made

    def _may_come(self, name: str) -> bool:
        """Tell whether there may be a Datastream of that name: the key of a record may be anything."""
        if self._server is None or self._grace_s <= 0:
            return False
        try:
            DatastreamName.parse(name)
        except InvalidNameError:
            return False
        return True

    def _make(self, key: _Key) -> Tail:
        known = self._known.get(key.name)
        return Tail(document_tail(key.name, key.owner, key.topic, known), known is not None)

    def start(self) -> None:
        """Begin to ask in the background."""
        if self._server is not None and self._thread is None:
            self._thread = threading.Thread(target=self._keep_fresh, name="metadata", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the background work."""
        self._closed = True
        self._wanted.set()

    def _keep_fresh(self) -> None:
        while not self._closed:
            if self._waiting:
                time.sleep(_WAITING_S)
            elif self._wanted.wait(_IDLE_S):
                self._wanted.clear()
            self.refresh_when_due()

    def refresh_when_due(self) -> None:
        """Ask for what is new, for what records wait for, and for all again if it is time.

        It is time sooner while something is unknown.
        """
        now = self._monotonic()
        with self._lock:
            tails = self._tails.items()
            missing = {owner for (_, name, owner), tail in tails if name and not tail.is_known}
            self._waiting = {key: until for key, until in self._waiting.items() if until > now}
            waiting = sorted(self._waiting)
        for owner, asked_at in list(self._asked_at.items()):
            if now - asked_at >= (_MISSING_S if owner in missing else _FRESH_S):
                self._learn(owner)
            else:
                names = sorted({key.name for key in waiting if key.owner == owner})
                for first in range(0, len(names), _MOST_AT_A_TIME):
                    self._learn(owner, names[first : first + _MOST_AT_A_TIME])

    def _learn(self, owner: str, names: Sequence[str] = ()) -> None:
        """Ask for Datastreams of a system, all of them or some, and renew the tails that have changed."""
        if self._server is None:
            return
        tests = [f"name eq '{_literal(name)}'" for name in names]
        condition = " or ".join(tests) or f"startswith(name,'{_literal(owner)}.')"
        try:
            entities = self._server.search(DATASTREAMS, condition, select=_SELECT, expand=_EXPAND)
        # A link to the next page may be anything: it is no address where that cannot be read.
        except (SensorThingsError, ValueError) as error:
            if not self._is_away:
                _log.warning(
                    "metadata of %s is not available: %s",
                    owner,
                    str(error)[:_SHOWN],
                    extra={"action": "metadata"},
                )
            self._is_away = True
        else:
            self._is_away = False
            found = {str(entity["name"]): read_metadata(entity) for entity in entities if "name" in entity}
            # A service that ignores the condition answers with those of others.
            found = {name: one for name, one in found.items() if name.startswith(f"{owner}.")}
            self._renew(owner, found, is_whole=not names)
        if not names:
            self._asked_at[owner] = self._monotonic()

    def _renew(self, owner: str, found: Mapping[str, StreamMetadata], *, is_whole: bool) -> None:
        with self._lock:
            gone = [
                name
                for name in self._known
                if is_whole and name.startswith(f"{owner}.") and name not in found
            ]
            changed = {*gone, *(name for name, one in found.items() if self._known.get(name) != one)}
            for name in gone:
                del self._known[name]
            self._known |= found
            for key in [_Key(*key) for key in self._tails if key[1] in changed]:
                self._tails[key] = self._make(key)
                self._waiting.pop(key, None)


def _literal(text: str) -> str:
    return text.replace("'", "''")


def read_metadata(entity: Mapping[str, Any]) -> StreamMetadata:
    """Read what documents carry from a Datastream's JSON with Thing, Locations and ObservedProperty.

    Source: OGC 18-088, clauses 8.2.1 to 8.2.6.
    """
    unit = entity.get("unitOfMeasurement")
    observed = entity.get("ObservedProperty")
    thing = entity.get("Thing")
    places = thing.get("Locations") if isinstance(thing, dict) else None
    place = places[0] if isinstance(places, list) and places and isinstance(places[0], dict) else {}
    return StreamMetadata(
        unit=(_text(unit, "symbol") or _text(unit, "name")) if isinstance(unit, dict) else None,
        observed_property=_text(observed, "name"),
        place=_text(place, "name"),
        location=_point(place.get("location")),
    )


def _text(entity: object, name: str) -> str | None:
    value = entity.get(name) if isinstance(entity, dict) else None
    # Half of a pair of surrogates is no text that can be written.
    return value.encode(errors="replace").decode() if isinstance(value, str) and value else None


def _point(geometry: object) -> tuple[float, float] | None:
    """Give longitude and latitude of a point of GeoJSON, or of a Feature that is one.

    Source: RFC 7946, clauses 3.1.2 and 3.2.
    """
    if not isinstance(geometry, dict):
        return None
    if geometry.get("type") == "Feature":
        return _point(geometry.get("geometry"))
    axes = geometry.get("coordinates") if geometry.get("type") == "Point" else None
    return position(*axes[:_AXES]) if isinstance(axes, list) and len(axes) >= _AXES else None
