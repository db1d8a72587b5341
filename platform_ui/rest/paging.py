"""Pages of long lists: which part is asked for, and where the next one goes on.

What lives here: the one form of pages that the API and the HTML lists share. What does not: what a list holds
and who sees it (each domain's service).

A page begins after the last row of the page before (a keyset), never after a number of rows: it stays quick
on long lists, and rows that come and go in between neither repeat nor hide others. The place is handed out as
an opaque token.

Decided for all collections of ``/api/v1``: ``GET`` answers
``{"items": [...], "next_page_token": "..." | null}`` and takes ``page_size`` (1 to 1000, 100 when left out),
``page_token`` (of the answer before) and ``q`` (words that must all occur). A collection whose order can be
turned takes ``order_by`` (``name`` or ``-name``). HTML lists take the same as ``q``, ``after`` and ``sort``.
The audit log pages in its own form (``before`` is a position), which is older.

A list in a service::

    BY_NAME = Order("systems", (System.name,))

    async def page_of_systems(session, user, page):
        statement = select(System).where(..., matches(page.q, System.name, System.description))
        found = await read_page(session, statement, BY_NAME.turned(page.is_descending), page)
        return found.map(itemgetter(0))

and in its ``api``::

    @router.get("")
    async def list_systems(database: Database, user: LoggedIn, page: PageQuery) -> SystemList:
        found = await service.page_of_systems(database, user, page)
        return SystemList(items=[...found.items], next_page_token=found.next_page_token)
"""

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from platform_ui.errors import PageTokenError
from platform_ui.fields import Form, read_form

DEFAULT_SIZE = 100
MAX_SIZE = 1000
HTML_SIZE = 50
MAX_QUERY = 200
MAX_TOKEN = 2048

Item = TypeVar("Item")
Other = TypeVar("Other")
Column = ColumnElement[Any] | InstrumentedAttribute[Any]


class PageRequest(Form):
    """Which part of a list is asked for.

    Attributes:
        page_size: Rows of the page [1].
        page_token: Where it goes on: the token of the page before; empty for the first one.
        q: Words that must all occur in a row.
        order_by: ``name``, or ``-name`` for the other way round.
    """

    page_size: int = Field(DEFAULT_SIZE, ge=1, le=MAX_SIZE)
    page_token: str = Field("", max_length=MAX_TOKEN)
    q: str = Field("", max_length=MAX_QUERY)
    order_by: Literal["name", "-name"] = "name"

    @property
    def is_descending(self) -> bool:
        """Whether the last ones come first."""
        return self.order_by == "-name"


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """One page of a list.

    Attributes:
        items: Its rows, in the order of the list.
        next_page_token: Where the next page goes on; nothing when this is the last one.
        total: Rows of the whole list; nothing when they were not counted [1].
    """

    items: list[Item]
    next_page_token: str | None = None
    total: int | None = None

    def map(self, change: Callable[[Item], Other]) -> "Listed[Other]":
        """Return the same page with other items."""
        return Listed([change(item) for item in self.items], self.next_page_token, self.total)


@dataclass(frozen=True, slots=True)
class Order:
    """In which order a list is read; together its columns name one row.

    Attributes:
        collection: Which list it is; a token of another one is refused.
        columns: What it is sorted by, the strongest first; none of them may be NULL.
        is_descending: Whether the largest come first, by all columns alike.
    """

    collection: str
    columns: tuple[Column, ...]
    is_descending: bool = False

    def turned(self, is_descending: bool) -> "Order":  # noqa: FBT001 - the one thing it says
        """Return the same order, in a direction."""
        return replace(self, is_descending=is_descending)

    @property
    def _label(self) -> str:
        return f"-{self.collection}" if self.is_descending else self.collection

    def token(self, key: Sequence[object]) -> str:
        """Return the opaque name of the place after a row.

        Args:
            key: the row's values of the columns.
        """
        values = [one.isoformat() if isinstance(one, datetime) else one for one in key]
        values = [str(one) if isinstance(one, uuid.UUID) else one for one in values]
        text = json.dumps([self._label, *values], separators=(",", ":"), ensure_ascii=False)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def after(self, token: str) -> ColumnElement[bool]:
        """Return the condition of the rows behind a place.

        Raises:
            PageTokenError: the token is not one of this list.
        """
        key = self._read(token)
        columns = tuple_(*self.columns)
        place = tuple_(
            *(literal(one, type_=column.type) for one, column in zip(key, self.columns, strict=True))
        )
        return columns < place if self.is_descending else columns > place

    def _read(self, token: str) -> list[Any]:
        try:
            padded = token.encode("ascii") + b"=" * (-len(token) % 4)
            found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if not isinstance(found, list) or found[:1] != [self._label]:
                raise PageTokenError
            pairs = zip(found[1:], self.columns, strict=True)
            return [_value(one, column.type.python_type) for one, column in pairs]
        except (ValueError, binascii.Error, RecursionError) as error:
            raise PageTokenError from error

    def sorted_columns(self) -> list[ColumnElement[Any]]:
        """Return what SQL sorts by."""
        return [column.desc() if self.is_descending else column.asc() for column in self.columns]


def _value(value: object, kind: type) -> object:
    """Read one value of a key as its column keeps it.

    Raises:
        PageTokenError: it is no such value.
        ValueError: as above.
    """
    if kind in {datetime, uuid.UUID} and isinstance(value, str):
        return datetime.fromisoformat(value) if kind is datetime else uuid.UUID(value)
    if isinstance(value, bool) or not isinstance(value, kind) or "\x00" in str(value):
        raise PageTokenError
    return value


async def read_page(
    session: AsyncSession,
    statement: Select[*tuple[Any, ...]],
    order: Order,
    page: PageRequest,
    *,
    counted: bool = False,
) -> Listed[tuple[Any, ...]]:
    """Read one page of rows, in one query.

    Args:
        session: the database.
        statement: what is wanted, neither sorted nor limited.
        order: how it is sorted.
        page: which part.
        counted: whether all rows are counted too, by a second query.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    width = len(order.columns)
    wanted = statement.add_columns(*order.columns).order_by(None).order_by(*order.sorted_columns())
    if page.page_token:
        wanted = wanted.where(order.after(page.page_token))
    rows = (await session.execute(wanted.limit(page.page_size + 1))).all()
    found = [tuple(row) for row in rows[: page.page_size]]
    token = order.token(found[-1][-width:]) if len(rows) > page.page_size else None
    total = await count(session, statement) if counted else None
    return Listed([row[:-width] for row in found], token, total)


async def count(session: AsyncSession, statement: Select[*tuple[Any, ...]]) -> int:
    """Return how many rows a statement finds."""
    inner = statement.order_by(None).subquery()
    return (await session.scalar(select(func.count()).select_from(inner))) or 0


def matches(q: str, *columns: Column) -> ColumnElement[bool]:
    """Return the condition that each word of a search occurs in one of the columns, in any case."""
    words = q.split()
    if not words:
        return true()
    return and_(*(or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in words))


def _page_query(
    page_size: Annotated[int, Query(ge=1, le=MAX_SIZE, description="Items of a page.")] = DEFAULT_SIZE,
    page_token: Annotated[
        str, Query(max_length=MAX_TOKEN, description="`next_page_token` of the page before.")
    ] = "",
    q: Annotated[str, Query(max_length=MAX_QUERY, description="Words that must all occur.")] = "",
    order_by: Annotated[
        Literal["name", "-name"], Query(description="`-name` turns the order round.")
    ] = "name",
) -> PageRequest:
    values = {"page_size": page_size, "page_token": page_token, "q": q, "order_by": order_by}
    return read_form(PageRequest, values)


PageQuery = Annotated[PageRequest, Depends(_page_query)]


@dataclass(frozen=True, slots=True)
class ListView:
    """What a page for people shows of a list beside its rows: its search, and links to other parts.

    Attributes:
        path: The address of the list.
        page: Which part is shown.
        filters: Further parameters of the address that choose rows, without empty ones.
        place: Those that choose none, such as the tab that the list is on.
    """

    path: str
    page: PageRequest
    filters: dict[str, str] = field(default_factory=dict)
    place: dict[str, str] = field(default_factory=dict)

    def chosen(self, **filters: str) -> "ListView":
        """Return the same view with further parameters that choose rows; empty ones are left out."""
        return replace(self, filters={name: value for name, value in filters.items() if value})

    def on(self, **place: str) -> "ListView":
        """Return the same view at a place of its page, such as a tab."""
        return replace(self, place={name: value for name, value in place.items() if value})

    @property
    def q(self) -> str:
        """What is searched for."""
        return self.page.q

    @property
    def whole(self) -> str:
        """The address of the list without any choice."""
        return f"{self.path}?{urlencode(self.place)}" if self.place else self.path

    def part(self, request: Request) -> str:
        """Return which template answers: the whole ``list``, or its ``rows`` when htmx asks."""
        return "rows" if "hx-request" in request.headers else "list"

    @property
    def is_first(self) -> bool:
        """Whether this is the first page."""
        return not self.page.page_token

    @property
    def is_filtered(self) -> bool:
        """Whether rows are left out by choice."""
        return bool(self.page.q or self.filters)

    @property
    def is_descending(self) -> bool:
        """Whether the last ones come first."""
        return self.page.is_descending

    @property
    def turned(self) -> str:
        """The address of the same list the other way round, from its first row."""
        return self.address(sort="" if self.is_descending else "-name")

    @property
    def here(self) -> str:
        """The address of this very page of the list."""
        return self.address(after=self.page.page_token)

    def address(self, **changes: str) -> str:
        """Return the address of this list with other parameters; from its first row without `after`."""
        sort = self.page.order_by if self.is_descending else ""
        values = {**self.place, "q": self.page.q, **self.filters, "sort": sort} | changes
        chosen = {name: value for name, value in values.items() if value}
        return f"{self.path}?{urlencode(chosen)}" if chosen else self.path


def _list_view(request: Request) -> ListView:
    """Read the parameters of a list for people; what cannot be understood is left aside."""
    given = request.query_params
    values = {
        "page_size": HTML_SIZE,
        "page_token": given.get("after", ""),
        "q": given.get("q", "")[:MAX_QUERY].replace("\x00", ""),
        "order_by": "-name" if given.get("sort") == "-name" else "name",
    }
    return ListView(request.url.path, read_form(PageRequest, values))


ListQuery = Annotated[ListView, Depends(_list_view)]
