// The ground of the map: countries from a TopoJSON file, lines of longitude and latitude, a scale. Source: TopoJSON 2.1.1.

import { project } from "./explorer-geometry.js";

function arcsOf(topology) {
  const { scale: [scaleX, scaleY], translate: [x0, y0] } = topology.transform;
  return topology.arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]) => { x += dx; y += dy; return project([x * scaleX + x0, y * scaleY + y0]); });
  });
}

function ringOf(indexes, arcs) {
  return indexes.flatMap((index, place) => {
    const arc = index < 0 ? [...arcs[~index]].reverse() : arcs[index];
    return place ? arc.slice(1) : arc;
  });
}

// Rings that cross the 180th meridian are drawn on: their places may lie beyond 0 and 1. A ring around a pole
// is closed along the map's edge.
function unrolled(ring) {
  let turn = 0;
  const made = ring.map(([x, y], index) => {
    if (index) { const step = x - ring[index - 1][0]; if (step > 0.5) turn -= 1; else if (step < -0.5) turn += 1; }
    return [x + turn, y];
  });
  const [first, last] = [made[0], made.at(-1)];
  if (Math.abs(last[0] - first[0]) > 0.5) { const edge = first[1] > 0.5 ? 1.05 : -0.05; made.push([last[0], edge], [first[0], edge]); }
  return made;
}

// Rings in the projection's unit square; countries touch, so their borders are drawn with them.
export async function loadGround(url) {
  const topology = await (await fetch(url)).json();
  const arcs = arcsOf(topology);
  const rings = [];
  for (const one of topology.objects.countries.geometries) {
    const polygons = one.type === "Polygon" ? [one.arcs] : one.type === "MultiPolygon" ? one.arcs : [];
    for (const polygon of polygons) {
      const made = polygon.map((indexes) => unrolled(ringOf(indexes, arcs)));
      const across = made[0].map(([x]) => x);
      const [west, east] = [Math.min(...across), Math.max(...across)];
      for (const turn of [-1, 0, 1]) if (west + turn < 1 && east + turn > 0) rings.push(turn ? made.map((ring) => ring.map(([x, y]) => [x + turn, y])) : made);
    }
  }
  return rings;
}

const STEPS = [30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];

function degrees(value, step, positive, negative) {
  const digits = step >= 1 ? 0 : Math.ceil(-Math.log10(step));
  return `${Math.abs(value).toFixed(digits)}°${value > step / 2 ? ` ${positive}` : value < -step / 2 ? ` ${negative}` : ""}`;
}

function latitudeOf(y) { return (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI; }

function drawGraticule(pen, view, { toScreen, scale, style }) {
  const width = (view.width / scale) * 360;
  const step = STEPS.find((size) => width / size >= 3.5 && size < width / 3) || STEPS.at(-1);
  const west = (view.x - view.width / 2 / scale - 0.5) * 360;
  const east = west + width;
  const north = latitudeOf(view.y - view.height / 2 / scale);
  const south = latitudeOf(view.y + view.height / 2 / scale);
  pen.strokeStyle = style.getPropertyValue("--map-grid");
  pen.fillStyle = style.getPropertyValue("--muted");
  pen.font = "11px system-ui, sans-serif";
  pen.lineWidth = 1;
  for (let value = Math.max(-180, Math.ceil(west / step) * step); value <= Math.min(180, east); value += step) {
    const [x] = toScreen(project([value, 0]));
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, view.height); pen.stroke();
    if (x > 40 && x < view.width - 190) pen.fillText(degrees(value, step, "E", "W"), x + 3, view.height - 6);
  }
  for (let value = Math.max(-80, Math.ceil(south / step) * step); value <= Math.min(85, north); value += step) {
    const [, y] = toScreen(project([0, value]));
    pen.beginPath(); pen.moveTo(0, y); pen.lineTo(view.width, y); pen.stroke();
    if (y > 16 && y < view.height - 40) pen.fillText(degrees(value, step, "N", "S"), y < 150 ? 56 : 4, y - 3);
  }
}

function drawScale(pen, view, { scale, style }) {
  const metres = 40075016.7 * Math.cos((latitudeOf(view.y) * Math.PI) / 180) / scale;
  const power = 10 ** Math.floor(Math.log10(110 * metres));
  const length = [5, 2, 1].map((factor) => factor * power).find((size) => size <= 110 * metres) || power;
  const wide = length / metres;
  const [x, y] = [view.width - wide - 14, view.height - 14];
  pen.strokeStyle = style.getPropertyValue("--ink");
  pen.fillStyle = style.getPropertyValue("--ink");
  pen.font = "11px system-ui, sans-serif";
  pen.lineWidth = 1.5;
  pen.beginPath(); pen.moveTo(x, y - 5); pen.lineTo(x, y); pen.lineTo(x + wide, y); pen.lineTo(x + wide, y - 5); pen.stroke();
  const words = length >= 1000 ? `${(length / 1000).toLocaleString("en")} km` : `${length} m`;
  pen.fillText(words, x + wide / 2 - pen.measureText(words).width / 2, y - 7);
}

export function drawGround(canvas, rings, view, how) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(view.width * ratio) || canvas.height !== Math.round(view.height * ratio)) {
    canvas.width = Math.round(view.width * ratio);
    canvas.height = Math.round(view.height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = how.style.getPropertyValue("--map-edge");
  pen.fillRect(0, 0, view.width, view.height);
  const [[west, north], [east, south]] = [how.toScreen([0, 0]), how.toScreen([1, 1])];
  pen.save();
  pen.beginPath();
  pen.rect(Math.max(-9, west), Math.max(-9, north), Math.min(view.width + 9, east) - Math.max(-9, west), Math.min(view.height + 9, south) - Math.max(-9, north));
  pen.clip();
  pen.fillStyle = how.style.getPropertyValue("--map-sea");
  pen.fillRect(0, 0, view.width, view.height);
  if (rings) {
    pen.fillStyle = how.style.getPropertyValue("--map-land");
    pen.strokeStyle = how.style.getPropertyValue("--map-border");
    pen.lineWidth = 0.8;
    for (const polygon of rings) {
      pen.beginPath();
      for (const ring of polygon) {
        ring.forEach((point, index) => { const [x, y] = how.toScreen(point); if (index) pen.lineTo(x, y); else pen.moveTo(x, y); });
        pen.closePath();
      }
      pen.fill("evenodd");
      pen.stroke();
    }
  }
  drawGraticule(pen, view, how);
  pen.restore();
  drawScale(pen, view, how);
}
