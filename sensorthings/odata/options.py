"""The query part of a URL: from text to `Options`, each mistake told by name.

What lives here: splitting, decoding (`+` is a space), single values, unknown options. What does not:
expressions (`sensorthings.odata.parser`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from sensorthings.errors import QuerySyntaxError, RequestError, UnsupportedError
from sensorthings.odata.nodes import Options
from sensorthings.odata.parser import parse_expand, parse_filter, parse_orderby, parse_select
from sensorthings.odata.tokens import read_token

_KNOWN_ELSEWHERE = frozenset({"$format", "$search", "$apply", "$compute"})
_DIGITS = 15


def parse_options(query: str) -> Options:
    """Read the query part of a URL (without `?`, still percent-encoded).

    Names without `$` are left to others, as OData has it.

    Raises:
        QuerySyntaxError: An option's text cannot be read, or the option is given twice.
        UnsupportedError: An option of the standard or of OData that this service does not have.
        RequestError: An option that nobody knows.
    """
    given: dict[str, Any] = {}
    names: set[str] = set()
    for name, text in query_pairs(query):
        if not name.startswith("$"):
            continue
        if name not in _READERS:
            raise _unknown(name)
        if name in names:
            raise QuerySyntaxError(name, "given twice", hint=f"Give {name} once.")
        names.add(name)
        field, read = _READERS[name]
        given[field] = read(text)
    return Options(**given, given=frozenset(names))


def query_pairs(query: str) -> Iterator[tuple[str, str]]:
    """Split the query part of a URL into decoded names and texts.

    Raises:
        QuerySyntaxError: An option is not UTF-8, or holds a NUL character.
    """
    for part in query.split("&"):
        if part:
            name, _, text = part.partition("=")
            try:
                decoded = unquote_plus(name, errors="strict"), unquote_plus(text, errors="strict")
            except UnicodeDecodeError:
                raise QuerySyntaxError(name, "is not UTF-8") from None
            if "\0" in decoded[1]:
                raise QuerySyntaxError(decoded[0], "holds a NUL character")
            yield decoded


def _unknown(name: str) -> RequestError:
    if name in _KNOWN_ELSEWHERE:
        return UnsupportedError(f"The query option {name} is not served here.", f"Leave {name} out.")
    known = ", ".join(sorted(_READERS))
    return RequestError(
        400, "query.unknown_option", f"There is no query option {name}.", f"Known are {known}."
    )


def _size(name: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        digits = text.strip()
        if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS:
            raise QuerySyntaxError(name, f"{text[:40]!r} is not a whole number from 0", hint=f"As {name}=10.")
        return int(digits)

    return read


def _flag(text: str) -> bool:
    flag = {"true": True, "false": False}.get(text.strip())
    if flag is None:
        raise QuerySyntaxError("$count", f"{text[:40]!r} is neither true nor false", hint="As $count=true.")
    return flag


_READERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "$filter": ("where", parse_filter),
    "$orderby": ("order", parse_orderby),
    "$select": ("select", parse_select),
    "$expand": ("expand", parse_expand),
    "$top": ("top", _size("$top")),
    "$skip": ("skip", _size("$skip")),
    "$count": ("is_counted", _flag),
    "$skiptoken": ("token", read_token),
    "$resultFormat": ("result_format", str),
}
