"""Topic filters: what matches, and which filter lies within another one; pure.

What lives here: the words of MQTT's wildcards. What does not: which filters somebody is given (`rules`).

Source: MQTT 5.0, clause 4.7; the same words as in MQTT 3.1.1.
"""

from typing import Final

ONE_LEVEL: Final = "+"
ALL_BELOW: Final = "#"
_SEPARATOR: Final = "/"
_RESERVED: Final = "$"


def is_topic(topic: str) -> bool:
    """Tell whether a text may be published to: not empty, without wildcards and NUL.

    Source: MQTT 5.0, clauses 4.7.1 and 4.7.3.
    """
    return bool(topic) and not any(sign in topic for sign in "+#\0")


def is_filter(text: str) -> bool:
    """Tell whether a text may be subscribed to.

    Source: MQTT 5.0, clauses 4.7.1.2 and 4.7.1.3.
    """
    levels = text.split(_SEPARATOR)
    return (
        bool(text)
        and "\0" not in text
        and all(ALL_BELOW not in level for level in levels[:-1])
        and all(level in {ONE_LEVEL, ALL_BELOW} for level in levels if "+" in level or "#" in level)
    )


def matches(text: str, topic: str) -> bool:
    """Tell whether a filter takes messages of a topic.

    >>> matches("dt/+/Main/#", "dt/cz.icecars.CarFleet.Car1/Main")
    True
    """
    if text == topic:
        return True
    if topic.startswith(_RESERVED) and text.startswith((ONE_LEVEL, ALL_BELOW)):
        return False
    wanted, levels = text.split(_SEPARATOR), topic.split(_SEPARATOR)
    for index, level in enumerate(wanted):
        if level == ALL_BELOW:
            return True
        if index >= len(levels) or level not in (ONE_LEVEL, levels[index]):
            return False
    return len(wanted) == len(levels)


def covers(wide: str, narrow: str) -> bool:
    """Tell whether a filter takes every topic that another one takes.

    >>> covers("dt/cz.icecars.CarFleet.Car1/#", "dt/cz.icecars.CarFleet.Car1/+/Speed")
    True
    >>> covers("dt/cz.icecars.CarFleet.Car1/+/+", "dt/#")
    False
    """
    outer, inner = wide.split(_SEPARATOR), narrow.split(_SEPARATOR)
    if inner[0].startswith(_RESERVED) and outer[0] in {ONE_LEVEL, ALL_BELOW}:
        return False  # wildcards at the beginning take no topics with `$`
    for index, level in enumerate(outer):
        if level == ALL_BELOW:
            return True
        if index >= len(inner) or inner[index] == ALL_BELOW:
            return False
        if level not in (ONE_LEVEL, inner[index]):
            return False
    return len(outer) == len(inner)
