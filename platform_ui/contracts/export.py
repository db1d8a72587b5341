"""A contract as a document of the Open Data Contract Standard (ODCS) 3.1.

What lives here: the mapping of our words to those of the standard, as JSON and YAML. What does not: reading
such documents. What the standard has no word for stands in ``customProperties``.

Source: Bitol, Open Data Contract Standard 3.1.0, sections "Fundamentals", "Schema", "Infrastructure and
servers", "Team", "Roles", "Service-level agreement", "Custom and other properties".
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from client.messaging.topics import SystemName
from platform_ui.contracts.models import ACTIVE, CONSUMER, DRAFT, ENDED, PROPOSED, PROVIDER, ContractVersion
from platform_ui.contracts.terms import format_time
from platform_ui.contracts.views import ContractView

API_VERSION: Final = "v3.1.0"
STATUS: Final = {DRAFT: "draft", PROPOSED: "proposed", ACTIVE: "active", ENDED: "retired"}
_TIMES: Final = {
    "phenomenonTime": "When it was measured (OGC 18-088, clause 8.2.7).",
    "resultTime": "When the result was made.",
}


def to_document(view: ContractView, version: ContractVersion, brokers: str) -> dict[str, Any]:
    """Return a version of a contract as an ODCS document.

    Args:
        view: the contract.
        version: the version to export.
        brokers: Kafka's addresses, ``host:port,...``.
    """
    contract = view.contract
    provider = SystemName.parse(contract.provider)
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": contract.id,
        "name": f"{contract.provider} to {contract.consumer}",
        "version": str(version.number),
        "status": STATUS[contract.state],
        "tenant": provider.company,
        "domain": provider.domain,
        "dataProduct": contract.provider,
        "description": {"purpose": version.purpose},
        "servers": [
            {
                "server": "kafka",
                "type": "kafka",
                "description": f"Records arrive on {contract.consumer}.ext.",
                "host": brokers,
                "format": "json",
            }
        ],
        "schema": [_object(name, version) for name in version.datastreams or [f"{contract.provider}.*"]],
        "roles": [
            {"role": contract.consumer, "access": "read", "description": "The system that receives."},
            {"role": contract.provider, "access": "write", "description": "The system that gives."},
        ],
        "customProperties": _custom(view, version),
        "contractCreatedTs": format_time(contract.created_at),
    }
    if version.predicate:
        limit = f"Records leave only where: {version.predicate}"
        document["description"]["limitations"] = limit
    sla = {"generalAvailability": version.starts_at, "endOfSupport": version.ends_at}
    properties = [{"property": name, "value": format_time(time)} for name, time in sla.items() if time]
    if properties:
        document["slaProperties"] = properties
    members = _members(view, version)
    if members:
        document["team"] = {"name": "Signatories", "members": members}
    return document


def _object(datastream: str, version: ContractVersion) -> dict[str, Any]:
    """Return a Datastream as an element of the schema: a record of it, member by member."""
    times = [
        {"name": name, "logicalType": "timestamp", "physicalType": "string", "description": text}
        for name, text in _TIMES.items()
    ]
    members = [
        *times,
        {"name": "result", "physicalType": "any", "description": "The result of the observation."},
        {"name": "Datastream", "logicalType": "object", "physicalType": "object"},
        *({"name": name, "physicalType": "any"} for name in version.fields),
    ]
    return {
        "name": datastream,
        "physicalName": datastream,
        "physicalType": "datastream",
        "logicalType": "object",
        "properties": members,
    }


def _members(view: ContractView, version: ContractVersion) -> list[dict[str, str]]:
    signatures = (view.signature(version, side) for side in (PROVIDER, CONSUMER))
    return [
        {
            "username": one.email,
            "name": one.full_name,
            "role": f"signed for the {one.side}",
            "dateIn": one.signed_at.date().isoformat(),
        }
        for one in signatures
        if one is not None
    ]


def _custom(view: ContractView, version: ContractVersion) -> list[dict[str, Any]]:
    contract = view.contract
    signatures = [
        {"side": one.side, "signedAt": format_time(one.signed_at), "digest": one.digest}
        for side in (PROVIDER, CONSUMER)
        if (one := view.signature(version, side)) is not None
    ]
    values: dict[str, Any] = {
        "provider": contract.provider,
        "consumer": contract.consumer,
        "predicate": version.predicate,
        "fields": version.fields,
        "versionState": version.state,
        "digest": f"sha256:{version.digest}",
        "signatures": signatures,
    }
    if contract.outcome:
        values |= {"outcome": contract.outcome, "endedAt": format_time(contract.ended_at)}
    return [{"property": name, "value": value} for name, value in values.items()]


def to_json(document: dict[str, Any]) -> str:
    """Write a document as JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def to_yaml(document: dict[str, Any]) -> str:
    """Write a document as YAML, in the standard's own order.

    Texts are written as JSON writes them, which YAML reads: so none is taken for a number or a truth value.

    Source: YAML 1.2.2, clause 1.2 "YAML History": JSON is a subset.
    """
    return "".join(f"{line}\n" for line in _yaml_lines(document))


def _yaml_lines(value: object) -> Iterator[str]:
    """Yield the lines of an object or a list that is not empty, without indentation of its own."""
    entries = (
        [(f"{name}:", held) for name, held in value.items()]
        if isinstance(value, dict)
        else [("-", held) for held in value]
        if isinstance(value, list)
        else []
    )
    for head, held in entries:
        if not isinstance(held, dict | list) or not held:
            yield f"{head} {json.dumps(held, ensure_ascii=False)}"
            continue
        lines = list(_yaml_lines(held))
        if head == "-":  # the first member stands beside the dash
            yield f"- {lines[0]}"
            yield from (f"  {line}" for line in lines[1:])
        else:
            yield head
            yield from (f"  {line}" for line in lines)
