"""The JSON of an answer, opened only as far as another form needs it.

What lives here: entities as names with the untouched JSON texts of their values, so that every number keeps
its own text. What does not: what becomes of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

Entity = Mapping[str, msgspec.Raw]
"""Values of an entity by name, as JSON texts."""

NULL: Final = msgspec.Raw(b"null")
_ENTITY: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENTITIES: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_TEXT: Final = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True)
class Page:
    """The entities of an answer.

    Attributes:
        entities: In order; a single one for the answer of an entity.
        next_link: Address of the next page; None on the last one.
        count: JSON text of `@iot.count`; None when it was not asked for.
    """

    entities: Sequence[Entity]
    next_link: str | None = None
    count: msgspec.Raw | None = None


def read_page(body: bytes, *, is_set: bool) -> Page:
    """Open the JSON of an answer.

    Args:
        body: JSON of a set or of an entity.
        is_set: Which of the two.
    """
    whole = _ENTITY.decode(body)
    if not is_set:
        return Page([whole])
    link = whole.get("@iot.nextLink")
    next_link = None if link is None else _TEXT.decode(link)
    return Page(_ENTITIES.decode(whole["value"]), next_link, whole.get("@iot.count"))


def is_null(value: msgspec.Raw) -> bool:
    """Tell whether a JSON text is null."""
    return bytes(value) == b"null"


def inner(value: msgspec.Raw | None) -> Entity | None:
    """Open a JSON object; None for everything else."""
    if value is None or not bytes(value).startswith(b"{"):
        return None
    return _ENTITY.decode(value)


def inner_list(value: msgspec.Raw | None) -> Sequence[Entity]:
    """Open an array of JSON objects, or one object; empty for everything else."""
    if value is None:
        return ()
    text = bytes(value)
    if text.startswith(b"{"):
        return (_ENTITY.decode(text),)
    return _ENTITIES.decode(text) if text.startswith(b"[{") else ()


def bare(value: msgspec.Raw) -> str:
    """Give the text of a JSON value: strings without quotes, null as nothing, all else as it is."""
    text = bytes(value)
    if text.startswith(b'"'):
        return _TEXT.decode(text)
    return "" if text == b"null" else text.decode()
