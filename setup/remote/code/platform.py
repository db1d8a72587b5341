"""What a platform has, as documents: for `dtwin export`, and for comparing.

What lives here: reading. What does not: changing (``steps``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from setup.remote.agreements import TERMS
from setup.remote.code.documents import Document
from setup.remote.connection import Connection
from setup.remote.operations import items, operations

STANDING: Final = frozenset({"not deployed", "stopped", "stopping"})
"""States of a stream app that is not meant to run."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object of the platform.

    Attributes:
        document: As code.
        answer: As the API tells it; for what code does not keep: ids, versions, digests.
    """

    document: Document
    answer: Mapping[str, Any]


def read_platform(
    connection: Connection, companies: Collection[str] = (), people_of: Collection[str] | None = None
) -> list[Found]:
    """Read what there is.

    Args:
        connection: As whom.
        companies: Only what is of these; of all when empty.
        people_of: Companies and systems whose people are wanted; all when left out.

    Raises:
        RemoteError: the platform refuses, or does not answer.
    """
    found = [
        Found(Document.of("Company", one), one)
        for one in items(connection, "list_companies")
        if not companies or one["name"] in companies
    ]
    systems = [
        one for one in items(connection, "list_systems") if not companies or one["company"] in companies
    ]
    names = {one["name"] for one in systems}
    found += [Found(Document.of("System", one), one) for one in systems]
    owners = [("company", one.answer["name"]) for one in found if one.document.kind == "Company"]
    owners += [("system", name) for name in sorted(names)]
    found += [
        _people(connection, kind, name) for kind, name in owners if people_of is None or name in people_of
    ]
    found += [
        Found(Document.of("Client", one), one)
        for one in items(connection, "list_clients")
        if one["system"] in names
    ]
    found += [_app(one) for one in items(connection, "list_apps") if one["source_system"] in names]
    found += _contracts(items(connection, "list_contracts"), names)
    if "list_offers" in operations():
        path = operations()["list_offers"].path
        found += [_offer(one) for one in connection.items(path, {"ours": "true"}) if one["system"] in names]
    return found


def _people(connection: Connection, kind: str, name: str) -> Found:
    members = items(connection, f"list_{kind}_members", {"name": name})
    roles = {one["email"]: one["role"] for one in members}
    return Found(Document.of("Members", {"of": name, "members": roles}), {"kind": kind, "name": name})


def _app(answer: Mapping[str, Any]) -> Found:
    given = {
        **answer,
        "system": answer["source_system"],
        "target": answer["target_system"],
        "running": answer["state"] not in STANDING,
    }
    return Found(Document.of("StreamApp", given), answer)


def _contracts(answers: Iterable[Mapping[str, Any]], systems: Collection[str]) -> Iterator[Found]:
    for one in answers:
        if one["state"] != "ended" and (one["provider"] in systems or one["consumer"] in systems):
            version = standing_version(one)
            given = {name: version[name] for name in TERMS}
            given |= {"provider": one["provider"], "consumer": one["consumer"]}
            given["signed_by"] = [signature["side"] for signature in version["signatures"]]
            yield Found(Document.of("Contract", given), one)


def standing_version(contract: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the version that waits for signatures, else the one in force, else the newest."""
    alive = [one for one in contract["versions"] if one["state"] in {"open", "in_force"}]
    return dict((alive or contract["versions"])[0])


def _offer(answer: Mapping[str, Any]) -> Found:
    given = {**answer, "published": answer["state"] == "published"}
    return Found(Document.of("Offer", given), answer)
