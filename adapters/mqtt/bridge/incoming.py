"""A message from the MQTT broker, and what goes to Kafka because of it; pure.

What lives here: the form in which messages wait, records made of them, dead letters. What does not: taking
messages (`session`), looking up Datastreams (`catalogue`), sending (`sender`).

The record is what the client library makes of an observation: key, value and headers are the same.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from adapters.mqtt.payloads import CODE_NOT_TEXT, Observed
from adapters.mqtt.topics import ClientState
from client.errors import ConfigurationError, InvalidResultError, RecordFormatError
from client.messaging.records import (
    HEADER_APP,
    HEADER_ERROR,
    HEADER_ERROR_DETAIL,
    HEADER_ID,
    HEADER_TRACEPARENT,
    encode_json,
    new_record_id,
)
from client.messaging.topics import SystemName
from client.metadata.observations import observation_value
from client.metadata.results import check_result
from client.metadata.times import EPOCH, format_time
from client.metadata.wire import DatastreamReference
from client.settings import checked_traceparent

HEADER_TOPIC: Final = "mqtt-topic"
"""Header of a dead letter: the MQTT topic that the message came on."""
APP: Final = "mqtt"
CODE_BAD_RESULT: Final = "mqtt.bad_result"
CODE_BAD_STATE: Final = "mqtt.bad_state"
_LONGEST_DETAIL: Final = 500
_LONGEST_STATE: Final = 100
_MICROSECOND: Final = timedelta(microseconds=1)
# Words of devices and gateways, in the words of `client.journal`.
_STATES: Final[Mapping[str, str]] = {
    "online": "started",
    "connected": "started",
    "ready": "started",
    "offline": "stopped",
    "lost": "stopped",
}
_OWN_FIELDS: Final = frozenset({"time", "client", "type", "state"})


class Incoming(msgspec.Struct, frozen=True, array_like=True):
    """A message as it waits, in memory or on disk.

    Attributes:
        topic: MQTT topic.
        payload: Payload, as it came.
        dt_id: Id of the record that it becomes.
        received_us: When the bridge first got it [us since 1970].
        properties: User properties that the bridge uses.
    """

    topic: str
    payload: bytes
    dt_id: str
    received_us: int
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def received(self) -> datetime:
        """When the bridge first got it."""
        return EPOCH + timedelta(microseconds=self.received_us)


class Outgoing(msgspec.Struct, frozen=True):
    """A record for Kafka."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def microseconds(moment: datetime) -> int:
    """Write an aware time as a number [us since 1970]."""
    return (moment.astimezone(UTC) - EPOCH) // _MICROSECOND


def observation_record(
    incoming: Incoming, observed: Observed, reference: DatastreamReference, topic: str
) -> Outgoing:
    """Make the record of an observation.

    Args:
        incoming: The message.
        observed: What its payload says.
        reference: Its Datastream.
        topic: The Kafka topic.

    Raises:
        RecordFormatError: The result does not fit the Datastream, or an attribute cannot be kept.
    """
    received = format_time(incoming.received)
    try:
        value = observation_value(
            phenomenon_time=observed.phenomenon_time or received,
            result_time=observed.result_time or received,
            result=check_result(reference.observation_type, observed.result),
            datastream_id=reference.iot_id,
            attributes=observed.attributes,
        )
    except InvalidResultError as error:
        raise RecordFormatError(CODE_BAD_RESULT, str(error)) from error
    return Outgoing(topic, reference.name.encode(), value, _headers(incoming))


def state_record(incoming: Incoming, state: ClientState) -> Outgoing:
    """Make the record of a client's state, in the form in which the client library tells it.

    Raises:
        RecordFormatError: The payload is neither a word nor a JSON object with a `state`.
    """
    try:
        text = incoming.payload.decode().strip()
    except UnicodeDecodeError as error:
        raise RecordFormatError(CODE_NOT_TEXT, f"the payload is not UTF-8 text: {error}") from error
    facts: dict[str, object] = {}
    said: object = text
    if text.startswith(("{", '"')):
        document = _json(text)
        said = document.pop("state", None) if isinstance(document, dict) else document
        facts = document if isinstance(document, dict) else {}
    if not isinstance(said, str) or not 0 < len(said) <= _LONGEST_STATE or not said.isprintable():
        raise RecordFormatError(
            CODE_BAD_STATE,
            f"a state is 1 to {_LONGEST_STATE} printable characters, as such or as `state` of a JSON object",
        )
    document = {
        "time": format_time(incoming.received),
        "client": state.client,
        "type": "state",
        "state": _STATES.get(said.lower(), said),
        **({"said": said} if said.lower() in _STATES else {}),
        **{name: value for name, value in facts.items() if name not in _OWN_FIELDS},
    }
    try:
        value = encode_json(document)
    except InvalidResultError as error:
        raise RecordFormatError(CODE_BAD_STATE, str(error)) from error
    return Outgoing(state.system.topics.log, state.client.encode(), value, _headers(incoming))


def alive_record(system: SystemName, client: str, now: datetime) -> Outgoing:
    """Make the record that says that a client is still there."""
    document = {"time": format_time(now), "client": client, "type": "state", "state": "alive"}
    headers = [(HEADER_ID, new_record_id().encode())]
    return Outgoing(system.topics.log, client.encode(), encode_json(document), headers)


def state_word(record: Outgoing) -> str:
    """Read the state from a record that `state_record` made."""
    return str(json.loads(record.value or b"{}").get("state", ""))


def dead_letter(
    incoming: Incoming, system: SystemName, name: str | None, reason: tuple[str, str]
) -> Outgoing:
    """Make the dead letter of a message: its payload as it came, with code and text of the reason.

    Args:
        incoming: The message.
        system: The system whose dead letters it joins.
        name: Full name of the Datastream; None when it is not known.
        reason: Code and text.
    """
    code, detail = reason
    headers = [
        (HEADER_ID, incoming.dt_id.encode()),
        (HEADER_APP, APP.encode()),
        (HEADER_TOPIC, incoming.topic.encode()),
        (HEADER_ERROR, code.encode()),
        (HEADER_ERROR_DETAIL, detail[:_LONGEST_DETAIL].encode(errors="backslashreplace")),
    ]
    key = None if name is None else name.encode()
    return Outgoing(system.topics.dead_letters, key, incoming.payload, headers)


def problem(incoming: Incoming, reason: tuple[str, str]) -> bytes:
    """Write for the device why its message was refused, as a problem.

    Source: RFC 9457, section 3.
    """
    code, detail = reason
    return encode_json(
        {
            "type": "about:blank",
            "title": "The message was refused",
            "code": code,
            "detail": detail,
            "instance": incoming.topic,
            "dt-id": incoming.dt_id,
        }
    )


def _headers(incoming: Incoming) -> list[tuple[str, bytes]]:
    headers = [(HEADER_ID, incoming.dt_id.encode())]
    given = next((value for name, value in incoming.properties if name == HEADER_TRACEPARENT), None)
    if given is not None:
        try:
            headers.append((HEADER_TRACEPARENT, checked_traceparent(given)))
        except ConfigurationError:
            return headers  # a broken trace context is left out, as its standard wants (section 3.2.2.4)
    return headers


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordFormatError(CODE_BAD_STATE, f"the payload is not JSON: {error}") from error
