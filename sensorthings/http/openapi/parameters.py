"""Query options and headers, with their syntax and examples.

What lives here: the parameters of the document. What does not: reading them (`sensorthings.odata`).

Source: OGC 18-088, clause 9.3; the options without `$` are this service's own.
"""

from typing import Any, Final

Parameter = dict[str, Any]


def parameter(name: str) -> Parameter:
    """Point to a parameter of the document."""
    return {"$ref": f"#/components/parameters/{name}"}


def _option(name: str, description: str, schema: dict[str, Any], *examples: str) -> Parameter:
    made: Parameter = {"name": name, "in": "query", "description": description, "schema": schema}
    if examples:
        made["examples"] = {f"example{at}": {"value": one} for at, one in enumerate(examples, 1)}
    return made


_TEXT: Final = {"type": "string"}
_SIZE: Final = {"type": "integer", "minimum": 0}

PARAMETERS: Final[dict[str, Parameter]] = {
    "id": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The entity's @iot.id.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    },
    "filter": _option(
        "$filter",
        "Entities for which this is true. Operators, tightest first: mul div mod; add sub; gt ge lt le in; "
        "eq ne; not; and; or. Texts in single quotes (doubled inside), times without; geography'POINT(1 4)', "
        "duration'PT1H'. Paths lead over relations and into JSON. Functions: substringof contains startswith "
        "endswith length indexof substring tolower toupper trim concat; year month day hour minute second "
        "fractionalseconds date time totaloffsetminutes now mindatetime maxdatetime; round floor ceiling; "
        "geo.distance geo.length geo.intersects st_equals st_disjoint st_touches st_within st_overlaps "
        "st_crosses st_intersects st_contains st_relate; before after meets during overlaps starts finishes.",
        _TEXT,
        "name eq 'Air Temperature'",
        "properties/floor gt 2 and startswith(name,'S')",
        "Datastreams/ObservedProperty/name eq 'Temperature'",
    ),
    "orderby": _option(
        "$orderby",
        "Expressions separated by commas, each with asc or desc; null is first in asc; the id is the last.",
        _TEXT,
        "name desc,id",
        "properties/floor",
    ),
    "select": _option("$select", "Properties and relations to show.", _TEXT, "id,name", "name,Datastreams"),
    "expand": _option(
        "$expand",
        "Relations to show whole; A/B for levels, A(option;option) with options of their own.",
        _TEXT,
        "Datastreams",
        "Datastreams($select=name;$expand=Observations($top=1;$orderby=phenomenonTime desc))",
    ),
    "top": _option("$top", "Most entities on a page; the server has a limit of its own.", _SIZE, "10"),
    "skip": _option("$skip", "Entities to leave out at the beginning.", _SIZE, "20"),
    "count": _option("$count", "Whether to count all that match.", {"enum": ["true", "false"]}, "true"),
    "linked": _option("$id", "Address or id of the entity whose link is taken away.", _TEXT, "Locations(1)")
    | {"required": True},
    "skiptoken": _option(
        "$skiptoken", "Where the page before ended. Made by the server, in @iot.nextLink.", _TEXT
    ),
    "resultFormat": _option(
        "$resultFormat", "Another form of the answer.", {"enum": ["dataArray", "CSV", "GeoJSON"]}, "CSV"
    ),
    "upsert": _option(
        "upsert",
        "With true, an entity that is there already by its natural key (the name within its system or "
        "Thing; of an Observation the Datastream and the phenomenonTime) is changed instead (200).",
        {"enum": ["true", "false"]},
        "true",
    ),
    "bucket": _option(
        "bucket", "Length of time that Observations are taken together by, as ISO 8601.", _TEXT, "PT1H"
    ),
    "aggregate": _option(
        "aggregate", "What to give of each bucket: count,min,max,avg,sum,first,last.", _TEXT, "avg,count"
    ),
    "prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "With continue-on-error=false a batch ends at its first error; else all of it is run.",
        "schema": {"enum": ["continue-on-error=true", "continue-on-error=false"]},
    },
}
SET_OPTIONS: Final = (
    "filter",
    "orderby",
    "select",
    "expand",
    "top",
    "skip",
    "count",
    "skiptoken",
    "resultFormat",
)
ENTITY_OPTIONS: Final = ("select", "expand")
OBSERVATION_OPTIONS: Final = ("bucket", "aggregate")
