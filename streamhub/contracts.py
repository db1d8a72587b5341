"""What a contract lets pass: the terms that a stream app is bound by, whatever its statement says.

What lives here: the frozen terms, their checks with places in the predicate, and what they mean for the
language (`Restriction`) and for the clock (`TimeWindow`). What does not: who agreed on them and when (the
platform), letting records pass (`streamhub.query`, `streamhub.engine`).

>>> terms = ContractTerms(id="c-1", provider="a.bb.cc.dd", predicate="result < 4", fields=("quality",))
>>> compiled = terms.compile()
>>> values = [b'{"result": 3, "quality": 1, "secret": 7}', b'{"result": 5}']
>>> compiled.filter_batch([b"a.bb.cc.dd.Mill.Speed"] * 2, values).accepted
[0]
>>> compiled.rewrite(b"a.bb.cc.dd.Mill.Speed", values[0])
b'{"result":3,"quality":1}'
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from client.errors import ConfigurationError, InvalidNameError, InvalidTimeError
from client.messaging.topics import DatastreamName, SystemName
from client.metadata.times import EPOCH, parse_time
from streamhub.errors import QueryError
from streamhub.query import CompiledStatement, Restriction, compile_condition, compile_statement

__all__ = ["ContractTerms", "TermsFault", "TimeWindow", "check_terms"]

# It travels in a header beside others, with commas between them.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,299}", re.ASCII)
_MOST_DATASTREAMS: Final = 10_000
_MOST_FIELDS: Final = 200
_LONGEST_FIELD: Final = 100
_UNUSABLE: Final = re.compile(r'[\x00-\x1f\\"]')
_EVERYTHING: Final = "SELECT * FROM *;"
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """When records may pass: those that Kafka got from `starts_ms` on and before `ends_ms`.

    Attributes:
        starts_ms: First time that counts [ms since 1970]; None without a beginning.
        ends_ms: First time that does not count any more [ms since 1970]; None without an end.
    """

    starts_ms: int | None = None
    ends_ms: int | None = None

    def holds(self, moment_ms: int) -> bool:
        """Say whether a time lies inside; one that is not known (at most 0) does not."""
        return (
            moment_ms > 0
            and (self.starts_ms is None or moment_ms >= self.starts_ms)
            and (self.ends_ms is None or moment_ms < self.ends_ms)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerms:
    """What may leave one provider system by one contract; an instance is always valid.

    Attributes:
        id: Identifier of the contract; records that leave by it carry it in `dt-contract`.
        provider: Dotted name of the system whose records may leave.
        datastreams: Full names of the Datastreams that may leave; empty for all of the provider.
        predicate: What each record must fulfil, as after WHERE; empty for nothing.
        fields: Members of a value that may leave besides `phenomenonTime`, `resultTime`, `result` and
            `Datastream`; empty for all.
        starts_at: Records that Kafka got before may not leave, RFC 3339; None without a beginning.
        ends_at: Records that Kafka got then or later may not leave, and the app ends then, RFC 3339; None
            without an end.

    Raises:
        ConfigurationError: naming the field that is wrong.
        QuerySyntaxError: the predicate cannot be read; with the place in its text.
        QueryTypeError: the predicate can be read but makes no sense.
    """

    id: str
    provider: str
    datastreams: tuple[str, ...] = ()
    predicate: str = ""
    fields: tuple[str, ...] = ()
    starts_at: str | None = None
    ends_at: str | None = None

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_provider(self.provider)
        _check_datastreams(self.datastreams, self.provider)
        _check_fields(self.fields)
        _check_times(self.starts_at, self.ends_at)
        if self.predicate.strip():
            _compiled(self.predicate)

    @property
    def restriction(self) -> Restriction:
        """The terms as the language enforces them."""
        where = _compiled(self.predicate).tree.where if self.predicate.strip() else None
        return Restriction(
            label=f"contract {self.id}",
            owner=self.provider,
            datastreams=self.datastreams,
            condition=where,
            members=frozenset(self.fields) if self.fields else None,
            since=self.starts_at or "",
        )

    @property
    def window(self) -> TimeWindow | None:
        """When records may pass, by the time at which Kafka got them; None for always."""
        if self.starts_at is None and self.ends_at is None:
            return None
        return TimeWindow(_milliseconds(self.starts_at), _milliseconds(self.ends_at))

    def compile(self) -> CompiledStatement:
        """Compile the terms alone: what would leave if the statement asked for everything.

        `filter_batch` says which records, `rewrite` gives the value that leaves; times are not looked at.
        """
        compiled = compile_statement(_EVERYTHING, {"*": self.restriction})
        if not isinstance(compiled, CompiledStatement):
            raise TypeError("a statement without columns passes records on")
        return compiled

    @classmethod
    def from_document(cls, document: object) -> "ContractTerms":
        """Read the JSON form, an object with the fields.

        Raises:
            ConfigurationError: it is something else, or a field is missing, unknown or wrong.
            QueryError: the predicate is wrong.
        """
        if not isinstance(document, Mapping):
            raise _error("", "is not a JSON object: expected the fields of its terms")
        known = {field.name for field in fields(cls)}
        unknown, missing = sorted(set(document) - known), sorted({"id", "provider"} - set(document))
        if unknown or missing:
            raise _error("", f"has unknown fields {unknown} and lacks {missing}")
        values: dict[str, Any] = {name: _typed(name, value) for name, value in document.items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class TermsFault:
    """Something that is wrong with terms, for a form.

    Attributes:
        field: The field of `ContractTerms` that is wrong.
        message: What is wrong and what to write instead.
        line: Line in the predicate, counted from 1; None for other fields.
        column: Column in the predicate, counted from 1; None for other fields.
        drawing: The message, the line of the predicate and a caret under the place; the message for others.
    """

    field: str
    message: str
    line: int | None = None
    column: int | None = None
    drawing: str = ""


def check_terms(
    *,
    provider: str,
    datastreams: Iterable[str] = (),
    predicate: str = "",
    fields: Iterable[str] = (),
    starts_at: str | None = None,
    ends_at: str | None = None,
) -> tuple[TermsFault, ...]:
    """Find everything that is wrong with terms that somebody has written; nothing is wrong when empty.

    Args:
        provider: As in `ContractTerms`, like all others.
        datastreams: Full names.
        predicate: A condition, or empty.
        fields: Members of values.
        starts_at: RFC 3339, or None.
        ends_at: RFC 3339, or None.
    """
    checks: dict[str, Callable[[], object]] = {
        "provider": lambda: _check_provider(provider),
        "datastreams": lambda: _check_datastreams(tuple(datastreams), provider),
        "predicate": lambda: _compiled(predicate) if predicate.strip() else None,
        "fields": lambda: _check_fields(tuple(fields)),
        "ends_at": lambda: _check_times(starts_at, ends_at),
    }
    faults: list[TermsFault] = []
    for name, check in checks.items():
        try:
            check()
        except QueryError as error:
            faults.append(TermsFault(name, str(error), error.line, error.column, error.render()))
        except ConfigurationError as error:
            setting = (error.setting or "").removeprefix(_PREFIX)
            faults.append(TermsFault(setting or name, str(error), drawing=str(error)))
    return tuple(faults)


_PREFIX: Final = "contract."


def _check_id(identifier: str) -> None:
    if not _ID.fullmatch(identifier):
        raise _error(
            "id",
            f"{identifier[:80]!r} is not allowed: use 1 to 300 letters, digits and . _ : ~ -, "
            "starting with a letter or digit",
        )


def _check_provider(provider: str) -> None:
    try:
        SystemName.parse(provider)
    except InvalidNameError as error:
        raise _error("provider", f"is no system: {error}") from error


def _check_datastreams(names: tuple[str, ...], provider: str) -> None:
    if len(names) > _MOST_DATASTREAMS:
        raise _error(
            "datastreams",
            f"are {len(names)}, more than {_MOST_DATASTREAMS}: use a predicate on name or thing",
        )
    for name in names:
        try:
            found = DatastreamName.parse(name)
        except InvalidNameError as error:
            raise _error("datastreams", f"names no Datastream: {error}") from error
        if str(found.system) != provider:
            raise _error("datastreams", f"names {name!r}, which belongs to {found.system}, not to {provider}")
    _check_each_once("datastreams", names)


def _check_fields(names: tuple[str, ...]) -> None:
    if len(names) > _MOST_FIELDS:
        raise _error("fields", f"are {len(names)}, more than {_MOST_FIELDS}")
    for name in names:
        is_usable = 0 < len(name) <= _LONGEST_FIELD and name.isprintable() and name == name.strip()
        if not is_usable or _UNUSABLE.search(name):
            raise _error(
                "fields",
                f"names {name[:_LONGEST_FIELD]!r}, which is no attribute: use 1 to {_LONGEST_FIELD} "
                "printable characters without quotes, backslashes and blanks at the ends",
            )
    _check_each_once("fields", names)


def _check_each_once(field: str, names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise _error(field, f"names {twice!r} twice: once is enough")


def _check_times(starts_at: str | None, ends_at: str | None) -> None:
    for field, written in (("starts_at", starts_at), ("ends_at", ends_at)):
        try:
            _milliseconds(written)
        except InvalidTimeError as error:
            raise _error(field, f"is no time: {error}") from error
    starts_ms, ends_ms = _milliseconds(starts_at), _milliseconds(ends_at)
    if starts_ms is not None and ends_ms is not None and starts_ms >= ends_ms:
        raise _error("ends_at", f"is {ends_at}, which is not after the start, {starts_at}")


def _milliseconds(written: str | None) -> int | None:
    """Read RFC 3339 text as time since 1970 [ms], cut to whole ones as Kafka does.

    Raises:
        InvalidTimeError: it is no time, or leaves the offset open.
    """
    if written is None:
        return None
    return (parse_time(written, now=_no_clock) - EPOCH) // _MILLISECOND


def _no_clock() -> datetime:
    raise InvalidTimeError("a time is missing: write RFC 3339, such as 2026-01-31T12:00:00Z")


@lru_cache(maxsize=1024)
def _compiled(predicate: str) -> CompiledStatement:
    """Compile a predicate to look at it; the same few are asked for again and again."""
    return compile_condition(predicate)


def _typed(name: str, value: object) -> object:
    """Give a value of the JSON form as the class holds it.

    Raises:
        ConfigurationError: it has another type.
    """
    if name in {"datastreams", "fields"}:
        if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
            return tuple(value)
    elif isinstance(value, str) or (value is None and name in {"starts_at", "ends_at"}):
        return value
    raise _error(name, f"has the wrong type: {type(value).__name__}")


def _error(field: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"contract: {field} {problem}".replace("  ", " "), setting=_PREFIX + field)
