"""The description of the topics of a system, made of its Datastreams as SensorThings knows them.

What lives here: the AsyncAPI document, and the JSON Schemas of the records in it. What does not: reading
Datastreams (``assets``), where schemas are published (``registry``).

How it works: what a record on ``<system>.int`` holds follows from its Datastream: the type of the result from
``observationType``, its unit is in the description. So each Datastream is one message of that channel. What
arrives on ``<system>.ext`` is what other systems share: its results may be of any type.

Source: AsyncAPI Specification 3.0.0; AsyncAPI Kafka bindings 0.5.0; OGC 18-088, table 12 (observationType).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from client.messaging.records import HEADER_APP, HEADER_CONTRACT, HEADER_ID, HEADER_ORIGIN, HEADER_TRACEPARENT
from client.messaging.topics import SystemName
from client.metadata.entities import ObservationType

Document = dict[str, Any]

VERSION: Final = "3.0.0"
SCHEMA_FORMAT: Final = "http://json-schema.org/draft-07/schema"
BINDING_VERSION: Final = "0.5.0"
SERVER: Final = "kafka"
_NOT_A_KEY: Final = re.compile(r"[^A-Za-z0-9_-]+")
_TLS: Final = frozenset({"SSL", "SASL_SSL"})
# OGC 18-088, table 12 "value codes used for the observationType".
_RESULTS: Final[Mapping[ObservationType, Document]] = {
    ObservationType.MEASUREMENT: {"type": "number"},
    ObservationType.COUNT_OBSERVATION: {"type": "integer"},
    ObservationType.TRUTH_OBSERVATION: {"type": "boolean"},
    ObservationType.CATEGORY_OBSERVATION: {"type": "string"},
    ObservationType.OBSERVATION: {},
}


@dataclass(frozen=True, slots=True)
class Stream:
    """What is needed of a Datastream.

    Attributes:
        name: Full name, the key of its records.
        description: In words.
        observation_type: What its results are.
        unit: Name and symbol of the unit; empty for none.
        iot_id: Its id in the SensorThings service; 0 when it is not known.
    """

    name: str
    description: str
    observation_type: ObservationType
    unit: str
    iot_id: int = 0


@dataclass(frozen=True, slots=True)
class Brokers:
    """How Kafka is reached.

    Attributes:
        addresses: ``host:port``, one for each broker.
        security_protocol: As Kafka names it, for instance ``SSL``.
    """

    addresses: Sequence[str]
    security_protocol: str


def stream_of(document: Mapping[str, Any]) -> Stream:
    """Read a Datastream as the SensorThings service writes it; what it lacks is left empty."""
    uri = str(document.get("observationType") or "")
    known = {one.uri: one for one in ObservationType}
    unit = document.get("unitOfMeasurement") or {}
    words = [str(unit.get(part)) for part in ("name", "symbol") if unit.get(part)]
    iot_id = document.get("@iot.id")
    return Stream(
        name=str(document.get("name") or ""),
        description=str(document.get("description") or ""),
        observation_type=known.get(uri, ObservationType.OBSERVATION),
        unit=f"{words[0]} [{words[1]}]" if len(words) > 1 else "".join(words),
        iot_id=iot_id if isinstance(iot_id, int) else 0,
    )


def describe(system: SystemName, streams: Iterable[Stream], brokers: Brokers) -> Document:
    """Return the AsyncAPI document of a system.

    Args:
        system: whose topics.
        streams: its Datastreams, in the order in which they are shown.
        brokers: how Kafka is reached.
    """
    topics = system.topics
    own = {key: _observation_message(stream) for key, stream in _keyed(streams).items()}
    messages = {**own, "observation": _shared_message(), "client_log": _log_message()}
    internal = [*own] or ["observation"]
    return {
        "asyncapi": VERSION,
        "info": {
            "title": str(system),
            "version": "1",
            "description": f"Records of the system {system}: what its clients observe, what others share "
            "with it, and what its clients say about themselves.",
        },
        "defaultContentType": "application/json",
        "servers": _servers(brokers),
        "channels": {
            "int": _channel(topics.internal, "What the clients of the system observe.", internal),
            "ext": _channel(topics.external, "What stream apps bring from other systems.", ["observation"]),
            "log": _channel(topics.log, "Log lines and states of the clients.", ["client_log"]),
        },
        "operations": {
            "observe": _operation("send", "int", "A client sends what it observes."),
            "follow": _operation("receive", "int", "A client follows what its own system observes."),
            "receive": _operation("receive", "ext", "A client gets what others share."),
            "log": _operation("send", "log", "A client says what it does."),
            "watch": _operation("receive", "log", "A client reads the logs of its system."),
        },
        "components": {
            "messages": messages,
            "securitySchemes": {"certificate": _CERTIFICATE} if _is_secured(brokers) else {},
        },
    }


_CERTIFICATE: Final[Document] = {
    "type": "X509",
    "description": "A certificate of the platform for one client app (TLS with client authentication). The "
    "broker lets it reach the topics of its system.",
}


def _is_secured(brokers: Brokers) -> bool:
    return brokers.security_protocol in _TLS


def _servers(brokers: Brokers) -> Document:
    is_secured = _is_secured(brokers)
    names = [SERVER, *(f"{SERVER}{at}" for at in range(2, len(brokers.addresses) + 1))]
    return {
        name: {
            "host": address,
            "protocol": "kafka-secure" if is_secured else "kafka",
            **({"security": [{"$ref": "#/components/securitySchemes/certificate"}]} if is_secured else {}),
        }
        for name, address in zip(names, brokers.addresses, strict=True)
    }


def _channel(topic: str, description: str, messages: Sequence[str]) -> Document:
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": BINDING_VERSION}},
    }


def _operation(action: str, channel: str, summary: str) -> Document:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _keyed(streams: Iterable[Stream]) -> dict[str, Stream]:
    """Give each Datastream a key as AsyncAPI takes it (letters, digits, - and _), all of them different."""
    found: dict[str, Stream] = {}
    for stream in streams:
        base = _NOT_A_KEY.sub("_", stream.name).strip("_") or "datastream"
        key, number = base, 1
        while key in found:
            number += 1
            key = f"{base}_{number}"
        found[key] = stream
    return found


def _observation_message(stream: Stream) -> Document:
    unit = f" Unit: {stream.unit}." if stream.unit else ""
    return _message(
        stream.name,
        f"{stream.description.rstrip('. ')}.{unit}".lstrip(". "),
        payload=observation_schema(stream),
        key={"type": "string", "const": stream.name},
        headers=_headers(),
    )


def _shared_message() -> Document:
    return _message(
        "Observation of another system",
        "The record of a Datastream that is shared, as its system wrote it, or what a stream app computed.",
        payload=_observation({}),
        key={"type": "string", "description": "Full name of the Datastream: <system>.<Thing>.<Datastream>."},
        headers=_headers(HEADER_APP, HEADER_CONTRACT, HEADER_ORIGIN),
    )


def _log_message() -> Document:
    text = {"type": "string"}
    properties: Document = {
        "time": {"type": "string", "format": "date-time"},
        "client": text,
        "type": {"type": "string", "description": "state, log, registered, or audit (of the platform)."},
        "state": {"enum": ["started", "alive", "disconnected", "reconnected", "stopped"]},
        "level": text,
        "logger": text,
        "message": text,
        "exception": text,
    }
    payload = {"type": "object", "required": ["time", "type"], "properties": properties}
    return _message(
        "Log record",
        "A log line or a state of a client, or an entry of the audit log.",
        payload=payload,
        key={"type": "string", "description": "Name of the client."},
        headers=_headers(),
    )


def _message(
    title: str, description: str, *, payload: Document, key: Document, headers: Document
) -> Document:
    return {
        "title": title,
        "description": description,
        "contentType": "application/json",
        "headers": headers,
        "payload": {"schemaFormat": f"{SCHEMA_FORMAT};version=draft-07", "schema": payload},
        "bindings": {"kafka": {"key": key, "bindingVersion": BINDING_VERSION}},
    }


def _headers(*further: str) -> Document:
    names = (HEADER_ID, HEADER_TRACEPARENT, *further)
    return {
        "type": "object",
        "required": [HEADER_ID],
        "properties": {name: {"type": "string", "description": _HEADER_TEXTS[name]} for name in names},
    }


_HEADER_TEXTS: Final = {
    HEADER_ID: "UUID version 7, made once; the same wherever the record is forwarded to.",
    HEADER_TRACEPARENT: "W3C Trace Context, if the client gave one.",
    HEADER_APP: "The stream app that forwarded it: <source system>.<name>.",
    HEADER_CONTRACT: "The contract under which it was shared.",
    HEADER_ORIGIN: "Where it was read: <topic>/<partition>/<offset>.",
}


def observation_schema(stream: Stream) -> Document:
    """Return the JSON Schema of the value of a Datastream's records (draft-07)."""
    result = dict(_RESULTS[stream.observation_type])
    if stream.unit:
        result["description"] = f"In {stream.unit}."
    schema = _observation(result)
    if stream.iot_id:
        schema["properties"]["Datastream"]["properties"]["@iot.id"]["const"] = stream.iot_id
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": stream.name,
        "description": f"{stream.description} ({stream.observation_type.uri})".strip(),
        **schema,
    }


def _observation(result: Document) -> Document:
    time = {"type": "string", "format": "date-time"}
    return {
        "type": "object",
        "required": ["phenomenonTime", "result"],
        "properties": {
            "phenomenonTime": {**time, "description": "When it was observed."},
            "resultTime": {**time, "description": "When the client handed it over."},
            "result": result,
            "Datastream": {"type": "object", "properties": {"@iot.id": {"type": ["integer", "string"]}}},
        },
        "additionalProperties": True,
    }
