"""Does what a plan says, with the API's operations.

What lives here: how each kind is made, changed and deleted. What does not: what is to be done (``planning``).
A step that was done is not planned again, so an interrupted run goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from setup.remote.agreements import TERMS, sign, waits_for
from setup.remote.code.documents import Document
from setup.remote.code.planning import Action, Step
from setup.remote.code.platform import Found
from setup.remote.commands import split_name
from setup.remote.connection import Body, Connection
from setup.remote.operations import call, items

Say = Callable[[str], None]
Create = Callable[[Connection, Document, Say], None]
Change = Callable[[Connection, Document, Found, Step, Say], None]
Delete = Callable[[Connection, Found], None]

_REASON: Final = "It is no longer among the documents."
_OFFERED: Final = (
    *("title", "description", "datastreams", "predicate", "fields", "purposes", "terms"),
    *("visibility", "companies"),
)


def do_step(connection: Connection, step: Step, say: Say) -> None:
    """Do one step.

    Args:
        connection: As whom.
        step: One that is not blocked.
        say: Told what somebody else has to do now.

    Raises:
        RemoteError: it was refused, or there is no answer.
    """
    kind = step.document.kind
    if step.action is Action.CREATE:
        _CREATE[kind](connection, step.document, say)
    elif step.found is not None and step.action is Action.CHANGE:
        _CHANGE[kind](connection, step.document, step.found, step, say)
    elif step.found is not None:
        _DELETE[kind](connection, step.found)


def _create_company(connection: Connection, document: Document, say: Say) -> None:
    del say
    body = split_name(document.body["name"], "company") | {"description": document.body["description"]}
    call(connection, "create_company", {}, body)
    if document.body["requires_second_factor"]:
        call(connection, "change_company", {"name": document.body["name"]}, {"requires_second_factor": True})


def _change_company(connection: Connection, document: Document, found: Found, step: Step, say: Say) -> None:
    del found, say
    body = {name: after for name, _, after in step.changes}
    call(connection, "change_company", {"name": document.body["name"]}, body)


def _create_system(connection: Connection, document: Document, say: Say) -> None:
    del say
    body = split_name(document.body["name"], "system") | {"description": document.body["description"]}
    call(connection, "create_system", {}, body)


def _change_system(connection: Connection, document: Document, found: Found, step: Step, say: Say) -> None:
    del found, step, say
    body = {"description": document.body["description"]}
    call(connection, "change_system", {"name": document.body["name"]}, body)


def _create_client(connection: Connection, document: Document, say: Say) -> None:
    del say
    body = {name: document.body[name] for name in ("name", "description")}
    call(connection, "create_client", {"system": document.body["system"]}, body)


def _change_client(connection: Connection, document: Document, found: Found, step: Step, say: Say) -> None:
    del found, step, say
    body = {"description": document.body["description"]}
    call(connection, "change_client", _place(document.body), body)


def _add_people(connection: Connection, document: Document, say: Say) -> None:
    name = document.body["of"]
    members = items(connection, f"list_{_kind_of(name)}_members", {"name": name})
    there = {one["email"]: one["role"] for one in members}  # whoever made it is one already
    wanted = document.body["members"].items()
    changes = [(email, there.get(email), role) for email, role in wanted if there.get(email) != role]
    _set_people(connection, name, changes, say)


def _change_people(connection: Connection, document: Document, found: Found, step: Step, say: Say) -> None:
    del found
    _set_people(connection, document.body["of"], step.changes, say)


def _set_people(connection: Connection, name: str, changes: Any, say: Say) -> None:  # noqa: ANN401 - pairs
    kind = _kind_of(name)
    for email, before, after in changes:
        place = {"name": name, "email": email}
        if after is None:
            call(connection, f"remove_{kind}_member", place)
        elif before is None:
            added = call(connection, f"add_{kind}_member", place, {"email": email, "role": after})
            if added["state"] == "invited":
                link = f" Pass this link on: {added['link']}" if added.get("link") else ""
                say(f"{email} has no account yet and is invited to {name}.{link}")
        else:
            call(connection, f"change_{kind}_member", place, {"role": after})


def _kind_of(name: str) -> str:
    return "company" if name.count(".") == 1 else "system"


def _create_contract(connection: Connection, document: Document, say: Say) -> None:
    body = {name: document.body[name] for name in (*TERMS, "provider", "consumer")}
    _sign(connection, call(connection, "create_contract", {}, body), document, say)


def _change_contract(connection: Connection, document: Document, found: Found, step: Step, say: Say) -> None:
    contract = found.answer
    if any(name != "signed_by" for name, _, _ in step.changes):
        body: Body = {name: document.body[name] for name in TERMS} | {"version": contract["version"]}
        contract = call(connection, "change_contract", {"contract": contract["id"]}, body)
    _sign(connection, contract, document, say)


def _sign(connection: Connection, contract: Mapping[str, Any], document: Document, say: Say) -> None:
    for side in document.body["signed_by"]:
        if side in contract["to_sign"]:
            contract = sign(connection, contract, side)
    if document.body["signed_by"]:
        for one in waits_for(contract):
            say(f"{document.label}: proposed as {contract['id']}, waits for the signature of {one}.")


def _delete_contract(connection: Connection, found: Found) -> None:
    contract = found.answer
    systems = {one["name"] for one in connection.items("/systems")}
    side = next((side for side in ("provider", "consumer") if contract[side] in systems), "consumer")
    name = "revoke_contract" if contract["state"] == "active" else "decline_contract"
    call(connection, name, {"contract": contract["id"]}, {"side": side, "reason": _REASON})


def _create_offer(connection: Connection, document: Document, say: Say) -> None:
    del say
    body = {name: document.body[name] for name in ("system", *_OFFERED)}
    made = call(connection, "create_offer", {}, body)
    if document.body["published"]:
        call(connection, "publish_offer", {"offer": made["id"]})


def _change_offer(connection: Connection, document: Document, found: Found, step: Step, say: Say) -> None:
    del say
    place = {"offer": found.answer["id"]}
    changed = {name for name, _, _ in step.changes}
    if changed - {"published"}:
        call(connection, "change_offer", place, {name: document.body[name] for name in _OFFERED})
    if "published" in changed:
        call(connection, "publish_offer" if document.body["published"] else "withdraw_offer", place)


def _delete_offer(connection: Connection, found: Found) -> None:
    place = {"offer": found.answer["id"]}
    if found.answer["state"] == "published":
        call(connection, "withdraw_offer", place)
    call(connection, "delete_offer", place)


def _create_app(connection: Connection, document: Document, say: Say) -> None:
    del say
    given = document.body
    body = {name: given[name] for name in ("name", "statement", "description")}
    call(connection, "create_app", {"system": given["system"]}, body | {"target_system": given["target"]})
    if given["running"]:
        call(connection, "deploy_app", _place(given))


def _change_app(connection: Connection, document: Document, found: Found, step: Step, say: Say) -> None:
    del found, say
    place = _place(document.body)
    changed = {name for name, _, _ in step.changes}
    if "statement" in changed:
        call(connection, "create_app_version", place, {"statement": document.body["statement"]})
    if "running" in changed:
        call(connection, "deploy_app" if document.body["running"] else "stop_app", place)


def _place(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"system": body["system"], "name": body["name"]}


_CREATE: Final[Mapping[str, Create]] = {
    "Company": _create_company,
    "Members": _add_people,
    "System": _create_system,
    "Client": _create_client,
    "Contract": _create_contract,
    "Offer": _create_offer,
    "StreamApp": _create_app,
}
_CHANGE: Final[Mapping[str, Change]] = {
    "Company": _change_company,
    "Members": _change_people,
    "System": _change_system,
    "Client": _change_client,
    "Contract": _change_contract,
    "Offer": _change_offer,
    "StreamApp": _change_app,
}
_DELETE: Final[Mapping[str, Delete]] = {
    "System": lambda connection, found: call(
        connection, "delete_system", {"name": found.document.body["name"]}
    ),
    "Client": lambda connection, found: call(connection, "delete_client", _place(found.document.body)),
    "Contract": _delete_contract,
    "Offer": _delete_offer,
    "StreamApp": lambda connection, found: call(connection, "delete_app", _place(found.document.body)),
}
