// Everything about one entity: properties, relations that lead on, last Observations, its JSON and its address.
import { SERVICE, addressOf, copyButton, describe, element, empty, encodePath, formatAgo, formatResult, formatTime, icon, localName, placeOf, read, refusal, setOf, systemOf, titleOf, unitOf, waiting } from "./explorer-core.js";
import { geometryWords } from "./explorer-geometry.js";
import { chartsOf } from "./explorer-chart.js";

const SHOWN = 5;
const CHARTED = 200;
const FRESH_MS = 10000;
export const ICONS = { Thing: "box", Datastream: "activity", MultiDatastream: "stack-2", Location: "map-pin", HistoricalLocation: "history", Sensor: "antenna", ObservedProperty: "ruler", Observation: "timeline", FeatureOfInterest: "target" };
const NOTHING = {
  Datastreams: "None yet. A client app registers its Datastreams when it starts.",
  MultiDatastreams: "None. They hold several values at once, such as wind speed and direction.",
  Locations: "None yet. Edit the Thing to say where it is; then it is on the map.",
  HistoricalLocations: "None yet. The service keeps one for every place the Thing has been at.",
  Observations: "None yet. The first one that a client app produces appears here.",
  Things: "No Thing is here.",
};
const LATER = { phenomenonTime: "no Observation yet", resultTime: "no Observation says when its result was made", observedArea: "no Observation has a place yet", unitOfMeasurement: "no unit" };

function expansion(type) {
  return type.relations.map((relation) => {
    if (relation.target === "Observation") return `${relation.name}($top=1;$orderby=phenomenonTime desc)`;
    const order = relation.target === "HistoricalLocation" ? "time desc" : "name";
    return relation.many ? `${relation.name}($top=${SHOWN};$count=true;$orderby=${order})` : relation.name;
  }).join(",");
}

function valueOf(property, value, place) {
  if (value === null || value === undefined) return element("span", { class: "muted" }, element("code", {}, "null"), LATER[property.name] ? ` ${LATER[property.name]}` : "");
  if (property.kind === "text" || typeof value === "string") {
    if (property.kind.includes("time") || property.kind === "interval") return element("span", { title: value }, formatTime(value), " ", element("span", { class: "muted" }, formatAgo(value)));
    if (/^https?:\/\/\S+$/.test(value)) return element("a", { href: value, rel: "noopener noreferrer", class: "wrap" }, value);
    return value === "" ? element("span", { class: "muted" }, "empty text") : element("span", { class: "wrap" }, value);
  }
  if (property.kind === "unit") {
    const parts = Array.isArray(value) ? value : [value];
    return element("span", {}, ...parts.map((unit) => element("span", { class: "unit-line" }, element("strong", {}, (unit && (unit.symbol || unit.name)) || "no unit"), unit && unit.name && unit.symbol ? ` ${unit.name}` : "", unit && unit.definition ? element("span", { class: "muted wrap" }, ` ${unit.definition}`) : "")));
  }
  const words = typeof value === "object" ? geometryWords(value) : null;
  if (words) return element("span", {}, words, " ", /^(Locations|FeaturesOfInterest|Things)\(/.test(place) ? element("a", { href: `/explorer/map?at=${encodeURIComponent(place)}` }, "on the map") : "", element("details", { class: "inline-json" }, element("summary", {}, "GeoJSON"), element("pre", { class: "code" }, JSON.stringify(value, null, 2))));
  if (typeof value === "object") {
    if (property.kind === "list" && Array.isArray(value)) return element("ol", { class: "plain-list" }, ...value.map((part) => element("li", { class: "wrap" }, String(part))));
    const entries = Object.entries(value);
    if (!entries.length) return element("span", { class: "muted" }, "{} – nothing was added");
    if (entries.every(([, part]) => part === null || typeof part !== "object")) return element("dl", { class: "sub" }, ...entries.flatMap(([name, part]) => [element("dt", {}, name), element("dd", {}, part === null ? element("code", {}, "null") : String(part))]));
    return element("pre", { class: "code small" }, JSON.stringify(value, null, 2));
  }
  return element("strong", {}, formatResult(value));
}

// Asset pages are for those who have a part in the system; others are told so there.
function assetLinks(kind, entity, system) {
  if (!system) return [];
  if (kind === "Datastream") return [element("a", { class: "button ghost", href: `/systems/${system}/datastreams/${entity["@iot.id"]}` }, icon("chart-line"), "Chart")];
  if (kind !== "Thing") return [];
  return [element("a", { class: "button ghost", href: `/systems/${system}/things?q=${encodeURIComponent(entity.name.slice(system.length + 1))}` }, icon("pencil"), "Edit")];
}

function properties(type, entity, place) {
  const rows = type.properties.flatMap((property) => [
    element("dt", { title: property.meaning }, property.name),
    element("dd", {}, property.name === "properties" && !(property.name in entity) ? element("span", { class: "muted" }, "none") : valueOf(property, entity[property.name], place)),
  ]);
  return element("dl", { class: "facts" }, ...rows);
}

function link(entity, type, choose, around = "") {
  const place = placeOf(entity, type.set);
  const name = type.name === "Observation" ? `${formatResult(entity.result)} at ${formatTime(entity.phenomenonTime)}` : type.name === "HistoricalLocation" ? formatTime(entity.time) : titleOf(entity, type.name);
  const shown = localName(localName(name, around), systemOf(around));
  return element("a", { href: addressOf(place), class: "wrap", title: shown === name ? null : name, on: { click: (event) => { if (choose && !event.ctrlKey && !event.metaKey) { event.preventDefault(); choose(place); } } } }, shown);
}

function relations(type, entity, place, all, choose) {
  const items = type.relations.map((relation) => {
    const target = all.byName.get(relation.target);
    const value = entity[relation.name];
    const head = element("h4", {}, icon(ICONS[relation.target] || "box"), " ", relation.name);
    const query = `/explorer/query?path=${encodeURIComponent(`${place}/${relation.name}`)}`;
    if (!relation.many) return element("li", {}, head, value ? link(value, target, choose, entity.name) : element("span", { class: "muted" }, relation.name === "MultiDatastream" || relation.name === "Datastream" ? "not of this kind" : "none"));
    const rows = Array.isArray(value) ? value : [];
    if (!rows.length) return element("li", {}, head, element("p", { class: "muted help-line" }, NOTHING[relation.name] || "None."));
    const count = entity[`${relation.name}@iot.count`];
    const more = relation.target === "Observation" ? "all of them" : count > rows.length ? `all ${count}` : "as a query";
    return element("li", {}, head, count ? element("span", { class: "count" }, String(count)) : "", element("ul", { class: "links" }, ...rows.map((row) => element("li", {}, link(row, target, choose, entity.name)))), element("a", { class: "more-link", href: query }, more));
  });
  return element("ul", { class: "relations" }, ...items);
}

async function observations(entity, place, signal) {
  const rows = (await read(`${place}/Observations`, { $top: CHARTED, $orderby: "phenomenonTime desc", $select: "phenomenonTime,result" }, signal)).value;
  if (!rows.length) return empty("timeline", "No Observation yet", "The first one that a client app produces is drawn here.");
  const many = Array.isArray(entity.unitOfMeasurements) ? entity.unitOfMeasurements : Array.isArray(entity.unitOfMeasurement) ? entity.unitOfMeasurement : null;
  const units = many ? many.map((unit) => (unit && (unit.symbol || unit.name)) || "") : [unitOf(entity)];
  const names = (entity.ObservedProperties || [entity.ObservedProperty]).map((property) => (property && property.name) || "Results");
  const table = element("div", { class: "table-wrap" }, element("table", { class: "short" }, element("thead", {}, element("tr", {}, element("th", {}, "Time"), element("th", { class: "number" }, "Result"))),
    element("tbody", {}, ...rows.slice(0, 8).map((row) => element("tr", {}, element("td", { title: row.phenomenonTime }, formatTime(row.phenomenonTime)), element("td", { class: "number" }, element("strong", {}, formatResult(row.result)), units[0] ? element("span", { class: "unit" }, ` ${units.join(" · ")}`) : ""))))));
  const charts = chartsOf(rows, units, names);
  return element("div", {}, ...charts, charts.length ? element("details", { class: "values" }, element("summary", {}, "Newest values"), table) : table);
}

// New Observations appear by themselves, unless somebody is reading a value, or nobody looks.
function keepFresh(part, make, signal) {
  const timer = setInterval(async () => {
    if (document.hidden || part.matches(":hover") || !part.isConnected) return;
    const isOpen = part.querySelector("details.values")?.open || false;
    try {
      const made = await make();
      const values = made.querySelector("details.values");
      if (values) values.open = isOpen;
      part.lastChild.replaceWith(made);
    } catch { /* what is shown stays until the service answers again */ }
  }, FRESH_MS);
  signal?.addEventListener("abort", () => clearInterval(timer));
}

export async function showDetails(container, place, choose, signal) {
  container.replaceChildren(waiting());
  container.setAttribute("aria-busy", "true");
  try {
    const all = await describe();
    const type = all.bySet.get(setOf(place));
    if (!type) throw Object.assign(new Error(`There is no set ${setOf(place)}.`), { hint: "" });
    const entity = await read(place, { $expand: expansion(type) }, signal);
    const address = `${SERVICE}/${encodePath(place)}`;
    const json = element("pre", { class: "code json", tabindex: "0", "aria-label": "The entity as JSON", hidden: true });
    const toggle = element("button", { type: "button", class: "ghost", "aria-pressed": "false" }, "JSON");
    const system = systemOf(entity.name);
    const body = element("div", {});
    toggle.addEventListener("click", async () => {
      const open = toggle.getAttribute("aria-pressed") !== "true";
      toggle.setAttribute("aria-pressed", String(open));
      if (open && !json.textContent) json.textContent = JSON.stringify(await read(place), null, 2);
      json.hidden = !open;
      body.hidden = open;
    });
    container.replaceChildren(
      element("header", { class: "details-head" },
        element("p", { class: "kind" }, icon(ICONS[type.name] || "box"), ` ${type.name} `, element("code", {}, place)),
        element("h2", { tabindex: "-1", class: "details-title" }, system ? element("span", { class: "prefix" }, `${system}.`) : "", system ? element("wbr") : "", system ? entity.name.slice(system.length + 1) : titleOf(entity, type.name)),
        element("div", { class: "actions" }, copyButton("Copy address", address), element("a", { class: "button ghost", href: `/explorer/query?path=${encodeURIComponent(place)}` }, icon("filter"), "Query"), ...assetLinks(type.name, entity, system), toggle)),
      json, body);
    if (type.relations.some((relation) => relation.name === "Observations") && type.name !== "FeatureOfInterest") {
      const last = element("section", { class: "details-part", "aria-label": "Last Observations" }, element("h3", {}, "Last Observations"), waiting());
      body.append(last);
      keepFresh(last, () => observations(entity, place, signal), signal);
      observations(entity, place, signal).then((made) => last.lastChild.replaceWith(made), (error) => { if (error.name !== "AbortError") last.lastChild.replaceWith(refusal(error)); });
    }
    body.append(element("section", { class: "details-part", "aria-label": "Properties" }, element("h3", {}, "Properties"), properties(type, entity, place)),
      element("section", { class: "details-part", "aria-label": "Relations" }, element("h3", {}, "Relations"), relations(type, entity, place, all, choose)));
    return entity;
  } catch (error) {
    if (error.name === "AbortError") return null;
    const gone = error.status === 404;
    container.replaceChildren(gone ? empty("search", `Nothing is at ${place}`, "It was deleted, or it belongs to somebody who does not share it with you.") : refusal(error));
    return null;
  } finally {
    if (!signal?.aborted) container.removeAttribute("aria-busy"); // another entity is on its way
  }
}
