// The live tail of a system: server-sent events become rows, newest first. Text only, never markup.
"use strict";

(() => {
  const root = document.getElementById("tail");
  if (!root) return;
  const ROWS = 100;
  const tbody = root.querySelector("[data-tail-rows]");
  const stateLabel = root.querySelector("[data-tail-state]");
  const rateLabel = root.querySelector("[data-tail-rate]");
  const pauseButton = root.querySelector("[data-tail-pause]");
  const lanes = { int: [], ext: [], dlq: [] };
  const totals = { int: 0, ext: 0, dlq: 0 };
  const seen = new Map();
  const units = new Map();
  const arrivals = [];
  let tab = "int";
  let chosen = false;
  let paused = false;
  let connection = "connecting";
  let settled = false; // whether it is known that there is nothing, not only that nothing came yet
  const SETTLES_MS = 2000;

  const SPRITE = document.querySelector(".brand") ? root.querySelector("use").getAttribute("href").split("#")[0] : "";

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${SPRITE}#${name}`);
    svg.append(use);
    return svg;
  }

  function cell(text, className, title) {
    const td = document.createElement("td");
    if (className) td.className = className;
    if (title) td.title = title;
    td.append(text);
    return td;
  }

  function clock(text) {
    const time = new Date(text);
    if (Number.isNaN(time.getTime())) return text;
    const today = new Date().toDateString() === time.toDateString();
    const hours = time.toLocaleTimeString("en-GB", { hour12: false }) + "." + String(time.getMilliseconds()).padStart(3, "0");
    return today ? hours : `${time.toLocaleDateString("en-CA")} ${hours}`;
  }

  function resultCell(record) {
    const td = cell(record.result, "number result");
    if (record.problem) {
      const mark = document.createElement("span");
      mark.className = "problem";
      mark.textContent = record.problem + (record.result ? " " : "");
      td.prepend(mark);
    }
    const unit = document.createElement("span");
    unit.className = "unit";
    unit.dataset.unitOf = record.name;
    const symbol = record.unit || units.get(record.name) || "";
    unit.textContent = symbol ? ` ${symbol}` : "";
    td.append(unit);
    return td;
  }

  function originCell(record) {
    const td = cell("", "origin", record.origin);
    const own = record.origin === root.dataset.system;
    if (own) { td.textContent = "this system"; td.classList.add("muted"); return td; }
    const levels = record.origin.split(".");
    if (levels.length === 5) td.append(icon("route"));
    td.append(levels.length === 5 ? `${levels[4]} of ${levels[3]}` : record.origin || "unknown");
    return td;
  }

  function row(record, fresh) {
    const tr = document.createElement("tr");
    if (fresh) tr.className = "fresh";
    tr.append(
      cell(clock(record.time), "nowrap", record.time),
      cell(record.thing, ""),
      cell(record.datastream, "", record.name),
      resultCell(record),
      originCell(record),
      cell(`${record.partition}:${record.offset}`, "number position", `${record.topic}, partition ${record.partition}, offset ${record.offset}`),
    );
    return tr;
  }

  function showEmpty() {
    const empty = lanes[tab].length === 0;
    root.querySelector("[data-tail-empty]").hidden = !empty || !settled;
    root.querySelector("[data-tail-reading]").hidden = !empty || settled;
    root.querySelector("table").hidden = empty;
    for (const text of root.querySelectorAll("[data-empty]")) text.hidden = text.dataset.empty !== tab;
  }

  function redraw() {
    tbody.replaceChildren(...lanes[tab].map((record) => row(record, false)));
    showEmpty();
  }

  function select(name) {
    tab = name;
    for (const button of root.querySelectorAll("[data-tab]")) button.setAttribute("aria-selected", String(button.dataset.tab === name));
    redraw();
  }

  function isNew(record) {
    const place = `${record.topic}/${record.partition}`;
    if (record.offset <= (seen.get(place) ?? -1)) return false;
    seen.set(place, record.offset);
    return true;
  }

  function showState() {
    const word = paused ? "paused" : connection;
    stateLabel.textContent = word;
    stateLabel.className = `state state-${word === "connecting" ? "starting" : word}`;
  }

  function settle() {
    if (settled) return;
    settled = true;
    showEmpty();
  }

  function take(message, first) {
    if (message.records.length) settled = true;
    if (message.state === "live" && connection !== "live") setTimeout(settle, SETTLES_MS);
    connection = message.state;
    showState();
    // Records of one partition are already in order; across partitions the records' own time decides.
    const records = message.records.filter(isNew);
    if (first) records.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    for (const record of records) {
      lanes[record.tab].unshift(record);
      lanes[record.tab].length = Math.min(lanes[record.tab].length, ROWS);
      totals[record.tab] += 1;
    }
    if (!first) arrivals.push([performance.now(), records.length + message.skipped]);
    for (const label of root.querySelectorAll("[data-count]")) label.textContent = totals[label.dataset.count].toLocaleString("en");
    if (paused) return;
    if (first) {
      if (!chosen && lanes.int.length === 0 && lanes.ext.length > 0) select("ext");
      else redraw();
      return;
    }
    const shown = records.filter((record) => record.tab === tab).slice(-ROWS);
    const top = tbody.parentElement.parentElement;
    const before = top.scrollHeight;
    for (const record of shown) tbody.prepend(row(record, true));
    while (tbody.rows.length > ROWS) tbody.lastElementChild.remove();
    if (shown.length) showEmpty();
    if (top.scrollTop > 4) top.scrollTop += top.scrollHeight - before;
  }

  function addUnits(found) {
    for (const [name, unit] of Object.entries(found)) {
      units.set(name, unit);
      for (const label of root.querySelectorAll("[data-unit-of]")) if (label.dataset.unitOf === name) label.textContent = ` ${unit}`;
    }
  }

  let first = true;
  const source = new EventSource(root.dataset.tail);
  source.addEventListener("records", (event) => {
    const message = JSON.parse(event.data);
    take(message, first && message.records.length > 0);
    if (message.records.length > 0) first = false;
  });
  source.addEventListener("units", (event) => addUnits(JSON.parse(event.data)));
  source.addEventListener("closed", () => { source.close(); connection = "closed"; showState(); settle(); });
  source.addEventListener("error", () => { connection = "interrupted"; showState(); });
  window.addEventListener("pagehide", () => source.close());

  for (const button of root.querySelectorAll("[data-tab]")) {
    button.addEventListener("click", () => {
      chosen = true;
      select(button.dataset.tab);
      const here = new URL(location.href);
      here.searchParams.set("tab", button.dataset.tab);
      history.replaceState(history.state, "", here);
    });
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const all = [...root.querySelectorAll("[data-tab]")];
      const next = all[(all.indexOf(button) + step + all.length) % all.length];
      next.focus();
      next.click();
    });
  }
  pauseButton.addEventListener("click", () => {
    paused = !paused;
    pauseButton.setAttribute("aria-pressed", String(paused));
    pauseButton.querySelector("use").setAttribute("href", `${SPRITE}#player-${paused ? "play" : "pause"}`);
    pauseButton.querySelector("span").textContent = paused ? "Resume" : "Pause";
    showState();
    if (!paused) redraw();
  });
  setInterval(() => {
    const since = performance.now() - 5000;
    while (arrivals.length && arrivals[0][0] < since) arrivals.shift();
    const rate = arrivals.reduce((sum, [, count]) => sum + count, 0) / 5;
    rateLabel.textContent = rate ? `${rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en")} records/s` : "";
  }, 1000);
  const wanted = new URLSearchParams(location.search).get("tab");
  if (Object.hasOwn(lanes, wanted ?? "")) { chosen = true; select(wanted); }
  showEmpty();
})();
