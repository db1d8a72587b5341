"""What the function `on_join` gives back, checked and written as the value of a record.

Lives here: the rules of that dictionary. Does not live here: who receives the record (``derivation``).

``quantity`` names the Datastream and, with the optional ``thing``, the key; ``result`` and ``phenomenonTime``
are written under their own names, everything else as an additional attribute. ``resultTime`` and
``Datastream`` belong to the app.
"""

import json
from typing import Any, Final, NamedTuple

from client.errors import InvalidTimeError
from client.messaging.topics import MAX_DATASTREAM_CHARACTERS, MAX_THING_CHARACTERS
from streamhub.query.derivation.times import event_time, time_text
from streamhub.query.values import MissingError

__all__ = ["HookOutputError", "Joined", "written"]

_REQUIRED: Final = ("quantity", "result", "phenomenonTime")
_OF_THE_APP: Final = ("resultTime", "Datastream")
_NAME: Final = frozenset({"quantity", "thing"})


class HookOutputError(Exception):
    """Say what is wrong with what `on_join` gave back; never leaves the room."""


class Joined(NamedTuple):
    """One record that leaves.

    Attributes:
        quantity: The Datastream's own name.
        thing: The Thing, or None for the app's name.
        text: The value as JSON, without its closing brace.
    """

    quantity: str
    thing: str | None
    text: str


def written(answer: object, stamp: str, *, uses_iso_times: bool) -> Joined | None:
    """Check what `on_join` gave back and write it.

    Args:
        answer: A dictionary, or None for "no record".
        stamp: The resultTime [RFC 3339].
        uses_iso_times: Whether times are written as RFC 3339; else as a number [s since 1970].

    Raises:
        HookOutputError: it is neither, lacks something, or cannot be written as JSON.
    """
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise HookOutputError(f"on_join gave back a {type(answer).__name__}, but must give a dict or None")
    lacks = [name for name in _REQUIRED if name not in answer]
    if lacks:
        raise HookOutputError(f"the dict of on_join lacks {', '.join(lacks)}")
    foreign = [name for name in _OF_THE_APP if name in answer]
    if foreign:
        raise HookOutputError(f"the dict of on_join has {', '.join(foreign)}, which the app itself writes")
    quantity = _checked("quantity", answer["quantity"], MAX_DATASTREAM_CHARACTERS)
    thing = answer.get("thing")
    if thing is not None:
        thing = _checked("thing", thing, MAX_THING_CHARACTERS)
        if "." in thing:
            raise HookOutputError(f"thing {thing!r} has a dot, which separates the levels of a name")
    document = {
        "phenomenonTime": _time(answer["phenomenonTime"], uses_iso_times=uses_iso_times),
        "resultTime": stamp if uses_iso_times else event_time(stamp)[0] / 1e6,
        "result": answer["result"],
        **{name: value for name, value in answer.items() if name not in _NAME and name not in _REQUIRED},
    }
    return Joined(quantity, thing, _json(document)[:-1])


def _checked(what: str, name: object, longest: int) -> str:
    if not isinstance(name, str):
        raise HookOutputError(f"{what} is {name!r}, but must be a text")
    if not 0 < len(name) <= longest or not name.isprintable() or name != name.strip():
        raise HookOutputError(
            f"{what} {name[:80]!r} is no name: use 1 to {longest} printable characters, no blank at the ends"
        )
    return name


def _time(value: object, *, uses_iso_times: bool) -> str | float:
    try:
        microseconds, _ = event_time(value)
    except MissingError:
        raise HookOutputError("the dict of on_join has None as phenomenonTime") from None
    except InvalidTimeError as error:
        raise HookOutputError(f"phenomenonTime in the dict of on_join: {error}") from error
    return time_text(microseconds) if uses_iso_times else microseconds / 1e6


def _json(document: dict[str, Any]) -> str:
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise HookOutputError(f"the dict of on_join cannot be written as JSON: {error}") from error
    return text
