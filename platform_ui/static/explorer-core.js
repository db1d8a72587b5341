// What all pages of the explorer share: asking for data, addresses of entities, building elements. No page's own logic.

const page = document.getElementById("explorer");
export const SERVICE = page.dataset.service;
const DATA = page.dataset.data;
const SPRITE = page.dataset.sprite;
const SVG = "http://www.w3.org/2000/svg";
// On a small screen the navigation scrolls; where one is stays in sight.
document.querySelector(".main-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// A refusal as the service or the platform words it: RFC 9457.
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The service answers ${status}.`);
    Object.assign(this, { status, code: document.code || "", hint: document.hint || "", option: document.option || "", column: document.column || 0 });
  }
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function icon(name) {
  return drawn("svg", { class: "icon", "aria-hidden": "true" }, drawn("use", { href: `${SPRITE}#${name}` }));
}

export function encodeQuery(options) {
  return Object.entries(options).filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}

export function encodePath(path) {
  return path.split("/").map((step) => encodeURIComponent(step).replace(/%24/g, "$").replace(/%40/g, "@").replace(/%3A/g, ":")).join("/");
}

async function request(url, signal) {
  let answer;
  try {
    answer = await fetch(url, { headers: { Accept: "application/json" }, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The platform does not answer.", hint: "Is the connection there?" });
  }
  const text = await answer.text();
  const isJson = (answer.headers.get("content-type") || "").includes("json");
  let body = text;
  if (isJson && text) {
    try { body = JSON.parse(text); } catch { throw new Problem(answer.status, { detail: "The service's answer is not JSON." }); }
  }
  if (answer.status === 401) window.location.assign(`/login?next=${encodeURIComponent(window.location.pathname)}`);
  if (!answer.ok) throw new Problem(answer.status, isJson ? body : {});
  return answer.status === 204 ? null : body;
}

export function read(path, options = {}, signal = undefined) {
  const query = encodeQuery(options);
  return request(`${DATA}/${encodePath(path)}${query ? `?${query}` : ""}`, signal);
}

// A link of the service leads to the same place below the platform.
export function follow(link, signal = undefined) {
  const place = link.indexOf("/v1.1/");
  if (place < 0) throw new Problem(0, { detail: "The link leads elsewhere." });
  return request(DATA + link.slice(place + "/v1.1".length), signal);
}

let description;
export function describe() {
  description ??= request("/explorer/description.json").then((document) => {
    document.bySet = new Map(document.types.map((type) => [type.set, type]));
    document.byName = new Map(document.types.map((type) => [type.name, type]));
    return document;
  });
  return description;
}

// Things(1), from a self link or from an entity of a known set.
export function placeOf(entity, set = "") {
  const link = entity["@iot.selfLink"];
  if (link && link.includes("/v1.1/")) return decodeURIComponent(link.slice(link.indexOf("/v1.1/") + 6));
  const id = entity["@iot.id"];
  return `${set}(${typeof id === "number" ? id : `'${String(id).replaceAll("'", "''")}'`})`;
}

export function setOf(place) { return place.split("(")[0]; }
export function addressOf(place) { return `/explorer?at=${encodeURIComponent(place)}`; }

export function systemOf(name) {
  const levels = String(name || "").split(".");
  return levels.length > 4 ? levels.slice(0, 4).join(".") : "";
}

// The part of a name that its surroundings do not say already.
export function localName(name, around) {
  return around && name.startsWith(`${around}.`) ? name.slice(around.length + 1) : name;
}

export function titleOf(entity, type) {
  return entity.name || `${type} ${entity["@iot.id"]}`;
}

export function formatTime(text) {
  if (typeof text !== "string") return "";
  if (text.includes("/")) return text.split("/").map(formatTime).join(" – ");
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const iso = time.toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, iso.endsWith(".000Z") ? 19 : 23)} UTC`;
}

export function formatAgo(text) {
  const time = new Date(String(text).split("/").pop());
  const seconds = (Date.now() - time.getTime()) / 1000;
  if (Number.isNaN(seconds)) return "";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (Math.abs(seconds) >= size) return seconds < 0 ? `in ${Math.floor(-seconds / size)} ${unit}` : `${Math.floor(seconds / size)} ${unit} ago`;
  return seconds < -1 ? "soon" : `${Math.max(0, Math.floor(seconds))} s ago`;
}

export function formatResult(value) {
  if (typeof value === "number") return Number.isInteger(value) ? value.toLocaleString("en", { maximumFractionDigits: 0, useGrouping: Math.abs(value) >= 10000 }).replaceAll(",", "\u202f") : String(Number(value.toPrecision(6)));
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return value.map(formatResult).join(" · ");
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

export function unitOf(datastream) {
  const unit = datastream.unitOfMeasurement;
  if (unit && !Array.isArray(unit)) return unit.symbol || unit.name || "";
  const units = datastream.unitOfMeasurements || unit;
  return Array.isArray(units) ? units.map((one) => one.symbol || one.name || "–").join(" · ") : "";
}

export function quoted(text) { return `'${text.replaceAll("'", "''")}'`; }

export function debounce(work, wait) {
  let timer;
  return (...values) => { clearTimeout(timer); timer = setTimeout(() => work(...values), wait); };
}

export async function copy(text, label) {
  const before = label.textContent;
  try { await navigator.clipboard.writeText(text); label.textContent = "Copied"; } catch { label.textContent = "Select and copy by hand"; }
  setTimeout(() => { label.textContent = before; }, 2000);
}

export function copyButton(words, text) {
  const label = element("span", {}, words);
  return element("button", { type: "button", class: "ghost", on: { click: () => copy(typeof text === "function" ? text() : text, label) } }, icon("copy"), label);
}

export function empty(symbol, title, ...text) {
  return element("div", { class: "empty" }, icon(symbol), element("p", { class: "empty-title" }, title), element("div", { class: "empty-text" }, ...text));
}

export function refusal(problem) {
  return element("div", { class: "notice notice-error inset-notice", role: "alert" }, icon("alert-circle"), element("span", {}, problem.message, problem.hint ? ` ${problem.hint}` : ""));
}

export function waiting(words = "Loading…") { return element("p", { class: "card-text muted", role: "status" }, words); }
