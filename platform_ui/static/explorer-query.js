// The query builder: fields with completion, a live check by the service itself, snippets, rows, CSV.
import { SERVICE, addressOf, copy, debounce, describe, element, empty, encodePath, encodeQuery, follow, formatResult, formatTime, icon, placeOf, read, refusal } from "./explorer-core.js";
import { complete, forCondition, forExpansion, forOrder, forPath, forSelection, typeOfPath } from "./explorer-completion.js";
import { geometryWords } from "./explorer-geometry.js";
import { csvOf, snippets } from "./explorer-export.js";

const MOST_ROWS = 20000;
const root = document.querySelector("[data-query]");
const form = root.querySelector("form");
const NAMES = ["$filter", "$select", "$expand", "$orderby", "$top", "$skip"];
const field = (name) => form.elements.namedItem(name);
const state = root.querySelector("[data-check]");
const rowsBox = root.querySelector("[data-rows]");
const help = root.querySelector("[data-help]");
let all;
let checking = new AbortController();
let running = new AbortController();
let result = null;

function path() { return field("path").value.trim().replace(/^\/+|\/+$/g, ""); }
function options() {
  const made = {};
  for (const name of NAMES) if (field(name).value.trim()) made[name] = field(name).value.trim();
  if (field("$count").checked) made.$count = "true";
  return made;
}
function type() { return typeOfPath(path(), all); }
function address() { const query = encodeQuery(options()); return `${SERVICE}/${encodePath(path())}${query ? `?${query}` : ""}`; }

function showAddress() {
  root.querySelector("[data-address]").textContent = address();
  const made = snippets(`${SERVICE}/${encodePath(path())}`, options());
  root.querySelector("[data-curl]").textContent = made.curl;
  root.querySelector("[data-python]").textContent = made.python;
}

function clearMarks() {
  for (const one of form.querySelectorAll("[data-fault]")) { one.hidden = true; one.replaceChildren(); }
  for (const one of form.elements) one.removeAttribute("aria-invalid");
}

// The service names the column where it could not go on; for an unknown name, the name itself is looked for.
function columnOf(problem, text) {
  if (problem.column) return problem.column;
  const names = (problem.message.match(/[A-Za-z_]\w*(\.\w+)*/g) || []).filter((name) => name.length > 2).reverse();
  const found = names.map((name) => new RegExp(`(^|[^\\w.])${name.replaceAll(".", "\\.")}(?![\\w.])`).exec(text)).find(Boolean);
  return found ? found.index + found[1].length + 1 : 0;
}

function optionOf(problem) {
  if (problem.option && field(problem.option)) return problem.option;
  if (problem.status === 404) return "path";
  const given = NAMES.filter((name) => field(name).value.trim());
  return given.find((name) => problem.message.includes(name)) || given.find((name) => columnOf(problem, field(name).value)) || (given.length === 1 ? given[0] : "path");
}

function showProblem(problem) {
  clearMarks();
  const name = optionOf(problem);
  const input = field(name);
  const box = form.querySelector(`[data-fault="${name}"]`);
  const text = input.value.replaceAll("\n", " ");
  const column = columnOf(problem, text);
  input.setAttribute("aria-invalid", "true");
  const parts = [element("p", {}, problem.message)];
  if (column) parts.push(element("pre", { "aria-hidden": "true" }, `${text}\n${" ".repeat(Math.min(column, text.length + 1) - 1)}^`));
  if (problem.hint) parts.push(element("p", { class: "fault-hint" }, problem.hint));
  if (column) parts.push(element("button", { type: "button", class: "ghost", on: { click: () => { input.focus(); input.setSelectionRange(column - 1, column); } } }, "Go to the place"));
  box.replaceChildren(...parts);
  box.hidden = false;
  const where = name === "path" ? "the path" : name;
  say(column ? `A mistake in ${where}, column ${column}` : problem.status ? `The service refuses ${where}` : problem.message, "failed");
}

function say(words, kind) { state.textContent = words; state.className = `state state-${kind}`; }

async function check() {
  checking.abort();
  if (!path()) { clearMarks(); say("choose a set", "idle"); return; }
  checking = new AbortController();
  say("checking", "starting");
  try {
    const asked = options();
    // No row is asked for: the service reads and checks everything all the same.
    const plain = /\/\$value$/.test(path());
    await read(path(), plain ? {} : { ...asked, $top: asked.$top && !/^\d+$/.test(asked.$top) ? asked.$top : "0", $count: "" }, checking.signal);
    clearMarks();
    say("can be run", "active");
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status >= 500 || error.status === 0) { clearMarks(); say(error.message, "failed"); } else showProblem(error);
  }
}
const completions = [];
// Nobody is told of a mistake while a word is still being chosen.
const checkSoon = debounce(() => { if (completions.some((one) => one.isOpen())) checkSoon(); else check(); }, 450);

function changed() { showAddress(); checkSoon(); showHelp(); }

let helped; // undefined until the first time
function showHelp() {
  const now = type();
  if (now === helped) return;
  helped = now;
  const insert = (name, text) => () => { const input = field(name); const at = input.selectionStart ?? input.value.length; const glue = at && !/[\s(,/]$/.test(input.value.slice(0, at)) ? " " : ""; input.setRangeText(glue + text, at, input.selectionEnd ?? at, "end"); input.focus(); changed(); };
  const row = (code, kind, meaning, act) => element("li", {}, element("button", { type: "button", class: "ghost term", title: `Insert ${code}`, on: { click: act } }, element("code", {}, code)), kind ? element("span", { class: "offer-kind" }, kind) : "", element("span", { class: "muted" }, ` ${meaning}`));
  const part = (title, open, ...rows) => element("details", open ? { open: true } : {}, element("summary", {}, title), element("ul", { class: "terms" }, ...rows));
  const parts = [];
  if (now) {
    parts.push(part(`Properties of ${now.set}`, true, ...now.properties.map((one) => row(one.name, one.kind, one.meaning, insert("$filter", one.name)))));
    parts.push(part("Relations", true, ...now.relations.map((one) => row(one.name, one.many ? "many" : "one", one.many ? "for $expand; in $filter: at least one" : "for $expand and $filter", insert("$expand", one.name)))));
  } else parts.push(part("Entity sets", true, ...all.types.map((one) => row(one.set, "", "", () => { field("path").value = one.set; changed(); }))));
  parts.push(part("Operators", false, ...all.operators.map((one) => row(one.signature, one.group, `${one.meaning}. ${one.example}`, insert("$filter", one.name)))));
  for (const group of [...new Set(all.functions.map((one) => one.group))]) parts.push(part(`Functions of ${group}`, false, ...all.functions.filter((one) => one.group === group).map((one) => row(one.signature, "", one.meaning, insert("$filter", one.example)))));
  help.replaceChildren(...parts);
}

const HIDDEN = /@iot\.(navigationLink|selfLink|nextLink)$/;
function cell(name, value, row, set) {
  if (name === "@iot.id") return element("td", { class: "id" }, row["@iot.selfLink"] || set ? element("a", { href: addressOf(placeOf(row, set)) }, String(value)) : String(value));
  if (value === null || value === undefined) return element("td", { class: "muted" }, value === null ? "null" : "");
  if (typeof value === "number") return element("td", { class: "number" }, formatResult(value));
  if (Array.isArray(value) && value.length && typeof value[0] === "object") return element("td", {}, element("details", { class: "inline-json" }, element("summary", {}, value.length === 1 ? "1 entity" : `${value.length} entities`), element("pre", { class: "code" }, JSON.stringify(value, null, 2))));
  if (typeof value === "object") {
    const words = name === "unitOfMeasurement" ? value.symbol || value.name : value.name || geometryWords(value);
    return element("td", {}, element("details", { class: "inline-json" }, element("summary", {}, words || formatResult(value)), element("pre", { class: "code" }, JSON.stringify(value, null, 2))));
  }
  const text = String(value);
  return element("td", { title: text.length > 80 ? text : null, class: /time/i.test(name) ? "nowrap" : null }, /time$/i.test(name) ? formatTime(text) : text.length > 160 ? `${text.slice(0, 159)}…` : text);
}

function columnsOf(rows) {
  const names = new Set();
  for (const row of rows.slice(0, 500)) for (const name of Object.keys(row)) if (!HIDDEN.test(name)) names.add(name);
  return [...names];
}

function showRows() {
  const { rows, count, next, body, set } = result;
  const bar = root.querySelector("[data-result-bar]");
  const json = root.querySelector("[data-json]");
  bar.hidden = false;
  json.textContent = typeof body === "string" ? body : JSON.stringify(rows ? { ...(count === undefined ? {} : { "@iot.count": count }), value: rows.slice(0, 1000), ...(next ? { "@iot.nextLink": next } : {}) } : body, null, 2);
  if (!rows) {
    bar.querySelector("[data-result-words]").textContent = body === null ? "null: the property has no value" : "one value";
    rowsBox.replaceChildren(element("pre", { class: "code" }, typeof body === "string" ? body : JSON.stringify(body, null, 2)));
  } else if (!rows.length) {
    bar.querySelector("[data-result-words]").textContent = "no rows";
    rowsBox.replaceChildren(empty("inbox", "Nothing fits", "The query is right, but no entity that you may see fulfils it."));
  } else {
    const columns = columnsOf(rows);
    bar.querySelector("[data-result-words]").textContent = `${rows.length.toLocaleString("en")}${count === undefined ? "" : ` of ${count.toLocaleString("en")}`} ${rows.length === 1 && count === undefined ? "row" : "rows"}`;
    const numeric = new Set(columns.filter((name) => name !== "@iot.id" && rows.some((row) => typeof row[name] === "number")));
    rowsBox.replaceChildren(element("div", { class: "table-wrap" }, element("table", {}, element("thead", {}, element("tr", {}, ...columns.map((name) => element("th", { scope: "col", class: numeric.has(name) ? "number" : null }, name)))), element("tbody", {}, ...rows.slice(0, 2000).map((row) => element("tr", {}, ...columns.map((name) => cell(name, row[name], row, set))))))));
  }
  bar.querySelector("[data-more]").hidden = !next;
  bar.querySelector("[data-csv]").hidden = !rows || !rows.length;
}

function take(body) {
  if (body && typeof body === "object" && Array.isArray(body.value)) {
    result.rows = [...(result.rows || []), ...body.value];
    result.next = body["@iot.nextLink"];
    result.count = body["@iot.count"] ?? result.count;
  } else if (body && typeof body === "object" && "@iot.id" in body) { result.rows = [body]; }
  result.body = body;
}

async function run(push = true) {
  running.abort();
  checking.abort();
  if (!path()) { field("path").focus(); return; }
  running = new AbortController();
  const asked = options();
  if (push) window.history.pushState({}, "", `/explorer/query?${encodeQuery({ path: path(), ...asked })}`);
  say("running", "starting");
  const began = performance.now();
  try {
    const body = await read(path(), asked, running.signal);
    clearMarks();
    result = { rows: null, next: null, set: type() && path().includes("/") ? type().set : path().split("(")[0] };
    take(body);
    say(`answered in ${Math.round(performance.now() - began)} ms`, "active");
    showRows();
    if (push && window.matchMedia("(max-width: 900px)").matches) rowsBox.closest("section").scrollIntoView({ block: "start" });
  } catch (error) {
    if (error.name === "AbortError") return;
    root.querySelector("[data-result-bar]").hidden = true;
    if (error.status >= 400 && error.status < 500 || error.status === 501) { showProblem(error); rowsBox.replaceChildren(empty("alert-circle", "The query was not run", "Its mistake is marked above.")); } else { say("failed", "failed"); rowsBox.replaceChildren(refusal(error)); }
  }
}

async function more(button) {
  button.disabled = true;
  try { take(await follow(result.next)); showRows(); } catch (error) { rowsBox.prepend(refusal(error)); }
  button.disabled = false;
}

// A file of all rows: pages that are not loaded yet are asked for first.
async function download(button) {
  const words = button.querySelector("span");
  button.disabled = true;
  try {
    while (result.next && result.rows.length < MOST_ROWS) {
      words.textContent = `${result.rows.length.toLocaleString("en")} rows…`;
      take(await follow(result.next));
    }
    const link = element("a", { href: URL.createObjectURL(new Blob([csvOf(result.rows, columnsOf(result.rows))], { type: "text/csv" })), download: `${path().replace(/[^\w]+/g, "_").replace(/^_|_$/g, "")}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    words.textContent = result.next ? `First ${MOST_ROWS.toLocaleString("en")} rows saved` : "Saved";
    showRows();
  } catch (error) { rowsBox.prepend(refusal(error)); words.textContent = "CSV"; }
  setTimeout(() => { words.textContent = "CSV"; }, 3000);
  button.disabled = false;
}

function fillFromAddress() {
  const given = new URLSearchParams(window.location.search);
  for (const name of ["path", ...NAMES]) field(name).value = given.get(name) || "";
  field("$count").checked = given.get("$count") === "true";
  return given.has("path");
}

function tabs() {
  const buttons = [...root.querySelectorAll("[role=tab]")];
  const choose = (button) => buttons.forEach((one) => { const isOn = one === button; one.setAttribute("aria-selected", String(isOn)); one.tabIndex = isOn ? 0 : -1; document.getElementById(one.getAttribute("aria-controls")).hidden = !isOn; });
  for (const button of buttons) {
    button.addEventListener("click", () => choose(button));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = buttons[(buttons.indexOf(button) + step + buttons.length) % buttons.length];
      choose(next);
      next.focus();
    });
  }
}

async function start() {
  const isGiven = window.location.search ? fillFromAddress() : false;
  all = await describe();
  completions.push(complete(field("path"), (before) => forPath(before, all), changed));
  completions.push(complete(field("$filter"), (before) => forCondition(before, type(), all), changed));
  completions.push(complete(field("$select"), (before) => forSelection(before, type()), changed));
  completions.push(complete(field("$expand"), (before) => forExpansion(before, type(), all), changed));
  completions.push(complete(field("$orderby"), (before) => forOrder(before, type(), all), changed));
  for (const name of ["$top", "$skip", "$count"]) field(name).addEventListener("input", changed);
  form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
  form.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); } });
  root.querySelector("[data-more]").addEventListener("click", (event) => more(event.currentTarget));
  root.querySelector("[data-csv]").addEventListener("click", (event) => download(event.currentTarget));
  for (const button of root.querySelectorAll("[data-copies]")) button.addEventListener("click", () => copy(root.querySelector(button.dataset.copies).textContent, button.querySelector("span")));
  for (const button of root.querySelectorAll("[data-example]")) button.addEventListener("click", () => { window.history.pushState({}, "", `/explorer/query?${button.dataset.example}`); fillFromAddress(); showAddress(); showHelp(); run(false); });
  window.addEventListener("popstate", () => { if (fillFromAddress()) run(false); showAddress(); showHelp(); });
  tabs();
  showAddress();
  showHelp();
  if (isGiven) run(false);
  else if (!path()) say("choose a set", "idle");
  // What somebody typed while the description was on its way.
  else { changed(); document.activeElement.dispatchEvent(new Event("input", { bubbles: true })); }
}
start().catch((error) => rowsBox.replaceChildren(refusal(error)));
