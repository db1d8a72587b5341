"""Which Datastreams a pattern means; pure.

What lives here: Datastreams as sources describe them, patterns, nearest names. What does not: listing them
(the sources).

A pattern is a full name with `*`, `?` and `[...]`, or the end of one from any level on, as long as what is
left out is one and the same for all that it fits: `Car1.*` is enough where one company has a Car1.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.frames.errors import AmbiguousNameError, FrameError, NoMatchError
from client.messaging.topics import SYSTEM_LEVELS

_MOST_NEAREST: Final = 5
_WILD: Final = re.compile(r"[*?\[]")

Names = str | Sequence[str] | Mapping[str, str]
"""Patterns; a mapping gives each Datastream a short name of the user's own."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A Datastream.

    Attributes:
        name: Full name, `<system>.<Thing>.<Datastream>`.
        key: By which its source knows it.
        unit: Symbol of its unit; empty for none.
        observed_property: Name of what it observes; empty when that is not known.
        system: Who owns it; empty for one whose name has no system.
        thing: Its Thing, without the system.
        datastream: The rest of the name.
    """

    name: str
    key: int | str = 0
    unit: str = ""
    observed_property: str = ""
    system: str = ""
    thing: str = ""
    datastream: str = ""

    @property
    def company(self) -> str:
        """`domain.enterprise` of the system; empty where there is none."""
        return ".".join(self.system.split(".")[:2])


def stream_of(name: str, key: int | str = 0, unit: str = "", observed_property: str = "") -> Stream:
    """Describe a Datastream by its full name; a name of another form is a Datastream without system or Thing.

    >>> stream_of("cz.icecars.Fleet.Car1.Main.Air Temperature").thing
    'Main'
    """
    levels = name.split(".", SYSTEM_LEVELS + 1)
    if len(levels) < SYSTEM_LEVELS + 2:
        return Stream(name, key, unit, observed_property, datastream=name)
    system = ".".join(levels[:SYSTEM_LEVELS])
    return Stream(name, key, unit, observed_property, system, levels[-2], levels[-1])


def patterns_of(names: Names) -> tuple[str, ...]:
    """Return the patterns of what a user gave.

    Raises:
        FrameError: There is none, or one is empty.
    """
    if isinstance(names, str):
        found: tuple[str, ...] = (names,)
    else:
        found = tuple(names.values()) if isinstance(names, Mapping) else tuple(names)
    if not found or not all(str(one).strip() for one in found):
        raise FrameError(
            f"{names!r} names no Datastreams. Pass a full name, a pattern as 'Car1.*', or a list of them; "
            "datastreams() lists what there is"
        )
    return found


def fixed_part(pattern: str) -> str:
    """Return the longest part of a pattern without wildcards: whatever the pattern fits contains it.

    >>> fixed_part("*.Car1.Main.*")
    '.Car1.Main.'
    """
    return max(re.split(r"\[[^\]]*\]|[*?\[]", pattern), key=len)


def choose(patterns: Iterable[str], known: Collection[Stream], source: str) -> list[Stream]:
    """Return the Datastreams that patterns mean, in the order of their names, each once.

    Args:
        patterns: What the user asks for.
        known: The Datastreams of the source.
        source: Its name, for messages.

    Raises:
        NoMatchError: A pattern fits none; names the nearest.
        AmbiguousNameError: A short pattern fits Datastreams of several systems.
    """
    chosen = {stream.name: stream for pattern in patterns for stream in _fitting(pattern, known, source)}
    return [chosen[name] for name in sorted(chosen)]


def _fitting(pattern: str, known: Collection[Stream], source: str) -> list[Stream]:
    matches = re.compile(fnmatch.translate(pattern)).match

    def fits(name: str) -> bool:
        # A name with brackets, as of units, means itself.
        return name == pattern or matches(name) is not None

    whole = [stream for stream in known if stream.name == pattern] or [
        stream for stream in known if fits(stream.name)
    ]
    if whole:
        return whole
    by_head: dict[str, list[Stream]] = {}
    for stream in known:
        for head in _heads(stream.name):
            if fits(stream.name[len(head) :]):
                by_head.setdefault(head, []).append(stream)
                break
    if not by_head:
        raise _nothing(pattern, known, source)
    if len(by_head) > 1:
        full = ", ".join(f"{head}{pattern}" for head in sorted(by_head)[:_MOST_NEAREST])
        raise AmbiguousNameError(
            f"{pattern!r} fits Datastreams of several systems. Say which: {full}; or all of them: "
            f"'*.{pattern}'"
        )
    return next(iter(by_head.values()))


def _heads(name: str) -> list[str]:
    """Return what may be left out at the beginning of a name, the longest last."""
    levels = name.split(".", SYSTEM_LEVELS + 1)
    if len(levels) < SYSTEM_LEVELS + 2:
        return []
    return ["".join(f"{level}." for level in levels[:count]) for count in range(1, len(levels))]


def _nothing(pattern: str, known: Collection[Stream], source: str) -> NoMatchError:
    if not known:
        return NoMatchError(
            f"No Datastream fits {pattern!r}: {source} shows none at all. Check whose token this is, and "
            "whether something is shared with them",
            pattern,
            (),
        )
    near = nearest(pattern, [stream.name for stream in known])
    listed = "\n  ".join(near)
    return NoMatchError(
        f"No Datastream of {source} fits {pattern!r}. Nearest of {len(known)}:\n  {listed}\n"
        "datastreams('*') lists all of them",
        pattern,
        near,
    )


def nearest(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the names that are spelled most like a pattern.

    >>> nearest("Car1.*Temprature", ["a.b.c.Car1.Main.Air Temperature", "a.b.c.Mill.Main.Speed"])[0]
    'a.b.c.Car1.Main.Air Temperature'
    """
    wanted = _WILD.sub("", pattern).lower().strip(".")

    def likeness(name: str) -> float:
        ends = [name.lower(), *(name[len(head) :].lower() for head in _heads(name))]
        return max(difflib.SequenceMatcher(None, wanted, end).ratio() for end in ends)

    return sorted(names, key=lambda name: (-likeness(name), name))[:_MOST_NEAREST]


def short_names(names: Names, chosen: Sequence[Stream], source: str) -> dict[str, str]:
    """Return the column of each Datastream in a wide frame: its full name, or the user's own.

    Raises:
        FrameError: A name of the user's own stands for several Datastreams.
    """
    if not isinstance(names, Mapping):
        return {stream.name: stream.name for stream in chosen}
    found: dict[str, str] = {}
    for own, pattern in names.items():
        meant = choose([pattern], chosen, source)
        if len(meant) > 1:
            listed = ", ".join(stream.name for stream in meant[:_MOST_NEAREST])
            raise FrameError(f"{own!r} can be one Datastream only, and {pattern!r} fits {listed}")
        found[meant[0].name] = own
    return found
