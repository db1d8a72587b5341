"""Spatial calls computed by PostGIS, in a database where it is installed.

What lives here: finding the extension, the functions and indexes that it needs beside our tables, SQL of
calls. What does not: the same with shapely (`spatial.geometries`), which every rule here must agree with.

PostGIS takes much that is no GeoJSON (texts as coordinates, open rings) and refuses some that is (Features);
the functions take exactly what shapely takes, and give null for the rest. What catches errors may not run in
parallel workers, so a statement with it runs in none.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql
from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    not_,
    or_,
)

from sensorthings.database import Session
from sensorthings.model.entities import BY_NAME, Kind
from sensorthings.model.tables import SCHEMA
from sensorthings.spatial import geometries
from sensorthings.spatial.calls import NEEDS_CONTACT, Place, Result, SpatialCall
from sensorthings.spatial.terms import SQL_TYPES, Columns, json_at

_LOGGER: Final = logging.getLogger(__name__)
_WGS84 = 4326
_NAMES = {"distance": "st_distance", "length": "st_length", "relate_pattern": "st_relate"}
_LOCK = 0x5E05_0915
"""Advisory lock under which workers that start together make the functions one after the other."""

_FUNCTIONS = r"""
CREATE OR REPLACE FUNCTION {ours}.parse_geometry(value jsonb, is_inner boolean) RETURNS {theirs}.geometry
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = {ours}, {theirs}, pg_temp AS $$
DECLARE
    kind text := value ->> 'type';
    coordinates jsonb := value -> 'coordinates';
    parts jsonb;
BEGIN
    IF kind = 'Feature' AND NOT is_inner THEN
        RETURN parse_geometry(value -> 'geometry', true);
    ELSIF kind = 'GeometryCollection' OR kind = 'FeatureCollection' AND NOT is_inner THEN
        IF kind = 'GeometryCollection' THEN
            parts := value -> 'geometries';
        ELSE
            parts := jsonb_path_query_array(value, 'strict $.features[*].geometry ? (@ != null)');
        END IF;
        IF parts IS NULL THEN
            RAISE EXCEPTION 'no geometry' USING ERRCODE = 'data_exception';
        END IF;
        RETURN coalesce((
            SELECT ST_UnaryUnion(ST_Collect(tidy_geometry(parse_geometry(part, true))))
            FROM jsonb_array_elements(parts) AS part
        ), 'SRID=4326;GEOMETRYCOLLECTION EMPTY'::geometry);
    ELSIF kind NOT IN ('Point', 'LineString', 'Polygon', 'MultiPoint', 'MultiLineString', 'MultiPolygon')
        OR kind IS NULL
        OR jsonb_path_exists(coordinates, 'strict $.** ? (@.type() != "array" && @.type() != "number")')
        OR jsonb_path_exists(coordinates, 'strict $.** ? (@ > 1e18 || @ < -1e18)')
        OR jsonb_path_exists(coordinates,
            'strict $.** ? (@[0].type() == "number" && @.size() != 2 && @.size() != 3)')
        OR kind = 'MultiPoint' AND jsonb_path_exists(coordinates, 'strict $[*] ? (@.size() == 0)')
        OR kind = 'LineString' AND jsonb_array_length(coordinates) = 1
        OR kind = 'MultiLineString' AND jsonb_path_exists(coordinates, 'strict $[*] ? (@.size() == 1)')
    THEN
        RAISE EXCEPTION 'no geometry' USING ERRCODE = 'data_exception';
    END IF;
    RETURN ST_Force2D(ST_SetSRID(ST_GeomFromGeoJSON(value - 'crs'), 4326));
END $$;

CREATE OR REPLACE FUNCTION {ours}.tidy_geometry(given {theirs}.geometry) RETURNS {theirs}.geometry
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = {ours}, {theirs}, pg_temp AS $$
DECLARE
    found geometry := given;
BEGIN
    IF NOT ST_IsValid(found) THEN
        PERFORM ST_ConvexHull(found);  -- refuses open rings, which would be closed
        found := ST_MakeValid(found);
    END IF;
    IF GeometryType(found) = 'GEOMETRYCOLLECTION' THEN
        found := ST_UnaryUnion(found);
    END IF;
    RETURN found;
END $$;

CREATE OR REPLACE FUNCTION {ours}.geometry_or_null(value jsonb) RETURNS {theirs}.geometry
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE SET search_path = {ours}, {theirs}, pg_temp AS $$
BEGIN
    RETURN tidy_geometry(parse_geometry(value, false));
EXCEPTION
    WHEN data_exception OR internal_error OR invalid_parameter_value OR program_limit_exceeded THEN
        RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION {ours}.geometry_of(value jsonb) RETURNS {theirs}.geometry
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE AS $$
DECLARE
    x jsonb := value #> '{{coordinates,0}}';
    y jsonb := value #> '{{coordinates,1}}';
BEGIN
    IF value ->> 'type' = 'Point' AND jsonb_typeof(value -> 'coordinates') = 'array'
        AND jsonb_typeof(x) = 'number' AND jsonb_typeof(y) = 'number'
        AND value #> '{{coordinates,2}}' IS NULL
        AND abs(x::numeric) <= 1e18 AND abs(y::numeric) <= 1e18
    THEN  -- most places are points, and this is many times faster
        RETURN {theirs}.ST_SetSRID({theirs}.ST_MakePoint(x::float8, y::float8), 4326);
    END IF;
    RETURN {ours}.geometry_or_null(value);
END $$;

CREATE OR REPLACE FUNCTION {ours}.geometry_of_area(west float8, south float8, east float8, north float8)
RETURNS {theirs}.geometry
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = {ours}, {theirs}, pg_temp AS $$
BEGIN
    IF west = east AND south = north THEN
        RETURN ST_SetSRID(ST_MakePoint(west, south), 4326);
    END IF;
    RETURN tidy_geometry(ST_MakeEnvelope(west, south, east, north, 4326));
END $$;
"""
_INDEX = "CREATE INDEX IF NOT EXISTS {name} ON {ours}.{table} USING gist ({ours}.geometry_of({column}))"
_MIXED = "GEOMETRYCOLLECTION"
_TAKES_ANY = frozenset({"intersects", "distance", "length"})
"""Operations that take collections of mixed dimensions with every GEOS."""
_INDEXED = (("location", "location"), ("feature_of_interest", "feature"))


@dataclass(frozen=True, slots=True)
class Postgis:
    """PostGIS of a database, ready for use.

    Attributes:
        schema: Where the extension is installed.
        takes_collections: Whether relations take collections that mix dimensions, as GEOS does from 3.13;
            they give null for these otherwise.
    """

    schema: str
    takes_collections: bool = True

    def term(self, call: SpatialCall, arguments: Sequence[Place | geometries.Geometry]) -> "PostgisTerm":
        """Give what stands for a call with at least one path.

        Args:
            call: The call.
            arguments: Its arguments, constants as geometries.
        """
        return PostgisTerm(self, call, tuple(arguments))


@dataclass(frozen=True, slots=True)
class PostgisTerm:
    """A call that PostGIS computes.

    Attributes:
        postgis: Of the database.
        call: The call.
        arguments: Its arguments, constants as geometries.
    """

    postgis: Postgis
    call: SpatialCall
    arguments: tuple[Place | geometries.Geometry, ...]

    @property
    def prefix(self) -> tuple[str, ...]:
        """Relations to the entity that the paths end in."""
        return self.call.places[0].prefix

    @property
    def result(self) -> Result:
        """What it gives."""
        return self.call.result

    def sql(self, columns: Columns) -> ColumnElement[Any]:
        """Give the call."""
        operation = self.call.operation
        taken: list[ColumnElement[Any]] = [self._argument(one, columns) for one in self.arguments]
        more = () if self.call.pattern is None else (literal(self.call.pattern, Text),)
        if operation == "disjoint":  # which as a function of its own does not take collections everywhere
            return not_(self._function("st_intersects", *taken))
        call = self._function(_NAMES.get(operation, f"st_{operation}"), *taken, *more)
        if self.postgis.takes_collections or operation in _TAKES_ANY:
            return call
        is_mixed = or_(*(self._function("geometrytype", one, result=Result.TEXT) == _MIXED for one in taken))
        guarded = case((is_mixed, None), else_=call)
        # The operator lets the index be used, which nothing inside a CASE can.
        has_index = operation in NEEDS_CONTACT and operation != "equals"  # empty ones are equal without a box
        return and_(taken[0].op("&&")(taken[1]), guarded) if has_index else guarded

    def _function(
        self, name: str, *arguments: ColumnElement[Any], result: Result | None = None
    ) -> ColumnElement[Any]:
        function = getattr(getattr(func, self.postgis.schema), name)
        call: ColumnElement[Any] = function(*arguments, type_=SQL_TYPES[result or self.result])
        return call

    def _argument(self, argument: Place | geometries.Geometry, columns: Columns) -> ColumnElement[Any]:
        ours = getattr(func, SCHEMA)
        if not isinstance(argument, Place):
            schema = getattr(func, self.postgis.schema)
            binary = cast(literal(geometries.write_wkb(argument), LargeBinary), LargeBinary)
            constant: ColumnElement[Any] = schema.st_geomfromwkb(binary, literal_column(str(_WGS84)))
            return constant
        described = BY_NAME[argument.entity].find_property(argument.name)
        if described is not None and described.kind is Kind.AREA:
            area: ColumnElement[Any] = ours.geometry_of_area(*(columns[name] for name in described.columns))
            return area
        geometry: ColumnElement[Any] = ours.geometry_of(json_at(argument, columns))
        return geometry


async def find_postgis(session: Session) -> Postgis | None:
    """Find PostGIS in the database and make what the calls need there; safe to repeat.

    Args:
        session: Inside a transaction.

    Returns:
        None where the extension is not installed, or cannot be used.

    Raises:
        psycopg.Error: What the database says, as when the functions may not be made.
    """
    cursor = await session.connection.execute(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'postgis'"
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    schema = str(row[0])
    if not (schema.isidentifier() and schema.islower()):
        _LOGGER.warning(
            "PostGIS is in the schema %r, whose name is no plain one. Shapely is used instead.",
            schema,
            extra={"action": "spatial.postgis"},
        )
        return None
    names = {"ours": sql.Identifier(SCHEMA), "theirs": sql.Identifier(schema)}
    await session.connection.execute("SELECT pg_advisory_xact_lock($1)", [_LOCK])
    await session.connection.execute(sql.SQL(_FUNCTIONS).format(**names))
    for table, column in _INDEXED:
        index = sql.SQL(_INDEX).format(
            **names,
            name=sql.Identifier(f"ix_{table}_geometry"),
            table=sql.Identifier(table),
            column=sql.Identifier(column),
        )
        await session.connection.execute(index)
    version = sql.SQL("SELECT {}.postgis_geos_version()").format(sql.Identifier(schema))
    found = await (await session.connection.execute(version)).fetchone()
    return Postgis(schema, takes_collections=found is not None and _is_new(str(found[0])))


def _is_new(version: str) -> bool:
    """Tell whether a version of GEOS, as `3.13.1-CAPI-1.19.2`, relates collections of mixed dimensions."""
    major, minor, *_ = version.split(".")
    return (int(major), int(minor)) >= (3, 13)
