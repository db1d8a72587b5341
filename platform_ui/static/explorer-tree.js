// The tree: systems, their Things, their Datastreams with the last value. Children are asked for when they are opened.
import { addressOf, debounce, describe, element, empty, follow, formatAgo, formatResult, formatTime, icon, localName, placeOf, quoted, read, refusal, systemOf, titleOf, unitOf, waiting } from "./explorer-core.js";
import { ICONS, showDetails } from "./explorer-details.js";

const PAGE = 200;
const FOUND = 40;
const OPEN_AT_ONCE = 3;
const tree = document.querySelector("[data-tree]");
const note = document.querySelector("[data-tree-note]");
const search = document.querySelector("[data-tree-search]");
const details = document.querySelector("[data-details]");
const groups = new Map();
let chosen = new URLSearchParams(window.location.search).get("at") || "";
let looking = new AbortController();
let searching = new AbortController();
const LAST = "Observations($top=1;$orderby=phenomenonTime desc;$select=phenomenonTime,result)";

function choose(place, push = true) {
  chosen = place;
  looking.abort();
  looking = new AbortController();
  for (const item of tree.querySelectorAll("[data-place]")) item.setAttribute("aria-selected", String(item.dataset.place === place));
  if (push) window.history.pushState({}, "", addressOf(place));
  showDetails(details, place, choose, looking.signal).then((entity) => {
    if (!entity) return;
    document.title = `${titleOf(entity, place)} · Explorer · Digital Twin Stack`;
    if (push && window.matchMedia("(max-width: 900px)").matches) { details.scrollIntoView({ block: "start" }); details.querySelector("h2")?.focus({ preventScroll: true }); }
  });
}

let lines = 0;
function node({ label, symbol, place = "", extra = [], load = null, level, title = "" }) {
  const line = element("span", { class: "node-line" }, load ? element("span", { class: "twist" }, icon("chevron-right")) : element("span", { class: "twist" }), icon(symbol), element("span", { class: "node-label", title }, label), ...extra);
  lines += 1;
  line.id = `node-${lines}`;
  const item = element("li", { role: "treeitem", "aria-labelledby": line.id, "aria-level": String(level), tabindex: "-1", "data-place": place || null, "aria-selected": place ? String(place === chosen) : null, "aria-expanded": load ? "false" : null }, line);
  item.children_ = load ? element("ul", { role: "group", hidden: true }) : null;
  if (load) item.append(item.children_);
  item.open = async () => {
    if (!load || item.getAttribute("aria-expanded") === "true") return;
    item.setAttribute("aria-expanded", "true");
    item.children_.hidden = false;
    if (item.loaded) return;
    item.loaded = true;
    await load(item.children_, item);
  };
  // Opened again, it shows what is new.
  item.shut = () => { if (load) { item.loaded = false; item.setAttribute("aria-expanded", "false"); item.children_.hidden = true; } };
  line.addEventListener("click", (event) => {
    const twist = event.target.closest(".twist");
    focusOn(item);
    if (place && !twist) choose(place);
    if (!load) return;
    if (item.getAttribute("aria-expanded") !== "true") item.open(); else if (twist || !place) item.shut();
  });
  return item;
}

function datastreamNode(datastream, type, around, level) {
  const [last] = datastream.Observations || [];
  const unit = unitOf(datastream);
  const observed = (datastream.ObservedProperties || [datastream.ObservedProperty]).filter(Boolean).map((one) => localName(one.name, systemOf(one.name))).join(", ");
  const name = localName(datastream.name, around);
  const value = last
    ? element("span", { class: "last", title: formatTime(last.phenomenonTime) }, element("strong", {}, formatResult(last.result)), unit ? element("span", { class: "unit" }, ` ${unit}`) : "", element("span", { class: "ago" }, formatAgo(last.phenomenonTime)))
    : element("span", { class: "last muted" }, unit ? `no value yet, in ${unit}` : "no value yet");
  const label = observed && observed !== name ? element("span", {}, name, element("span", { class: "muted" }, ` ${observed}`)) : name;
  return node({ label, symbol: ICONS[type.name], place: placeOf(datastream, type.set), extra: [value], level, title: datastream.name });
}

async function fillThing(list, place, name, level) {
  list.replaceChildren(element("li", { role: "none", class: "tree-wait muted" }, "Loading…"));
  try {
    const all = await describe();
    const made = [];
    for (const type of all.types.filter((one) => one.name === "Datastream" || one.name === "MultiDatastream")) {
      const observed = type.relations.find((relation) => relation.target === "ObservedProperty").name;
      const options = { $expand: `${observed}($select=name),${LAST}`, $orderby: "name", $top: PAGE };
      let rows;
      try { rows = await read(`${place}/${type.set}`, options); } catch (error) { if (type.name === "Datastream") throw error; continue; }
      made.push(...rows.value.map((one) => datastreamNode(one, type, name, level)));
    }
    list.replaceChildren(...(made.length ? made : [element("li", { role: "none", class: "tree-wait muted" }, "No Datastream yet: its client app registers them.")]));
  } catch (error) {
    list.replaceChildren(element("li", { role: "none" }, refusal(error)));
  }
}

function thingNode(thing, system, level) {
  const place = placeOf(thing, "Things");
  return node({ label: localName(thing.name, system), symbol: "box", place, level, title: thing.description || thing.name, load: (list) => fillThing(list, place, thing.name, level + 1) });
}

function groupOf(system) {
  if (groups.has(system)) return groups.get(system);
  const levels = system.split(".");
  const label = system ? element("span", { class: "system-name" }, element("span", { class: "prefix" }, `${levels.slice(0, 3).join(".")}.`), element("wbr"), element("strong", {}, levels[3])) : element("span", { class: "muted" }, "Without a system");
  const count = element("span", { class: "count" }, "0");
  const group = node({ label, symbol: "server", extra: [count], level: 1, title: system, load: async () => {} });
  group.count = count;
  tree.insertBefore(group, system ? groups.get("") || null : null); // what has no system comes last
  groups.set(system, group);
  return group;
}

function addThings(page) {
  for (const thing of page.value) {
    const system = systemOf(thing.name);
    const group = groupOf(system);
    group.children_.append(thingNode(thing, system, 2));
    group.count.textContent = String(Number(group.count.textContent) + 1);
  }
  const loaded = [...groups.values()].reduce((sum, group) => sum + Number(group.count.textContent), 0);
  note.replaceChildren(`${loaded} of ${page["@iot.count"] ?? loaded} Things`);
  const next = page["@iot.nextLink"];
  if (next) {
    const more = element("button", { type: "button", class: "ghost", on: { click: async () => { more.disabled = true; try { addThings(await follow(next)); } catch (error) { note.replaceChildren(refusal(error)); } } } }, "Load more");
    note.append(" ", more);
  }
  if (groups.size <= OPEN_AT_ONCE) for (const group of groups.values()) group.open();
}

async function start() {
  searching.abort();
  searching = new AbortController();
  const { signal } = searching;
  tree.replaceChildren();
  groups.clear();
  note.replaceChildren("Loading…");
  try {
    const page = await read("Things", { $select: "id,name,description", $orderby: "name", $top: PAGE, $count: "true" }, signal);
    if (signal.aborted) return;
    note.replaceChildren();
    if (!page.value.length) {
      tree.replaceChildren(element("li", { role: "none" }, empty("inbox", "No Thing yet", "A client app registers its Things when it starts. ", element("a", { href: "/clients" }, "Add a client app"), "; its page gives you the program.")));
      return;
    }
    addThings(page);
    await reveal();
    if (signal.aborted) return;
    if (!tree.querySelector('[tabindex="0"]')) tree.querySelector('[role="treeitem"]').tabIndex = 0;
  } catch (error) {
    if (error.name === "AbortError") return;
    note.replaceChildren();
    tree.replaceChildren(element("li", { role: "none" }, refusal(error)));
  }
}

// Opens the branch of the chosen entity, as far as it is loaded.
async function reveal() {
  if (!chosen) return;
  let place = chosen;
  if (/^(Multi)?Datastreams\(/.test(chosen)) {
    try { place = placeOf(await read(`${chosen}/Thing`, { $select: "id,name" }), "Things"); } catch { return; }
  }
  const item = tree.querySelector(`[data-place="${CSS.escape(place)}"]`);
  if (!item) return;
  await item.parentElement.closest('[role="treeitem"]')?.open();
  await item.open();
  focusOn(tree.querySelector(`[data-place="${CSS.escape(chosen)}"]`) || item, false);
  tree.querySelector(`[data-place="${CSS.escape(chosen)}"]`)?.setAttribute("aria-selected", "true");
}

async function find(text) {
  searching.abort();
  if (!text) { await start(); return; }
  searching = new AbortController();
  const { signal } = searching;
  const word = quoted(text.toLowerCase());
  const has = (path) => `substringof(${word},tolower(${path}))`;
  note.replaceChildren("Searching…");
  try {
    const [things, datastreams] = await Promise.all([
      read("Things", { $filter: `${has("name")} or ${has("description")}`, $select: "id,name,description", $orderby: "name", $top: FOUND, $count: "true" }, signal),
      read("Datastreams", { $filter: `${has("name")} or ${has("description")} or ${has("ObservedProperty/name")}`, $expand: `ObservedProperty($select=name),${LAST}`, $orderby: "name", $top: FOUND, $count: "true" }, signal),
    ]);
    const all = await describe();
    if (signal.aborted) return;
    groups.clear();
    tree.replaceChildren(...things.value.map((thing) => thingNode(thing, "", 1)), ...datastreams.value.map((one) => datastreamNode(one, all.byName.get("Datastream"), "", 1)));
    const count = (page, name) => `${page["@iot.count"] ?? page.value.length} ${name}`;
    note.replaceChildren(`${count(things, "Things")}, ${count(datastreams, "Datastreams")}`, things["@iot.nextLink"] || datastreams["@iot.nextLink"] ? `; the first ${FOUND} of each are shown` : "");
    const first = tree.querySelector('[role="treeitem"]');
    if (first) first.tabIndex = 0;
    else tree.replaceChildren(element("li", { role: "none" }, empty("search", `Nothing has “${text}” in it`, "Names, descriptions and observed properties were searched.")));
  } catch (error) {
    if (error.name !== "AbortError") { note.replaceChildren(); tree.replaceChildren(element("li", { role: "none" }, refusal(error))); }
  }
}

function focusOn(item, take = true) {
  for (const other of tree.querySelectorAll('[tabindex="0"]')) if (other.getAttribute("role") === "treeitem") other.tabIndex = -1;
  item.tabIndex = 0;
  if (take) item.focus();
  item.scrollIntoView({ block: "nearest" });
}

function seen() { return [...tree.querySelectorAll('[role="treeitem"]')].filter((item) => !item.parentElement.closest('[hidden]')); }

tree.addEventListener("keydown", (event) => {
  const item = event.target.closest('[role="treeitem"]');
  if (!item || event.target !== item) return;
  const items = seen();
  const at = items.indexOf(item);
  const isOpen = item.getAttribute("aria-expanded") === "true";
  const moves = {
    ArrowDown: () => items[at + 1] && focusOn(items[at + 1]),
    ArrowUp: () => items[at - 1] && focusOn(items[at - 1]),
    Home: () => focusOn(items[0]),
    End: () => focusOn(items.at(-1)),
    ArrowRight: () => { if (item.children_ && !isOpen) item.open(); else if (isOpen && items[at + 1]) focusOn(items[at + 1]); },
    ArrowLeft: () => { if (isOpen) item.shut(); else { const above = item.parentElement.closest('[role="treeitem"]'); if (above) focusOn(above); } },
    Enter: () => { if (item.dataset.place) choose(item.dataset.place); else if (isOpen) item.shut(); else item.open(); },
    " ": () => { if (item.dataset.place) choose(item.dataset.place); else if (isOpen) item.shut(); else item.open(); },
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  moves[event.key]();
});
search.addEventListener("input", debounce(() => find(search.value.trim()), 300));
window.addEventListener("popstate", () => { chosen = new URLSearchParams(window.location.search).get("at") || ""; if (chosen) choose(chosen, false); });
find(search.value.trim()); // what somebody typed before this script came
if (chosen) choose(chosen, false);
