"""What a document is: its kind, its members in order, what makes two of them the same object.

What lives here: the form. What does not: files (``reading``), the platform (``platform``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from setup.remote.layout import to_yaml

VERSION: Final = "dtwin/v1"
SCHEMA_FILE: Final = Path(__file__).with_name("documents.schema.json")
_LEVELS_OF_A_COMPANY: Final = 2

DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Company": {"name": "", "description": "", "requires_second_factor": False},
    "Members": {"of": "", "members": {}},
    "System": {"name": "", "description": ""},
    "Client": {"system": "", "name": "", "description": ""},
    "Contract": {
        "provider": "",
        "consumer": "",
        "purpose": "",
        "datastreams": [],
        "predicate": "",
        "fields": [],
        "starts_at": None,
        "ends_at": None,
        "signed_by": [],
    },
    "Offer": {
        "system": "",
        "title": "",
        "description": "",
        "datastreams": [],
        "predicate": "",
        "fields": [],
        "purposes": [],
        "terms": "",
        "visibility": "everybody",
        "companies": [],
        "published": False,
    },
    "StreamApp": {
        "system": "",
        "name": "",
        "target": "",
        "description": "",
        "statement": "",
        "running": False,
    },
}
"""Members of each kind in the order in which they are written, and what they are when left out."""

KINDS: Final = tuple(DEFAULTS)
"""Kinds in the order in which they are made: later ones need earlier ones."""

_IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    "Company": ("name",),
    "Members": ("of",),
    "System": ("name",),
    "Client": ("system", "name"),
    "Contract": ("provider", "consumer", "purpose"),
    "Offer": ("system", "title"),
    "StreamApp": ("system", "name"),
}
_IN_ORDER: Final = frozenset({"datastreams", "fields", "companies", "signed_by"})
_TIMES: Final = frozenset({"starts_at", "ends_at"})


@dataclass(frozen=True, slots=True)
class Document:
    """One object as code.

    Attributes:
        kind: One of ``KINDS``.
        body: All members besides `apiVersion` and `kind`, in order, with defaults filled in.
        place: File and line; empty for one that was read from a platform.
    """

    kind: str
    body: Mapping[str, Any]
    place: str = field(default="", compare=False)

    @classmethod
    def of(cls, kind: str, given: Mapping[str, Any], place: str = "") -> Document:
        """Return a document, written as all are: in order, times in UTC, without blanks around texts."""
        body = {name: _plain(name, given.get(name, default)) for name, default in DEFAULTS[kind].items()}
        return cls(kind, body, place)

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes two documents the same object."""
        return (self.kind, *(str(self.body[name]) for name in _IDENTITY[self.kind]))

    @property
    def label(self) -> str:
        """What people see of it."""
        if self.kind == "Contract":
            return f"{self.kind} {self.body['provider']} -> {self.body['consumer']}"
        return f"{self.kind} {' '.join(self.identity[1:])}"

    @property
    def companies(self) -> set[str]:
        """The companies that it is about."""
        named = (self.body.get(name) for name in ("name", "of", "system", "provider", "consumer"))
        whole = [name for name in named if name and "." in name]
        return {".".join(name.split(".")[:_LEVELS_OF_A_COMPANY]) for name in whole}

    def written(self) -> dict[str, Any]:
        """Return it as it stands in a file: members that are as when left out are left out."""
        defaults = DEFAULTS[self.kind]
        needed = {*_IDENTITY[self.kind], "members", "statement", "target"}
        kept = {name: value for name, value in self.body.items() if name in needed or value != defaults[name]}
        return {"apiVersion": VERSION, "kind": self.kind, **kept}


@cache
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of documents.

    Source: JSON Schema draft 2020-12.
    """
    content: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return content


def in_order(documents: Iterable[Document]) -> list[Document]:
    """Return documents in the order in which they can be made, those of a kind by name."""
    return sorted(documents, key=lambda one: (rank(one), one.identity))


def rank(document: Document) -> int:
    """Return its place in the order in which objects are made: people of a system come after the system."""
    is_of_a_system = document.kind == "Members" and document.body["of"].count(".") > 1
    return KINDS.index("System" if is_of_a_system else document.kind) * 2 + is_of_a_system


def text_of(documents: Iterable[Document]) -> str:
    """Return documents as one file of YAML; the same documents always give the same bytes."""
    return to_yaml(*(document.written() for document in in_order(documents)))


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401 - a member of any document
    if name in _TIMES and value is not None:
        moment = datetime.fromisoformat(value).astimezone(UTC).replace(microsecond=0)
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    if isinstance(value, list | tuple):
        return sorted(set(value)) if name in _IN_ORDER else list(value)
    return value
