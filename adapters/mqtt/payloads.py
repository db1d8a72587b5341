"""What a message on a data topic says: the observation in its payload, or why there is none; pure.

What lives here: the forms of a payload. What does not: whether the result fits its Datastream
(`client.metadata.results`), which Datastream is meant (`topics`), ids (`identifiers`).

A payload is UTF-8 text in one of three forms:

- a JSON object with a `result`, as in every record:
  `{"result": 21.5, "phenomenonTime": "2026-01-02T03:04:05Z"}`; `resultTime` and further attributes may be
  there too. Times are in any form that the client takes;
- another JSON value, which is the result itself: `21.5`, `true`, `"ok"`, `null`, `[1, 2]`, `{"x": 1}`;
- text that is no JSON, which is the result itself: `open`. What begins like a JSON object, array or string
  has to be one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NoReturn

from client.errors import InvalidTimeError, RecordFormatError
from client.metadata.times import format_time, parse_time

CODE_EMPTY: Final = "mqtt.empty_payload"
CODE_NOT_TEXT: Final = "mqtt.payload_not_text"
CODE_NOT_JSON: Final = "mqtt.payload_not_json"
CODE_NO_RESULT: Final = "mqtt.no_result"
CODE_BAD_TIME: Final = "mqtt.bad_time"
_RESULT: Final = "result"
_PHENOMENON_TIME: Final = "phenomenonTime"
_RESULT_TIME: Final = "resultTime"
# The topic says which Datastream is meant; what a record of the stack says of it may stay in the payload.
_IGNORED: Final = frozenset({"Datastream"})
_TIMES: Final = frozenset({_PHENOMENON_TIME, _RESULT_TIME})
_JSON_BEGINNINGS: Final = ("{", "[", '"')


@dataclass(frozen=True, slots=True)
class Observed:
    """The observation that a payload holds.

    Attributes:
        result: Any JSON value.
        phenomenon_time: RFC 3339 text in UTC, or two of them with a slash between; None when it tells none.
        result_time: RFC 3339 text in UTC; None when it tells none.
        begins: Start of the phenomenon time; None when it tells none.
        attributes: Additional attributes.
    """

    result: object
    phenomenon_time: str | None = None
    result_time: str | None = None
    begins: datetime | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


def read_payload(payload: bytes) -> Observed:
    """Read the observation of a payload.

    Raises:
        RecordFormatError: There is none in it; its code tells why.
    """
    if not payload.strip():
        _refuse(CODE_EMPTY, "the payload is empty; send a value, or a JSON object with a result")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise RecordFormatError(CODE_NOT_TEXT, f"the payload is not UTF-8 text: {error}") from error
    document = _json_or_text(text)
    if isinstance(document, dict) and (_RESULT in document or not _TIMES.isdisjoint(document)):
        return _observation(document)
    return Observed(document)


def _json_or_text(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        # A byte order mark is no blank, so it must not hide what follows.
        if text.lstrip("\ufeff \t\r\n").startswith(_JSON_BEGINNINGS):
            raise RecordFormatError(CODE_NOT_JSON, f"the payload is not JSON: {error}") from error
    return text.strip()


def _observation(document: dict[str, object]) -> Observed:
    if _RESULT not in document:
        _refuse(CODE_NO_RESULT, "the payload is an object with a time, but without a result")
    result = document.pop(_RESULT)
    phenomenon, told = document.pop(_PHENOMENON_TIME, None), document.pop(_RESULT_TIME, None)
    begins, phenomenon_time = (None, None) if phenomenon is None else _period(phenomenon)
    return Observed(
        result,
        phenomenon_time,
        None if told is None else format_time(_instant(told, _RESULT_TIME)),
        begins,
        {name: value for name, value in document.items() if name not in _IGNORED},
    )


def _period(value: object) -> tuple[datetime, str]:
    if not isinstance(value, str) or "/" not in value:
        instant = _instant(value, _PHENOMENON_TIME)
        return instant, format_time(instant)
    first, _, second = value.partition("/")
    start, end = _instant(first, _PHENOMENON_TIME), _instant(second, _PHENOMENON_TIME)
    if end < start:
        _refuse(CODE_BAD_TIME, f"{_PHENOMENON_TIME} ends before it begins")
    return start, f"{format_time(start)}/{format_time(end)}"


def _instant(value: object, name: str) -> datetime:
    if not isinstance(value, str | int | float):
        _refuse(CODE_BAD_TIME, f"{name} is a {type(value).__name__}, not a time")
    try:
        return parse_time(value, now=_no_clock)
    except InvalidTimeError as error:
        raise RecordFormatError(CODE_BAD_TIME, f"{name}: {error}") from error


def _no_clock() -> NoReturn:
    raise InvalidTimeError("no time is given")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259, section 6)")


def _refuse(code: str, detail: str) -> NoReturn:
    raise RecordFormatError(code, detail)
