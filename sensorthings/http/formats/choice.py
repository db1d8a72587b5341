"""Which form of an answer was asked for, whether it fits, and what it needs to read.

What lives here: `$resultFormat`. What does not: the forms themselves.

Source: OGC 18-088, clause 12 (requirements class "data-array"); names as FROST-Server has them.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_plus

from sensorthings.errors import QuerySyntaxError, RequestError
from sensorthings.model.entities import EntityType, target_of
from sensorthings.odata.nodes import Options
from sensorthings.odata.options import parse_options
from sensorthings.odata.writer import write_query
from sensorthings.queries.resources import Resource, Shape

_OPTION: Final = "$resultFormat"
_SELF_LINK: Final = Options(select=("@iot.selfLink",), given=frozenset({"$select"}))
_ID: Final = Options(select=("@iot.id",), given=frozenset({"$select"}))


class ResultFormat(Enum):
    """A form of an answer, by its name in `$resultFormat`."""

    JSON = "JSON"
    DATA_ARRAY = "dataArray"
    CSV = "CSV"
    GEOJSON = "GeoJSON"


_BY_NAME: Mapping[str, ResultFormat] = MappingProxyType({one.value.lower(): one for one in ResultFormat})


def read_format(text: str) -> ResultFormat:
    """Read the value of `$resultFormat`; capitals do not count.

    Raises:
        QuerySyntaxError: There is no such form.
    """
    found = _BY_NAME.get(text.strip().lower())
    if found is None:
        known = ", ".join(one.value for one in ResultFormat)
        raise QuerySyntaxError(_OPTION, f"{text[:40]!r} is no form of answers", hint=f"Known are {known}.")
    return found


def split_format(query: str) -> tuple[ResultFormat, str]:
    """Take `$resultFormat` out of the query part of a URL.

    Args:
        query: The query part, still percent-encoded.

    Returns:
        The form, JSON when none is asked for, and the query part without it.

    Raises:
        QuerySyntaxError: There is no such form, or it is given twice.
    """
    if "resultformat" not in query.lower():
        return ResultFormat.JSON, query
    found: list[str] = []
    rest: list[str] = []
    for part in query.split("&"):
        name, _, text = part.partition("=")
        if unquote_plus(name).lower() == _OPTION.lower():
            found.append(unquote_plus(text))
        else:
            rest.append(part)
    if len(found) > 1:
        raise QuerySyntaxError(_OPTION, "given twice", hint=f"Give {_OPTION} once.")
    return (read_format(found[0]) if found else ResultFormat.JSON), "&".join(rest)


def check_format(form: ResultFormat, resource: Resource, options: Options) -> None:
    """Check that a form fits an address and its options.

    Raises:
        RequestError: It does not.
    """
    if form is ResultFormat.DATA_ARRAY:
        if resource.shape is not Shape.SET or resource.entity.name != "Observation":
            raise _misfit(form, "It fits sets of Observations, such as /Datastreams(1)/Observations.")
    elif form is not ResultFormat.JSON and resource.shape not in (Shape.SET, Shape.ENTITY):
        raise _misfit(form, "It fits entities and sets, not single properties and addresses.")
    if form is ResultFormat.CSV:
        _check_rows(options, resource.entity)


def _check_rows(options: Options, entity: EntityType) -> None:
    for name, inner in options.expand.items():
        relation = entity.find_relation(name)
        if relation is None:
            continue  # refused when it is read
        if relation.is_to_many and inner.top != 1:
            raise _misfit(ResultFormat.CSV, f"Give $expand={name}($top=1): a row has room for one of them.")
        _check_rows(inner, target_of(relation))


def _misfit(form: ResultFormat, hint: str) -> RequestError:
    return RequestError(
        400, "query.format_not_here", f"{_OPTION}={form.value} does not fit this request.", hint
    )


def needed_expand(form: ResultFormat, entity: EntityType, options: Options) -> Mapping[str, Options]:
    """Give the expands that a form needs to be read besides what was asked for.

    Args:
        form: The form.
        entity: Type of the entities.
        options: What was asked for.

    Returns:
        Options by relation. A data array groups by the addresses of the streams, and shows the id of the
        feature where `$select` names it.
    """
    if form is not ResultFormat.DATA_ARRAY:
        return {}
    streams = [one.name for one in entity.relations if one.name in ("Datastream", "MultiDatastream")]
    needed = dict.fromkeys(streams, _SELF_LINK)
    if "FeatureOfInterest" in (options.select or ()):
        needed["FeatureOfInterest"] = _ID
    return needed


def query_to_read(form: ResultFormat, entity: EntityType, query: str) -> str:
    """Give the query part to read with: what was asked for, and what the form needs.

    Args:
        form: The form.
        entity: Type of the entities.
        query: Query part of the URL without `$resultFormat`, still percent-encoded.

    Raises:
        RequestError: The options cannot be read.
    """
    if form is not ResultFormat.DATA_ARRAY:
        return query
    written = write_query(_with_needed(form, entity, parse_options(query)))
    tokens = [part for part in query.split("&") if unquote_plus(part).startswith("$skiptoken=")]
    return "&".join([written, *tokens])


def _with_needed(form: ResultFormat, entity: EntityType, options: Options) -> Options:
    needed = needed_expand(form, entity, options)
    # Other relations have no place in a data array, so they are not read at all.
    select = options.select or (*(one.name for one in entity.properties), "@iot.id")
    names = tuple(name for name in select if entity.find_relation(name) is None)
    return replace(
        options,
        select=names or ("@iot.id",),
        expand=needed,
        given=options.given | {"$select", "$expand"},
    )
