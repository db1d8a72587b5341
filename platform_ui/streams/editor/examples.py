"""Statements to begin with, with the real names of a system, and a name for the app.

What lives here: pure text. What does not: asking for the names (``words``).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from platform_ui.clients.models import MAX_APP_NAME
from platform_ui.streams.editor.words import KnownDatastream

_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Example:
    """A statement to begin with.

    Attributes:
        title: What it is.
        meaning: What it does, one sentence.
        statement: The text.
        name: A name for an app that does this.
    """

    title: str
    meaning: str
    statement: str
    name: str


def examples_for(system: str, datastreams: Sequence[KnownDatastream]) -> tuple[Example, ...]:
    """Return the gallery for a system.

    Args:
        system: full name of the system.
        datastreams: its Datastreams; without any, made-up names show the form.
    """
    known = datastreams or (
        KnownDatastream(f"{system}.Thing.Temperature", system, "Thing", "Cel"),
        KnownDatastream(f"{system}.Thing.Pressure", system, "Thing", "hPa"),
    )
    one, other = known[0], _beside(known)
    chosen = f"name = {_text(one.name)}"
    rounded = f"round(result, 1) AS rounded UNIT {_text(one.unit or '1')}"
    return (
        Example(
            "All records",
            "Everything that this system sends, unchanged.",
            _statement("*", system),
            "all-records",
        ),
        Example(
            "Threshold",
            f"Only the records of {_short(one)} below a limit.",
            _statement("*", system, chosen, "result < 4"),
            "below-limit",
        ),
        _join(system, one, other) if other else _range(system, one),
        Example(
            "Compute with unit",
            f"A new Datastream, computed of {_short(one)}, with its unit.",
            _statement(rounded, system, chosen),
            "rounded",
        ),
    )


def _join(system: str, one: KnownDatastream, other: KnownDatastream) -> Example:
    return Example(
        "Join two sensors",
        f"{_short(one)} and {_short(other)}, each with its nearest neighbour in time.",
        _statement(
            _joined(one, other),
            f"{system} AS l JOIN {system} AS r WITHIN 1 s",
            f"l.name = {_text(one.name)}",
            f"r.name = {_text(other.name)}",
        ),
        "joined",
    )


def _range(system: str, one: KnownDatastream) -> Example:
    """What stands in for a join where there is nothing to join with."""
    chosen = f"name = {_text(one.name)}"
    return Example(
        "Outside of a range",
        f"Only the records of {_short(one)} that are too low or too high.",
        _statement("*", system, chosen, "result NOT BETWEEN 0 AND 30"),
        "out-of-range",
    )


def _statement(columns: str, sources: str, *conditions: str) -> str:
    where = "\n    AND ".join(conditions)
    text = f"SELECT {columns}\n  FROM {sources}"  # noqa: S608 - our own language, never SQL
    return f"{text}\n  WHERE {where};" if where else f"{text};"


def _joined(one: KnownDatastream, other: KnownDatastream) -> str:
    if one.unit is not None and one.unit == other.unit:
        return f"l.result - r.result AS gap UNIT {_text(_difference(one.unit))}"
    units = _text(one.unit or "1"), _text(other.unit or "1")
    return f"l.result AS first UNIT {units[0]},\n    r.result AS second UNIT {units[1]}"


def _difference(unit: str) -> str:
    """A difference of temperatures on a scale with a zero of its own is in kelvin."""
    return "K" if unit in {"Cel", "°C"} else unit


def _beside(known: Sequence[KnownDatastream]) -> KnownDatastream | None:
    """Choose a partner for the first Datastream, if there is one: of the same Thing when possible."""
    others = [one for one in known[1:] if one.thing == known[0].thing] or known[1:]
    return others[0] if others else None


def _short(datastream: KnownDatastream) -> str:
    return datastream.name.removeprefix(f"{datastream.system}.")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def suggest_name(statement: str, taken: Collection[str]) -> str:
    """Suggest a name for an app that runs a statement: what it does, with a number when that is taken.

    Args:
        statement: the text, which need not be right.
        taken: names of the apps and clients of the system.
    """
    words = statement.upper().split()
    made = re.search(r"\bAS\s+([A-Za-z_]\w*)\s+UNIT\b", statement, re.IGNORECASE)
    if made:
        wanted = _NOT_IN_A_NAME.sub("-", made[1]).strip("-_")
    elif "JOIN" in words:
        wanted = "joined"
    else:
        wanted = "selected" if "WHERE" in words else "all-records"
    wanted = wanted if len(wanted) > 1 else "computed"
    number, name = 1, wanted[:MAX_APP_NAME]
    while name in taken:
        number += 1
        name = f"{wanted[: MAX_APP_NAME - len(str(number)) - 1]}-{number}"
    return name
