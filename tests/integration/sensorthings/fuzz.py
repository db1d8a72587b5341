"""What the fuzz tests send: expressions by the grammar and against it, JSON, texts made to break SQL.

What lives here: strategies. What does not: tests.
"""

from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

SETS = (
    "Things",
    "Locations",
    "HistoricalLocations",
    "Datastreams",
    "MultiDatastreams",
    "Sensors",
    "ObservedProperties",
    "Observations",
    "FeaturesOfInterest",
)
NASTY = (
    "'",
    "''",
    "' OR '1'='1",
    "'; DROP TABLE sensorthings.thing; --",
    '"; DELETE FROM sensorthings.observation; --',
    "1; SELECT pg_sleep(10)--",
    "') UNION SELECT secret FROM token--",
    "%' OR 1=1 --",
    "%s %(name)s %d %%",
    ":name ::text :sight_systems",
    "$1 $$ $tag$ $x$",
    "{0} {name} {{}}",
    "\\",
    "\\'; --",
    "\\u0000 \\x00",
    "/* comment */ -- comment",
    "a\tb\nc\rd",
    "ünï ☃ 𝄞 \u202e",
    "Robert'); DROP SCHEMA sensorthings CASCADE;--",
    "<script>alert(1)</script>",
    "`id` $(id) | cat",
    "null",
    "true",
    "NaN",
    "_%",
)
"""Texts that break what is put together as a string: SQL, formats, shells, pages."""

_TEXT = st.text(max_size=12)
_NAMES = st.sampled_from(
    (
        "name",
        "id",
        "@iot.id",
        "description",
        "properties",
        "properties/a",
        "properties/a/b[0]",
        "result",
        "result/a",
        "result[1]",
        "phenomenonTime",
        "resultTime",
        "validTime",
        "time",
        "unitOfMeasurement/name",
        "unitOfMeasurements[0]/symbol",
        "multiObservationDataTypes",
        "observedArea",
        "location",
        "feature",
        "metadata",
        "parameters/x",
        "Thing",
        "Thing/name",
        "Thing/Locations/location",
        "Datastream/Thing/name",
        "MultiDatastream/name",
        "Datastreams/name",
        "Observations/result",
        "FeatureOfInterest/feature",
        "Sensor/metadata",
        "ObservedProperty/definition",
        "ObservedProperties/name",
        "HistoricalLocations/time",
        "nothing",
        "name/x",
    )
)
_LITERALS = st.one_of(
    st.sampled_from(
        (
            "null",
            "true",
            "false",
            "0",
            "-1",
            "1e400",
            "9" * 40,
            "1.5",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.123456789+14:00",
            "9999-12-31T23:59:59Z",
            "0000-00-00T00:00:00Z",
            "2026-13-45T99:99:99Z",
            "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z",
            "2026-02-30",
            "25:61:61",
            "duration'P1D'",
            "duration'P99999999999Y'",
            "duration'x'",
            "geography'POINT(1 2)'",
            "geography'POINT(999 999)'",
            "geography'POLYGON((0 0,1 1,0 0))'",
            "geography'POLYGON((0 0,4 0,4 4,0 4,0 0))'",
            "geography'LINESTRING(0 0)'",
            "geography'x'",
            "''",
        )
    ),
    st.sampled_from(NASTY).map(lambda text: "'" + text.replace("'", "''") + "'"),
    _TEXT.map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.integers().map(str),
    st.floats(allow_nan=False).map(str),
)
_FUNCTIONS = st.sampled_from(
    [
        "substringof",
        "contains",
        "startswith",
        "endswith",
        "length",
        "indexof",
        "substring",
        "tolower",
        "toupper",
        "trim",
        "concat",
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "fractionalseconds",
        "date",
        "time",
        "totaloffsetminutes",
        "now",
        "mindatetime",
        "maxdatetime",
        "round",
        "floor",
        "ceiling",
        "geo.distance",
        "geo.length",
        "geo.intersects",
        "st_equals",
        "st_disjoint",
        "st_touches",
        "st_within",
        "st_overlaps",
        "st_crosses",
        "st_intersects",
        "st_contains",
        "st_relate",
        "before",
        "after",
        "meets",
        "during",
        "overlaps",
        "starts",
        "finishes",
        "principalName",
        "unknown",
    ]
)
_OPERATORS = st.sampled_from(
    [
        "eq",
        "ne",
        "gt",
        "ge",
        "lt",
        "le",
        "and",
        "or",
        "add",
        "sub",
        "mul",
        "div",
        "mod",
        "has",
    ]
)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, _OPERATORS, inner).map(" ".join),
        inner.map(lambda one: f"not {one}"),
        inner.map(lambda one: f"({one})"),
        st.tuples(_FUNCTIONS, st.lists(inner, max_size=3)).map(lambda one: f"{one[0]}({','.join(one[1])})"),
        st.tuples(inner, st.lists(inner, min_size=1, max_size=3)).map(
            lambda one: f"{one[0]} in ({','.join(one[1])})"
        ),
    )


EXPRESSIONS = st.recursive(st.one_of(_NAMES, _LITERALS), _larger, max_leaves=8)
"""Expressions that the grammar has, of types that often do not fit."""


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """Give a text with a piece cut out or put in."""
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return text[:start] + draw(st.one_of(st.just(""), _TEXT, st.sampled_from(NASTY))) + text[end:]


ANY_EXPRESSIONS = st.one_of(EXPRESSIONS, damaged(EXPRESSIONS), st.sampled_from(NASTY), _TEXT)
_RELATIONS = st.sampled_from(
    [
        "Thing",
        "Things",
        "Locations",
        "HistoricalLocations",
        "Datastreams",
        "Datastream",
        "MultiDatastreams",
        "MultiDatastream",
        "Sensor",
        "ObservedProperty",
        "ObservedProperties",
        "Observations",
        "FeatureOfInterest",
        "Nothing",
    ]
)
_SELECTED = st.lists(st.one_of(_NAMES, _RELATIONS), min_size=1, max_size=3).map(",".join)
_SIZES = st.sampled_from(("0", "1", "-1", "x", "", "1.5", "9" * 30, "0x10", "\u0661"))
_EXPANDED = st.recursive(
    _RELATIONS,
    lambda inner: st.one_of(
        st.tuples(_RELATIONS, inner).map("/".join),
        st.tuples(inner, inner).map(",".join),
        st.tuples(_RELATIONS, EXPRESSIONS).map(lambda one: f"{one[0]}($filter={one[1]})"),
        st.tuples(_RELATIONS, EXPRESSIONS).map(lambda one: f"{one[0]}($orderby={one[1]} desc;$top=1)"),
        st.tuples(_RELATIONS, inner, _SIZES).map(lambda one: f"{one[0]}($expand={one[1]};$top={one[2]})"),
    ),
    max_leaves=4,
)
_TOKENS = st.one_of(
    _TEXT,
    st.sampled_from(("W10", "WzFd", "WyIxIl0", "WyInIE9SIDE9MSIsIjEiXQ", "bnVsbA", "e30", "====", "W1tdXQ")),
)
_OPTIONS: dict[str, st.SearchStrategy[str]] = {
    "$filter": ANY_EXPRESSIONS,
    "$orderby": st.one_of(EXPRESSIONS, damaged(EXPRESSIONS), EXPRESSIONS.map(lambda one: f"{one} desc,id")),
    "$select": st.one_of(_SELECTED, damaged(_SELECTED)),
    "$expand": st.one_of(_EXPANDED, damaged(_EXPANDED)),
    "$top": _SIZES,
    "$skip": _SIZES,
    "$count": st.sampled_from(("true", "false", "", "1", "TRUE")),
    "$skiptoken": _TOKENS,
    "$resultFormat": st.sampled_from(("dataArray", "CSV", "GeoJSON", "csv", "", "x")),
    "$format": st.just("json"),
    "bucket": st.sampled_from(("PT1H", "P1M", "PT0S", "-PT1H", "x", "P999999Y", "")),
    "aggregate": st.sampled_from(("count", "avg,max", "first,last", "x", "", "count,count")),
    "upsert": st.sampled_from(("true", "x")),
}


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Give the query part of an address, with options that do and do not fit."""
    names = draw(st.lists(st.sampled_from(sorted(_OPTIONS)), min_size=1, max_size=3))
    return "&".join(f"{name}={quote(draw(_OPTIONS[name]), safe='')}" for name in names)


_KEYS = st.sampled_from(
    ("1", "2", "3", "0", "-1", "9223372036854775807", "9223372036854775808", "'a'", "", "1;", "x")
)
_STEPS = st.one_of(
    _RELATIONS,
    _NAMES,
    st.sampled_from(("$ref", "$value", "$count", "..", "", "$batch", "api", "%00", "%ff")),
    st.tuples(_RELATIONS, _KEYS).map(lambda one: f"{one[0]}({one[1]})"),
    _TEXT.map(lambda text: quote(text, safe="")),
    st.sampled_from(NASTY).map(lambda text: quote(text, safe="")),
)


@st.composite
def paths(draw: st.DrawFn) -> str:
    """Give a path that begins at a set."""
    first = draw(st.sampled_from(SETS))
    key = draw(st.one_of(st.just("(1)"), st.just(""), _KEYS.map(lambda one: f"({quote(one)})")))
    return "/".join([first + key, *draw(st.lists(_STEPS, max_size=4))])


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        _TEXT,
        st.sampled_from(NASTY),
        st.sampled_from(("\x00", "2026-01-02T03:04:05Z", "9999-99-99", "P1D", "a/b", 10**400, -1, 2**63)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(_TEXT, st.sampled_from(("@iot.id", "name", "id", "type", "coordinates", "Thing"))),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)


@st.composite
def altered(draw: st.DrawFn, body: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Give a body with one of its values, at any depth, made another one or taken out."""
    if isinstance(body, dict) and body and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(body)))
        choice = draw(st.integers(0, 3))
        if choice == 0:
            return {key: value for key, value in body.items() if key != name}
        if choice == 1:
            return {**body, draw(_TEXT): draw(JSON_VALUES)}
        return {**body, name: draw(altered(body[name]))}
    if isinstance(body, list) and body and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(body) - 1))
        return [*body[:at], draw(altered(body[at])), *body[at + 1 :]]
    return draw(JSON_VALUES)
