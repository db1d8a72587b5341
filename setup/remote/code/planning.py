"""What has to be done so that a platform is as documents say.

What lives here: comparing. Nothing here asks a platform. What does not: doing it (``steps``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from setup.remote.code.documents import Document, in_order, rank
from setup.remote.code.platform import Found


class Action(StrEnum):
    """What becomes of an object."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes:
        action: What becomes of the object.
        document: As it is to be; as it is, where it goes.
        found: As it is; nothing where it is new.
        changes: What differs: member, before, after.
        blocked: Why it cannot be done; empty when it can.
    """

    action: Action
    document: Document
    found: Found | None = None
    changes: Sequence[tuple[str, Any, Any]] = ()
    blocked: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done, in order, and what somebody else has to do."""

    steps: Sequence[Step] = ()
    notes: Sequence[str] = field(default=())


# What the API has no operation for: it would be another object.
_FIXED: Final[Mapping[str, frozenset[str]]] = {"StreamApp": frozenset({"target", "description"})}
_PRUNED: Final = frozenset({"System", "Client", "Contract", "Offer", "StreamApp"})


def make_plan(
    wanted: Iterable[Document], found: Sequence[Found], *, prune: bool = False, me: str = ""
) -> Plan:
    """Compare what is wanted with what there is.

    Args:
        wanted: Documents.
        found: What the platform has, at least of the companies that the documents are about.
        prune: Whether what no document names is deleted, in the companies and systems that they name.
        me: E-mail address of the person, who is never taken out.
    """
    documents = in_order(wanted)
    pairs = _matched(documents, found)
    steps: list[Step] = []
    notes: list[str] = []
    for document, one in pairs:
        step = _step(document, one, prune=prune, me=me)
        steps += [step] if step else []
        notes += _waits(document, one)
    if prune:
        steps += _surplus(documents, [one for _, one in pairs if one is not None], found)
    return Plan(steps, notes)


def _matched(documents: Sequence[Document], found: Sequence[Found]) -> list[tuple[Document, Found | None]]:
    """Give each document its object.

    A contract is known by its two systems; where there are several between them, by its purpose.
    """
    by_identity = {one.document.identity: one for one in found}
    wanted, there = defaultdict(list), defaultdict(list)
    for document in documents:
        wanted[_sides(document)].append(document)
    for one in found:
        there[_sides(one.document)].append(one)
    pairs = []
    for document in documents:
        sides = _sides(document)
        alone = document.kind == "Contract" and len(wanted[sides]) == len(there[sides]) == 1
        pairs.append((document, there[sides][0] if alone else by_identity.get(document.identity)))
    return pairs


def _sides(document: Document) -> tuple[str, ...]:
    return document.identity[:3] if document.kind == "Contract" else document.identity


def _step(document: Document, found: Found | None, *, prune: bool, me: str) -> Step | None:
    if found is None:
        return Step(Action.CREATE, document)
    if document.kind == "Members":
        return _people(document, found, prune=prune, me=me)
    before, after = found.document.body, document.body
    changes = [(name, before[name], after[name]) for name in after if before[name] != after[name]]
    if document.kind == "Contract":
        changes = _signable(changes, found)
    fixed = [name for name, _, _ in changes if name in _FIXED.get(document.kind, ())]
    blocked = f"{' and '.join(fixed)} cannot be changed: delete it first" if fixed else ""
    return Step(Action.CHANGE, document, found, changes, blocked) if changes else None


def _people(document: Document, found: Found, *, prune: bool, me: str) -> Step | None:
    before, after = found.document.body["members"], document.body["members"]
    invited = found.answer.get("invited", {})
    changes = [
        (email, before.get(email), role)
        for email, role in after.items()
        if before.get(email) != role and invited.get(email) != role
    ]
    if prune:
        changes += [(email, role, None) for email, role in before.items() if email not in {*after, me}]
    return Step(Action.CHANGE, document, found, changes) if changes else None


def _signable(changes: Sequence[tuple[str, Any, Any]], found: Found) -> list[tuple[str, Any, Any]]:
    """Leave out signatures that are not the person's to give; new terms have none yet."""
    terms = [change for change in changes if change[0] != "signed_by"]
    if terms:
        return list(changes)
    mine = set(found.answer.get("to_sign", ()))
    return [change for change in changes if (set(change[2]) - set(change[1])) & mine]


def _waits(document: Document, found: Found | None) -> list[str]:
    if document.kind != "Contract" or found is None:
        return []
    missing = set(document.body["signed_by"]) - set(found.document.body["signed_by"])
    others = sorted(missing - set(found.answer.get("to_sign", ())))
    return [
        f"{document.label}: waits for the signature of the {side} ({document.body[side]}), "
        "which is not yours to give."
        for side in others
    ]


def _surplus(documents: Sequence[Document], kept: Sequence[Found], found: Sequence[Found]) -> list[Step]:
    """Return what goes, the last ones first: it lies in what the documents name, and no document names it."""
    owners = {name for document in documents for name in _owned_by(document)}
    known = {id(one) for one in kept}
    surplus = [
        one
        for one in found
        if id(one) not in known and one.document.kind in _PRUNED and _home_of(one.document) & owners
    ]
    surplus.sort(key=lambda one: (rank(one.document), one.document.identity), reverse=True)
    return [Step(Action.DELETE, one.document, one) for one in surplus]


def _owned_by(document: Document) -> Collection[str]:
    return {document.body["name"]} if document.kind in {"Company", "System"} else set()


def _home_of(document: Document) -> set[str]:
    body = document.body
    if document.kind == "System":
        return {".".join(body["name"].split(".")[:2])}
    if document.kind == "Contract":
        return {body["provider"], body["consumer"]}
    return {body["system"]}
