"""Which results fit which observationType."""

from fractions import Fraction

import pytest

from client.errors import InvalidResultError
from client.metadata.entities import ObservationType
from client.metadata.results import check_result

M = ObservationType.MEASUREMENT
C = ObservationType.COUNT_OBSERVATION
T = ObservationType.TRUTH_OBSERVATION
K = ObservationType.CATEGORY_OBSERVATION
ANY = ObservationType.OBSERVATION


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (M, 0, 0.0),
        (M, -1.5, -1.5),
        (M, "12.5", 12.5),
        (M, Fraction(1, 2), 0.5),
        (C, 0, 0),
        (C, -3, -3),
        (C, 10**30, 10**30),
        (C, 4.0, 4),
        (C, "17", 17),
        (T, True, True),
        (T, False, False),
        (T, "False", False),
        (T, " TRUE ", True),
        (K, "", ""),
        (K, "red", "red"),
        (ANY, None, None),
        (ANY, {"a": [1]}, {"a": [1]}),
        (ANY, False, False),
    ],
)
def test_a_fitting_result_keeps_its_value(kind: ObservationType, given: object, expected: object) -> None:
    checked = check_result(kind, given)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (M, True),
        (M, float("nan")),
        (M, float("inf")),
        (M, "NaN"),
        (M, "warm"),
        (M, None),
        (M, [1]),
        (M, 10**400),
        (C, 3.7),
        (C, "3.7"),
        (C, True),
        (C, float("inf")),
        (C, None),
        (C, []),
        (T, 0),
        (T, 1),
        (T, "no"),
        (T, None),
        (K, 1),
        (K, None),
        (K, b"red"),
    ],
)
def test_a_result_that_would_change_is_refused(kind: ObservationType, given: object) -> None:
    with pytest.raises(InvalidResultError, match=f"is no result for {kind}") as caught:
        check_result(kind, given)
    assert len(str(caught.value)) < 250


def test_the_uri_of_a_type_is_the_one_of_the_standard() -> None:
    assert M.uri == "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
