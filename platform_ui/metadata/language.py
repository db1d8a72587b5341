"""The query language of SensorThings, described for people and for completion.

What lives here: every operator, function and query option with its signature, its meaning and an example
that the service answers. What does not: the names of properties and relations (``description``), and
reading the language, which is the service's own work.

Source: OGC 18-088, clause 9.3.3 "Filtering system query options", tables 22 and 23.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the language.

    Attributes:
        name: As it is written.
        signature: How it is used, arguments named after what they are.
        meaning: What comes out.
        entities: The entity set that the example is about.
        example: A whole condition, for operators and functions; the option's value, for options.
        group: What it belongs to: ``logic``, ``comparison``, ``arithmetic``, ``text``, ``time`` and so on.
    """

    name: str
    signature: str
    meaning: str
    entities: str
    example: str
    group: str

    def document(self) -> dict[str, Any]:
        """Return the word as JSON."""
        return asdict(self)


def _words(group: str, entities: str, *rows: tuple[str, str, str, str]) -> tuple[Word, ...]:
    return tuple(
        Word(name, signature, meaning, entities, example, group) for name, signature, meaning, example in rows
    )


OPERATORS: Final = (
    *_words(
        "comparison",
        "Observations",
        ("eq", "a eq b", "equal", "result eq 20"),
        ("ne", "a ne b", "not equal", "result ne 20"),
        ("gt", "a gt b", "greater than", "result gt 20.5"),
        ("ge", "a ge b", "greater or equal; times need no quotes", "phenomenonTime ge 2026-01-01T00:00:00Z"),
        ("lt", "a lt b", "less than", "result lt -5"),
        ("le", "a le b", "less or equal", "resultTime le now()"),
        ("in", "a in (b, c)", "one of a list", "result in (1, 2, 3)"),
    ),
    *_words(
        "logic",
        "Things",
        ("and", "a and b", "both", "name ne 'x' and description ne 'y'"),
        ("or", "a or b", "at least one", "name eq 'Car1' or name eq 'Car2'"),
        ("not", "not a", "the opposite", "not startswith(name, 'Car')"),
    ),
    *_words(
        "arithmetic",
        "Observations",
        ("add", "a add b", "sum; a time and a duration give a time", "result add 273.15 gt 300"),
        (
            "sub",
            "a sub b",
            "difference; of two times, a duration",
            "phenomenonTime gt now() sub duration'PT1H'",
        ),
        ("mul", "a mul b", "product", "result mul 1.8 add 32 lt 32"),
        ("div", "a div b", "quotient", "result div 2 ge 10"),
        ("mod", "a mod b", "rest of a division", "result mod 10 eq 0"),
    ),
)

FUNCTIONS: Final = (
    *_words(
        "text",
        "Things",
        (
            "substringof",
            "substringof(part, text)",
            "whether the text contains the part",
            "substringof('Car', name)",
        ),
        ("contains", "contains(text, part)", "whether the text contains the part", "contains(name, 'Car')"),
        (
            "startswith",
            "startswith(text, part)",
            "whether the text begins with the part",
            "startswith(name, 'cz.')",
        ),
        ("endswith", "endswith(text, part)", "whether the text ends with the part", "endswith(name, 'Car1')"),
        ("length", "length(text)", "number of characters", "length(description) gt 80"),
        (
            "indexof",
            "indexof(text, part)",
            "where the part begins, counted from 0; -1 when it is not there",
            "indexof(name, 'Car') eq 0",
        ),
        (
            "substring",
            "substring(text, start[, length])",
            "a part of the text, counted from 0",
            "substring(name, 0, 2) eq 'cz'",
        ),
        ("tolower", "tolower(text)", "in small letters", "tolower(name) eq 'car1'"),
        ("toupper", "toupper(text)", "in capital letters", "toupper(name) eq 'CAR1'"),
        ("trim", "trim(text)", "without blanks at its ends", "trim(name) eq name"),
        ("concat", "concat(text, text)", "one after the other", "concat(name, '!') eq 'Car1!'"),
    ),
    *_words(
        "time",
        "Observations",
        ("year", "year(time)", "year", "year(phenomenonTime) eq 2026"),
        ("month", "month(time)", "month, 1 to 12", "month(phenomenonTime) eq 12"),
        ("day", "day(time)", "day of the month", "day(phenomenonTime) eq 1"),
        ("hour", "hour(time)", "hour in UTC, 0 to 23", "hour(phenomenonTime) lt 6"),
        ("minute", "minute(time)", "minute", "minute(phenomenonTime) eq 0"),
        ("second", "second(time)", "whole second", "second(phenomenonTime) eq 0"),
        (
            "fractionalseconds",
            "fractionalseconds(time)",
            "part of the second, from 0 to below 1 [s]",
            "fractionalseconds(phenomenonTime) gt 0.5",
        ),
        ("date", "date(time)", "the day in UTC", "date(phenomenonTime) eq 2026-11-22"),
        ("time", "time(time)", "the time of the day in UTC", "time(phenomenonTime) lt 06:00:00"),
        (
            "totaloffsetminutes",
            "totaloffsetminutes(time)",
            "distance from UTC [min]",
            "totaloffsetminutes(phenomenonTime) eq 0",
        ),
        ("now", "now()", "the present time", "phenomenonTime gt now() sub duration'P1D'"),
        ("mindatetime", "mindatetime()", "the earliest time there is", "phenomenonTime gt mindatetime()"),
        ("maxdatetime", "maxdatetime()", "the latest time there is", "phenomenonTime lt maxdatetime()"),
    ),
    *_words(
        "interval",
        "Observations",
        (
            "before",
            "before(interval, interval)",
            "ends before the other begins",
            "before(phenomenonTime, 2026-11-22T00:00:00Z)",
        ),
        (
            "after",
            "after(interval, interval)",
            "begins after the other has ended",
            "after(phenomenonTime, 2026-11-22T00:00:00Z)",
        ),
        (
            "meets",
            "meets(interval, interval)",
            "one begins when the other ends",
            "meets(phenomenonTime, 2026-11-22T00:00:00Z/2026-11-23T00:00:00Z)",
        ),
        (
            "during",
            "during(interval, interval)",
            "lies within the other",
            "during(phenomenonTime, 2026-11-22T00:00:00Z/2026-11-23T00:00:00Z)",
        ),
        (
            "overlaps",
            "overlaps(interval, interval)",
            "has a moment in common with the other",
            "overlaps(phenomenonTime, 2026-11-22T00:00:00Z/2026-11-23T00:00:00Z)",
        ),
        (
            "starts",
            "starts(interval, interval)",
            "begins when the other begins",
            "starts(phenomenonTime, 2026-11-22T00:00:00Z/2026-11-23T00:00:00Z)",
        ),
        (
            "finishes",
            "finishes(interval, interval)",
            "ends when the other ends",
            "finishes(phenomenonTime, 2026-11-22T00:00:00Z/2026-11-23T00:00:00Z)",
        ),
    ),
    *_words(
        "number",
        "Observations",
        ("round", "round(number)", "nearest whole number, halves away from 0", "round(result) eq 20"),
        ("floor", "floor(number)", "next whole number below", "floor(result) eq 19"),
        ("ceiling", "ceiling(number)", "next whole number above", "ceiling(result) eq 20"),
    ),
    *_words(
        "space",
        "Locations",
        (
            "geo.distance",
            "geo.distance(place, place)",
            "distance of two places [degrees]",
            "geo.distance(location, geography'POINT (13.05 47.8)') lt 0.5",
        ),
        (
            "geo.length",
            "geo.length(line)",
            "length of a line [degrees]",
            "geo.length(geography'LINESTRING (0 0, 1 1)') gt 1",
        ),
        (
            "geo.intersects",
            "geo.intersects(place, place)",
            "whether two places have a point in common",
            "geo.intersects(location, geography'POLYGON ((13 47, 14 47, 14 48, 13 48, 13 47))')",
        ),
        *(
            (
                f"st_{name}",
                f"st_{name}(place, place)",
                meaning,
                f"st_{name}(location, geography'POLYGON ((13 47, 14 47, 14 48, 13 48, 13 47))')",
            )
            for name, meaning in (
                ("equals", "whether two places are the same"),
                ("disjoint", "whether two places have no point in common"),
                ("touches", "whether only the borders meet"),
                ("within", "whether the first lies in the second"),
                ("overlaps", "whether each has a part in common with the other"),
                ("crosses", "whether the first leads through the second"),
                ("intersects", "whether two places have a point in common"),
                ("contains", "whether the second lies in the first"),
            )
        ),
        (
            "st_relate",
            "st_relate(place, place, pattern)",
            "whether the DE-9IM matrix of two places matches a pattern",
            "st_relate(location, geography'POINT (13.05 47.8)', 'T********')",
        ),
    ),
)

OPTIONS: Final = _words(
    "option",
    "Datastreams",
    ("$filter", "$filter=condition", "only entities for which the condition is true", "name eq 'x'"),
    ("$select", "$select=name, name", "only these properties", "name,unitOfMeasurement"),
    (
        "$expand",
        "$expand=Relation($top=1;$orderby=...)",
        "related entities with each one; options in parentheses, divided by semicolons",
        "Observations($top=1;$orderby=phenomenonTime desc),Thing($select=name)",
    ),
    ("$orderby", "$orderby=name desc, name", "sorted; asc when nothing is said", "name desc"),
    ("$top", "$top=number", "at most so many on a page", "10"),
    ("$skip", "$skip=number", "leave out the first ones", "10"),
    ("$count", "$count=true", "how many there are in all", "true"),
)
