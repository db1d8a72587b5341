"""Does a result fit its Datastream? Pure, strict: what would change the value on the way is refused.

What lives here: one check per observationType. What does not: JSON (`client.messaging.records`).
Source: OGC 18-088, table 12 "value codes used for the observationType".
"""

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Final

from client.errors import InvalidResultError
from client.metadata.entities import ObservationType

_TRUTH_WORDS: Final = {"true": True, "false": False}


def check_result(observation_type: ObservationType, result: object) -> object:
    """Bring a result into the type of its Datastream without changing its value.

    Returns: a float for OM_Measurement, an int for OM_CountObservation, a bool for OM_TruthObservation (the
        words true and false in any case are read), a str for OM_CategoryObservation, the result as it is for
        OM_Observation.

    Raises:
        InvalidResultError: when that is impossible, for example 3.7 as a count, NaN as a measurement.
    """
    return result_check(observation_type)(result)


def result_check(observation_type: ObservationType) -> Callable[[object], object]:
    """Give the check of one type, for who asks again and again; it does what `check_result` does."""
    return _CHECKS[observation_type]


def _measurement(result: object) -> float:
    if type(result) is float and math.isfinite(result):  # almost always
        return result
    if isinstance(result, bool):
        raise _refusal(
            ObservationType.MEASUREMENT, result, "a number; a boolean belongs to OM_TruthObservation"
        )
    number = _number(result)
    if number is None:
        raise _refusal(ObservationType.MEASUREMENT, result, "a number")
    if not math.isfinite(number):
        raise _refusal(
            ObservationType.MEASUREMENT, result, "a finite number; leave out a reading that is missing"
        )
    return number


def _number(result: object) -> float | None:
    if not isinstance(result, Real | str):
        return None
    try:
        return float(result)
    except (ValueError, OverflowError):
        return None


def _count(result: object) -> int:
    if type(result) is int:  # almost always
        return result
    if isinstance(result, Integral) and not isinstance(result, bool):
        return int(result)
    if isinstance(result, Real) and not isinstance(result, bool):
        number = float(result)
        if number.is_integer():
            return int(number)
    if isinstance(result, str):
        try:
            return int(result)
        except ValueError:
            pass
    raise _refusal(
        ObservationType.COUNT_OBSERVATION, result, "a whole number; round it first, or use OM_Measurement"
    )


def _truth(result: object) -> bool:
    if isinstance(result, bool):
        return result
    if isinstance(result, str) and result.strip().lower() in _TRUTH_WORDS:
        return _TRUTH_WORDS[result.strip().lower()]
    raise _refusal(ObservationType.TRUTH_OBSERVATION, result, "True or False")


def _category(result: object) -> str:
    if isinstance(result, str):
        return result
    raise _refusal(ObservationType.CATEGORY_OBSERVATION, result, "text")


def _anything(result: object) -> object:
    return result


def _refusal(observation_type: ObservationType, result: object, needed: str) -> InvalidResultError:
    shown = repr(result)
    limit = 80
    if len(shown) > limit:
        shown = f"{shown[:limit]}..."
    return InvalidResultError(f"{shown} is no result for {observation_type}: it needs {needed}")


_CHECKS: Final[dict[ObservationType, Callable[[object], object]]] = {
    ObservationType.MEASUREMENT: _measurement,
    ObservationType.COUNT_OBSERVATION: _count,
    ObservationType.TRUTH_OBSERVATION: _truth,
    ObservationType.CATEGORY_OBSERVATION: _category,
    ObservationType.OBSERVATION: _anything,
}
