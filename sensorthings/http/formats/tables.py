"""Entities as CSV: a header, one row for each entity, what is expanded in columns of its own.

What lives here: the columns of a request and the cells of an entity. What does not: which expands fit a row
(`formats.choice`).

The columns follow from the request alone, so that all pages of a set have the same. A value that is an
object or an array is JSON in one cell, except units. Texts stay as they are; a spreadsheet that takes one for
a formula has to be told that they are texts.

Source: RFC 4180; FROST-Server's extension "CSV ResultFormat".
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sensorthings.http.formats.pages import Entity, Page, bare, inner, inner_list
from sensorthings.model.entities import EntityType, Kind, Property, target_of
from sensorthings.odata.nodes import Options

_UNIT = ("name", "symbol", "definition")
_IDS = ("id", "@iot.id")


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: In the header.
        cell: Gives its text for an entity.
    """

    name: str
    cell: Callable[[Entity], str]


def columns_of(entity: EntityType, options: Options) -> list[Column]:
    """Give the columns of a request: properties in the order of `$select`, then those of expands."""
    names = options.select or ("id", *(one.name for one in entity.properties))
    columns = [column for name in dict.fromkeys(names) for column in _own(entity, name)]
    for name, expanded in options.expand.items():
        relation = entity.find_relation(name)
        if relation is not None:
            columns += [
                Column(f"{name}/{column.name}", _first(name, column.cell))
                for column in columns_of(target_of(relation), expanded)
            ]
    return columns


def _own(entity: EntityType, name: str) -> Iterator[Column]:
    if name in _IDS:
        yield Column("id", _plain("@iot.id"))
    described = entity.find_property(name)
    if described is not None:
        yield from _columns(described)


def _columns(described: Property) -> Iterator[Column]:
    if described.kind is not Kind.UNIT:
        yield Column(described.name, _plain(described.name))
        return
    for part in _UNIT:
        yield Column(f"{described.name}/{part}", _member(described.name, part))


def _plain(name: str) -> Callable[[Entity], str]:
    def cell(entity: Entity) -> str:
        value = entity.get(name)
        return "" if value is None else bare(value)

    return cell


def _member(name: str, part: str) -> Callable[[Entity], str]:
    def cell(entity: Entity) -> str:
        found = inner(entity.get(name))
        return "" if found is None or part not in found else bare(found[part])

    return cell


def _first(name: str, cell: Callable[[Entity], str]) -> Callable[[Entity], str]:
    def of_first(entity: Entity) -> str:
        found = inner_list(entity.get(name))
        return cell(found[0]) if found else ""

    return of_first


def write_table(page: Page, entity: EntityType, options: Options) -> bytes:
    """Write a page as CSV in UTF-8.

    Args:
        page: The entities.
        entity: Their type.
        options: What was asked for.
    """
    columns = columns_of(entity, options)
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # RFC 4180: commas, CR LF, quotes doubled
    writer.writerow([column.name for column in columns])
    writer.writerows([column.cell(one) for column in columns] for one in page.entities)
    return text.getvalue().encode()
