// From GeoJSON to shapes that can be drawn. Source: RFC 7946, clause 3.1 "Geometry Object". Whatever cannot be read is no shape.

// Source: EPSG 3857 "Web Mercator", scaled to a square from 0 to 1.
export function project([longitude, latitude]) {
  const limited = Math.max(-85.0511, Math.min(85.0511, latitude));
  const sine = Math.sin((limited * Math.PI) / 180);
  return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

function isPosition(value) { return Array.isArray(value) && value.length >= 2 && Number.isFinite(value[0]) && Number.isFinite(value[1]) && Math.abs(value[1]) <= 90; }
function isLine(value) { return Array.isArray(value) && value.length > 1 && value.every(isPosition); }

const READERS = {
  Point: (coordinates) => (isPosition(coordinates) ? [{ kind: "point", position: coordinates }] : []),
  MultiPoint: (coordinates) => coordinates.flatMap((part) => READERS.Point(part)),
  LineString: (coordinates) => (isLine(coordinates) ? [{ kind: "line", line: coordinates }] : []),
  MultiLineString: (coordinates) => coordinates.flatMap((part) => READERS.LineString(part)),
  Polygon: (coordinates) => (Array.isArray(coordinates) && coordinates.length && coordinates.every(isLine) ? [{ kind: "polygon", rings: coordinates }] : []),
  MultiPolygon: (coordinates) => coordinates.flatMap((part) => READERS.Polygon(part)),
};

export function shapesOf(value, depth = 0) {
  if (!value || typeof value !== "object" || depth > 8) return [];
  if (value.type === "Feature") return shapesOf(value.geometry, depth + 1);
  if (value.type === "FeatureCollection" && Array.isArray(value.features)) return value.features.flatMap((one) => shapesOf(one, depth + 1));
  if (value.type === "GeometryCollection" && Array.isArray(value.geometries)) return value.geometries.flatMap((one) => shapesOf(one, depth + 1));
  const reader = Object.hasOwn(READERS, value.type) ? READERS[value.type] : null;
  return reader && Array.isArray(value.coordinates) ? reader(value.coordinates) : [];
}

// West, south, east, north around all shapes of some places; null for none.
export function bounds(places) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const take = ([longitude, latitude]) => {
    box[0] = Math.min(box[0], longitude); box[1] = Math.min(box[1], latitude);
    box[2] = Math.max(box[2], longitude); box[3] = Math.max(box[3], latitude);
  };
  for (const place of places) for (const shape of place.shapes) {
    if (shape.kind === "point") take(shape.position); else (shape.line || shape.rings.flat()).forEach(take);
  }
  return Number.isFinite(box[0]) ? box : null;
}

// A few words for a geometry; null for what is none.
export function geometryWords(value) {
  const geometry = value && value.type === "Feature" ? value.geometry : value;
  if (!geometry || !geometry.type) return null;
  if (geometry.type === "Point" && Array.isArray(geometry.coordinates)) return `Point ${geometry.coordinates.map((number) => String(Math.round(number * 1e6) / 1e6)).join(", ")}`;
  return /^(Multi)?(Point|LineString|Polygon)$|^GeometryCollection$/.test(geometry.type) ? geometry.type : null;
}
