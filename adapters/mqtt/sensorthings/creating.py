"""Observations published by MQTT become Observations at the service: one message, one POST.

What lives here: from a message to a POST, and from its answer to what becomes of the message. What does not:
the MQTT session and dead letters (the bridge), rules of a body (the service has those of any POST).

Who creates: the token is the bridge's own, the rights are those of the system. Which one it is, the topic
says where it begins with it, and else the Datastream in it, because the broker's rules let only the clients
of a Datastream's system publish to its topic. At a site the token has the rights of its one system anyway.

A message that comes twice (after a crash of the bridge, or of the broker) has the same dt-id and makes one
Observation. So that this holds for one without a phenomenonTime, too, it gets the time in its dt-id, which
the bridge remembers, instead of the time at which the service sees it.

Source: OGC 18-088, clause 14.2 (requirements class "create-observations-via-mqtt").
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from adapters.mqtt.identifiers import time_of
from adapters.mqtt.sensorthings.service import Posted, Service
from adapters.mqtt.sensorthings.topics import Creation, CreationTopicError, parse_creation, publishing_system
from client.errors import InvalidTimeError, SensorThingsError, UnavailableError
from client.metadata.times import format_time, parse_time

CODE_TOPIC: Final = "mqtt.bad_topic"
CODE_NOT_JSON: Final = "mqtt.payload_not_json"
CODE_NO_OWNER: Final = "mqtt.no_owner"
CODE_NOT_TAKEN: Final = "mqtt.not_taken"
_PHENOMENON_TIME: Final = "phenomenonTime"
_OWNER_MEMORY_S: Final = 60.0
_MAX_OWNERS: Final = 100_000
_REFUSED: Final = 400
_FORBIDDEN: Final = (403, 404)
_CONFLICT: Final = 409
_TIME_ORDERED: Final = 7


@dataclass(frozen=True, slots=True)
class Created:
    """The Observation is stored, or was already: acknowledge the message.

    Attributes:
        location: Address of the Observation; None for the bridge's own update, which came back.
    """

    location: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The message can never be stored: keep it as a dead letter, then acknowledge it.

    Attributes:
        code: Stable reason, such as `body.missing_property`.
        detail: The reason for people.
        system: Whose it is; None where that is not known.
        problem: The service's answer (RFC 9457), or one made here.
    """

    code: str
    detail: str
    system: str | None
    problem: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Later:
    """The service does not answer: keep the message unacknowledged and hand it in again.

    Attributes:
        reason: Why.
    """

    reason: str


Outcome = Created | Refused | Later


class Creator:
    """Makes Observations of messages; thread-safe.

    Args:
        service: Where to.
        system: The one system of a site; None for all, where the bridge's token is an admin's.
        clock: Monotonic time [s].
    """

    def __init__(
        self, service: Service, *, system: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._system = system
        self._clock = clock
        self._owners: dict[int, tuple[float, str | None]] = {}
        self._lock = threading.Lock()

    def handle(self, topic: str, payload: bytes, record_id: str) -> Outcome:
        """Make an Observation of a message.

        Args:
            topic: As it was published to.
            payload: The Observation as JSON.
            record_id: Its dt-id; the same for a message that is delivered again.
        """
        try:
            target = self._target(topic)
            document = _document(payload)
            if self._is_echo(target, document):
                return Created(None)
            body = _timed(document, payload, record_id)
            return self._post(target, body, record_id, self._whose(target))
        except _NeverError as error:
            return _refused(error.code, str(error), self._system or publishing_system(topic))
        except UnavailableError as error:
            return Later(str(error))
        except SensorThingsError as error:
            return _refused(CODE_NOT_TAKEN, str(error), self._system or publishing_system(topic))

    def _target(self, topic: str) -> Creation:
        try:
            target = parse_creation(topic, one_system=self._system is not None)
        except CreationTopicError as error:
            raise _NeverError(CODE_TOPIC, str(error)) from error
        if self._system is not None and target.system not in (None, self._system):
            raise _NeverError(CODE_TOPIC, f"this bridge serves {self._system} only, not {target.system}")
        return target

    def _whose(self, target: Creation) -> str:
        system = target.system or self._system or self._owner(target)
        if system is None:
            raise _NeverError(CODE_NO_OWNER, f"there is no {target.stream}, or it belongs to no system")
        return system

    def _post(self, target: Creation, body: bytes, record_id: str, system: str) -> Outcome:
        acting = None if self._system is not None else system
        posted = self._send(target, body, record_id, acting)
        if posted.status == _CONFLICT:
            # Another delivery of the same message was being stored at this moment; now it is there.
            posted = self._send(target, body, record_id, acting)
        if posted.status in _FORBIDDEN and target.system is None and acting is not None:
            self._forget_owner(target)
            owner = self._owner(target)
            if owner not in (None, acting):
                posted = self._send(target, body, record_id, owner)
        if posted.status < _REFUSED:
            return Created(posted.location)
        code = str(posted.problem.get("code", f"http.{posted.status}"))
        return Refused(code, str(posted.problem.get("detail", "")), system, posted.problem)

    def _send(self, target: Creation, body: bytes, record_id: str, acting: str | None) -> Posted:
        return self._service.post(target.version, target.path, body, record_id=record_id, system=acting)

    def _is_echo(self, target: Creation, document: Mapping[str, Any]) -> bool:
        """Tell whether it is an update of the bridge's own, sent back by a broker without No Local.

        Only at a site both have the same topics. A request to create has no address at this service yet.
        Source: MQTT 5.0, clause 3.8.3.1 (No Local); MQTT 3.1.1 has no such option.
        """
        if self._system is None or target.system is not None:
            return False
        link = document.get("@iot.selfLink")
        return isinstance(link, str) and link.startswith(f"{self._service.root(target.version)}/")

    def _owner(self, target: Creation) -> str | None:
        if target.stream is None:
            return None
        stream = _id_of(target.stream)
        with self._lock:
            known = self._owners.get(stream)
        if known is not None and self._clock() < known[0]:
            return known[1]
        system = self._service.owner(stream)
        with self._lock:
            if len(self._owners) >= _MAX_OWNERS:
                self._owners.clear()
            self._owners[stream] = (self._clock() + _OWNER_MEMORY_S, system)
        return system

    def _forget_owner(self, target: Creation) -> None:
        if target.stream is not None:
            with self._lock:
                self._owners.pop(_id_of(target.stream), None)


class _NeverError(ValueError):
    """A message that can never be stored.

    Attributes:
        code: Stable reason.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def time_told(payload: bytes) -> datetime | None:
    """Read the start of the phenomenonTime that a payload tells; None where it tells none that can be read.

    Whoever chooses the dt-id derives it from this time, if there is one.
    """
    try:
        value = _document(payload).get(_PHENOMENON_TIME)
    except _NeverError:
        return None
    if not isinstance(value, str):
        return None
    try:
        return parse_time(value.partition("/")[0], now=_clock)
    except InvalidTimeError:
        return None


def _clock() -> datetime:
    return datetime.now(UTC)


def _document(payload: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _NeverError(CODE_NOT_JSON, f"the payload is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _NeverError(CODE_NOT_JSON, 'the payload is no JSON object, such as {"result": 21.5}')
    return document


def _timed(document: Mapping[str, Any], payload: bytes, record_id: str) -> bytes:
    if document.get(_PHENOMENON_TIME) is not None or UUID(record_id).version != _TIME_ORDERED:
        return payload
    return json.dumps({**document, _PHENOMENON_TIME: format_time(time_of(record_id))}).encode()


def _refused(code: str, detail: str, system: str | None) -> Refused:
    problem = {
        "type": f"urn:digital-twin-stack:problem:{code}",
        "title": "Bad Request",
        "status": _REFUSED,
        "code": code,
        "detail": detail,
    }
    return Refused(code, detail, system, problem)


def _id_of(stream: str) -> int:
    return int(stream.partition("(")[2].rstrip(")"))
