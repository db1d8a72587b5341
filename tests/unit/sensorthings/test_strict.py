"""Filters of a strict service: constants that no result of the observation type can equal are refused."""

import pytest

from sensorthings.errors import QueryTypeError
from sensorthings.odata.parser import parse_filter
from sensorthings.queries.strict import check_filter

PREFIX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("OM_Measurement", "result gt 3 and not (result eq 4.5 or result eq null)"),
        ("OM_Measurement", "resultTime gt 2026-01-01T00:00:00Z and Datastream/name eq 'x'"),
        ("OM_TruthObservation", "result eq true"),
        ("OM_CategoryObservation", "result in ('a','b')"),
        ("OM_Observation", "result eq 'a' or result eq 1"),
    ],
)
def test_fitting_constants_pass(kind: str, text: str) -> None:
    check_filter(parse_filter(text), PREFIX + kind)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("OM_Measurement", "result gt '3'"),
        ("OM_Measurement", "id gt 0 and not ('x' eq result)"),
        ("OM_CountObservation", "result eq true"),
        ("OM_TruthObservation", "result eq 1"),
        ("OM_CategoryObservation", "result in ('a',1)"),
    ],
)
def test_constants_of_another_kind_are_refused(kind: str, text: str) -> None:
    with pytest.raises(QueryTypeError, match=kind):
        check_filter(parse_filter(text), PREFIX + kind)
