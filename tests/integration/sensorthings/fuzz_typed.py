"""What the fuzz tests send that fits: expressions, expands and paths which get as far as the database.

What lives here: strategies that know the types. What does not: what breaks the rules (`fuzz`), tests.
"""

import base64
import json
from urllib.parse import quote

from hypothesis import strategies as st

from sensorthings.model.entities import BY_SET_NAME, ENTITY_TYPES, EntityType, target_of
from tests.integration.sensorthings.fuzz import NASTY, altered

_LEAVES: dict[str, dict[str, tuple[str, ...]]] = {
    "Things": {
        "text": ("name", "description", "Datastreams/name", "properties/a", "Datastreams/Sensor/metadata"),
        "number": ("id", "properties/a/b[0]", "properties/a", "Datastreams/Observations/result"),
        "time": (
            "HistoricalLocations/time",
            "Datastreams/phenomenonTime",
            "Datastreams/Observations/resultTime",
        ),
        "place": ("Locations/location", "Datastreams/observedArea"),
    },
    "Datastreams": {
        "text": (
            "name",
            "unitOfMeasurement/name",
            "observationType",
            "Thing/name",
            "ObservedProperty/definition",
        ),
        "number": ("id", "Thing/id", "Observations/result", "properties/x", "Observations/parameters/x"),
        "time": ("phenomenonTime", "resultTime", "Observations/phenomenonTime", "Observations/validTime"),
        "place": ("observedArea", "Thing/Locations/location", "Observations/FeatureOfInterest/feature"),
    },
    "Observations": {
        "text": (
            "result",
            "Datastream/name",
            "Datastream/Thing/name",
            "parameters/x",
            "MultiDatastream/name",
        ),
        "number": ("id", "result", "result/a", "result[0]", "parameters/x", "resultQuality", "Datastream/id"),
        "time": ("phenomenonTime", "resultTime", "validTime", "Datastream/phenomenonTime"),
        "place": (
            "FeatureOfInterest/feature",
            "Datastream/observedArea",
            "Datastream/Thing/Locations/location",
        ),
    },
}
TYPED_SETS = tuple(_LEAVES)
_INSTANTS = (
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.123456789+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "now()",
    "mindatetime()",
    "maxdatetime()",
)
_DURATIONS = (
    "duration'P1D'",
    "duration'PT0.000001S'",
    "duration'P9999D'",
    "duration'PT9999999S'",
)
_GEOGRAPHIES = (
    "geography'POINT(1 2)'",
    "geography'POINT(-180 90)'",
    "geography'POINT EMPTY'",
    "geography'LINESTRING(0 0,1 1)'",
    "geography'LINESTRING(0 0,0 0)'",
    "geography'POLYGON((0 0,4 0,4 4,0 4,0 0))'",
    "geography'POLYGON((0 0,4 4,4 0,0 4,0 0))'",
    "geography'MULTIPOINT((0 0),(1 1))'",
    "geography'GEOMETRYCOLLECTION(POINT(1 1))'",
)


def _call(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from(names)


def _quoted(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return texts.map(lambda text: "'" + text.replace("'", "''") + "'")


def typed_filters(set_name: str) -> st.SearchStrategy[str]:
    """Give conditions on the entities of a set whose types fit, so that they get as far as the database."""
    leaves = _LEAVES[set_name]

    def called(name: st.SearchStrategy[str], *arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(name, *arguments).map(lambda one: f"{one[0]}({','.join(one[1:])})")

    def infix(
        left: st.SearchStrategy[str], names: str, right: st.SearchStrategy[str]
    ) -> st.SearchStrategy[str]:
        return st.tuples(left, st.sampled_from(names.split()), right).map(lambda one: f"({' '.join(one)})")

    number: st.SearchStrategy[str] = st.deferred(
        lambda: st.one_of(
            st.sampled_from(leaves["number"]),
            st.integers(-(10**20), 10**20).map(str),
            st.floats(allow_nan=False, allow_infinity=False).map(lambda one: format(one, "f")[:60]),
            infix(number, "add sub mul div mod", number),
            called(_call("round", "floor", "ceiling"), number),
            called(_call("length"), text),
            called(_call("indexof"), text, text),
            called(_call("year", "month", "day", "hour", "minute", "second", "fractionalseconds"), time),
            called(_call("geo.distance"), place, place),
            called(_call("geo.length"), place),
        )
    )
    text: st.SearchStrategy[str] = st.deferred(
        lambda: st.one_of(
            st.sampled_from(leaves["text"]),
            _quoted(
                st.one_of(st.text(max_size=12).filter(lambda one: "\0" not in one), st.sampled_from(NASTY))
            ),
            called(_call("concat"), text, text),
            called(_call("tolower", "toupper", "trim"), text),
            called(_call("substring"), text, number),
            called(_call("substring"), text, number, number),
        )
    )
    time: st.SearchStrategy[str] = st.deferred(
        lambda: st.one_of(
            st.sampled_from((*leaves["time"], *_INSTANTS)),
            infix(time, "add sub", st.sampled_from(_DURATIONS)),
        )
    )
    place = st.sampled_from((*leaves["place"], *_GEOGRAPHIES))
    comparison = "eq ne gt ge lt le"
    condition: st.SearchStrategy[str] = st.deferred(
        lambda: st.one_of(
            infix(number, comparison, number),
            infix(text, comparison, text),
            infix(time, comparison, time),
            infix(st.one_of(number, text, time), "eq ne", st.just("null")),
            infix(condition, "and or", condition),
            condition.map(lambda one: f"(not {one})"),
            called(_call("substringof", "contains", "startswith", "endswith"), text, text),
            called(_call("before", "after", "meets", "during", "overlaps", "starts", "finishes"), time, time),
            called(
                _call("st_equals", "st_disjoint", "st_within", "st_intersects", "st_contains"), place, place
            ),
            called(_call("st_touches", "st_overlaps", "st_crosses", "geo.intersects"), place, place),
            called(_call("st_relate"), place, place, st.sampled_from(("'T********'", "'x'", "''"))),
            st.tuples(text, st.lists(text, min_size=1, max_size=3)).map(
                lambda one: f"({one[0]} in ({','.join(one[1])}))"
            ),
        )
    )
    return condition


@st.composite
def typed_queries(draw: st.DrawFn) -> str:
    """Give a path with options that fit its set."""
    set_name = draw(st.sampled_from(TYPED_SETS))
    leaves = sorted({leaf for kind in _LEAVES[set_name].values() for leaf in kind})
    order = draw(st.sampled_from(leaves))
    parts = {
        "$filter": draw(typed_filters(set_name)),
        "$orderby": f"{order} {draw(st.sampled_from(('asc', 'desc')))},id",
        "$top": str(draw(st.integers(0, 3))),
        "$count": draw(st.sampled_from(("true", "false"))),
        "$expand": draw(typed_expands(BY_SET_NAME[set_name])),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(parts)), min_size=1, max_size=4, unique=True))
    return f"{set_name}?" + "&".join(f"{name}={quote(parts[name], safe='')}" for name in chosen)


@st.composite
def typed_expands(draw: st.DrawFn, entity: EntityType, depth: int = 0) -> str:
    """Give an expand of relations that are there, with options that fit."""
    relation = draw(st.sampled_from(entity.relations))
    target = target_of(relation)
    options = [f"$select=id,{draw(st.sampled_from(target.properties)).name}"]
    if relation.is_to_many:
        options += [f"$top={draw(st.integers(0, 3))}", "$count=true", "$orderby=id desc"]
        if target.set_name in _LEAVES:
            options.append(f"$filter={draw(typed_filters(target.set_name))}")
    if depth < _DEEPEST_EXPAND:
        options.append(f"$expand={draw(typed_expands(target, depth + 1))}")
    chosen = draw(st.lists(st.sampled_from(options), unique=True, max_size=3))
    return relation.name + (f"({';'.join(chosen)})" if chosen else "")


_DEEPEST_EXPAND = 3


@st.composite
def typed_paths(draw: st.DrawFn) -> str:
    """Give a path over relations and properties that are there, of ids that may be."""
    entity = draw(st.sampled_from(ENTITY_TYPES))
    steps = [f"{entity.set_name}({draw(st.integers(1, 3))})"]
    for _ in range(draw(st.integers(0, 3))):
        relation = draw(st.sampled_from(entity.relations))
        entity = target_of(relation)
        key = f"({draw(st.integers(1, 3))})" if relation.is_to_many else ""
        steps.append(relation.name + key)
    ends = [
        "",
        "/$ref",
        *(f"/{one.name}{end}" for one in entity.properties for end in ("", "/$value", "/a/b/0")),
    ]
    return "/".join(steps) + draw(st.sampled_from(ends))


def token_like(token: str) -> st.SearchStrategy[str]:
    """Give tokens for the next page in which some of the row's keys are others."""
    keys = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return altered(keys).map(
        lambda one: base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=")
    )
