"""What must change so that a broker has the access rules it should have; pure.

What lives here: the difference, its safe order, and what stands there that is not ours. What does not:
bringing it to a broker (``kafka_port``), and when (``keeper``).

How it works: the steps of a plan are carried out in the order *new refusals, removals of what was allowed,
new permissions, removals of refusals*. So whenever it is interrupted, nobody may do what neither the old nor
the new rules allow: the first two steps only take away, and what they take away the old rules allowed; the
third adds what the new rules allow while all refusals, old and new, still stand.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from platform_ui.acls.compiling import PLATFORM_TOPICS
from platform_ui.acls.entries import (
    ALLOW,
    ANY_NAME,
    ANYBODY,
    CLUSTER,
    DENY,
    GROUP,
    PREFIXED,
    TOPIC,
    TRANSACTIONAL_ID,
    Entry,
    is_ours,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, step by step, and what is left alone.

    Attributes:
        refusals: DENY entries to make.
        removals: ALLOW entries to remove.
        grants: ALLOW entries to make.
        pardons: DENY entries to remove.
        foreign: Entries of other principals that speak of our resources; never touched.
        voiding: Those of them that let everybody in, so that the rules are worth nothing.
    """

    refusals: frozenset[Entry] = frozenset()
    removals: frozenset[Entry] = frozenset()
    grants: frozenset[Entry] = frozenset()
    pardons: frozenset[Entry] = frozenset()
    foreign: tuple[Entry, ...] = ()
    voiding: tuple[Entry, ...] = field(default=())

    @property
    def creations(self) -> frozenset[Entry]:
        """All entries to make."""
        return self.refusals | self.grants

    @property
    def deletions(self) -> frozenset[Entry]:
        """All entries to remove."""
        return self.removals | self.pardons

    @property
    def is_empty(self) -> bool:
        """Whether everything of ours is as it should be."""
        return not (self.refusals or self.removals or self.grants or self.pardons)

    def lines(self) -> Iterator[str]:
        """Write every step for people, in order: ``+`` is made, ``-`` is removed."""
        for sign, step in (
            ("+", self.refusals),
            ("-", self.removals),
            ("+", self.grants),
            ("-", self.pardons),
        ):
            for entry in sorted(step):
                yield f"{sign} {entry}"


def plan_changes(
    wanted: Collection[Entry], present: Collection[Entry], systems: Sequence[str] | None = None
) -> Plan:
    """Compare what should be there with what is there.

    Args:
        wanted: Entries that should be there, all of them ours.
        present: Entries that are there, of whomever.
        systems: Names of all systems, to find foreign entries on what is theirs; not looked for when None.
    """
    wanted = frozenset(wanted)
    ours = frozenset(entry for entry in present if is_ours(entry.principal))
    missing, surplus = wanted - ours, ours - wanted
    others = () if systems is None else tuple(_foreign(present, systems))
    return Plan(
        refusals=frozenset(entry for entry in missing if entry.permission == DENY),
        removals=frozenset(entry for entry in surplus if entry.permission != DENY),
        grants=frozenset(entry for entry in missing if entry.permission != DENY),
        pardons=frozenset(entry for entry in surplus if entry.permission == DENY),
        foreign=others,
        voiding=tuple(entry for entry in others if entry.principal == ANYBODY and entry.permission == ALLOW),
    )


def _foreign(present: Iterable[Entry], systems: Sequence[str]) -> Iterator[Entry]:
    stems = sorted([*(f"{system}." for system in systems), PLATFORM_TOPICS])
    for entry in sorted(entry for entry in present if not is_ours(entry.principal)):
        if _concerns(entry, stems):
            yield entry


def _concerns(entry: Entry, stems: Sequence[str]) -> bool:
    """Tell whether a foreign entry speaks of something of ours: every name of ours begins with a stem."""
    if entry.resource == CLUSTER:
        return True
    if entry.resource not in (TOPIC, GROUP, TRANSACTIONAL_ID):
        return False
    if entry.pattern != PREFIXED and entry.name == ANY_NAME:
        return True
    return _begins_one(entry.name, stems) if entry.pattern == PREFIXED else _has_stem(entry.name, stems)


def _begins_one(prefix: str, stems: Sequence[str]) -> bool:
    place = bisect_left(stems, prefix)
    return (place < len(stems) and stems[place].startswith(prefix)) or _has_stem(prefix, stems)


def _has_stem(name: str, stems: Sequence[str]) -> bool:
    # Everything between a stem and a name that begins with it begins with it too, and no stem begins another
    # one: so the stem of a name is the greatest one that is not greater than it.
    place = bisect_right(stems, name) - 1
    return place >= 0 and name.startswith(stems[place])
