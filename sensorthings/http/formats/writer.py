"""From the JSON of an answer to the form that was asked for.

What lives here: one branch for each form, media types, the address of the next page. What does not: the
forms.
"""

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote_plus

from sensorthings.http.formats.choice import ResultFormat, check_format, split_format
from sensorthings.http.formats.data_arrays import write_data_array
from sensorthings.http.formats.features import write_features
from sensorthings.http.formats.pages import read_page
from sensorthings.http.formats.tables import write_table
from sensorthings.http.messages import JSON, Answer
from sensorthings.model.entities import EntityType
from sensorthings.odata.nodes import Options
from sensorthings.odata.options import parse_options
from sensorthings.queries.resources import Resource, Shape

CSV: Final = "text/csv"
GEOJSON: Final = "application/geo+json"
_AFTER: Final = "$skiptoken="
_URL: Final = "%/:?#[]@!$&'()*+,;=~"
"""What an address may hold as it is (RFC 3986, clause 2.2)."""
_PLACES: Final = ("$skip=", _AFTER)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for.

    Attributes:
        form: The form of the answer.
        entity: Type of the entities.
        options: Options, without what the form needs besides.
        query: Query part of the URL as it came, for the next link.
        is_set: Whether a set is asked for, or one entity.
    """

    form: ResultFormat
    entity: EntityType
    options: Options
    query: str
    is_set: bool


def make_wish(form: ResultFormat, resource: Resource, query: str) -> Wish:
    """Check what was asked for.

    Args:
        form: The form.
        resource: The address.
        query: Query part of the URL, still percent-encoded.

    Raises:
        RequestError: The options cannot be read, or the form does not fit.
    """
    options = parse_options(split_format(query)[1])
    check_format(form, resource, options)
    return Wish(form, resource.entity, options, query, resource.shape is Shape.SET)


def write_answer(body: bytes, wish: Wish) -> Answer:
    """Write an answer in another form.

    Args:
        body: The answer as JSON, read with `query_to_read`.
        wish: What was asked for.

    Returns:
        The answer. CSV and GeoJSON carry the address of the next page as a Link header (RFC 8288).
    """
    page = read_page(body, is_set=wish.is_set)
    if page.next_link is not None:
        page = replace(page, next_link=_next_link(page.next_link, wish.query))
    if wish.form is ResultFormat.DATA_ARRAY:
        return Answer(200, write_data_array(page, wish.options), JSON)
    headers = {} if page.next_link is None else {"Link": f'<{quote(page.next_link, safe=_URL)}>; rel="next"'}
    if wish.form is ResultFormat.CSV:
        return Answer(200, write_table(page, wish.entity, wish.options), CSV, headers)
    return Answer(200, write_features(page), GEOJSON, headers)


def _next_link(link: str, query: str) -> str:
    """Continue the request as it came, form included, where the next page of what was read begins."""
    address, _, further = link.partition("?")
    token = further.rpartition(_AFTER)[2]
    kept = [part for part in query.split("&") if part and not unquote_plus(part).startswith(_PLACES)]
    return f"{address}?{'&'.join(kept)}&{_AFTER}{token}"
