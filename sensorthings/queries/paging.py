"""Paging by key set: a page begins after the values that the last row of the page before was ordered by.

What lives here: these values as a token, in SQL and back. What does not: the order (`queries.expressions`).

Deep pages cost what the first one does, and no row is lost or repeated when others come or go between two
pages. Every value travels as the text that Postgres gives it and is read back as the type of its key, so a
number stays a number. A forged token chooses another place in the same order and nothing else, so it is not
signed; what may be seen is decided anew for each page.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, bindparam, cast, func, or_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import NullType, String

from sensorthings.errors import QuerySyntaxError
from sensorthings.odata.tokens import HINT
from sensorthings.queries.comparisons import OrderTerm
from sensorthings.queries.entity_json import fixed


def token_text(keys: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """Give the token for the page after a row, from the values of its order keys.

    It is base64url (RFC 4648, clause 5, without padding) of a JSON array of texts.
    """
    values = func.jsonb_build_array(*(cast(key, Text) for key in keys), type_=JSONB)
    encoded = func.encode(func.convert_to(cast(values, Text), fixed("UTF8")), fixed("base64"), type_=Text)
    # Postgres' base64 has line breaks; what has no partner in the third text is left out.
    return func.translate(encoded, func.concat(fixed("+/="), func.chr(10)), fixed("-_"), type_=Text)


def token_name(place: int) -> str:
    """Name the parameter of one value of a token."""
    return f"token_{place}"


def after_token(terms: Sequence[OrderTerm], token: Sequence[str | None]) -> ColumnElement[bool]:
    """Claim that a row comes after the one that a token was made of.

    Raises:
        QuerySyntaxError: The token belongs to another order.
    """
    if len(terms) != len(token):
        raise QuerySyntaxError("$skiptoken", "belongs to another $orderby", hint=HINT)
    values = [
        None if text is None else _typed(term, place, text)
        for place, (term, text) in enumerate(zip(terms, token, strict=True))
    ]
    pairs = list(zip(terms, values, strict=True))
    alternatives = [
        and_(*(term.same(value) for term, value in pairs[:place]), pairs[place][0].beyond(pairs[place][1]))
        for place in range(len(pairs))
    ]
    start = pairs[0][0].not_before(pairs[0][1])
    # What follows from the rest, said once more in the form that an index understands.
    return or_(*alternatives) if start is None else and_(start, or_(*alternatives))


def _typed(term: OrderTerm, place: int, text: str) -> ColumnElement[Any]:
    value = bindparam(token_name(place), text, type_=Text)
    kind = term.sql.type
    return value if isinstance(kind, String | NullType) else cast(value, kind)
