"""Reading a JSON file of the user, with an error for everything that is wrong with it.

What lives here: the walk through a file and the wording of complaints. What does not: what the files mean
(`instances`), who reads them (`client.digital_twin_client`). Nothing here writes.
"""

import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn

from client.errors import DescriptionFileError, InvalidNameError

_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def kind_of(value: object) -> str:
    """Say in words what a JSON value is."""
    return _KINDS[type(value)]


def join(pointer: str, key: str) -> str:
    """Go one step down in a JSON pointer (RFC 6901)."""
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"


class FileReader:
    """Walks one JSON file and complains precisely.

    Args:
        path: The file.
        error: The error to raise; it says file, JSON pointer, problem and remedy.
        example: A whole file as it should be, shown where the problem is not local.
    """

    def __init__(self, path: Path, error: type[DescriptionFileError], example: str) -> None:
        self.path = path
        self._error = error
        self._example = example

    def fail(self, pointer: str, problem: str, remedy: str) -> NoReturn:
        """Raise the error of this file."""
        raise self._error(self.path, pointer, problem, remedy)

    def document(self) -> dict[str, object]:
        """Read the whole file, which must hold one JSON object."""
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            self.fail("", "the file does not exist", f"Create it, for example with: {self._example}")
        except UnicodeDecodeError as error:
            self.fail(
                "", f"the file is not UTF-8 text ({error.reason} at byte {error.start})", "Save it as UTF-8"
            )
        except OSError as error:
            self.fail("", f"the file cannot be read: {error.strerror}", "Check the path and its permissions")
        try:
            document = json.loads(text, object_pairs_hook=self._object, parse_constant=self._constant)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            self.fail(
                "",
                f"the file is not JSON: {error.msg} ({place})",
                f"Correct it there. A whole file: {self._example}",
            )
        except RecursionError:
            self.fail("", "the file is nested too deeply", f"A whole file: {self._example}")
        except ValueError as error:
            self.fail("", f"the file holds a number that is none: {error}", "Write a shorter number")
        if not isinstance(document, dict):
            self.fail(
                "", f"the file holds {kind_of(document)}, not an object", f"A whole file: {self._example}"
            )
        return document

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        result = dict(pairs)
        if len(result) != len(pairs):
            keys = [key for key, _ in pairs]
            doubled = next(key for key in keys if keys.count(key) > 1)
            self.fail(
                "", f"the key {doubled!r} stands twice in one object", "Keep one of them, or rename one"
            )
        return result

    def _constant(self, name: str) -> NoReturn:
        self.fail("", f"{name} is not JSON", "Use a number or null")

    def object_at(self, parent: Mapping[str, object], key: str, pointer: str) -> dict[str, object]:
        """Read a key that must hold an object."""
        value = self.required(parent, key, pointer)
        if not isinstance(value, dict):
            self.fail(join(pointer, key), f"is {kind_of(value)}, not an object", 'Write {"...": ...}')
        return value

    def text_at(self, parent: Mapping[str, object], key: str, pointer: str) -> str:
        """Read a key that must hold text that is not blank."""
        value = self.required(parent, key, pointer)
        if not isinstance(value, str):
            self.fail(join(pointer, key), f"is {kind_of(value)}, not text", "Put it in double quotes")
        if not value.strip():
            self.fail(join(pointer, key), "is empty", f"Write the {key}")
        return value

    def number_at(self, parent: Mapping[str, object], key: str, pointer: str, *, most: float) -> float:
        """Read a key that must hold a number from -most to most."""
        value = self.required(parent, key, pointer)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(join(pointer, key), f"is {kind_of(value)}, not a number", "Write it without quotes")
        if not -most <= value <= most:
            self.fail(join(pointer, key), f"is {value}", f"Write a number from -{most:g} to {most:g}")
        return float(value)

    def required(self, parent: Mapping[str, object], key: str, pointer: str) -> object:
        """Read a key that must be there."""
        if key not in parent:
            self.fail(pointer or "/", f"the key {key!r} is missing", f"Add {key!r}")
        return parent[key]

    def only(self, parent: Mapping[str, object], allowed: tuple[str, ...], pointer: str) -> None:
        """Complain about keys that are not allowed here: a typing error would be silently ignored else."""
        for key in parent:
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, n=1)
                meant = f"Did you mean {close[0]!r}?" if close else "Remove it."
                remedy = f"{meant} Known are: {', '.join(allowed)}"
                self.fail(join(pointer, key), "is not a key that is known here", remedy)

    def checked(self, parse: Callable[[str], object], name: str, pointer: str) -> None:
        """Check a name by the rule in `parse`."""
        try:
            parse(name)
        except InvalidNameError as error:
            self.fail(pointer, str(error), "Correct the name")
