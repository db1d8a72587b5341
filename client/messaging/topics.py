"""Names: systems, their topics, and Datastream names, checked once where they enter.

What lives here: the rules of the dotted names. What does not: whether a topic exists (the ports ask Kafka),
and who may use it (the platform). Everybody who builds a topic name or a record key calls this module.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from client.errors import InvalidNameError

_CHARACTERS: Final = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
SYSTEM_LEVELS: Final = 4
MAX_THING_CHARACTERS: Final = 100
MAX_DATASTREAM_CHARACTERS: Final = 255


class LevelRule(NamedTuple):
    """Allowed length [characters] of one level of a system name: letters, digits and hyphens."""

    level: str
    shortest: int
    longest: int

    def __str__(self) -> str:
        return f"{self.shortest} to {self.longest} characters out of A-Z, a-z, 0-9 and '-'"


LEVEL_RULES: Final = (
    LevelRule("domain", 1, 5),
    LevelRule("enterprise", 2, 15),
    LevelRule("workcenter", 2, 30),
    LevelRule("station", 2, 20),
)


def check_level(rule: LevelRule, text: str) -> None:
    """Check one level of a system name.

    Raises:
        InvalidNameError: naming the level and its rule.
    """
    if not rule.shortest <= len(text) <= rule.longest or not _CHARACTERS.fullmatch(text):
        raise InvalidNameError(
            f"{rule.level} {text!r} is not allowed: it needs {rule}",
            name=text,
            level=rule.level,
            rule=str(rule),
        )


@dataclass(frozen=True, slots=True)
class SystemTopics:
    """The topic names of one system; the attribute names say who writes."""

    internal: str
    external: str
    log: str
    dead_letters: str

    def all(self) -> tuple[str, str, str, str]:
        """Name every topic of the system: internal, external, log, dead letters."""
        return (self.internal, self.external, self.log, self.dead_letters)


@dataclass(frozen=True, slots=True, order=True)
class SystemName:
    """A system, `domain.enterprise.workcenter.station`; an instance is always valid.

    Raises:
        InvalidNameError: when a level breaks its rule.
    """

    domain: str
    enterprise: str
    workcenter: str
    station: str

    def __post_init__(self) -> None:
        for rule, text in zip(
            LEVEL_RULES, (self.domain, self.enterprise, self.workcenter, self.station), strict=True
        ):
            check_level(rule, text)

    @classmethod
    def parse(cls, text: str) -> "SystemName":
        """Read the dotted form.

        Raises:
            InvalidNameError: naming the level and the rule that is broken.
        """
        levels = text.split(".")
        if len(levels) != SYSTEM_LEVELS:
            raise InvalidNameError(
                f"system {text!r} has {len(levels)} levels, but needs four: "
                "domain.enterprise.workcenter.station, for example cz.icecars.iot4cps-wp5-CarFleet.Car1",
                name=text,
                level="system",
                rule="domain.enterprise.workcenter.station",
            )
        return cls(*levels)

    @property
    def company(self) -> str:
        """The company that owns the system, `domain.enterprise`."""
        return f"{self.domain}.{self.enterprise}"

    @property
    def topics(self) -> SystemTopics:
        """The topics of the system."""
        name = str(self)
        return SystemTopics(
            internal=f"{name}.int",
            external=f"{name}.ext",
            log=f"{name}.log",
            dead_letters=dead_letter_topic(f"{name}.int"),
        )

    def __str__(self) -> str:
        return f"{self.domain}.{self.enterprise}.{self.workcenter}.{self.station}"


def dead_letter_topic(topic: str) -> str:
    """Name the topic that takes the records of `topic` which cannot be used."""
    return f"{topic}.dlq"


def check_thing(name: str) -> None:
    """Check the local name of a Thing: the fifth level of a Datastream name, so it holds no dot.

    Raises:
        InvalidNameError: naming the rule.
    """
    if "." in name:
        raise InvalidNameError(
            f"Thing {name!r} is not allowed: a dot separates levels. Use '-' or a blank instead",
            name=name,
            level="thing",
            rule="no dot",
        )
    _check_free_text("thing", name, MAX_THING_CHARACTERS)


def check_datastream(name: str) -> None:
    """Check the local name of a Datastream: everything after the fifth dot.

    Raises:
        InvalidNameError: naming the rule.
    """
    _check_free_text("datastream", name, MAX_DATASTREAM_CHARACTERS)


def _check_free_text(level: str, name: str, longest: int) -> None:
    rule = f"1 to {longest} printable characters without blanks at the ends"
    if not 1 <= len(name) <= longest or not name.isprintable() or name != name.strip():
        shown = name if len(name) <= longest else f"{name[:longest]}..."
        raise InvalidNameError(
            f"{level.capitalize()} {shown!r} is not allowed: it needs {rule}",
            name=name,
            level=level,
            rule=rule,
        )


@dataclass(frozen=True, slots=True)
class DatastreamName:
    """The full name of a Datastream, `<system>.<Thing>.<Datastream>`: the key of its records; always valid.

    Raises:
        InvalidNameError: when the Thing or the Datastream breaks a rule.
    """

    system: SystemName
    thing: str
    datastream: str

    def __post_init__(self) -> None:
        check_thing(self.thing)
        check_datastream(self.datastream)

    @classmethod
    def parse(cls, text: str) -> "DatastreamName":
        """Read a record key: four levels of the system, the Thing, and the rest is the Datastream.

        Raises:
            InvalidNameError: naming the level and the rule that is broken.
        """
        levels = text.split(".", SYSTEM_LEVELS + 1)
        if len(levels) != SYSTEM_LEVELS + 2:
            raise InvalidNameError(
                f"Datastream name {text!r} has {len(levels)} levels, but needs six: "
                "<system>.<Thing>.<Datastream>, "
                "for example cz.icecars.iot4cps-wp5-CarFleet.Car1.Main.Air Temperature",
                name=text,
                level="datastream",
                rule="<system>.<Thing>.<Datastream>",
            )
        return cls(SystemName(*levels[:SYSTEM_LEVELS]), levels[SYSTEM_LEVELS], levels[SYSTEM_LEVELS + 1])

    @property
    def thing_key(self) -> str:
        """The name of the Thing in SensorThings, `<system>.<Thing>`; what records are partitioned by."""
        return f"{self.system}.{self.thing}"

    def __str__(self) -> str:
        return f"{self.system}.{self.thing}.{self.datastream}"
