"""`$resultFormat` is read, taken out of the query, and checked against the address."""

from base64 import urlsafe_b64encode

import pytest

from sensorthings.errors import QuerySyntaxError, RequestError
from sensorthings.http.formats.choice import (
    ResultFormat,
    check_format,
    needed_expand,
    query_to_read,
    read_format,
    split_format,
)
from sensorthings.http.paths import parse_path
from sensorthings.model.entities import OBSERVATION, THING
from sensorthings.odata.nodes import Options
from sensorthings.odata.options import parse_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dataArray", ResultFormat.DATA_ARRAY),
        (" DATAARRAY ", ResultFormat.DATA_ARRAY),
        ("csv", ResultFormat.CSV),
        ("geojson", ResultFormat.GEOJSON),
        ("json", ResultFormat.JSON),
    ],
)
def test_form_is_known_by_its_name_in_any_case(text: str, expected: ResultFormat) -> None:
    assert read_format(text) is expected


def test_unknown_form_is_told_with_those_there_are() -> None:
    with pytest.raises(QuerySyntaxError, match="'XML'") as caught:
        read_format("XML")
    assert "dataArray" in caught.value.hint


@pytest.mark.parametrize(
    ("query", "form", "rest"),
    [
        ("", ResultFormat.JSON, ""),
        ("$top=1", ResultFormat.JSON, "$top=1"),
        ("$top=1&$resultFormat=CSV&$skip=2", ResultFormat.CSV, "$top=1&$skip=2"),
        ("%24ResultFormat=GeoJSON", ResultFormat.GEOJSON, ""),
        ("$filter=name eq 'resultFormat'", ResultFormat.JSON, "$filter=name eq 'resultFormat'"),
    ],
)
def test_form_is_taken_out_of_the_query(query: str, form: ResultFormat, rest: str) -> None:
    assert split_format(query) == (form, rest)


@pytest.mark.parametrize(
    ("form", "path", "query"),
    [
        (ResultFormat.DATA_ARRAY, "Things", ""),
        (ResultFormat.DATA_ARRAY, "Observations(1)", ""),
        (ResultFormat.CSV, "Things(1)/name/$value", ""),
        (ResultFormat.GEOJSON, "Things/$ref", ""),
        (ResultFormat.CSV, "Things", "$expand=Datastreams"),
        (ResultFormat.CSV, "Observations", "$expand=Datastream($expand=Observations($top=2))"),
    ],
)
def test_form_that_does_not_fit_is_refused(form: ResultFormat, path: str, query: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_format(form, parse_path(path), parse_options(query))
    assert caught.value.code == "query.format_not_here"


@pytest.mark.parametrize(
    ("form", "path", "query"),
    [
        (ResultFormat.DATA_ARRAY, "Datastreams(1)/Observations", ""),
        (ResultFormat.CSV, "Things(1)", "$expand=Datastreams($top=1)"),
        (ResultFormat.CSV, "Things", "$expand=Nothing"),
        (ResultFormat.GEOJSON, "Things", "$expand=Datastreams"),
    ],
)
def test_form_that_fits_is_taken(form: ResultFormat, path: str, query: str) -> None:
    check_format(form, parse_path(path), parse_options(query))


def test_data_array_needs_the_addresses_of_the_streams_and_others_need_nothing() -> None:
    needed = needed_expand(ResultFormat.DATA_ARRAY, OBSERVATION, Options())
    assert {name: inner.select for name, inner in needed.items()} == {
        "Datastream": ("@iot.selfLink",),
        "MultiDatastream": ("@iot.selfLink",),
    }
    assert needed_expand(ResultFormat.GEOJSON, THING, Options()) == {}


def test_query_of_a_data_array_reads_what_it_shows_and_begins_where_it_was_told() -> None:
    token = urlsafe_b64encode(b'["5"]').decode().rstrip("=")
    query = f"$select=result,FeatureOfInterest&$expand=Datastream&$skiptoken={token}&$top=2"
    streams = "Datastream($select=@iot.selfLink),MultiDatastream($select=@iot.selfLink)"
    expected = (
        f"$select=result&$expand={streams},FeatureOfInterest($select=@iot.id)&$top=2&$skiptoken={token}"
    )
    assert query_to_read(ResultFormat.DATA_ARRAY, OBSERVATION, query) == expected
    assert query_to_read(ResultFormat.CSV, OBSERVATION, query) == query
