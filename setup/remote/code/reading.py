"""Reads files of documents, and says where in them something is wrong.

What lives here: YAML with its places, and the schema. What does not: what documents mean (``documents``).

Source: YAML 1.2.2; JSON Schema draft 2020-12; RFC 6901 for places in a document.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import yaml

from setup.remote.code.documents import KINDS, VERSION, Document, schema
from setup.remote.errors import UsageError

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
Place = tuple[Any, ...]
Places = dict[tuple[Any, ...], int]


class _Loader(yaml.SafeLoader):
    """Reads times as the texts that they are written as."""


_Loader.yaml_implicit_resolvers = {
    first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
    for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_documents(paths: Sequence[Path]) -> list[Document]:
    """Read files; folders give all their files, `-` is standard input.

    Raises:
        UsageError: something is no document, or two are of the same object; all faults are named.
    """
    found: list[Document] = []
    faults: list[str] = []
    for path in _files(paths):
        for line, content, places in _contents(path):
            wrong = list(_faults(f"{path}:{line}", path, content, places))
            faults += wrong
            if not wrong:
                found.append(Document.of(content["kind"], content, f"{path}:{line}"))
    faults += _twice(found)
    if faults:
        raise UsageError("\n".join(faults))
    return found


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.suffix in _SUFFIXES)
        else:
            yield path


def _contents(path: Path) -> Iterator[tuple[int, Any, Places]]:
    """Give each document of a file with the line where it begins, and the line of each of its members."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        for node in yaml.compose_all(text, Loader=_Loader):
            loader = _Loader("")
            places: Places = {}
            _note(node, (), places)
            yield node.start_mark.line + 1, loader.construct_document(node), places
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} cannot be read: it is no text in UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: this is no YAML: {error.problem}.") from error


def _note(node: yaml.Node, place: tuple[Any, ...], places: Places) -> None:
    places[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _note(value, (*place, key.value), places)
            places[(*place, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note(value, (*place, index), places)


def _faults(where: str, path: Path, content: Any, places: Places) -> Iterator[str]:  # noqa: ANN401 - YAML
    if not isinstance(content, Mapping) or content.get("kind") not in KINDS:
        yield f"{where}: kind must be one of {', '.join(KINDS)}."
        return
    if content.get("apiVersion") != VERSION:
        yield f"{where}: apiVersion must be {VERSION}."
        return
    wanted = {"$ref": f"#/$defs/{content['kind']}", "$defs": schema()["$defs"]}
    for error in jsonschema_rs.validator_for(wanted).iter_errors(content):
        place = tuple(error.instance_path)
        name = "/".join(map(str, place)) or content["kind"]
        for at, said in _said(error, place):
            yield f"{path}:{places.get(at, places[()])}: {name}: {said}"


def _said(
    error: jsonschema_rs.ValidationError, place: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Give the place and the words of a fault, in words of people where the library has those of schemas."""
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        for name in kind.unexpected:
            yield (*place, name), f"{name} is no member of it."
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        yield place, f"{kind.property} is missing."
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.Pattern) and kind.pattern in (forms := _forms()):
        yield place, f"{error.instance} has not the form {forms[kind.pattern]}."
    else:
        yield place, error.message


def _forms() -> dict[str, str]:
    """Return what each pattern of the schema means."""
    told = [one for one in schema()["$defs"].values() if "pattern" in one and "description" in one]
    return {one["pattern"]: one["description"] for one in told}


def _twice(documents: Iterable[Document]) -> Iterator[str]:
    known: dict[tuple[str, ...], str] = {}
    for document in documents:
        if document.identity in known:
            yield f"{document.place}: {document.label} is at {known[document.identity]} already."
        known.setdefault(document.identity, document.place)
