"""Names of Datastreams as people write them in terms: completed, refused in sentences, the nearest found.

What lives here: pure functions on names. What does not: which Datastreams there are (``registered``), and the
rules of names (``client.messaging.topics``), which are kept, not repeated.

A name is full, ``<system>.<Thing>.<Datastream>``, or short, ``<Thing>.<Datastream>`` below the system that
gives. A Datastream's own name may hold dots; a short name that looks like a full one is taken for short only
where it is known to be one.
"""

from collections.abc import Collection, Iterable
from difflib import SequenceMatcher, get_close_matches
from typing import Final

from client.errors import InvalidNameError
from client.messaging.topics import SYSTEM_LEVELS, DatastreamName

MOST_NEAREST: Final = 3
_MOST_TOLD: Final = 3  # names in one message
_SIMILAR: Final = 0.5  # share of letters that two names have in common, at least
_BEHIND: Final = 0.15  # so much less than the nearest one has


def short_name(provider: str, name: str) -> str:
    """Return a name without the system that gives, as lists show it."""
    return name.removeprefix(f"{provider}.")


def complete(provider: str, written: str, known: Collection[str] = ()) -> str:
    """Return the full name of a Datastream; what cannot be completed stays as it is, to be refused.

    Args:
        provider: full name of the system that gives.
        written: full or short name.
        known: full names of Datastreams of the system, as far as they are known.
    """
    full = f"{provider}.{written}"
    if full in known:
        return full
    company = ".".join(provider.split(".")[:2])
    if written.startswith(f"{company}.") or "." not in written or _is_full(written):
        return written
    return full


def completed(provider: str, written: Iterable[str], known: Collection[str] = ()) -> tuple[str, ...]:
    """Return the full names, in order, each once; see ``complete``."""
    return tuple(sorted({complete(provider, one, known) for one in written}))


def _is_full(written: str) -> bool:
    try:
        DatastreamName.parse(written)
    except InvalidNameError:
        return False
    return True


def describe_faults(provider: str, names: Iterable[str]) -> str:
    """Say what is wrong with completed names whatever is registered; nothing when all are well-formed."""
    return _told([sentence for name in names if (sentence := _fault(provider, name))])


def _fault(provider: str, name: str) -> str:
    shown = _shown(name)
    try:
        found = DatastreamName.parse(name)
    except InvalidNameError as error:
        if len(name.split(".", SYSTEM_LEVELS + 1)) == SYSTEM_LEVELS + 2:
            return f"The Datastream {shown} cannot be one: {error}."
        example = f"Main.{name}" if "." not in name else "Main.Speed"
        return (
            f"The Datastream {shown} is incomplete: write its Thing and its own name with a dot between, "
            f"such as {example[:120]}."
        )
    if str(found.system) != provider:
        return (
            f"The Datastream {shown} belongs to {found.system}, not to {provider}: take it out, or write "
            f"terms of {found.system} for it."
        )
    return ""


def describe_unknown(provider: str, names: Iterable[str], known: Collection[str]) -> str:
    """Say which names are those of no Datastream of a system, and which are the nearest.

    Args:
        provider: full name of the system that gives; the person sees its Datastreams.
        names: what was written and is not there; nothing is said when it is empty.
        known: full names of its Datastreams.
    """
    wanted = list(names)
    told = [_unknown(provider, name, known) for name in wanted[:_MOST_TOLD]]
    return _told(told, len(wanted))


def _unknown(provider: str, name: str, known: Collection[str]) -> str:
    near = nearest(provider, name, known)
    step = (
        f"Did you mean {_either(near)}?"
        if near
        else "Choose one of the list, or register it first at the system's Things."
    )
    return f"The Datastream {_shown(short_name(provider, name))} is not registered in {provider}. {step}"


def nearest(provider: str, name: str, known: Collection[str], most: int = MOST_NEAREST) -> list[str]:
    """Return the short names of the Datastreams whose names are nearest, the nearest first.

    Args:
        provider: full name of the system.
        name: full or short name, or the Datastream's own one.
        known: full names to choose from.
        most: so many at most [1].
    """
    by_letters = {(short := short_name(provider, one)).casefold(): short for one in sorted(known)}
    wanted = short_name(provider, name).casefold()
    own = [letters for letters in by_letters if letters.partition(".")[2] == wanted.rpartition(".")[2]]
    close = _close(wanted, by_letters, most)
    # One that is spelt the same below another Thing is nearer than one with similar letters.
    found = dict.fromkeys([*(one for one in close if one in own), *own, *close])
    return [by_letters[one] for one in found][:most]


def _close(wanted: str, known: Iterable[str], most: int) -> list[str]:
    """Return what is about as near as the nearest one: names below one Thing begin alike."""
    found = get_close_matches(wanted, known, n=most, cutoff=_SIMILAR)
    shares = [SequenceMatcher(None, one, wanted).ratio() for one in found]
    return [one for one, share in zip(found, shares, strict=True) if share >= shares[0] - _BEHIND]


def _shown(name: str) -> str:
    return f"“{name if len(name) <= 120 else name[:119] + '…'}”"  # noqa: PLR2004 - as long as a line


def _either(names: list[str]) -> str:
    quoted = [_shown(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _told(sentences: list[str], count: int | None = None) -> str:
    further = (len(sentences) if count is None else count) - _MOST_TOLD
    more = [f"And {further} more."] if further > 0 else []
    return " ".join([*sentences[:_MOST_TOLD], *more])
