"""Results against what their Datastream promises."""

import pytest

from client.metadata.entities import OBSERVATION_TYPE_PREFIX
from sensorthings.errors import BodyError
from sensorthings.writes.streams import COMPLEX, Stream, check_result, misfits


def _stream(name: str = "OM_Measurement", *part_types: str) -> Stream:
    types = [OBSERVATION_TYPE_PREFIX + one for one in part_types]
    kind = COMPLEX if types else OBSERVATION_TYPE_PREFIX + name
    return Stream(1, bool(types), kind, len(types), types or None, None, None, None)


@pytest.mark.parametrize(
    ("name", "result", "is_right"),
    [
        ("OM_Measurement", 1, True),
        ("OM_Measurement", 1.5, True),
        ("OM_Measurement", True, False),
        ("OM_Measurement", "1", False),
        ("OM_CountObservation", 3, True),
        ("OM_CountObservation", 3.0, True),
        ("OM_CountObservation", 3.5, False),
        ("OM_CountObservation", False, False),
        ("OM_TruthObservation", False, True),
        ("OM_TruthObservation", 0, False),
        ("OM_CategoryObservation", "http://x.org/red", True),
        ("OM_CategoryObservation", 1, False),
        ("OM_Observation", {"any": 1}, True),
        ("OM_Measurement", None, True),
    ],
)
def test_strict_results_fit_the_observation_type(name: str, result: object, *, is_right: bool) -> None:
    stream = _stream(name)
    check_result(stream, result, "", is_strict=False)

    assert (stream.observation_type in misfits(result)) is not is_right
    if is_right:
        check_result(stream, result, "", is_strict=True)
        return
    with pytest.raises(BodyError) as caught:
        check_result(stream, result, "", is_strict=True)
    assert (caught.value.code, caught.value.place) == ("body.result_type", "/result")


@pytest.mark.parametrize("result", [5, "ab", None, {}, [], [1], [1, 2, 3]])
def test_results_of_multi_datastreams_have_one_value_for_each_part(result: object) -> None:
    with pytest.raises(BodyError) as caught:
        check_result(_stream("", "OM_Measurement", "OM_TruthObservation"), result, "/a", is_strict=False)

    assert (caught.value.code, caught.value.place) == ("body.result_size", "/a/result")


def test_strict_parts_are_checked_one_by_one() -> None:
    stream = _stream("", "OM_Measurement", "OM_TruthObservation")
    check_result(stream, [None, True], "", is_strict=True)

    with pytest.raises(BodyError) as caught:
        check_result(stream, [1, 1], "", is_strict=True)

    assert caught.value.place == "/result/1"
