"""A hooks file, loaded and checked: constants and the two functions.

Lives here: running the user's file, and saying with file and line what is wrong with it. Does not live here:
calling its functions (``derivation``).
"""

import ast
import hashlib
import inspect
import math
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from client.errors import ConfigurationError
from client.messaging.topics import SystemName

__all__ = ["CONSTANTS", "HookFile", "HookSettings", "load_hooks"]

_MODULE: Final = "dtwin_hooks"
_MICROSECONDS: Final = 1_000_000
_INGEST: Final = "ingest_fct"
_ON_JOIN: Final = "on_join"


@dataclass(frozen=True, slots=True)
class _Constant:
    """What a constant must be.

    Attributes:
        fits: Whether a value is allowed.
        words: What is allowed, for people, with an example.
        is_required: Whether the file must have it.
    """

    fits: Callable[[object], bool]
    words: str
    is_required: bool = False


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_span(value: object) -> bool:
    """Whether it is None or a finite number that is not negative."""
    if value is None:
        return True
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0  # type: ignore[arg-type,operator]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_SPAN: Final = "a number of seconds, for example 1.5, or None"
CONSTANTS: Final = {
    "STREAM_NAME": _Constant(_is_text, 'a text, for example "distance"'),
    "KAFKA_BOOTSTRAP_SERVERS": _Constant(_is_text, 'a text, for example "localhost:9092"'),
    "SOURCE_SYSTEMS": _Constant(_is_text, 'a text, for example "aa.bb.cc.dd,aa.bb.cc.ee"'),
    "TARGET_SYSTEM": _Constant(_is_text, 'a text, for example "aa.bb.cc.dd"'),
    "TIME_DELTA": _Constant(_is_span, _SPAN, is_required=True),
    "ADDITIONAL_ATTRIBUTES": _Constant(
        _is_text, 'a text, for example "longitude,latitude", or ""', is_required=True
    ),
    "USE_ISO_TIMESTAMPS": _Constant(_is_flag, "True or False"),
    "MAX_BATCH_SIZE": _Constant(_is_count, "a whole number of records, for example 5000"),
    "TRANSACTION_TIME": _Constant(
        lambda value: value is not None and _is_span(value), "a number of seconds, for example 0.1"
    ),
    "VERBOSE": _Constant(_is_flag, "True or False"),
    "MAX_LATENCY": _Constant(_is_span, _SPAN),
    "LATENESS": _Constant(_is_span, _SPAN),
}
_OPTIONS: Final = {
    "STREAM_NAME": "--stream-name",
    "KAFKA_BOOTSTRAP_SERVERS": "--bootstrap-server",
    "SOURCE_SYSTEMS": "--source-system",
    "TARGET_SYSTEM": "--target-system",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """What a hooks file and the options together say; systems are valid.

    Attributes:
        stream_name: Name of the app.
        bootstrap_servers: Kafka addresses.
        source_systems: Systems whose records are read; the first is the app's home.
        target_system: System that receives.
    """

    stream_name: str
    bootstrap_servers: str
    source_systems: tuple[str, ...]
    target_system: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HookFile:
    """A hooks file that was loaded and is complete, besides what options may add.

    Attributes:
        path: Where it is.
        digest: SHA-256 of what it holds.
        ingest: Called with each record, and an object with `ingest_left(record)`, `ingest_right(record)`.
        on_join: Called with a pair; gives a dictionary or None.
        within: Largest time between the records of a pair [us]; None for no limit.
        max_latency: How long a silent side is waited for, in event time [us]; None for ever.
        lateness: How long records are held back to be sorted [us].
        attributes: Additional attributes that the functions see.
        uses_iso_times: Whether times are written as RFC 3339; else as a number [s since 1970].
        batch_records: Most records taken in one turn; None for the engine's own figure.
        commit_interval_s: Longest time between two commits [s]; None for the engine's own figure.
        is_verbose: Whether the app says more.
    """

    path: Path
    digest: str
    ingest: Callable[[Any, Any], object]
    on_join: Callable[[Any, Any], object]
    within: int | None
    max_latency: int | None
    lateness: int
    attributes: tuple[str, ...]
    uses_iso_times: bool
    batch_records: int | None
    commit_interval_s: float | None
    is_verbose: bool
    constants: dict[str, Any]

    def settings(self, given: dict[str, str | None]) -> HookSettings:
        """Put the constants and what was given besides together; what was given wins.

        Args:
            given: STREAM_NAME, KAFKA_BOOTSTRAP_SERVERS, SOURCE_SYSTEMS, TARGET_SYSTEM, as far as known.

        Raises:
            ConfigurationError: one of them is missing, or a system's name breaks a rule.
        """
        found = {name: given.get(name) or self.constants.get(name) for name in _OPTIONS}
        for name, value in found.items():
            if not value:
                raise ConfigurationError(
                    f"{self.path}: {name} is missing: write {name} = {CONSTANTS[name].words.split()[-1]}, "
                    f"or give {_OPTIONS[name]}",
                    setting=name,
                )
        sources = _names(str(found["SOURCE_SYSTEMS"]))
        if not sources:
            raise ConfigurationError(f"{self.path}: SOURCE_SYSTEMS names no system", setting="SOURCE_SYSTEMS")
        for system in (*sources, str(found["TARGET_SYSTEM"])):
            SystemName.parse(system)
        return HookSettings(
            stream_name=str(found["STREAM_NAME"]),
            bootstrap_servers=str(found["KAFKA_BOOTSTRAP_SERVERS"]),
            source_systems=sources,
            target_system=str(found["TARGET_SYSTEM"]),
        )


def load_hooks(path: Path) -> HookFile:
    """Run a hooks file and check what it defines.

    Modules next to the file can be imported by it.

    Raises:
        ConfigurationError: the file is missing, is no Python, fails when it is run, lacks something, or has a
            constant of a wrong type; the message names file and line.
    """
    code = _read(path)
    lines = _lines_of(path, code)
    names = _run(path, code)
    values: dict[str, Any] = {}
    for name, constant in CONSTANTS.items():
        if name not in names:
            if constant.is_required:
                raise _error(path, None, f"{name} is missing: it is {constant.words}", name)
            continue
        if not constant.fits(names[name]):
            raise _error(
                path, lines.get(name), f"{name} is {names[name]!r}, but must be {constant.words}", name
            )
        values[name] = names[name]
    return HookFile(
        path=path,
        digest=hashlib.sha256(code).hexdigest(),
        ingest=_function(path, names, lines, _INGEST, "(record, stream_buffer)"),
        on_join=_function(path, names, lines, _ON_JOIN, "(record_left, record_right)"),
        within=_span(values["TIME_DELTA"]),
        max_latency=_span(values.get("MAX_LATENCY")),
        lateness=_span(values.get("LATENESS")) or 0,
        attributes=_names(values["ADDITIONAL_ATTRIBUTES"]),
        uses_iso_times=values.get("USE_ISO_TIMESTAMPS", True),
        batch_records=values.get("MAX_BATCH_SIZE"),
        commit_interval_s=values.get("TRANSACTION_TIME"),
        is_verbose=values.get("VERBOSE", False),
        constants=values,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the hooks file {path} cannot be read: {error.strerror}", setting="--hooks"
        ) from error


def _lines_of(path: Path, code: bytes) -> dict[str, int]:
    """Where names are assigned or defined at the top of the file, the last place of each."""
    try:
        tree = ast.parse(code, str(path))
    except SyntaxError as error:
        shown = f": {error.text.strip()}" if error.text else ""
        raise _error(path, error.lineno, f"{error.msg}{shown}") from error
    except ValueError as error:
        raise _error(path, None, f"is no Python: {error}") from error
    lines: dict[str, int] = {}
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            lines[statement.name] = statement.lineno
        targets: list[ast.expr] = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        lines |= {target.id: statement.lineno for target in targets if isinstance(target, ast.Name)}
    return lines


def _run(path: Path, code: bytes) -> dict[str, Any]:
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # behind everything else: it must not hide installed packages
    module = ModuleType(_MODULE)
    module.__file__ = str(path)
    sys.modules[_MODULE] = module
    try:
        exec(compile(code, str(path), "exec"), module.__dict__)  # noqa: S102 - the user's own program
    except Exception as error:
        line = next(
            (
                frame.lineno
                for frame in reversed(traceback.extract_tb(error.__traceback__))
                if frame.filename == str(path)
            ),
            None,
        )
        raise _error(path, line, f"{type(error).__name__}: {error}") from error
    return module.__dict__


def _function(
    path: Path, names: dict[str, Any], lines: dict[str, int], name: str, arguments: str
) -> Callable[[Any, Any], object]:
    function = names.get(name)
    if function is None:
        raise _error(path, None, f"the function {name}{arguments} is missing", name)
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError) as error:
        raise _error(
            path, lines.get(name), f"{name} must be a function of two arguments, {name}{arguments}", name
        ) from error
    return function  # type: ignore[no-any-return] # callable with two arguments, as was just tried


def _span(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * _MICROSECONDS)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _error(path: Path, line: int | None, problem: str, setting: str | None = None) -> ConfigurationError:
    where = f"{path}" if line is None else f"{path}, line {line}"
    return ConfigurationError(f"{where}: {problem}", setting=setting)
