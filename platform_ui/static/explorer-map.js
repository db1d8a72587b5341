// The map: Locations of Things and FeaturesOfInterest on coast lines that the site brings along; no tiles.
import { describe, drawn, element, empty, follow, icon, localName, placeOf, read, refusal, systemOf } from "./explorer-core.js";
import { bounds, project, shapesOf } from "./explorer-geometry.js";
import { drawGround, loadGround } from "./explorer-ground.js";
import { showDetails } from "./explorer-details.js";

const PAGE = 500;
const MOST_PAGES = 6;
const NEAR = 22; // pixels; nearer points become one mark with a number
const MAX_ZOOM = 2 ** 22;
const root = document.querySelector("[data-map]");
const stage = root.querySelector("[data-map-stage]");
const ground = root.querySelector("canvas");
const overlay = root.querySelector("svg[data-map-marks]");
const list = root.querySelector("[data-map-list]");
const note = root.querySelector("[data-map-note]");
const search = root.querySelector("[data-map-search]");
const details = document.querySelector("[data-details]");
const layers = { things: root.querySelector("[data-layer=things]"), features: root.querySelector("[data-layer=features]") };
const view = { x: 0.5, y: 0.5, zoom: 1, width: 100, height: 100 };
let places = [];
let chosen = new URLSearchParams(window.location.search).get("at") || "";
let looking = new AbortController();
let world = null;

function scale() { return Math.min(view.width, view.height * 1.6) * view.zoom; }
function toScreen([x, y]) { return [(x - view.x) * scale() + view.width / 2, (y - view.y) * scale() + view.height / 2]; }
function onScreen(position) { return toScreen(project(position)); }
function isVisible(place) { return layers[place.layer].checked; }

function draw() {
  if (!view.width) return;
  drawGround(ground, world, view, { toScreen, scale: scale(), style: getComputedStyle(root) });
  drawMarks();
}

let planned = false;
function redraw() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => { planned = false; draw(); });
}

function pathOf(ring, closed) {
  return ring.map((position, index) => { const [x, y] = onScreen(position); return `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`; }).join("") + (closed ? "Z" : "");
}

function drawMarks() {
  const shown = [];
  const clusters = [];
  for (const place of places.filter(isVisible).sort((a, b) => (a.layer === b.layer ? 0 : a.layer === "features" ? -1 : 1))) {
    for (const shape of place.shapes) {
      if (shape.kind === "point") {
        const [x, y] = onScreen(shape.position);
        if (x < -40 || y < -40 || x > view.width + 40 || y > view.height + 40) continue;
        const near = clusters.find((one) => one.layer === place.layer && Math.hypot(one.x - x, one.y - y) < NEAR);
        if (near) near.places.push(place); else clusters.push({ x, y, layer: place.layer, places: [place] });
      } else {
        const closed = shape.kind === "polygon";
        const d = (closed ? shape.rings : [shape.line]).map((ring) => pathOf(ring, closed)).join("");
        const made = drawn("path", { d, class: `area area-${place.layer}${place.place === chosen ? " chosen" : ""}${closed ? "" : " line"}`, "fill-rule": "evenodd" }, drawn("title", {}, place.name));
        made.addEventListener("click", () => choose(place.place));
        shown.push(made);
      }
    }
  }
  for (const cluster of clusters) shown.push(markOf(cluster));
  overlay.replaceChildren(...shown);
}

function markOf({ x, y, layer, places: here }) {
  const names = [...new Set(here.map((place) => place.name))];
  const isChosen = here.some((place) => place.place === chosen);
  const group = drawn("g", { class: `mark mark-${layer}${isChosen ? " chosen" : ""}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, drawn("title", {}, names.slice(0, 12).join("\n") + (names.length > 12 ? "\n…" : "")));
  group.append(layer === "things" ? drawn("circle", { r: here.length > 1 ? 12 : isChosen ? 8 : 6.5 }) : drawn("path", { d: here.length > 1 ? "M0 -11L11 0L0 11L-11 0Z" : "M0 -6L6 0L0 6L-6 0Z" }));
  if (here.length > 1) group.append(drawn("text", { "text-anchor": "middle", y: 4 }, String(here.length)));
  else if (layer === "things" && (isChosen || places.length <= 40)) group.append(drawn("text", { class: "mark-name", x: 11, y: 4 }, here[0].label));
  group.addEventListener("click", () => {
    if (here.length === 1) { choose(here[0].place); return; }
    const box = bounds(here);
    if (!box || (box[2] - box[0] < 1e-7 && box[3] - box[1] < 1e-7)) choose(here[(here.findIndex((place) => place.place === chosen) + 1) % here.length].place);
    else fit(box);
  });
  return group;
}

function clamp() {
  view.zoom = Math.max(0.8, Math.min(MAX_ZOOM, view.zoom));
  view.x = Math.max(0, Math.min(1, view.x));
  view.y = Math.max(0.02, Math.min(0.98, view.y));
}

function zoomBy(factor, x = view.width / 2, y = view.height / 2) {
  const before = [(x - view.width / 2) / scale(), (y - view.height / 2) / scale()];
  view.zoom *= factor;
  clamp();
  view.x += before[0] - (x - view.width / 2) / scale();
  view.y += before[1] - (y - view.height / 2) / scale();
  clamp();
  redraw();
}

function fit(box) {
  if (!box) { Object.assign(view, { x: 0.5, y: 0.42, zoom: 1 }); redraw(); return; }
  const [west, north] = project([box[0], box[3]]);
  const [east, south] = project([box[2], box[1]]);
  view.x = (west + east) / 2;
  view.y = (north + south) / 2;
  view.zoom = 1;
  const room = Math.min((view.width * 0.7) / Math.max(1e-9, (east - west) * scale()), (view.height * 0.7) / Math.max(1e-9, (south - north) * scale()));
  // Around a single spot, enough is shown to know which part of the world it is.
  view.zoom = Math.min(room, Math.max(east - west, south - north) < 1e-6 ? 24 : 2 ** 12);
  clamp();
  redraw();
}

function choose(place, push = true, move = false) {
  chosen = place;
  for (const button of list.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.place === place));
  list.querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: "nearest" });
  if (push) window.history.pushState({}, "", `/explorer/map?at=${encodeURIComponent(place)}`);
  const found = places.filter((one) => one.place === place || one.locations.includes(place));
  if (move && found.length) {
    const box = bounds(found);
    if (box) {
      const [x, y] = project([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]);
      const [screenX, screenY] = toScreen([x, y]);
      if (screenX < 20 || screenY < 20 || screenX > view.width - 20 || screenY > view.height - 20) { view.x = x; view.y = y; clamp(); }
    }
  }
  redraw();
  looking.abort();
  looking = new AbortController();
  details.hidden = false;
  showDetails(details, place, (next) => { if (/^(Things|FeaturesOfInterest)\(/.test(next)) choose(next, true, true); else window.location.assign(`/explorer?at=${encodeURIComponent(next)}`); }, looking.signal);
}

function fillList() {
  const word = search.value.trim().toLowerCase();
  const shown = places.filter((place) => isVisible(place) && place.name.toLowerCase().includes(word));
  list.replaceChildren(...shown.slice(0, 300).map((place) => element("li", {}, element("button", { type: "button", class: "ghost place", "data-place": place.place, "aria-pressed": String(place.place === chosen), title: place.name, on: { click: () => choose(place.place, true, true) } },
    icon(place.layer === "things" ? "box" : "target"), element("span", { class: "place-name" }, place.system ? element("span", { class: "prefix" }, `${place.system.split(".").at(-1)} · `) : "", place.short)))));
  if (!shown.length && word) list.replaceChildren(element("li", { class: "muted card-text" }, "No place has this in its name."));
}

async function pages(set, options) {
  const rows = [];
  let page = await read(set, options);
  for (let count = 1; ; count += 1) {
    rows.push(...page.value);
    if (!page["@iot.nextLink"]) return { rows, isWhole: true };
    if (count >= MOST_PAGES) return { rows, isWhole: false };
    page = await follow(page["@iot.nextLink"]);
  }
}

function placed(entity, layer, place, shapes, locations = []) {
  const system = systemOf(entity.name);
  const short = localName(entity.name || place, system);
  return { name: entity.name || place, short, label: system ? `${system.split(".").at(-1)} · ${short}` : short, system, layer, place, shapes, locations };
}

async function load() {
  note.textContent = "Loading…";
  const [things, features] = await Promise.all([
    pages("Things", { $select: "id,name", $expand: "Locations($select=id,location)", $orderby: "name", $top: PAGE }),
    pages("FeaturesOfInterest", { $select: "id,name,feature", $orderby: "name", $top: PAGE }),
  ]);
  let unread = 0;
  const without = things.rows.filter((thing) => !(thing.Locations || []).length).length;
  places = [
    ...things.rows.filter((thing) => (thing.Locations || []).length).map((thing) => placed(thing, "things", placeOf(thing, "Things"), thing.Locations.flatMap((one) => { const shapes = shapesOf(one.location); if (!shapes.length) unread += 1; return shapes; }), thing.Locations.map((one) => placeOf(one, "Locations")))),
    ...features.rows.map((feature) => placed(feature, "features", placeOf(feature, "FeaturesOfInterest"), shapesOf(feature.feature))),
  ].filter((place) => place.shapes.length);
  const count = (layer) => places.filter((place) => place.layer === layer).length;
  root.querySelector("[data-count=things]").textContent = String(count("things"));
  root.querySelector("[data-count=features]").textContent = String(count("features"));
  const words = [];
  if (without) words.push(without === 1 ? "1 Thing has no Location." : `${without} Things have no Location.`);
  if (unread) words.push(`${unread} Locations are not GeoJSON.`);
  if (!things.isWhole || !features.isWhole) words.push(`Only the first ${PAGE * MOST_PAGES} of each are shown.`);
  note.textContent = words.join(" ");
  fillList();
  if (!places.length) list.replaceChildren(element("li", {}, empty("map-pin", "Nothing has a place yet", "Say where a Thing is: choose it in ", element("a", { href: "/explorer" }, "the tree"), ", then Edit, and give its latitude and longitude. A client app can register a Location, too.")));
  const aim = chosen ? places.filter((one) => one.place === chosen || one.locations.includes(chosen)) : [];
  fit(bounds(aim.length ? aim : places));
  if (chosen) choose(chosen, false);
}

const pointers = new Map();
let moved = 0;
stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  moved = 0;
});
window.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY];
  if (pointers.size === 1) {
    moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (moved > 3) stage.classList.add("dragging");
    view.x -= (now[0] - before[0]) / scale();
    view.y -= (now[1] - before[1]) / scale();
  } else {
    const [other] = [...pointers.entries()].filter(([id]) => id !== event.pointerId).map(([, position]) => position);
    const ratio = Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1]));
    const box = stage.getBoundingClientRect();
    zoomBy(ratio, (now[0] + other[0]) / 2 - box.left, (now[1] + other[1]) / 2 - box.top);
  }
  pointers.set(event.pointerId, now);
  clamp();
  redraw();
});
for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, (event) => { pointers.delete(event.pointerId); stage.classList.remove("dragging"); });
overlay.addEventListener("click", (event) => { if (moved > 5) event.stopPropagation(); }, true);
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoomBy(Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) / 240), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
stage.addEventListener("dblclick", (event) => { const box = stage.getBoundingClientRect(); zoomBy(2, event.clientX - box.left, event.clientY - box.top); });
stage.addEventListener("keydown", (event) => {
  const step = 60 / scale();
  const moves = { ArrowLeft: () => { view.x -= step; }, ArrowRight: () => { view.x += step; }, ArrowUp: () => { view.y -= step; }, ArrowDown: () => { view.y += step; }, "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: () => fit(bounds(places.filter(isVisible))) };
  if (!moves[event.key] || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  moves[event.key]();
  clamp();
  redraw();
});
root.querySelector("[data-zoom=in]").addEventListener("click", () => zoomBy(1.8));
root.querySelector("[data-zoom=out]").addEventListener("click", () => zoomBy(1 / 1.8));
root.querySelector("[data-zoom=all]").addEventListener("click", () => fit(bounds(places.filter(isVisible))));
for (const layer of Object.values(layers)) layer.addEventListener("change", () => { fillList(); redraw(); });
search.addEventListener("input", fillList);
window.addEventListener("popstate", () => { chosen = new URLSearchParams(window.location.search).get("at") || ""; if (chosen) choose(chosen, false, true); else { details.hidden = true; redraw(); } });
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new ResizeObserver(() => { view.width = stage.clientWidth; view.height = stage.clientHeight; redraw(); }).observe(stage);
view.width = stage.clientWidth;
view.height = stage.clientHeight;
loadGround(root.dataset.ground).then((made) => { world = made; redraw(); }, () => redraw());
describe().then(load).catch((error) => { note.textContent = ""; list.replaceChildren(element("li", {}, refusal(error))); });
