"""What this program knows of the entities in the SensorThings service: registering and looking up by name.

What lives here: the order in which instances are registered, and a memory of looked-up Datastreams that never
makes a consumer wait for long. What does not: HTTP (`server`) and the users' files (`instances`).
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from client.errors import EntityNotFoundError, SensorThingsError
from client.messaging.topics import DatastreamName
from client.metadata.entities import Entity, ObservedProperty
from client.metadata.instances import Instances
from client.metadata.server import MetadataServer
from client.metadata.wire import DatastreamReference, JsonObject, datastream_reference

_log = logging.getLogger(__name__)


def register_instances(server: MetadataServer, instances: Instances) -> dict[str, DatastreamReference]:
    """Bring the service up to date with a client's instances, linked entities first.

    Returns: the Datastreams by quantity.

    Raises:
        SensorThingsError: its children say why; what was registered before the error stays, and registering
            again continues from there.
    """
    things = {thing.name: server.upsert(thing) for thing in instances.things.values()}
    sensors = {sensor.name: server.upsert(sensor) for sensor in instances.sensors.values()}
    properties: dict[str, ObservedProperty] = {}
    references: dict[str, DatastreamReference] = {}
    for quantity, datastream in instances.datastreams.items():
        observed = datastream.observed_property
        if observed.name not in properties:
            properties[observed.name] = server.upsert(observed)
        registered = server.upsert(
            replace(
                datastream,
                thing=things[datastream.thing.name],
                sensor=sensors[datastream.sensor.name],
                observed_property=properties[observed.name],
            )
        )
        references[quantity] = DatastreamReference(
            registered.name, registered.observation_type, _known_id(registered)
        )
    return references


def _known_id(entity: Entity) -> int | str:
    if entity.iot_id is None:
        raise SensorThingsError(f"the service registered {entity.name!r}, but does not say its id")
    return entity.iot_id


def find_existing(
    server: MetadataServer, names: Mapping[str, DatastreamName]
) -> dict[str, DatastreamReference]:
    """Look up Datastreams that were registered before, by quantity.

    Raises:
        EntityNotFoundError: naming every one that is missing.
        SensorThingsError: its other children say why.
    """
    references: dict[str, DatastreamReference] = {}
    missing = []
    for quantity, name in names.items():
        document = server.datastream(str(name))
        reference = None if document is None else datastream_reference(document)
        if reference is None:
            missing.append(f"{quantity!r} ({name})")
        else:
            references[quantity] = reference
    if missing:
        raise EntityNotFoundError(
            f"not registered: {', '.join(missing)}. "
            "Register them with register(), or correct the mappings file"
        )
    return references


@dataclass(frozen=True, slots=True)
class _Entry:
    document: JsonObject | None
    ask_again_at: float


class DatastreamCatalogue:
    """Remembers metadata of Datastreams by name; asks once, without patience, and not again too soon.

    Args:
        server: Whom to ask.
        now: A monotonic clock [s].
        fresh_s: How long an answer counts [s]; an older one still serves while the service is unavailable.
        missing_s: How long not to ask again for what was not found, or while the service is unavailable [s].
    """

    def __init__(
        self,
        server: MetadataServer,
        now: Callable[[], float],
        *,
        fresh_s: float = 300.0,
        missing_s: float = 10.0,
    ) -> None:
        self._server = server
        self._now = now
        self._fresh_s = fresh_s
        self._missing_s = missing_s
        self._entries: dict[str, _Entry] = {}
        self._unavailable_until = float("-inf")
        self._lock = threading.Lock()

    def find(self, name: str) -> JsonObject | None:
        """Give the metadata of a Datastream, None when it is unknown at the moment; never raises."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None and self._now() < entry.ask_again_at:
                return entry.document
            known = None if entry is None else entry.document
            if self._now() < self._unavailable_until:
                return known
            return self._ask(name, known)

    def _ask(self, name: str, known: JsonObject | None) -> JsonObject | None:
        try:
            found = self._server.datastream(name, patient=False)
        except SensorThingsError as error:
            _log.warning("metadata of %s is not available: %s", name, error)
            self._unavailable_until = self._now() + self._missing_s
            return known
        wait_s = self._missing_s if found is None else self._fresh_s
        self._entries[name] = _Entry(found, self._now() + wait_s)
        return found
