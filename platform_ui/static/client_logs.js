// Reports as they come: server-sent events become rows, newest first. Text only, never markup.
"use strict";

(() => {
  const root = document.getElementById("reports");
  if (!root || !root.dataset.live) return;
  const ROWS = 500;
  const label = root.querySelector("[data-live-state]");
  const pause = root.querySelector("[data-live-pause]");
  const said = root.querySelector("[data-live-count]");
  const seen = new Set([...root.querySelectorAll("[data-position]")].map((row) => row.dataset.position));
  const waiting = [];
  let paused = false;
  let arrived = 0;

  function show(word) {
    label.hidden = pause.hidden = false;
    label.textContent = word;
    label.className = `state state-${word}`;
  }

  function cell(label, text, className) {
    const td = document.createElement("td");
    td.dataset.label = label;
    if (className) td.className = className;
    td.textContent = text;
    return td;
  }

  function row(report, withClient) {
    const tr = document.createElement("tr");
    tr.className = "fresh";
    tr.dataset.position = report.position;
    const word = report.level || report.type;
    const time = document.createElement("time");
    time.dateTime = report.time;
    const zone = document.documentElement.dataset.zone || "UTC";
    try {
      time.textContent = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: zone }).format(new Date(report.time));
    } catch {
      time.textContent = report.time;
    }
    const when = cell("Time", "", "nowrap");
    when.append(time);
    const text = cell("Report", report.message || "", "report");
    if (report.exception) {
      const details = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = "Traceback";
      const pre = document.createElement("pre");
      pre.className = "code";
      pre.textContent = report.exception;
      details.append(summary, pre);
      text.append(details);
    }
    tr.append(when);
    if (withClient) tr.append(cell("Client app", report.client || "", ""));
    tr.append(cell("Level", word, `level level-${word.toLowerCase().replace(/[^a-z]/g, "")}`), text);
    return tr;
  }

  function add(reports) {
    const body = root.querySelector("[data-reports]");
    if (!body) { // the first one: the page shows a table from now on
      if (root.querySelector(".empty")) window.location.reload();
      return;
    }
    for (const report of reports) body.prepend(row(report, body.dataset.withClient === "true"));
    while (body.rows.length > ROWS) body.lastElementChild.remove();
    arrived += reports.length;
  }

  const source = new EventSource(root.dataset.live);
  source.addEventListener("open", () => show(paused ? "paused" : "live"));
  source.addEventListener("reports", (event) => {
    const fresh = JSON.parse(event.data).filter((report) => !seen.has(report.position));
    for (const report of fresh) seen.add(report.position);
    if (fresh.length === 0) return;
    if (paused) waiting.push(...fresh.slice(-ROWS)); else add(fresh);
  });
  source.addEventListener("closed", () => { source.close(); show("closed"); });
  source.addEventListener("error", () => show("interrupted"));
  window.addEventListener("pagehide", () => source.close());

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.querySelector("span").textContent = paused ? "Resume" : "Pause";
    show(paused ? "paused" : "live");
    if (!paused) add(waiting.splice(0));
  });
  setInterval(() => {
    if (arrived) said.textContent = `${arrived} new`;
    arrived = 0;
  }, 10000);
})();
